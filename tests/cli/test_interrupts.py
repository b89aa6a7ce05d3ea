"""Ctrl-C at any statement of an import or a run: one sentence, code 130, and the workspace as it was before."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tieback.cli
from tieback.store import DuckDB

ENDLESS = "SELECT sum(hash(number)) FROM range(1_000_000_000_000) numbers(number)"
MANY = 10**6
DEALS = "deal_id,stage,amount,changed_at\n7,won,5,2026-02-20\n8,won,much,2026-02-20\nD1,won,1200,2026-02-21\n"


class Interrupted:
    """The engine, with a Ctrl-C while it is busy with its statement number `at`; `seen` counts the statements."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0
        self.execute, self.query = DuckDB.execute, DuckDB.query

    def count(self, store: DuckDB) -> None:
        """Take note of a statement; make the one that is due an endless one, and press Ctrl-C in the midst of it."""
        self.seen += 1
        if self.seen == self.at:
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
            self.execute(store, ENDLESS)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The small company's workspace, to change, with a file of deals beside it."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "more.csv").write_text(DEALS)
    return tmp_path


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, at: int) -> Iterator[Interrupted]:
    """Every statement of the block is counted, and the one number `at` interrupted."""
    hit = Interrupted(at)

    def execute(store: DuckDB, *words: Any, **more: Any) -> Any:
        hit.count(store)
        return hit.execute(store, *words, **more)

    def query(store: DuckDB, *words: Any) -> Any:
        hit.count(store)
        return hit.query(store, *words)

    # A suite that runs in the background may ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patched:
        patched.setattr(DuckDB, "execute", execute)
        patched.setattr(DuckDB, "query", query)
        yield hit
    signal.signal(signal.SIGINT, before)


def ended(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of the command line, called in this process."""
    monkeypatch.setattr(sys, "argv", ["tieback", *map(str, words)])
    try:
        tieback.cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def contents(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in an order of its own; times of day and durations of runs aside."""
    with DuckDB(folder / "warehouse.duckdb") as store:
        names = [row["name"] for row in store.rows("SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal")]
        apart = "* EXCLUDE (received_at)"
        chosen = {"runs": "run_id, stage, fingerprint, rows", "deliveries": apart, "quarantine": apart, "deals": apart}
        return {name: store.rows(f"SELECT {chosen.get(name, '*')} FROM {name} ORDER BY ALL") for name in sorted(names)}


@pytest.mark.parametrize(("words", "every"), [(("import", "deals", "more.csv"), 1), (("run", "--full"), 3)])
def test_ctrl_c_at_any_statement_changes_nothing_and_the_same_command_then_finishes(
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    every: int,
) -> None:
    """It is in whole or not at all, nothing is told as a failure, and the second call ends as an undisturbed one."""
    monkeypatch.chdir(copy)
    before = contents(copy)
    kept = (copy / "warehouse.duckdb").read_bytes()
    with interrupted(monkeypatch, at=MANY) as undisturbed:
        assert ended(monkeypatch, *words) == 0
    after = contents(copy)
    assert after != before
    assert undisturbed.seen > 10
    (copy / "warehouse.duckdb").write_bytes(kept)
    for number in range(1, undisturbed.seen + 1, every):
        capsys.readouterr()
        with interrupted(monkeypatch, at=number):
            assert ended(monkeypatch, *words) == 130, number
        *done, last = capsys.readouterr().err.strip().splitlines()
        assert last == "Interrupted. Nothing that was confirmed is lost; run the same command again to go on."
        found = contents(copy)
        assert found == after if done else found in (before, after), number  # what was told as done is kept
        (copy / "warehouse.duckdb").write_bytes(kept)
    assert ended(monkeypatch, *words) == 0
    assert contents(copy) == after
