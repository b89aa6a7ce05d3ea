"""`tieback privacy`: what is held of a person, and how to be rid of it so that no trace stays."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.ann import (
    ANN,
    LAPTOP,
    NUMBER,
    PHONE,
    exported,
    laws_hold,
    proof,
    put,
    revenue,
    shop,
    tieback,
    traces,
    with_retention,
    words_of,
)
from tieback.store import DuckDB

pytestmark = pytest.mark.xdist_group("privacy")  # one workspace is copied for all


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shop that knows Ann, on the embedded engine."""
    return shop(tmp_path / "shop")


def events(folder: Path) -> list[str]:
    """The events that are held."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        return [row[0] for row in door.execute("SELECT event_id FROM events ORDER BY ALL").fetchall()]


def test_everything_held_is_shown(folder: Path) -> None:
    """By any identifier the same, raw values from the vault among it; others are not in it."""
    told = exported(folder)
    assert ANN in told["raw_values"]
    assert [row["event_id"] for row in told["facts"]["events"]] == [f"web:visit-{n}" for n in (1, 2, 3, 4, 6)]
    assert [row["order_id"] for row in told["facts"]["orders"]] == ["O1"]
    assert [row["left_value"] for row in told["facts"]["links"]] == ["customer-of-ann"]
    assert len(told["quarantine"]) == 2
    assert told["opinions"]["credits"]
    assert "bob@" not in json.dumps(told)
    for other in ("login-of-ann", PHONE, "contact-of-ann", NUMBER, "user:login-of-ann", "customer-of-ann"):
        assert exported(folder, other)["identifiers"] == told["identifiers"]


def test_an_erased_person_leaves_no_trace(folder: Path) -> None:
    """No byte of any identifier is in any file, revenue is what it was, now unattributed, and every law holds."""
    before, words = revenue(folder), words_of(exported(folder))
    assert traces(words, folder)
    assert f"for {len(words)} words: no trace" in proof(tieback(folder, "privacy", "erase", ANN, "--yes"))
    assert traces(words, folder) == []
    after = revenue(folder)
    assert sum(after.values()) == sum(before.values())
    assert after["Unattributed"] > before.get("Unattributed", 0)
    with DuckDB(folder / "warehouse.duckdb", read_only=True) as store:
        laws_hold(store)
    assert events(folder) == ["web:visit-5", "web:visit-6"]
    tieback(folder, "privacy", "export", ANN, code=2)


def test_what_was_erased_does_not_come_back_when_it_is_sent_again(folder: Path) -> None:
    """The collector knows the messages still, by their digests alone."""
    tieback(folder, "privacy", "erase", "login-of-ann", "--yes")
    assert not any(put(folder))
    tieback(folder, "load")
    assert traces({LAPTOP}, folder) == []
    assert events(folder) == ["web:visit-5", "web:visit-6"]


def test_asking_and_looking_change_nothing(folder: Path) -> None:
    """A dry run, and whoever is nobody."""
    before = traces({LAPTOP}, folder)
    tieback(folder, "privacy", "erase", ANN, "--dry-run")
    tieback(folder, "privacy", "erase", "nobody@acme.example", "--yes", code=2)
    assert traces({LAPTOP}, folder) == before


def test_a_file_of_ones_own_that_holds_the_person_is_named(folder: Path) -> None:
    """Once it is gone, the same command comes to its end."""
    (folder / "old.csv").write_text(f"email\n{ANN}\n")
    failed = tieback(folder, "privacy", "erase", ANN, "--yes", code=6)
    assert "old.csv" in str(failed.exception)
    (folder / "old.csv").unlink()
    assert "no trace" in proof(tieback(folder, "privacy", "erase", ANN, "--yes"))
    tieback(folder, "privacy", "erase", ANN, "--yes", code=2)


def test_what_a_move_left_behind_must_go_first(folder: Path, tmp_path: Path) -> None:
    """A file that no command works on may hold the person too: nothing is erased before it is gone."""
    (tmp_path / "there").mkdir()
    tieback(folder, "move", "--to", f"duckdb://{tmp_path}/there/w.duckdb")
    assert "warehouse.duckdb was left behind" in str(tieback(folder, "privacy", "erase", ANN, code=5).exception)
    (folder / "warehouse.duckdb").unlink()
    words = words_of(exported(folder))
    assert "no trace" in proof(tieback(folder, "privacy", "erase", ANN, "--yes"))
    assert traces(words, tmp_path) == []


def test_what_was_kept_for_long_enough_is_pruned(folder: Path) -> None:
    """It leaves facts, vault and files, and no other row; what it earned becomes Unattributed; `doctor` had warned."""
    tieback(folder, "privacy", "prune", code=2)
    before = revenue(folder)
    with_retention(folder)
    assert "should be gone: 4 of events" in tieback(folder, "doctor", "--format", "json", code=6).stdout
    tieback(folder, "privacy", "prune", "--dry-run")
    assert len(events(folder)) == 6
    tieback(folder, "privacy", "prune")
    assert events(folder) == ["web:visit-5", "web:visit-6"]
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        raw = door.execute("SELECT raw_value FROM vault ORDER BY ALL").fetchall()
    assert raw == [(ANN,), ("bob@acme.example",)]  # her number was carried by what is gone alone
    assert traces({PHONE}, folder / "runs") == []
    assert PHONE.encode() not in (folder / "warehouse.duckdb").read_bytes()
    after = revenue(folder)
    assert sum(after.values()) == sum(before.values())
    assert after["Unattributed"] > before.get("Unattributed", 0)
    assert "no row is older than it may be" in tieback(folder, "doctor", "--format", "json", code=6).stdout
