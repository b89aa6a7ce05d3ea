"""Many random worlds in one: an engine that is slow to start takes little longer for a hundred worlds than for one."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.facts import put
from tests.laws.worlds import World, core, worlds
from tieback.schema import FACTS
from tieback.simulate import write_world
from tieback.store import DuckDB, Engine
from tieback.sync import Personal, import_file, mapping_for

_IDS = (
    *("event_id", "anonymous_id", "user_id", "contact_id", "email_hash", "phone_hash", "customer_id", "group_id"),
    *("account_id", "deal_id", "order_id", "sale_id", "session_key", "left_value", "right_value", "domain"),
)


def many(number: int) -> World:
    """`number` worlds of the laws side by side: ids carry the number of their world, so that they do not meet."""
    whole: dict[str, dict[str, dict[str, Any]]] = {}
    for place, world in enumerate((core(), *_drawn(number))):
        for name, rows in world.tables.items():
            for row in rows:
                own = {key: f"{value}.{place}" if key in _IDS and value else value for key, value in row.items()}
                whole.setdefault(name, {})[_key(name, own)] = own
    return World({name: list(rows.values()) for name, rows in whole.items()})


def fill(engine: Engine, world: World) -> None:
    """Bring the facts of `world` in."""
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
