"""Many random worlds in one: an engine that is slow to start takes little longer for a hundred worlds than for one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.engines.same import as_arrow
from tests.facts import put
from tests.laws.worlds import SETTINGS, START, World, core, worlds
from tieback.pipeline import refresh
from tieback.schema import FACTS
from tieback.simulate import write_world
from tieback.store import DuckDB, Engine
from tieback.sync import Personal, import_file, mapping_for

WORLDS = 24
_IDS = (
    *("event_id", "anonymous_id", "user_id", "contact_id", "email_hash", "phone_hash", "customer_id", "group_id"),
    *("account_id", "deal_id", "order_id", "sale_id", "session_key", "left_value", "right_value", "domain"),
)


def many(number: int) -> World:
    """The small world and `number` worlds of the laws side by side."""
    return _apart(core(), halves(), *_drawn(number))


def small() -> World:
    """The dense core of all worlds, and beside it the halves."""
    return _apart(core(), halves())


def halves() -> World:
    """Three buyers with a half at every turn, where engines that are left to themselves round apart.

    A franc is half a euro: amounts of 0.01, 0.05 and -0.05 francs are 0.5, 2.5 and -2.5 cents, and so is spend. Two
    touches share each cent of a sale by halves. The last buyer has given back a cent more than was ever paid: half of
    that is below zero.
    """
    sale = START + timedelta(days=30)
    events, orders = [], []
    for person, amount in (("one", 0.01), ("two", 0.05), ("back", 1.0)):
        who = {"email_hash": f"half-{person}", "email_domain": "gmail.com"}
        paid = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "half"}
        mailed = {"utm_source": "news", "utm_medium": "email", "utm_campaign": "half"}
        for number, tags in enumerate((paid, mailed)):
            met = {"occurred_at": sale - timedelta(days=9 - 4 * number), "kind": "form", **who, **tags}
            events.append({"event_id": f"half-{person}-{number}", **met})
        sold = {"currency": "EUR" if person == "back" else "CHF", "occurred_at": sale, "changed_at": sale, **who}
        orders.append({"order_id": f"half-{person}", "kind": "order", "amount": amount, **sold})
    orders.append({**orders[-1], "order_id": "half-returned", "kind": "refund", "sale_id": "half-back", "amount": 1.01})
    won = {"contact_id": "half", "stage": "won", "amount": -0.05, "currency": "CHF", "changed_at": sale}
    shown = {"platform": "google_ads", "campaign": "half", "currency": "CHF", "synced_at": sale}
    days = [(START + timedelta(days=day)).date() for day in range(20, 40)]
    rate = {"currency": "CHF", "base_currency": "EUR", "rate": 0.5}
    return World(
        {
            "events": events,
            "orders": orders,
            "deals": [{"deal_id": "half", **won}],
            "spend": [
                {"spend_date": day, "cost": 0.01 + 0.04 * (place % 2), **shown} for place, day in enumerate(days)
            ],
            "fx_rates": [{"rate_date": day, **rate} for day in days],
        }
    )


_MADE: dict[str, dict[str, Any]] = {}


def made_of_many(engine: Engine) -> dict[str, Any]:
    """Every opinion that engines of this kind make of many worlds, as Arrow; worked out once, on the first of them."""
    if engine.name not in _MADE:
        fill(engine, many(WORLDS))
        refresh(engine, SETTINGS)
        _MADE[engine.name] = as_arrow(engine)
    return _MADE[engine.name]


def _apart(*all_worlds: World) -> World:
    """Worlds side by side: ids carry the number of their world, so that they do not meet."""
    whole: dict[str, dict[str, dict[str, Any]]] = {}
    for place, world in enumerate(all_worlds):
        for name, rows in world.tables.items():
            for row in rows:
                own = {key: f"{value}.{place}" if key in _IDS and value else value for key, value in row.items()}
                whole.setdefault(name, {})[_key(name, own)] = own
    return World({name: list(rows.values()) for name, rows in whole.items()})


def fill(engine: Engine, world: World) -> None:
    """Bring the facts of `world` in, at once: some engines take long to begin a change."""
    with engine.transaction():
        for name, rows in world.tables.items():
            put(engine, name, rows)


def _key(name: str, row: dict[str, Any]) -> str:
    """What names a fact: spend and rates are the same in all worlds, and no fact may be held twice."""
    table = next(table for table in FACTS if table.name == name)
    return json.dumps([str(row.get(column)) for column in table.key])


@cache
def _drawn(number: int) -> tuple[World, ...]:
    found: list[World] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds())
    def draw(world: World) -> None:
        found.append(world)

    draw()
    return tuple(found)


@cache
def demo_facts(people: int = 2000) -> dict[str, Any]:
    """The facts of a company such as that of `tieback demo`, as Arrow by table, taken in by a real import."""
    with TemporaryDirectory() as folder, DuckDB(None) as store:
        personal, at = Personal("a fixed salt"), datetime(2026, 1, 1)
        for table, path in write_world(Path(folder), people).files:
            import_file(store, path, table, mapping_for(table), personal, at)
        return {table.name: store.query(f"SELECT * FROM {table.name}") for table in FACTS}
