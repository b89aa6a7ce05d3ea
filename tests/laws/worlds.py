"""Small random worlds for the laws: facts as rows, hypothesis strategies, and a run over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.facts import put
from tieback.config import Settings, settings_from
from tieback.pipeline import refresh
from tieback.schema import OPINIONS
from tieback.store import DuckDB

Rows = list[dict[str, Any]]
START = datetime(2025, 1, 1)

SETTINGS = settings_from(
    """
    currency = "EUR"
    time_zone = "Europe/Berlin"
    [conversions.lead]
    lookback_days = 20
    [conversions.customer]
    lookback_days = 40
    [conversions.signup]
    source = "events"
    event = "signup"
    value = "5"
    is_revenue = true
    lookback_days = 30
    [exclude]
    email_domains = ["staff.example"]
    """
)


@dataclass
class World:
    """Facts by table."""

    tables: dict[str, Rows] = field(default_factory=dict)

    def rows(self, shuffled: Any = None) -> list[tuple[str, dict[str, Any]]]:
        """Every fact with its table, in one list, for shuffling and splitting."""
        return [(name, row) for name, rows in self.tables.items() for row in rows]


_hours = st.integers(0, 24 * 60)
_people = st.integers(0, 3)
_TAGS = [
    {},
    {"url": "https://acme.example/", "landing_page": "/"},
    {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "brand", "click_id_kind": "gclid", "click_id": "g1"},
    {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "june"},
    {"url": "https://acme.example/p", "landing_page": "/p", "referrer_domain": "google.com"},
    {"url": "https://acme.example/p", "landing_page": "/p", "referrer_domain": "linkedin.com"},
    {"utm_source": "facebook", "utm_medium": "paid_social", "utm_campaign": "wide"},
]
_KINDS = ["page", "page", "page", "form", "ad_view", "email_click", "call", "webinar", "crm_campaign"]


def _at(hours: int, minutes: int = 0) -> datetime:
    return START + timedelta(hours=hours, minutes=minutes)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few people of two accounts, their touches, deals, orders, refunds and spend over two months."""
    return World(
        {
            "events": draw(_events()),
            "contacts": draw(_contacts()),
            "deals": draw(_deals()),
            "deal_contacts": draw(_deal_contacts()),
            "orders": draw(_orders()),
            "spend": draw(_spend()),
            "fx_rates": [
                {
                    "rate_date": (START + timedelta(days=day)).date(),
                    "currency": "USD",
                    "base_currency": "EUR",
                    "rate": rate,
                }
                for day in range(-2, 70)
                for rate in [0.9 + 0.001 * (day % 7)]
            ],
        }
    )


@st.composite
def _events(draw: st.DrawFn) -> Rows:
    seeds = draw(
        st.lists(
            st.tuples(
                _people, _hours, st.integers(0, 59), st.sampled_from(_KINDS), st.sampled_from(_TAGS), st.integers(0, 9)
            ),
            max_size=14,
        )
    )
    events: Rows = []
    for number, (person, hour, minute, kind, tags, dice) in enumerate(seeds):
        row = {"event_id": f"e{number}", "occurred_at": _at(hour, minute), "kind": kind, **tags}
        if dice < 8 or kind == "page":
            row["anonymous_id"] = f"a{person}{'x' if dice == 1 else ''}"
        if dice >= 7 or kind in ("form", "call"):
            row["email_hash"], row["email_domain"] = f"h{person}", _domain(person)
        if dice == 5:
            row["user_id"] = f"u{person}"
        if dice == 9:
            row["bot_reason"] = "crawler"
        if dice == 4:
            row["name"] = "signup"
        events.append(row)
    return events


def _domain(person: int) -> str:
    return ["acme.example", "acme.example", "gmail.com", "staff.example"][person]


@st.composite
def _contacts(draw: st.DrawFn) -> Rows:
    known = draw(st.lists(_people, unique=True, max_size=4))
    return [
        {
            "contact_id": f"c{person}",
            "email_hash": f"h{person}",
            "email_domain": _domain(person),
            "account_id": draw(st.sampled_from([None, "acme"])),
            "changed_at": _at(draw(_hours)),
        }
        for person in known
    ]


@st.composite
def _deals(draw: st.DrawFn) -> Rows:
    deals: Rows = []
    for number in range(draw(st.integers(0, 3))):
        hour, stages = (
            draw(_hours),
            draw(
                st.sampled_from([["lead"], ["lead", "won"], ["mql", "opportunity", "won"], ["won"], ["lead", "lost"]])
            ),
        )
        amount, person = draw(st.integers(-100, 100_000)), draw(_people)
        for step, stage in enumerate(stages):
            deals.append(
                {
                    "deal_id": f"d{number}",
                    "name": draw(st.sampled_from(["Big", "test deal", None])) if step == 0 else None,
                    "contact_id": f"c{person}",
                    "account_id": draw(st.sampled_from([None, "acme"])) if step == 0 else None,
                    "stage": stage,
                    "amount": amount / 100,
                    "currency": draw(st.sampled_from(["EUR", "USD", None])),
                    "changed_at": _at(hour + 30 * step),
                }
            )
    return deals


@st.composite
def _deal_contacts(draw: st.DrawFn) -> Rows:
    pairs = draw(st.lists(st.tuples(st.integers(0, 2), _people), unique=True, max_size=4))
    return [{"deal_id": f"d{deal}", "contact_id": f"c{person}", "changed_at": START} for deal, person in pairs]


@st.composite
def _orders(draw: st.DrawFn) -> Rows:
    orders: Rows = []
    for number in range(draw(st.integers(0, 3))):
        kind, hour, person = draw(st.sampled_from(["order", "subscription", "renewal"])), draw(_hours), draw(_people)
        amount = draw(st.integers(1, 99_999)) / 100
        sale = {"order_id": f"o{number}", "kind": kind, "amount": amount, "currency": "EUR", "email_hash": f"h{person}"}
        orders.append({**sale, "email_domain": _domain(person), "occurred_at": _at(hour), "changed_at": _at(hour)})
        if draw(st.booleans()):
            back = {
                **sale,
                "order_id": f"r{number}",
                "kind": "refund",
                "sale_id": draw(st.sampled_from([f"o{number}", "unknown"])),
            }
            orders.append({**back, "occurred_at": _at(hour + 40), "changed_at": _at(hour + 40)})
    return orders


@st.composite
def _spend(draw: st.DrawFn) -> Rows:
    days = draw(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["brand", "wide"])), unique=True, max_size=6))
    return [
        {
            "spend_date": (START + timedelta(days=day)).date(),
            "platform": "google_ads" if campaign == "brand" else "meta_ads",
            "campaign": campaign,
            "cost": draw(st.integers(0, 10_000)) / 100,
            "currency": draw(st.sampled_from(["EUR", "USD"])),
            "impressions": 100,
            "clicks": 10,
            "synced_at": START + timedelta(days=day + 1),
        }
        for day, campaign in days
    ]


def run(world: World, settings: Settings = SETTINGS) -> DuckDB:
    """A warehouse with the world's facts and the opinions of one run."""
    store = DuckDB(None)
    for name, rows in world.tables.items():
        put(store, name, rows)
    refresh(store, settings)
    return store


def opinions(store: DuckDB) -> dict[str, list[tuple[Any, ...]]]:
    """Every opinion's rows, sorted, so that two runs can be compared."""
    return {table.name: sorted(store.execute(f"SELECT * FROM {table.name}").fetchall(), key=repr) for table in OPINIONS}
