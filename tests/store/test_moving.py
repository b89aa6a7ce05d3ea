"""Tables carried from one engine to another arrive whole, go on where they were cut off, or it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.company import FACTS, SETTINGS
from tests.facts import put
from tieback.config import settings_from
from tieback.errors import WorkspaceError
from tieback.pipeline import refresh
from tieback.schema import TABLES
from tieback.store import DuckDB, moving, remember

WORKSPACE = "a digest"


def ignore(table: str, rows: int) -> None:
    """Nobody listens."""


def contents(store: DuckDB) -> dict[str, list[Any]]:
    """Every carried table's rows, in one order."""
    return {
        table.name: store.execute(f"FROM {table.name} ORDER BY ALL").fetchall()
        for table in moving.CARRIED
        if store.has(table.name)
    }


@pytest.fixture(autouse=True)
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row or a few at a time, so that a small company has many chunks."""
    monkeypatch.setattr(moving, "_CELLS", 100)


@pytest.fixture
def source() -> Iterator[DuckDB]:
    """The small company, run."""
    with DuckDB(None) as store:
        for name, rows in FACTS.items():
            put(store, name, rows)
        refresh(store, settings_from(SETTINGS))
        yield store


@pytest.fixture
def target() -> Iterator[DuckDB]:
    """An empty warehouse."""
    with DuckDB(None) as store:
        moving.make_room(store, WORKSPACE, "it")
        yield store


def test_what_is_carried_arrives(source: DuckDB, target: DuckDB) -> None:
    """Every row of every table, empty cells of keys too, and the proof counts them."""
    moving.carry(source, target, ignore)
    arrived = {each.table: each for each in moving.prove(source, target, ignore)}
    assert contents(source) == contents(target)
    assert arrived["events"].rows == 5
    assert arrived["deals"].sums == {"amount": 1500}
    assert arrived["runs"].rows == len(source.rows("FROM runs"))
    assert {each.rows for each in arrived.values()} == {len(rows) for rows in contents(source).values()}


def test_a_carrying_that_was_cut_off_goes_on(source: DuckDB, target: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it ended, no chunk that arrived is sent again."""
    loads: list[str] = []
    load = target.load

    def cut_off(table: Any, rows: Any) -> int:
        if len(loads) and len(loads) % 5 == 0 and loads[-1] != "cut":
            loads.append("cut")
            raise InterruptedError
        loads.append(table.name)
        return load(table, rows)

    monkeypatch.setattr(target, "load", cut_off)
    for _ in range(100):
        try:
            moving.carry(source, target, ignore)
            break
        except InterruptedError:
            continue
    assert loads.count("cut") > 4
    assert contents(source) == contents(target)
    with DuckDB(None) as other:
        sent: list[str] = []
        load = other.load
        monkeypatch.setattr(other, "load", lambda table, rows: sent.append(table.name) or load(table, rows))
        moving.carry(source, other, ignore)
    assert sorted(sent) == sorted(name for name in loads if name != "cut")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deals SET amount = 1001 WHERE amount = 1000",
        "DELETE FROM events WHERE event_id = 'e3'",
        "UPDATE spend SET ad = '' WHERE ad IS NULL",
        "UPDATE credits SET share = share + 1e-15 WHERE touch_id = 'e1' AND model = 'linear'",
        "INSERT INTO contacts SELECT * REPLACE ('zoe' AS contact_id) FROM contacts LIMIT 1",
    ],
)
def test_a_source_that_changes_meanwhile_is_told_and_carried_anew(source: DuckDB, target: DuckDB, change: str) -> None:
    """A row or cell more, less or other, an empty text that was an empty cell, a fraction's last digit."""
    moving.carry(source, target, ignore)
    source.execute(change)
    table = next(name for name in TABLES if name in change.split())
    with pytest.raises(WorkspaceError, match=f"^{table} did not arrive"):
        moving.prove(source, target, ignore)
    moving.carry(source, target, ignore)
    moving.prove(source, target, ignore)
    assert contents(source) == contents(target)


def test_a_place_that_holds_anything_else_is_refused(source: DuckDB) -> None:
    """Other facts, and the same workspace as somebody else has taken it on."""
    held = contents(source)
    with pytest.raises(WorkspaceError, match="it already holds another workspace"):
        moving.make_room(source, WORKSPACE, "it")
    with source.transaction():
        remember(source, {"digest of the salt": WORKSPACE})
    with pytest.raises(WorkspaceError, match="it already holds this workspace, as it once was"):
        moving.make_room(source, WORKSPACE, "it")
    moving.take_leave(source)
    with pytest.raises(WorkspaceError, match="another workspace"):
        moving.make_room(source, "another digest", "it")
    source.execute("DELETE FROM events WHERE event_id = 'e3'")
    with pytest.raises(WorkspaceError, match="somebody has changed it"):
        moving.make_room(source, WORKSPACE, "it")
    del held["events"]
    assert held == {name: rows for name, rows in contents(source).items() if name != "events"}


def test_what_moved_away_may_come_back(source: DuckDB, target: DuckDB) -> None:
    """What it left behind, unchanged since, makes room for it; values and marks go along or stay, as they should."""
    with source.transaction():
        remember(source, {"digest of the salt": WORKSPACE})
    moving.carry(source, target, ignore)
    moving.hand_over(source, target)
    moving.take_leave(source)
    moving.settle(target)
    moving.make_room(source, WORKSPACE, "it")
    assert not any(contents(source).values())
    moving.carry(target, source, ignore)
    moving.hand_over(target, source)
    moving.settle(source)
    moving.prove(target, source, ignore)
    values = [store.rows("FROM workspace ORDER BY name") for store in (source, target)]
    assert values[0] == values[1]
