"""Law 5: the same facts give the same answers on every engine, stage by stage and to the cent."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from tests.engines.basics import basics
from tests.engines.conftest import WHOLE
from tests.engines.many import WORLDS, demo_facts, fill, made_of_many, many, small
from tests.engines.same import Row, assert_same, opinions, ordered
from tests.facts import put
from tests.laws.changes import CHANGES
from tests.laws.worlds import SETTINGS, START, World, core
from tieback import freshness
from tieback.config import Settings
from tieback.pipeline import refresh
from tieback.schema import TABLES
from tieback.store import DuckDB, Engine


@cache
def expected() -> dict[str, list[Row]]:
    """What DuckDB makes of many worlds."""
    with DuckDB(None) as store:
        fill(store, many(WORLDS))
        refresh(store, SETTINGS)
        return opinions(store)


@cache
def expected_of_demo() -> dict[str, list[Row]]:
    """What DuckDB makes of the demo company."""
    with DuckDB(None) as store:
        fill_demo(store)
        refresh(store, Settings())
        return opinions(store)


def fill_demo(engine: Engine) -> None:
    """Bring the facts of the demo company in."""
    with engine.transaction():
        for name, rows in demo_facts().items():
            engine.load(TABLES[name], rows)


def test_every_stage_of_many_worlds(engine: Engine) -> None:
    """All opinions over random worlds: equal to the cent, shares to 1e-9."""
    found = {name: ordered(rows.to_pylist()) for name, rows in made_of_many(engine).items()}
    assert_same(found, expected())


def test_the_demo_company(engine: Engine) -> None:
    """All opinions over the demo company, likewise."""
    fill_demo(engine)
    refresh(engine, Settings())
    assert_same(opinions(engine), expected_of_demo())


def test_what_stages_are_built_of(engine: Engine) -> None:
    """Empty cells take the same places in an order, and halves go the same way."""
    with DuckDB(None) as store:
        assert_same(basics(engine), basics(store))


def test_every_stage_of_a_small_world(engine: Engine) -> None:
    """All opinions over the dense core of all worlds, and over halves: a start, for the slow."""
    fill(engine, small())
    refresh(engine, SETTINGS)
    assert_same(opinions(engine), _of(small()))


def test_what_one_more_visit_touches(engine: Engine) -> None:
    """Law 4: a second run, which works out anew what the visit touches, comes to what DuckDB comes to in one."""
    fill(engine, core())
    refresh(engine, SETTINGS)
    put(engine, "events", [LATE])
    assert freshness.plan(engine, SETTINGS).since is not None
    refresh(engine, SETTINGS)
    assert_same(opinions(engine), _of(core(), LATE))


def test_a_run_after_each_kind_of_change(engine: Engine) -> None:
    """Law 4: one new fact after another, each brought in by what it touches, as DuckDB makes them from scratch.

    Some kinds, unless in `make engines-whole`: `tests/laws` has each of them on the embedded engine.
    """
    kinds = CHANGES if WHOLE else SOME_CHANGES
    fill(engine, core())
    refresh(engine, SETTINGS)
    with DuckDB(None) as other:
        fill(other, core())
        for number, (name, row) in enumerate(CHANGES[kind] for kind in kinds):
            for store in (engine, other):
                put(store, name, [{**row, "received_at": START + timedelta(days=900 + number)}])
            assert freshness.plan(engine, SETTINGS).since is not None
            refresh(engine, SETTINGS)
            refresh(other, SETTINGS, full=True)
            assert_same(opinions(engine), opinions(other))


SOME_CHANGES = ("a tie of two people", "a deal that moved", "restated spend")


def _of(world: World, *visits: dict[str, Any]) -> dict[str, list[Row]]:
    with DuckDB(None) as store:
        fill(store, world)
        put(store, "events", list(visits))
        refresh(store, SETTINGS, full=True)
        return opinions(store)


LATE = {
    "event_id": "late",
    "occurred_at": START + timedelta(hours=5),
    "kind": "page",
    "anonymous_id": "a0",
    "received_at": START + timedelta(days=900),
}


def test_the_worlds_are_worth_comparing() -> None:
    """Equal is not equally empty: every opinion has rows, and credit is split, refunded and left out."""
    found = expected()
    assert all(found.values()), {name: len(rows) for name, rows in found.items()}
    assert len(found["credits"]) > 1000
    assert any(row[-1] for row in found["touchpoints"])


@pytest.mark.parametrize("table", ["people", "credits"])
def test_a_difference_is_seen(table: str) -> None:
    """The comparison itself can fail: one cell changed in one row of one opinion is found."""
    found = expected()
    (first, *rest) = found[table]
    with pytest.raises(AssertionError, match=table):
        assert_same(found, {**found, table: [("other", *first[1:]), *rest]})
