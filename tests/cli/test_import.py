"""`tieback import`: what it says, how it ends, and that nothing is lost or half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from tieback.cli import group
from tieback.errors import ConfigError, InputError, TiebackError, WorkspaceError
from tieback.store import DuckDB

GOOD = "deal_id,stage,amount,changed_at\n1,won,5,2025-01-01\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace and a file of deals."""
    (tmp_path / "tieback.toml").write_text('name = "test"\n')
    (tmp_path / "deals.csv").write_text(GOOD)
    return tmp_path


def called(folder: Path, *words: str) -> Result:
    """What came of a command in `folder`."""
    return CliRunner().invoke(group, ["-w", str(folder), *words])


def test_it_says_what_came_of_the_file_and_what_comes_next(folder: Path) -> None:
    """Read, new, held and refused on stderr, nothing on stdout; a second time everything is held."""
    first = called(folder, "import", "deals", str(folder / "deals.csv"))
    assert (first.exit_code, first.stdout) == (0, "")
    assert "1 rows read; 1 facts new, 0 already held; 0 rows refused" in first.stderr
    assert "tieback run" in first.stderr
    again = called(folder, "import", "deals", str(folder / "deals.csv"), "--format", "json")
    assert json.loads(again.stdout)[0] | {"delivery_id": ""} == {
        "delivery_id": "",
        "file": "deals.csv",
        "rows_read": 1,
        "facts_added": 0,
        "facts_known": 1,
        "facts_replaced": 0,
        "rows_refused": 0,
    }


