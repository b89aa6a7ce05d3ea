"""What counts as a conversion, whose it is, and what it is worth."""

from __future__ import annotations

from functools import cache
from typing import Any

import ibis.expr.types as ir
import pytest

from tests.facts import put, warehouse
from tieback import attribution
from tieback.attribution.conversions import conversions, owned
from tieback.attribution.moments import moments
from tieback.attribution.rates import missing_rates, rates_of_moments
from tieback.config import DEFAULT_CONVERSIONS, Consent, Conversion, Exclude, Settings
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import fitted, relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

AT = relations((*FACTS, *OPINIONS))
EVENTS = {
    **DEFAULT_CONVERSIONS,
    "demo": Conversion(source="events", event="Demo booked", value="120", is_revenue=False),
    "donation": Conversion(source="events", event="donation", value="value", is_revenue=True),
}
BASE = Settings(
    currency="EUR",
    conversions=EVENTS,
    exclude=Exclude(email_domains=("tieback.dev",), user_ids=("qa-*",), anonymous_ids=("lab?",), accounts=("*demo*",)),
)
PEOPLE = [
    {"id_kind": "contact", "id_value": "c1", "person_id": "ada", "account_id": "domain:acme.com"},
    {"id_kind": "email", "id_value": "mail-ada", "person_id": "ada", "account_id": "domain:acme.com"},
    {"id_kind": "user", "id_value": "u2", "person_id": "bob"},
    {"id_kind": "customer", "id_value": "k3", "person_id": "cyd"},
    {"id_kind": "anonymous", "id_value": "browser", "person_id": "dan"},
    {"id_kind": "contact", "id_value": "c9", "person_id": "eve", "account_id": "crm:A9"},
    {"id_kind": "customer", "id_value": "k9", "person_id": "eve", "account_id": "crm:A9"},
]


def deal(deal_id: str, changed_at: str, stage: str | None = None, amount: float | None = None, **given: Any) -> Any:
    """A change of a deal of contact c1."""
    filled = {"contact_id": "c1", "currency": "EUR", "name": f"Deal {deal_id}", **given}
    return {"deal_id": deal_id, "changed_at": changed_at, "stage": stage, "amount": amount, **filled}


def order(order_id: str, at: str, amount: float, kind: str = "order", **given: Any) -> Any:
    """An order in euros."""
    return {"order_id": order_id, "kind": kind, "amount": amount, "occurred_at": at, "changed_at": at, **given}


@cache
def _store() -> DuckDB:
    return warehouse(people=[])


def rows(settings: Settings = BASE, what: str = "conversions", **facts: list[Any]) -> list[dict[str, Any]]:
    """What `settings` make of the facts, step by step as a run does: in one statement it takes DuckDB long to plan."""
    store = _store()
    for table in (*FACTS, TABLES["people"]):
        store.execute(f"DELETE FROM {table.name}")
    for name, given in {"people": PEOPLE, **facts}.items():
        put(store, name, given)
    happened = store.scratch("moments", moments(AT, settings))
    if what == "missing_rates":
        needed = rates_of_moments(happened, settings).union(attribution.rates_of_spend(AT.spend))
        return _read(store, missing_rates(needed, AT.fx_rates, settings))
    staff = store.scratch("staff", attribution.staff(AT, AT.people, settings.exclude))
    whose = store.scratch("owned", owned(happened, AT.people, staff))
    return _read(store, fitted(conversions(whose, AT.fx_rates, settings), TABLES["conversions"]))


def _conversions(settings: Settings) -> ir.Table:
    staff = attribution.staff(AT, AT.people, settings.exclude)
    whose = owned(moments(AT, settings), AT.people, staff)
    return conversions(whose, AT.fx_rates, settings)


