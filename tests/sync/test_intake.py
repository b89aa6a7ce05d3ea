"""Facts that pass through the door to another engine are those that the embedded warehouse would hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sync.files import MOMENT, PERSONAL
from tieback.errors import TiebackError
from tieback.schema import FACTS, TABLES
from tieback.store import DuckDB
from tieback.store import intake as intake_module
from tieback.store.intake import Intake
from tieback.sync import Delivery, import_file, mapping_for
from tieback.sync.quarantine import retry

HEADS = {
    "deals": ("deal_id", "stage", "amount", "changed_at"),
    "spend": ("spend_date", "platform", "campaign", "ad", "cost", "synced_at"),
    "links": ("left_kind", "left_value", "right_kind", "right_value"),
    "fx_rates": ("rate_date", "currency", "base_currency", "rate"),
    "events": ("event_id", "occurred_at", "kind", "anonymous_id", "email"),
}
CELLS: dict[str, tuple[str, ...]] = {
    "deal_id": ("1", "2", "3", "4"),
    "stage": ("lead", "won"),
    "amount": ("1", "2", "x"),
    "changed_at": ("2025-01-01", "2025-01-02", ""),
    "spend_date": ("2025-01-01", "2025-01-02"),
    "platform": ("google_ads",),
    "campaign": ("", "a"),
    "ad": ("", "b"),
    "cost": ("1", "2"),
    "synced_at": ("2025-02-01", "2025-02-02"),
    "left_kind": ("user",),
    "left_value": ("u1", "u2"),
    "right_kind": ("contact",),
    "right_value": ("c1", "c2"),
    "rate_date": ("2025-01-01", "2025-01-02"),
    "currency": ("USD",),
    "base_currency": ("EUR",),
    "rate": ("0.9", "0.8"),
    "event_id": ("e1", "e2", "e3", "e4"),
    "occurred_at": ("2025-01-01T10:00:00", "2025-01-01T11:00:00"),
    "kind": ("page", "form"),
    "anonymous_id": ("", "b1"),
    "email": ("", "ann@acme.com", "no address"),
}


@pytest.fixture
def engine() -> Iterator[DuckDB]:
    """Where the facts go."""
    with DuckDB(None) as store:
        yield store


def file_of(folder: Path, table: str, dice: random.Random, number: int) -> Path:
    """A small file of rows that repeat, contradict and correct each other, some of them bad."""
    names = HEADS[table]
    if table == "deals" and dice.random() < 0.5:
        names = names[:-1]  # no version: the door makes one up
    rows = [",".join(dice.choice(CELLS[name]) for name in names) for _ in range(dice.randint(1, 6))]
    path = folder / f"{table}-{number}.csv"
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def held(store: DuckDB) -> dict[str, list[Any]]:
    """The facts and deliveries of a warehouse."""
    return {
        table.name: store.execute(f"SELECT * EXCLUDE (received_at) FROM {table.name} ORDER BY ALL").fetchall()
        for table in (*FACTS, TABLES["deliveries"])
        if table.name != "deliveries"
    } | {"deliveries": store.execute("FROM deliveries ORDER BY ALL").fetchall()}


@pytest.mark.parametrize("seed", range(8))
def test_every_import_comes_to_the_same_on_both_sides(
    seed: int, tmp_path: Path, engine: DuckDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New, known, replaced, refused, corrected and retried facts: alike, however few rows are looked up at once."""
    monkeypatch.setattr(intake_module, "_SUBJECTS", 2)
    monkeypatch.setattr(intake_module, "_ROWS", 2)
    dice = random.Random(seed)
    with DuckDB(None) as embedded, Intake(tmp_path / "intake.duckdb", engine) as door:
        for number in range(6):
            table = dice.choice(list(HEADS))
            path = file_of(tmp_path, table, dice, number)
            at = MOMENT + timedelta(hours=dice.randint(0, 3))
            came = [import_file(each, path, table, mapping_for(table), PERSONAL, at) for each in (embedded, door)]
            assert came[0] == came[1]
            assert held(embedded) == held(engine)
            assert not any(door.holds(table) and not engine.holds(table) for table in FACTS)
        replaced = [
            each.rows("SELECT * FROM workspace WHERE starts_with(name, 'replaced_') ORDER BY name")
            for each in (embedded, engine)
        ]
        assert replaced[0] == replaced[1]
        assert embedded.rows("FROM quarantine ORDER BY ALL") == door.rows("FROM quarantine ORDER BY ALL")
        assert embedded.rows("FROM vault ORDER BY ALL") == door.rows("FROM vault ORDER BY ALL")
        assert retry(embedded, PERSONAL) == retry(door, PERSONAL)
        assert held(embedded) == held(engine)


def deals(door: DuckDB, folder: Path) -> Delivery:
    """Two deals, taken in."""
    path = folder / "deals.csv"
    path.write_text("deal_id,stage,amount,changed_at\n1,won,5,2025-01-01\n2,won,6,2025-01-01\n")
    return import_file(door, path, "deals", mapping_for("deals"), PERSONAL, MOMENT)


def test_what_the_engine_refuses_is_nowhere(tmp_path: Path, engine: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts, delivery and vault go in on both sides or on neither."""
    with Intake(tmp_path / "intake.duckdb", engine) as door:

        def fails(*_: object) -> int:
            raise TiebackError("The line is dead.")

        with monkeypatch.context() as patched:
            patched.setattr(engine, "load", fails)
            with pytest.raises(TiebackError, match="dead"):
                deals(door, tmp_path)
        for store in (door, engine):
            assert not store.rows("FROM deliveries")
            assert not store.rows("FROM deals")
        assert deals(door, tmp_path).facts_added == 2
        assert len(engine.rows("FROM deals")) == 2


def test_a_door_cut_off_before_it_closed_knows_the_delivery_again(tmp_path: Path) -> None:
    """The engine holds what the door has lost: its delivery comes back, and the file counts once."""

    def door() -> Intake:
        return Intake(tmp_path / "intake.duckdb", DuckDB(tmp_path / "engine.duckdb"))

    with door() as store:
        deals(store, tmp_path)
    with DuckDB(tmp_path / "intake.duckdb") as file:
        file.execute("DELETE FROM deliveries")
    with door() as store:
        assert [row["delivery_id"] for row in store.rows("FROM deliveries")] == ["d1"]
        again = deals(store, tmp_path)
        assert (again.delivery_id, again.facts_added, again.facts_known) == ("d2", 0, 2)
        assert store.engine
        assert len(store.engine.rows("FROM deliveries")) == 2
