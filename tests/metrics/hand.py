"""A small company whose numbers can be checked with a pencil.

touches   t1 5 Jan  Paid Search, campaign brand     ┐ one person, Ann of ACME
          t2 20 Jan Email, campaign news            │
          t3 10 Feb Direct                          ┘
          t4 6 Feb  Paid Search, campaign brand       Bob, who never bought
conversions
          lead:1      21 Jan                          credit t1, t2
          customer:1  11 Feb  100.00 new customer     credit t1, t2, t3; first touch 37 days before
          order:2      1 Mar   50.00                  credit t3
          refund:2     5 Mar  −20.00                  credit t3, as its sale
          lead:3      22 Jan                          no touch
          customer:3  20 Feb   30.00 new customer     no touch
costs     5 Jan Paid Search, brand 40.00 · 6 Feb Paid Search, brand 10.00 · 20 Jan Email, other 5.00
linear    shares equal: 100.00 = 33.34 + 33.33 + 33.33
last_touch  everything to the last touch
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ibis

from tests.facts import put, warehouse
from tieback.metrics import BASES, celled, cells, credit_lines, earned, first_sales, marked, observed
from tieback.schema import OPINIONS, TABLES
from tieback.schema.ddl import create_table
from tieback.schema.relations import fitted, relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

Row = dict[str, Any]


def touch(touch_id: str, day: str, channel: str, campaign: str | None = None, **more: Any) -> Row:
    """A touch at noon of a day."""
    return {
        "touch_id": touch_id,
        "person_id": "user:ann",
        "occurred_at": f"{day}T12:00:00",
        "touch_date": day,
        "kind": "visit",
        "channel": channel,
        "channel_rule": "by hand",
        "campaign": campaign,
        "is_paid": channel.startswith("Paid"),
        "is_measured": True,
        "rules_version": "1",
        **more,
    }


def conversion(conversion_id: str, day: str, value_minor: int = 0, **more: Any) -> Row:
    """A conversion at noon of a day; revenue unless it is a lead."""
    kind, _, number = conversion_id.partition(":")
    return {
        "conversion_id": conversion_id,
        "kind": kind,
        "occurred_at": f"{day}T12:00:00",
        "conversion_date": day,
        "person_id": "user:ann",
        "subject_id": "user:ann",
        "deal_id": number if kind in ("lead", "customer") else None,
        "order_id": number if kind in ("order", "refund") else None,
        "journey_id": conversion_id,
        "value": value_minor / 100,
        "currency": "EUR",
        "value_minor": value_minor,
        "is_revenue": kind != "lead",
        "is_new_customer": False,
        **more,
    }


def credit(model: str, conversion_id: str, touch_id: str | None, share: float, value_minor: int = 0) -> Row:
    """One credit."""
    return {
        "model": model,
        "conversion_id": conversion_id,
        "touch_id": touch_id,
        "share": share,
        "value_minor": value_minor,
    }


def journey(conversion_id: str, touch_id: str, position: int, length: int, days_before: float) -> Row:
    """One touch on the way to a conversion."""
    return {
        "path_id": conversion_id,
        "conversion_id": conversion_id,
        "touch_id": touch_id,
        "position": position,
        "length": length,
        "days_before": days_before,
        "occurred_at": "2026-01-01T00:00:00",
        "kind": "visit",
        "channel": "Direct",
        "is_paid": False,
        "is_lead_touch": False,
        "is_opportunity_touch": False,
    }


def spent(day: str, channel: str, campaign: str | None, cost_minor: int, **more: Any) -> Row:
    """A day's cost of a campaign, with ten impressions and one click for each unit of currency."""
    return {
        "spend_date": day,
        "platform": "google_ads",
        "campaign": campaign,
        "channel": channel,
        "cost_minor": cost_minor,
        "impressions": cost_minor // 10,
        "clicks": cost_minor // 100,
        **more,
    }