def _read(store: DuckDB, expression: ir.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.read(expression).to_pylist()
    return found


def found(settings: Settings = BASE, **facts: list[Any]) -> dict[str, dict[str, Any]]:
    """The conversions by id."""
    return {row["conversion_id"]: row for row in rows(settings, **facts)}


def test_a_deal_counts_once_for_each_stage_when_it_first_had_it() -> None:
    """Names are those of [stages], spaces and letter case aside; no stage is invented, and none counts twice."""
    seen = found(
        deals=[
            deal("1", "2026-01-01", "New"),
            deal("1", "2026-01-05", " Opportunity ", 500),
            deal("1", "2026-01-06", "Lead"),
            deal("1", "2026-01-09", "Legal review"),
            deal("1", "2026-02-01", "CLOSED WON", 700),
        ]
    )
    assert {name: row["occurred_at"].date().isoformat() for name, row in seen.items()} == {
        "lead:1": "2026-01-01",
        "opportunity:1": "2026-01-05",
        "customer:1": "2026-02-01",
    }
    won = seen["customer:1"]
    assert (won["person_id"], won["account_id"], won["subject_id"]) == ("ada", "domain:acme.com", "domain:acme.com")
    assert (won["lead_at"].day, won["opportunity_at"].day, won["journey_id"]) == (1, 5, "customer:1")
    assert (won["is_revenue"], won["is_new_customer"], seen["lead:1"]["is_revenue"]) == (True, True, False)


def test_a_deal_is_worth_its_latest_known_amount() -> None:
    """An amount corrected after the sale corrects its value, and one that a change leaves out stays known."""
    seen = found(
        deals=[deal("1", "2026-01-01", "won", 500), deal("1", "2026-01-05", "won", 800), deal("1", "2026-01-06", "won")]
    )
    assert seen["customer:1"]["value_minor"] == 800_00


def test_deleted_deals_and_orders_leave() -> None:
    """What its source deleted is no conversion."""
    deals = [deal("1", "2026-01-01", "won", 500), deal("1", "2026-01-05", deleted=True)]
    orders = [order("o", "2026-01-01", 5), {**order("o", "2026-01-01", 5), "changed_at": "2026-01-02", "deleted": True}]
    assert found(deals=deals, orders=orders) == {}


def test_an_account_given_on_the_deal_comes_before_that_of_its_contact() -> None:
    """The CRM knows better than an e-mail domain; with neither, the customer is the person, or else the deal."""
    seen = found(
        deals=[
            deal("1", "2026-01-01", "won", 1, account_id="A1"),
            deal("2", "2026-01-01", "won", 1, contact_id="unknown"),
        ]
    )
    assert (seen["customer:1"]["account_id"], seen["customer:1"]["subject_id"]) == ("crm:A1", "crm:A1")
    assert (seen["customer:2"]["person_id"], seen["customer:2"]["subject_id"]) == (None, "deal:2")


def test_orders_belong_to_their_strongest_identifier_alone() -> None:
    """A login weighs more than an e-mail address, a number that nobody knows weighs nothing; no account is drawn in."""
    seen = found(
        orders=[
            order("o1", "2026-01-01", 1, user_id="u2", email_hash="mail-ada"),
            order("o2", "2026-01-02", 1, user_id="unknown", email_hash="mail-ada"),
            order("o3", "2026-01-03", 1, customer_id="k3"),
            order("o4", "2026-01-04", 1, account_id="A1"),
        ]
    )
    assert [seen[f"order:o{n}"]["person_id"] for n in (1, 2, 3, 4)] == ["bob", "ada", "cyd", None]
    assert [seen[f"order:o{n}"]["subject_id"] for n in (1, 2, 3, 4)] == ["bob", "ada", "cyd", "crm:A1"]


def test_a_win_that_was_taken_back_is_left_out() -> None:
    """Lost after it was won, or open again: no revenue, and the reason says where the deal is; won again, it counts.

    A lead whose first contact was entered after the win (deal 4) did not go back: it never was a lead before.
    """
    seen = found(
        deals=[
            *(deal(name, "2026-01-01", "opportunity", 5) for name in "123"),
            *(deal(name, "2026-01-02", "won", 5) for name in "123"),
            *(deal(name, "2026-01-03", stage) for name, stage in (("1", "lost"), ("2", "proposal"), ("3", "lost"))),
            deal("3", "2026-01-04", "won"),
            deal("3", "2026-01-05", "a stage that nobody declared"),
            deal("5", "2026-01-02", "won", 5),
            deal("5", "2026-01-03", "lost"),
            deal("5", "2026-01-04", "proposal"),
            deal("4", "2026-01-02", "won", 5),
            deal("4", "2026-01-03", "lead"),
        ],
        orders=[order("r", "2026-02-01", 5, "refund", sale_id="1")],
    )
    reasons = {name: row["excluded_reason"] for name, row in seen.items() if row["excluded_reason"]}
    assert reasons == {
        "customer:1": "taken back: the deal is now at stage lost",
        "customer:2": "taken back: the deal is now at stage opportunity",
        "customer:5": "taken back: the deal is now at stage opportunity",
        "refund:r": "taken back: the deal is now at stage lost",
    }
    assert {name for name, row in seen.items() if row["is_revenue"] and not row["excluded_reason"]} == {
        "customer:3",
        "customer:4",
    }


def test_a_company_that_bought_by_deal_and_by_order_is_one_customer() -> None:
    """Orders keep the journey of their person; the customer is the company that the CRM knows or that has a deal."""
    own = [order("o", "2026-01-05", 1, email_hash="mail-ada"), order("p", "2026-01-05", 1, customer_id="k9")]
    apart, dealing = found(orders=own), found(deals=[deal("1", "2026-01-01", "won", 5)], orders=own)
    assert (apart["order:o"]["subject_id"], apart["order:p"]["subject_id"]) == ("ada", "crm:A9")
    assert (dealing["order:o"]["subject_id"], dealing["order:o"]["account_id"]) == ("domain:acme.com", None)
    assert {name for name, row in dealing.items() if row["is_new_customer"]} == {"customer:1", "order:p"}


def test_a_deal_that_is_left_out_makes_no_company_a_customer() -> None:
    """A test deal counts nowhere: not in who buys either."""
    test = deal("1", "2026-01-01", "won", 5, name="test")
    seen = found(deals=[test], orders=[order("o", "2026-01-05", 1, email_hash="mail-ada")])
    assert (seen["order:o"]["subject_id"], seen["order:o"]["is_new_customer"]) == ("ada", True)


def test_a_refund_of_an_unknown_sale_is_the_company_s_whose_person_it_names() -> None:
    """It comes off what that customer brought, as the order would have been added."""
    refund = order("r", "2026-03-05", 1, "refund", sale_id="unknown", email_hash="mail-ada")
    seen = found(deals=[deal("1", "2026-01-01", "won", 5)], orders=[refund])
    assert seen["refund:r"]["subject_id"] == seen["customer:1"]["subject_id"] == "domain:acme.com"


def test_the_first_sale_makes_the_customer() -> None:
    """Per subject, in order of time and then id; renewals make none, and a sale that is left out does not count."""
    seen = found(
        orders=[
            order("staff", "2025-01-01", 1, user_id="u2", email_domain="tieback.dev"),
            order("b", "2026-01-01", 1, user_id="u2"),
            order("a", "2026-01-01", 1, user_id="u2"),
            order("r", "2025-06-01", 1, "renewal", user_id="u2"),
            order("negative", "2025-06-01", -1, user_id="u2"),
        ]
    )
    assert {name for name, row in seen.items() if row["is_new_customer"]} == {"order:a"}


def test_refunds_are_negative_and_follow_their_sale() -> None:
    """Person, account, deal, marks, journey and exclusion are the sale's; of an unknown sale there is no journey."""
    seen = found(
        deals=[
            deal("7", "2026-01-01", "lead"),
            deal("7", "2026-02-01", "won", 500),
            deal("8", "2026-02-01", "won", 500, name="TEST deal"),
        ],
        orders=[
            order("o1", "2026-01-01", 100, user_id="u2"),
            order("r1", "2026-03-01", 30, "refund", sale_id="o1"),
            order("r2", "2026-03-02", 500, "refund", sale_id="7"),
            order("r3", "2026-03-03", -5, "refund", sale_id="nobody knows", user_id="u2"),
            order("r4", "2026-03-03", 500, "refund", sale_id="8"),
        ],
    )
    refund = seen["refund:r1"]
    assert (refund["value_minor"], refund["journey_id"], refund["person_id"]) == (-30_00, "order:o1", "bob")
    of_deal = seen["refund:r2"]
    assert (of_deal["journey_id"], of_deal["deal_id"], of_deal["order_id"]) == ("customer:7", "7", "r2")
    assert (of_deal["subject_id"], of_deal["lead_at"].month) == ("domain:acme.com", 1)
    assert (seen["refund:r3"]["value_minor"], seen["refund:r3"]["journey_id"]) == (-5_00, None)
    assert seen["refund:r4"]["excluded_reason"] == seen["customer:8"]["excluded_reason"] is not None


def test_a_renewal_belongs_to_whoever_bought() -> None:
    """It continues a deal: the deal's account and person where it names none, and its refund follows the renewal."""
    seen = found(
        deals=[deal("7", "2026-02-01", "won", 500)],
        orders=[
            order("n", "2027-02-01", 500, "renewal", sale_id="7"),
            order("r", "2027-02-02", 1, "refund", sale_id="n"),
        ],
    )
    renewal, refund = seen["renewal:n"], seen["refund:r"]
    assert (renewal["account_id"], renewal["person_id"], renewal["deal_id"]) == ("domain:acme.com", "ada", "7")
    assert (renewal["journey_id"], renewal["is_new_customer"]) == ("renewal:n", False)
    assert (refund["journey_id"], refund["account_id"], refund["deal_id"]) == ("renewal:n", "domain:acme.com", "7")


def test_a_refund_of_a_fixed_value_is_negative_too() -> None:
    """Whatever the value comes from, giving back takes off."""
    fixed = Settings(
        currency="EUR",
        conversions={**DEFAULT_CONVERSIONS, "return": Conversion("orders", order_kind="refund", value="7.50")},
    )
    assert found(fixed, orders=[order("r", "2026-01-01", 3, "refund")])["return:r"]["value_minor"] == -7_50


def test_an_order_and_a_deal_of_the_same_number() -> None:
    """A refund that names 7 means the order of that number, if there is one, else the deal."""
    seen = found(
        deals=[deal("7", "2026-02-01", "won", 500)],
        orders=[order("7", "2026-01-01", 100, user_id="u2"), order("r", "2026-03-01", 30, "refund", sale_id="7")],
    )
    assert (seen["refund:r"]["journey_id"], seen["refund:r"]["person_id"]) == ("order:7", "bob")


def test_orders_are_marked_by_their_subjects_first_lead() -> None:
    """The first lead at or before the order; one that comes later marks nothing."""
    events = [{"event_id": "e", "kind": "form", "name": "Lead form", "occurred_at": "2026-01-05", "user_id": "u2"}]
    settings = Settings(conversions={**DEFAULT_CONVERSIONS, "lead": Conversion(source="events", event="lead form")})
    seen = found(
        settings,
        events=events,
        orders=[order("a", "2026-01-04", 1, user_id="u2"), order("b", "2026-01-06", 1, user_id="u2")],
    )
    assert seen["order:a"]["lead_at"] is None
    assert seen["order:b"]["lead_at"].isoformat() == "2026-01-05T00:00:00"


def test_a_deal_without_lead_stage_is_marked_by_a_lead_event() -> None:
    """A form filled in by one of the account's people marks the account's deal; a deal's own stage comes first."""
    events = [{"event_id": "e", "kind": "form", "occurred_at": "2026-01-05", "email_hash": "mail-ada"}]
    settings = Settings(conversions={**DEFAULT_CONVERSIONS, "lead": Conversion(source="events", event="form")})
    deals = [deal("1", "2026-02-01", "won", 1), deal("2", "2026-01-20", "lead"), deal("2", "2026-02-01", "won", 1)]
    seen = found(settings, events=events, deals=deals)
    assert [seen[f"customer:{number}"]["lead_at"].isoformat()[:10] for number in (1, 2)] == ["2026-01-05", "2026-01-20"]


def test_an_event_that_refuses_measurement_is_no_conversion() -> None:
    """It is kept, with the reason; where nothing is said, the settings decide."""
    events = [
        {"event_id": "1", "kind": "donation", "occurred_at": "2026-01-01", "consent_analytics": False},
        {"event_id": "2", "kind": "donation", "occurred_at": "2026-01-01", "consent_analytics": True},
        {"event_id": "3", "kind": "donation", "occurred_at": "2026-01-01"},
    ]
    refused = "no consent to measurement"
    reasons = {name: row["excluded_reason"] for name, row in found(events=events).items()}
    assert reasons == {"donation:1": refused, "donation:2": None, "donation:3": None}
    strict = Settings(currency="EUR", conversions=EVENTS, consent=Consent(assumed=False))
    reasons = {name: row["excluded_reason"] for name, row in found(strict, events=events).items()}
    assert reasons == {"donation:1": refused, "donation:2": None, "donation:3": refused}


def test_what_a_bot_that_may_count_does_is_a_conversion() -> None:
    """As [exclude] names it; others' are kept, with the reason."""
    events = [
        {"event_id": "1", "kind": "donation", "occurred_at": "2026-01-01", "bot_reason": "http library: okhttp"},
        {"event_id": "2", "kind": "donation", "occurred_at": "2026-01-01", "bot_reason": "seo: SemrushBot"},
    ]
    lenient = Settings(currency="EUR", conversions=EVENTS, exclude=Exclude(bots_allowed=("http library: *",)))
    seen = {name: row["excluded_reason"] for name, row in found(lenient, events=events).items()}
    assert seen == {"donation:1": None, "donation:2": "bot: seo: SemrushBot"}


def test_named_events_count_by_name_or_kind() -> None:
    """Letter case aside; worth a fixed number of the base currency, or what the event itself says."""
    events = [
        {
            "event_id": "1",
            "kind": "track",
            "name": "demo BOOKED",
            "occurred_at": "2026-01-01",
            "anonymous_id": "browser",
        },
        {"event_id": "2", "kind": "donation", "occurred_at": "2026-01-01", "value": 12.5, "currency": "EUR"},
        {"event_id": "3", "kind": "track", "name": "scroll", "occurred_at": "2026-01-01"},
        {"event_id": "4", "kind": "donation", "occurred_at": "2026-01-01", "bot_reason": "crawler"},
        {"event_id": "5", "kind": "donation", "occurred_at": "2026-01-01", "anonymous_id": "LAB1"},
    ]
    seen = found(events=events)
    assert (seen["demo:1"]["value_minor"], seen["demo:1"]["person_id"], seen["demo:1"]["event_id"]) == (
        120_00,
        "dan",
        "1",
    )
    assert (seen["donation:2"]["value_minor"], seen["donation:2"]["subject_id"]) == (12_50, "event:2")
    assert seen["donation:4"]["excluded_reason"] == "bot: crawler"
    assert seen["donation:5"]["excluded_reason"] == "internal traffic"
    assert "donation:3" not in seen
    assert "demo:3" not in seen


def test_what_is_left_out_says_why() -> None:
    """Test deals by name or id, accounts by id or name, and the workspace's own people; all stay in the table."""
    seen = found(
        accounts=[{"account_id": "A1", "name": "Big Demo Inc", "changed_at": "2026-01-01"}],
        contacts=[
            {"contact_id": "c9", "email_domain": "tieback.dev", "changed_at": "2026-01-01"},
            {"contact_id": "c8", "account_id": "A1", "changed_at": "2026-01-01"},
        ],
        deals=[
            deal("5", "2026-01-01", "won", 1, contact_id="c8"),
            deal("1", "2026-01-01", "won", 1, name="Acme (TEST) 2"),
            deal("2", "2026-01-01", "won", 1, account_id="A1"),
            deal("3", "2026-01-01", "won", 1, contact_id="c9"),
            deal("4", "2026-01-01", "won", 1, name="The latest contract"),
        ],
        orders=[order("o", "2026-01-01", 1, user_id="QA-7"), order("p", "2026-01-01", 1, customer_id="k9")],
        events=[{"event_id": "e", "kind": "demo booked", "occurred_at": "2026-01-01", "contact_id": "c9"}],
    )
    assert {name: row["excluded_reason"] for name, row in seen.items()} == {
        "customer:1": "test deal (its name or id is in [exclude] deals)",
        "customer:2": "excluded account",
        "customer:5": "excluded account",
        "customer:3": "internal traffic",
        "customer:4": None,
        "order:o": "internal traffic",
        "order:p": "internal traffic",
        "demo:e": "internal traffic",
    }


RATES = [
    {"rate_date": "2026-01-01", "currency": "USD", "base_currency": "EUR", "rate": 0.9},
    {"rate_date": "2026-01-02", "currency": "USD", "base_currency": "EUR", "rate": 0.8},
    {"rate_date": "2026-01-01", "currency": "USD", "base_currency": "GBP", "rate": 0.1},
]


def test_values_take_the_rate_of_their_day_in_the_workspaces_zone() -> None:
    """23:30 UTC on 1 January is already the 2nd in Berlin: 100 USD at 0.8 are 80.00 EUR, not 90.00."""
    orders = [order("o", "2026-01-01T23:30:00", 100, currency="USD")]
    assert found(orders=orders, fx_rates=RATES)["order:o"]["value_minor"] == 90_00
    berlin = Settings(currency="EUR", time_zone="Europe/Berlin", conversions={"order": EVENTS["order"]})
    there = found(berlin, orders=orders, fx_rates=RATES)["order:o"]
    assert (there["value_minor"], there["conversion_date"].isoformat()) == (80_00, "2026-01-02")
    assert (float(there["value"]), there["currency"]) == (100.0, "USD")


@pytest.mark.parametrize(("amount", "minor"), [(0.005, 1), (0.004999, 0), (2.675, 268), (1.005, 101), (1e9, 10**11)])
def test_half_a_minor_unit_is_rounded_away_from_zero(amount: float, minor: int) -> None:
    """2.675 is 2.67499… as a float, and still 2.68; a refund is rounded like its sale."""
    seen = found(orders=[order("o", "2026-01-01", amount), order("r", "2026-01-01", amount, "refund", sale_id="o")])
    assert (seen["order:o"]["value_minor"], seen["refund:r"]["value_minor"]) == (minor, -minor)


def test_yen_have_no_decimals() -> None:
    """A base currency without minor unit: 1234.5 JPY are 1235 units."""
    yen = Settings(currency="JPY", conversions={"order": EVENTS["order"]})
    assert found(yen, orders=[order("o", "2026-01-01", 1234.5)])["order:o"]["value_minor"] == 1235


def test_missing_rates_are_named_by_day() -> None:
    """Each day and currency that a counted value or a cost needs; nothing for zero values, test deals or the base."""
    missing = rows(
        what="missing_rates",
        orders=[
            order("known", "2026-01-01", 5, currency="USD"),
            order("gone", "2026-01-03", 5, currency="USD"),
            order("zero", "2026-01-04", 0, currency="USD"),
            order("own", "2026-01-04", 5),
        ],
        deals=[
            deal("t", "2026-01-05", "won", 5, currency="USD", name="test"),
            deal("l", "2026-01-06", "lead", 5, currency="USD"),
        ],
        spend=[{"spend_date": "2026-01-07", "platform": "x", "cost": 1, "currency": "GBP", "synced_at": "2026-01-08"}],
        fx_rates=RATES,
    )
    assert sorted((row["day"].day, row["currency"], row["used_by"]) for row in missing) == [
        (3, "USD", "the conversion order"),
        (7, "GBP", "spend"),
    ]


def test_margin_may_be_the_value() -> None:
    """Credit by margin rather than by amount, where the shop knows it."""
    margin = Settings(
        currency="EUR", conversions={"order": Conversion(source="orders", value="margin", is_revenue=True)}
    )
    assert found(margin, orders=[order("o", "2026-01-01", 100, margin=12.34)])["order:o"]["value_minor"] == 12_34


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_engine_has_a_statement(dialect: str) -> None:
    """Conversions of each source, and members, compile for every dialect."""
    few = Settings(conversions={kind: EVENTS[kind] for kind in ("customer", "order", "refund", "donation")})
    assert compiled(_conversions(few), dialect)
    assert compiled(attribution.members(AT.conversions, AT.people, AT.deal_contacts), dialect)