def test_a_dry_run_shows_facts_and_problems_and_makes_no_warehouse(folder: Path) -> None:
    """Data on stdout, and nothing changed, not even the warehouse file made."""
    (folder / "deals.csv").write_text(GOOD + "2,won,5x,2025-01-01\n")
    shown = called(folder, "import", "deals", str(folder / "deals.csv"), "--dry-run", "--format", "json")
    told = json.loads(shown.stdout)[0]
    assert told["facts"]["deals"][0]["deal_id"] == "1"
    assert told["problems"][0]["reason"] == '"5x" is not a number'
    assert not (folder / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("deal", "deals.csv"), 2, "Did you mean 'deals'"),
        (("journeys", "deals.csv"), 2, "worked out by `tieback run`"),
        (("deals", "none.csv"), 4, "There is no file"),
        (("deals", "."), 4, "is a folder"),
        (("deals", "deals.csv", "none.csv"), 4, "There is no file"),
        (("deals", "deals.csv", "--map", "none.toml"), 4, "cannot be read"),
        (("deals", "deals.csv", "--map", "wrong.toml"), 3, "Did you mean 'columns'"),
        (("deals", "deals.csv", "--dry-run", "--format", "parquet"), 2, "--format table or json"),
        (("deals", "deals.csv", "--dry-run", "--format", "csv"), 2, "--format table or json"),
        (("orders", "deals.csv"), 4, "has no order_id, kind, occurred_at"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_and_changes_nothing(
    folder: Path, words: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is the documented one, and no fact has gone in."""
    monkeypatch.chdir(folder)
    (folder / "wrong.toml").write_text("[column]\n")
    result = called(folder, "import", *words)
    assert isinstance(result.exception, TiebackError)
    assert result.exception.exit_code == code
    assert said in str(result.exception)
    if (folder / "warehouse.duckdb").exists():
        with DuckDB(folder / "warehouse.duckdb") as store:
            assert store.rows("FROM deals") == []


def test_a_workspace_in_use_is_told(folder: Path) -> None:
    """A second process is told who holds the workspace, and nothing is changed."""
    call = [sys.executable, "-m", "tieback", "-w", str(folder), "import", "deals", str(folder / "deals.csv")]
    with DuckDB(folder / "warehouse.duckdb"):
        ended = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ended.returncode == 5
    assert "in use by process" in ended.stderr


FOREIGN = ["CREATE TABLE other(a INT)", "CREATE TABLE workspace(a INT)", "CREATE TABLE deals(a INT)"]
FOREIGN += ["CREATE TABLE workspace(name VARCHAR, value VARCHAR)"]


@pytest.mark.parametrize("sql", FOREIGN)
@pytest.mark.parametrize("words", [("import", "deals", "deals.csv"), ("quarantine", "list")])
def test_a_warehouse_of_others_is_told_and_left_as_it_is(
    sql: str, words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DuckDB file that is none of tieback's gets none of its tables."""
    monkeypatch.chdir(folder)
    with duckdb.connect("warehouse.duckdb") as door:
        door.execute(sql)
    error = called(folder, *words).exception
    assert isinstance(error, WorkspaceError)
    assert "none of tieback's" in str(error)
    with duckdb.connect("warehouse.duckdb") as door:
        assert len(door.execute("FROM duckdb_tables()").fetchall()) == 1


@pytest.mark.parametrize("size", [0, 100, 5_000, 100_000, 300_000])
@pytest.mark.parametrize("words", [("import", "deals", "deals.csv"), ("quarantine", "list")])
def test_a_warehouse_cut_off_is_told(
    size: int, words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was cut, it is damaged and to be restored; it is not made anew."""
    monkeypatch.chdir(folder)
    called(folder, "import", "deals", "deals.csv")
    whole = (folder / "warehouse.duckdb").read_bytes()
    assert len(whole) > size
    (folder / "warehouse.duckdb").write_bytes(whole[:size])
    error = called(folder, *words).exception
    assert isinstance(error, WorkspaceError)
    assert "Restore it from a backup" in str(error)
    assert (folder / "warehouse.duckdb").read_bytes() == whole[:size]


def test_a_folder_for_a_warehouse_and_too_many_threads_are_told(folder: Path) -> None:
    """Each in a sentence, at once."""
    (folder / "warehouse.duckdb").mkdir()
    error = called(folder, "import", "deals", str(folder / "deals.csv")).exception
    assert isinstance(error, WorkspaceError)
    assert "is no file" in str(error)
    (folder / "warehouse.duckdb").rmdir()
    (folder / "tieback.toml").write_text("[warehouse]\nthreads = 100000\n")
    for dry in ((), ("--dry-run",)):
        error = called(folder, "import", "deals", str(folder / "deals.csv"), *dry).exception
        assert isinstance(error, ConfigError)
        assert "threads = 100000" in str(error)


def test_of_several_files_it_says_which_are_in_when_one_fails(folder: Path) -> None:
    """Those before it are in, it and those behind it are not; the same command goes on from there."""
    (folder / "bad.csv").write_text("order_id,kind\n")
    (folder / "last.csv").write_text(GOOD.replace("1,won", "2,won"))
    names = [str(folder / name) for name in ("deals.csv", "bad.csv", "last.csv")]
    failed = called(folder, "import", "deals", *names)
    assert isinstance(failed.exception, InputError)
    assert "Already in: deals.csv. Not in: bad.csv, last.csv." in failed.stderr
    (folder / "bad.csv").write_text(GOOD.replace("1,won", "3,won"))
    assert called(folder, "import", "deals", *names).exit_code == 0
    with DuckDB(folder / "warehouse.duckdb") as store:
        assert store.rows("SELECT count(*) AS n FROM deals") == [{"n": 3}]


TERMINATED = """
import os, signal, sys, threading
from tieback.cli import main
from tieback.sync import delivery

def busy(store, *rest):
    assert os.listdir(os.environ["TMPDIR"])
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    store.execute("SELECT sum(hash(number)) FROM range(1_000_000_000_000) numbers(number)")

delivery.take_in = busy
delivery._look_up = busy
main()
"""


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_terminated_import_leaves_no_copy_behind(dry: tuple[str, ...], folder: Path) -> None:
    """SIGTERM ends it as Ctrl-C does: code 130, nothing half done, and no personal data in the folder for copies."""
    (folder / "deals.csv").write_bytes(GOOD.replace("won", "gewönne").encode("latin-1"))
    (folder / "copies").mkdir()
    call = [sys.executable, "-c", TERMINATED, "-w", str(folder), "import", "deals", str(folder / "deals.csv"), *dry]
    ended = subprocess.run(
        call, env=os.environ | {"TMPDIR": str(folder / "copies")}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.lstrip().startswith("Interrupted.")
    assert list((folder / "copies").iterdir()) == []
