"""Retention: what is too old goes, what is not stays, and the vault follows the rows that carry its values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tieback.config import Retention
from tieback.store import DuckDB
from tieback.sync import Personal, import_file, mapping_for
from tieback.sync.retention import expired, prune_at_the_door, prune_facts

NOW = datetime(2026, 6, 30)
PERSONAL = Personal("salt")


def ago(days: int) -> str:
    """That many days before, as files write it."""
    return (NOW - timedelta(days=days)).isoformat()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDB]:
    """Three visitors 5, 50 and 500 days ago, two deals with a history, and a contact."""
    written = {
        "events": "event_id,kind,occurred_at,email\n"
        + "".join(f"e{days},page,{ago(days)},p{days}@acme.example\n" for days in (5, 50, 500)),
        "deals": "deal_id,stage,changed_at\n"
        f"old,lead,{ago(900)}\nold,won,{ago(700)}\nyoung,lead,{ago(900)}\nyoung,won,{ago(20)}\n",
        "contacts": f"contact_id,email,changed_at\nc,p500@acme.example,{ago(300)}\n",
    }
    with DuckDB(None) as held:
        for name, text in written.items():
            (tmp_path / f"{name}.csv").write_text(text)
            import_file(held, tmp_path / f"{name}.csv", name, mapping_for(name), PERSONAL, NOW)
        yield held


def left(store: DuckDB, column: str, table: str) -> list[str]:
    """The values of a column, sorted."""
    return [str(row["it"]) for row in store.rows(f"SELECT {column} AS it FROM {table} ORDER BY ALL")]


def pruned(store: DuckDB, **kept: int) -> dict[str, int]:
    """Take out what is to go; how many rows that was to be."""
    until = Retention(**kept)
    told = expired(store, store, until, NOW)
    with store.transaction():
        prune_at_the_door(store, store, until, NOW)
        prune_facts(store, until, NOW)
    assert not expired(store, store, until, NOW)
    return told


def test_events_go_by_their_age(store: DuckDB) -> None:
    """One of the very age stays; an address that a younger contact carries stays in the vault, another goes."""
    assert pruned(store, events=50) == {"events": 1}
    assert left(store, "event_id", "events") == ["e5", "e50"]
    assert left(store, "raw_value", "vault") == ["p500@acme.example", "p50@acme.example", "p5@acme.example"]
    assert pruned(store, events=10) == {"events": 1, "vault": 1}
    assert left(store, "raw_value", "vault") == ["p500@acme.example", "p5@acme.example"]


def test_a_record_goes_with_its_history_or_not_at_all(store: DuckDB) -> None:
    """By its last change: the old changes of a young deal are what it was made of."""
    assert pruned(store, deals=100) == {"deals": 2}
    assert left(store, "deal_id", "deals") == ["young", "young"]


def test_raw_values_go_when_nobody_has_carried_them_for_so_long(store: DuckDB) -> None:
    """And facts stay."""
    assert pruned(store, vault=100) == {"vault": 1}
    assert left(store, "raw_value", "vault") == ["p50@acme.example", "p5@acme.example"]
    assert len(left(store, "event_id", "events")) == 3


def test_the_last_row_that_carries_a_value_takes_it_along(store: DuckDB) -> None:
    """When two tables have an end, both count as they will be."""
    assert pruned(store, events=100, contacts=100) == {"events": 1, "contacts": 1, "vault": 1}
    assert left(store, "raw_value", "vault") == ["p50@acme.example", "p5@acme.example"]


def test_nothing_goes_unless_told(store: DuckDB) -> None:
    """Nor is anything said to."""
    assert pruned(store) == {}
    assert len(left(store, "raw_value", "vault")) == 3


def test_ties_keep_the_values_of_both_sides(store: DuckDB, tmp_path: Path) -> None:
    """A tie by an address is a row that carries it."""
    (tmp_path / "links.csv").write_text(
        f"left_kind,left_value,right_kind,right_value,observed_at\nemail,p50@acme.example,user,u,{ago(1)}\n"
    )
    import_file(store, tmp_path / "links.csv", "links", mapping_for("links"), PERSONAL, NOW)
    assert pruned(store, events=10) == {"events": 2}
    assert pruned(store, events=10, links=1) == {}