TOUCHES = [
    touch("t1", "2026-01-05", "Paid Search", "brand", source="google"),
    touch("t2", "2026-01-20", "Email", "news"),
    touch("t3", "2026-02-10", "Direct"),
    touch("t4", "2026-02-06", "Paid Search", "brand", source="google", person_id="user:bob"),
    touch("t5", "2026-02-07", "Direct", excluded_reason="bot: crawler"),
]
CONVERSIONS = [
    conversion("lead:1", "2026-01-21"),
    conversion("customer:1", "2026-02-11", 10_000, is_new_customer=True, lead_at="2026-01-21T12:00:00"),
    conversion("order:2", "2026-03-01", 5_000, lead_at="2026-01-21T12:00:00"),
    conversion("refund:2", "2026-03-05", -2_000, journey_id="order:2", lead_at="2026-01-21T12:00:00"),
    conversion("lead:3", "2026-01-22", subject_id="user:cy", person_id="user:cy"),
    conversion(
        "customer:3",
        "2026-02-20",
        3_000,
        is_new_customer=True,
        subject_id="user:cy",
        person_id="user:cy",
        lead_at="2026-01-22T12:00:00",
    ),
    conversion("customer:9", "2026-02-21", 99_900, subject_id="user:test", excluded_reason="test deal"),
]
CREDITS = [
    credit("linear", "lead:1", "t1", 0.5),
    credit("linear", "lead:1", "t2", 0.5),
    credit("linear", "customer:1", "t1", 1 / 3, 3_334),
    credit("linear", "customer:1", "t2", 1 / 3, 3_333),
    credit("linear", "customer:1", "t3", 1 / 3, 3_333),
    *(
        credit(model, conversion_id, touch_id, 1.0, value)
        for model in ("linear", "last_touch")
        for conversion_id, touch_id, value in (
            ("order:2", "t3", 5_000),
            ("refund:2", "t3", -2_000),
            ("lead:3", None, 0),
            ("customer:3", None, 3_000),
        )
    ),
    credit("last_touch", "lead:1", "t2", 1.0),
    credit("last_touch", "customer:1", "t3", 1.0, 10_000),
]
JOURNEYS = [
    journey("lead:1", "t1", 1, 2, 16.0),
    journey("lead:1", "t2", 2, 2, 1.0),
    journey("customer:1", "t1", 1, 3, 37.0),
    journey("customer:1", "t2", 2, 3, 22.0),
    journey("customer:1", "t3", 3, 3, 1.0),
    journey("order:2", "t3", 1, 1, 19.0),
    journey("refund:2", "t3", 1, 1, 19.0),
]
COSTS = [
    spent("2026-01-05", "Paid Search", "brand", 4_000, source="google"),
    spent("2026-02-06", "Paid Search", "brand", 1_000, source="google"),
    spent("2026-01-20", "Email", "other", 500),
]


def company(
    touches: list[Row] = TOUCHES,
    conversions: list[Row] = CONVERSIONS,
    credits: list[Row] = CREDITS,
    journeys: list[Row] = JOURNEYS,
    costs: list[Row] = COSTS,
    store: DuckDB | None = None,
) -> DuckDB:
    """A warehouse with these opinions and the performance built from them."""
    store = store or warehouse()
    held = {
        "touchpoints": touches,
        "conversions": conversions,
        "credits": credits,
        "journeys": journeys,
        "costs": costs,
        "people": [],
    }
    for name, rows in held.items():
        store.execute(create_table(TABLES[name]))
        put(store, name, rows)
    store.execute(create_table(TABLES["performance"]))
    store.execute(f"INSERT INTO performance {_performance()}")
    return store


@cache
def _performance() -> str:
    """The stage as SQL, compiled once for all tests."""
    at = relations(OPINIONS)
    built = whole_performance(at)
    return compiled(fitted(built, TABLES["performance"]), "duckdb")


def whole_performance(at: Any) -> Any:
    """All rows of `performance` as one expression; the pipeline adds them model by model."""
    named = cells(at.touchpoints)
    sales = first_sales(at.conversions, at.journeys)
    lines = credit_lines(at.credits, celled(at.touchpoints, named), sales, marked(at.conversions, sales))
    credit = (earned(lines, named, at.costs, basis) for basis in BASES)
    parts = (*credit, observed(at.touchpoints, at.costs))
    return ibis.union(*(fitted(part, TABLES["performance"]) for part in parts))
