"""Small random worlds for the laws: facts as rows, hypothesis strategies, and a run over them.

Random rows alone hardly ever meet, and a law about credit holds of no credit: so every world has a dense core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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


# A touch of the core: whole hours before the sale, minutes past, how its person is known, and its tags.
Met = tuple[int, int, str, dict[str, Any]]

_BRAND, _WIDE = _TAGS[2], _TAGS[6]
_MET: tuple[tuple[Met, ...], tuple[Met, ...]] = (
    ((300, 10, "anonymous", _BRAND), (40, 0, "email", _TAGS[3])),
    ((200, 20, "anonymous", _WIDE), (100, 0, "contact", {}), (20, 5, "anonymous", _TAGS[1])),
)


def core(
    sale_hour: int = 700,
    together: int = 120,
    met: tuple[Sequence[Met], Sequence[Met]] = _MET,
    cents: int = 100_001,
    order_cents: int = 4_999,
    back_cents: int = 1_667,
    cost_cents: int = 1_250,
) -> World:
    """What a law needs to say anything: a deal and an order of two people of one account, and what led to them.

    Every touch before the sale is at most 20 days older. `together` hours before it, four touches come at one instant,
    one of them paid. Each day with a touch of campaign brand has its spend; campaign wide has none here.
    Beside them stand what must not count (a bot, a test deal, touches after the sale), a refund of a part of the order,
    a browser that two logins share, which is a tie to cut, and one that only `links` gives to its owner.
    """
    sale = _at(sale_hour)
    same = sale - timedelta(hours=together)
    events: Rows = [
        {"event_id": "same-2", "occurred_at": same, "kind": "page", "anonymous_id": "a0", **_BRAND},
        {"event_id": "same-1", "occurred_at": same, "kind": "webinar", "contact_id": "c0"},
        {"event_id": "same-4", "occurred_at": same, "kind": "crm_campaign", "contact_id": "c1"},
        {"event_id": "same-3", "occurred_at": same, "kind": "page", "anonymous_id": "linked", **_TAGS[3]},
        {"event_id": "bot", "occurred_at": same, "kind": "call", "contact_id": "c1", "bot_reason": "crawler"},
    ]
    for person, touches in enumerate(met):
        for number, (hours, minutes, known_by, tags) in enumerate(touches):
            at = sale - timedelta(hours=hours) + timedelta(minutes=minutes)
            row = {"event_id": f"met-{person}-{number}", "occurred_at": at, **_known(person, known_by), **tags}
            events.append(row)
        login = {"occurred_at": sale - timedelta(hours=together + 2 * person + 1), "user_id": f"u{person}"}
        events.append({"event_id": f"shared-{person}", "kind": "page", "anonymous_id": "shared", **login})
        form = {"event_id": f"after-{person}", "kind": "form", "occurred_at": sale + timedelta(hours=2 + person)}
        events.append(form | _identified(person) | {"anonymous_id": f"a{person}", "user_id": f"u{person}"})
    deal = {"contact_id": "c0", "account_id": "acme", "amount": cents / 100, "currency": "EUR"}
    lead, won = {"stage": "lead", "changed_at": sale - timedelta(hours=60)}, {"stage": "won", "changed_at": sale}
    order = {"currency": "EUR", "email_hash": "h0", "email_domain": _domain(0), "sale_id": None}
    later = sale + timedelta(hours=30)
    paid_on = {_day(row["occurred_at"]) for row in events if row.get("utm_campaign") == "brand"}
    return World(
        {
            "events": events,
            "links": [
                {
                    "left_kind": "anonymous",
                    "left_value": "linked",
                    "right_kind": "email",
                    "right_value": "h1",
                    "observed_at": sale,
                }
            ],
            "contacts": [
                {**_identified(person), "account_id": "acme", "changed_at": START - timedelta(days=1)}
                for person in (0, 1)
            ],
            "deals": [
                {"deal_id": "core", "name": "Core", **deal, **lead},
                {"deal_id": "core", "name": "Core", **deal, **won},
                {"deal_id": "core-test", "name": "test deal", **deal, **won},
            ],
            "deal_contacts": [
                {"deal_id": "core", "contact_id": f"c{person}", "changed_at": sale - timedelta(hours=50)}
                for person in (0, 1)
            ],
            "orders": [
                {**order, "order_id": "core", "kind": "order", "amount": order_cents / 100, **_placed(sale)},
                {
                    **order,
                    "order_id": "core-back",
                    "kind": "refund",
                    "sale_id": "core",
                    "amount": back_cents / 100,
                    **_placed(later),
                },
            ],
            "spend": [_spent(day, "brand", cost_cents / 100, "EUR", hour=7) for day in sorted(paid_on)],
            "fx_rates": [
                {
                    "rate_date": (START + timedelta(days=day)).date(),
                    "currency": "USD",
                    "base_currency": "EUR",
                    "rate": 0.9 + 0.001 * (day % 7),
                }
                for day in range(-2, 70)
            ],
        }
    )


def _known(person: int, by: str) -> dict[str, Any]:
    """The kind of a touch and the identifier by which its person is known."""
    return {
        "anonymous": {"kind": "page", "anonymous_id": f"a{person}"},
        "email": {"kind": "form", "email_hash": f"h{person}", "email_domain": _domain(person)},
        "contact": {"kind": "webinar", "contact_id": f"c{person}"},
    }[by]


def _identified(person: int) -> dict[str, Any]:
    return {"contact_id": f"c{person}", "email_hash": f"h{person}", "email_domain": _domain(person)}


def _placed(at: datetime) -> dict[str, Any]:
    return {"occurred_at": at, "changed_at": at}


def _day(at: datetime) -> date:
    """The day of an instant (UTC) where the workspace is."""
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(SETTINGS.time_zone)).date()


def _spent(day: date, campaign: str, cost: float, currency: str, hour: int = 0) -> dict[str, Any]:
    """Spend as the platform of the campaign states it at `hour` of the next day."""
    return {
        "spend_date": day,
        "platform": "google_ads" if campaign == "brand" else "meta_ads",
        "campaign": campaign,
        "cost": cost,
        "currency": currency,
        "impressions": 100,
        "clicks": 10,
        "synced_at": datetime(day.year, day.month, day.day, hour) + timedelta(days=1),
    }


_before = st.integers(1, 20 * 24 - 12)
_met = st.lists(
    st.tuples(_before, st.integers(0, 59), st.sampled_from(["anonymous", "email", "contact"]), st.sampled_from(_TAGS)),
    min_size=2,
    max_size=4,
)
_cores = st.builds(
    core,
    sale_hour=st.integers(21 * 24, 60 * 24),
    together=_before,
    met=st.tuples(_met, _met),
    cents=st.integers(0, 50_000).map(lambda half: 2 * half + 101),
    order_cents=st.integers(101, 99_999),
    back_cents=st.integers(1, 101),
    cost_cents=st.integers(1, 10_000),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A core, and around it a few more facts of the same people and two others, over two months."""
    around = {
        "events": draw(_events()),
        "contacts": draw(_contacts()),
        "deals": draw(_deals()),
        "deal_contacts": draw(_deal_contacts()),
        "orders": draw(_orders()),
        "spend": draw(_spend()),
    }
    return World({name: rows + around.get(name, []) for name, rows in draw(_cores).tables.items()})


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
        if dice in (2, 3, 6):
            row["consent_analytics"], row["consent_attribution"] = dice != 2, dice != 3
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
        _spent(
            (START + timedelta(days=day)).date(),
            campaign,
            draw(st.integers(0, 10_000)) / 100,
            draw(st.sampled_from(["EUR", "USD"])),
        )
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
