"""The embedded warehouse: one writer, whole transactions, plain errors."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pytest

from tests.disks import on_a_disk_of_its_own, small
from tests.facts import warehouse
from tieback.errors import WorkspaceError
from tieback.schema import FACTS, OPERATIONS, SCHEMA_VERSION, TABLES
from tieback.schema.relations import current, fitted, relation
from tieback.store import DuckDB, StatementError
from tieback.store.migrations import migrate
from tieback.sync.vault import write_anew


def in_another_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh Python, with `arguments` as sys.argv[1:]."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_new_workspace_has_every_declared_table(tmp_path: Path) -> None:
    """Facts and operations are there from the start, empty, with the declared columns."""
    with DuckDB(tmp_path / "w.duckdb") as store:
        for table in (*FACTS, *OPERATIONS):
            assert store.query(f"SELECT * FROM {table.name}").schema.names == list(table.names)


def test_a_second_writer_is_told_who_holds_the_workspace(tmp_path: Path) -> None:
    """A workspace that another process writes is refused in one sentence."""
    path = tmp_path / "w.duckdb"
    with DuckDB(path):
        other = in_another_process(
            """
            import sys; from pathlib import Path; from tieback.store import DuckDB
            DuckDB(Path(sys.argv[1]))
            """,
            path,
        )
    assert "InUseError: The workspace is in use by process" in other.stderr


def test_a_process_killed_in_a_transaction_leaves_the_workspace_as_it_was(tmp_path: Path) -> None:
    """What was not committed is gone, what was committed is there (law 3)."""
    path = tmp_path / "w.duckdb"
    killed = in_another_process(
        """
        import os, signal, sys; from pathlib import Path; from tieback.store import DuckDB
        store = DuckDB(Path(sys.argv[1]))
        store.execute("INSERT INTO workspace VALUES ('kept', '1')")
        store.execute("BEGIN")
        store.execute("DELETE FROM workspace")
        store.execute("CREATE TABLE half AS SELECT range AS n, md5(range::VARCHAR) AS t FROM range(1000000)")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    assert killed.returncode == -signal.SIGKILL
    with DuckDB(path) as store:
        assert {row["name"] for row in store.rows("SELECT name FROM workspace")} == {"schema_version", "kept"}
        assert not store.has("half")


def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path) -> None:
    """When the disk is full, the error says what to do and the workspace opens again as it was."""
    script = tmp_path / "fill.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys; from pathlib import Path
            from tieback.errors import WorkspaceError; from tieback.store import DuckDB
            path = Path(sys.argv[1]) / "w.duckdb"
            with DuckDB(path) as store:
                try:
                    with store.transaction():
                        store.execute("CREATE TABLE t AS SELECT md5(range::VARCHAR) AS t FROM range(2000000)")
                except WorkspaceError as error:
                    print(error)
            with DuckDB(path) as store:
                print(store.has("t"))
            """
        )
    )
    disk = tmp_path / "disk"
    filled = on_a_disk_of_its_own(small(disk, 6), f"{sys.executable} {script} {disk}")
    assert filled.stdout.splitlines() == [
        "The disk is full. Free some space and run the same command again; nothing was changed.",
        "False",
    ], filled.stderr


def test_a_newer_workspace_is_refused(tmp_path: Path) -> None:
    """A file of a later schema is left alone, with the advice to upgrade."""
    path = tmp_path / "w.duckdb"
    with DuckDB(path) as store:
        store.execute("UPDATE workspace SET value = ? WHERE name = 'schema_version'", [str(SCHEMA_VERSION + 1)])
    with pytest.raises(WorkspaceError, match="newer tieback"):
        DuckDB(path)
    with pytest.raises(WorkspaceError, match="newer tieback"):
        DuckDB(path, read_only=True)


def test_an_older_workspace_is_not_read_before_it_is_brought_up_to_date(tmp_path: Path) -> None:
    """A command that only reads changes nothing, and says which one does."""
    path = tmp_path / "w.duckdb"
    with DuckDB(path) as store:
        store.execute("UPDATE workspace SET value = ? WHERE name = 'schema_version'", [str(SCHEMA_VERSION - 1)])
    with pytest.raises(WorkspaceError, match="run `tieback run` first"):
        DuckDB(path, read_only=True)


def test_a_migration_cut_off_goes_on_from_where_it_stood() -> None:
    """Each step is a transaction of its own: a failing step leaves the version before it."""
    with DuckDB(None) as store:
        steps = {
            SCHEMA_VERSION: lambda engine: engine.execute("ALTER TABLE fx_rates ADD COLUMN provider VARCHAR"),
            SCHEMA_VERSION + 1: lambda engine: engine.execute("ALTER TABLE nowhere ADD COLUMN x VARCHAR"),
        }
        with pytest.raises(Exception, match="nowhere"):
            migrate(store, SCHEMA_VERSION, steps, SCHEMA_VERSION + 2)
        assert store.rows("SELECT value FROM workspace")[0]["value"] == str(SCHEMA_VERSION + 1)
        assert "provider" in store.query("SELECT * FROM fx_rates").schema.names
        mended = {SCHEMA_VERSION + 1: lambda engine: engine.execute("ALTER TABLE fx_rates ADD COLUMN note VARCHAR")}
        migrate(store, SCHEMA_VERSION + 1, mended, SCHEMA_VERSION + 2)
        assert "note" in store.query("SELECT * FROM fx_rates").schema.names


def test_a_stage_must_build_what_the_schema_declares() -> None:
    """Missing or undeclared columns are named."""
    people = TABLES["people"]
    wrong = relation(people).drop("account_id").mutate(extra=ibis.literal("x"))
    with pytest.raises(ValueError, match=r"missing columns \['account_id'\], undeclared columns \['extra'\]"):
        fitted(wrong, people)


def test_the_current_state_is_the_latest_version_without_removed_records() -> None:
    """A later change replaces an earlier one; a removed record is gone."""
    changes = [
        {"deal_id": "a", "stage": "lead", "changed_at": "2025-01-01"},
        {"deal_id": "a", "stage": "won", "changed_at": "2025-01-02"},
        {"deal_id": "b", "stage": "lead", "changed_at": "2025-01-01"},
        {"deal_id": "b", "stage": "lead", "changed_at": "2025-01-03", "deleted": True},
    ]
    for order in (changes, changes[::-1]):
        with warehouse(deals=order) as store:
            deals = current(relation(TABLES["deals"]), TABLES["deals"])
            assert store.read(deals.select("deal_id", "stage")).to_pylist() == [{"deal_id": "a", "stage": "won"}]


def test_a_fixpoint_repeats_until_nothing_changes() -> None:
    """The step is applied as often as it takes, and no further."""
    with warehouse(deals=[{"deal_id": "a", "changed_at": "2025-01-01"}]) as store:
        start = relation(TABLES["deals"]).aggregate(n=ibis._.count())
        settled = store.fixpoint("count", start, lambda now: now.mutate(n=ibis.least(now.n * 2, 100)), mark="n")
        assert store.read(settled).to_pylist() == [{"n": 100}]


def test_a_failed_statement_says_what_it_was_building() -> None:
    """The table and the SQL travel with the error."""
    with DuckDB(None) as store, pytest.raises(StatementError, match="Building 'people' on duckdb failed") as caught:
        store.execute("SELECT * FROM nowhere", building="people")
    assert caught.value.sql == "SELECT * FROM nowhere"


def test_who_opens_a_file_just_as_it_is_replaced_has_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what is written would go with the old file."""
    with DuckDB(tmp_path / "w.duckdb"):
        pass
    with DuckDB(tmp_path / "new.duckdb") as store:
        store.execute("INSERT INTO workspace VALUES ('which', 'new')")
    connect = duckdb.connect

    def late(path: str, **given: Any) -> duckdb.DuckDBPyConnection:
        door = connect(path, **given)
        if (tmp_path / "new.duckdb").exists():
            (tmp_path / "new.duckdb").replace(path)
        return door

    monkeypatch.setattr(duckdb, "connect", late)
    with DuckDB(tmp_path / "w.duckdb") as store:
        assert store.rows("SELECT value FROM workspace WHERE name = 'which'") == [{"value": "new"}]


def test_what_is_written_to_a_file_that_has_just_replaced_another_stays(tmp_path: Path) -> None:
    """Whoever let go of the old one last takes nothing of the new one's along."""
    with DuckDB(tmp_path / "w.duckdb") as store:
        store.execute("INSERT INTO workspace VALUES ('a', '1')")
        write_anew(store, tmp_path / "w.duckdb")
        code = """
            import os, sys
            from pathlib import Path
            from tieback.store import DuckDB
            store = DuckDB(Path(sys.argv[1]))
            store.execute("INSERT INTO workspace VALUES ('b', '2')")
            os._exit(0)  # before it goes from the log into the file
        """
        assert in_another_process(code, tmp_path / "w.duckdb").returncode == 0
    with DuckDB(tmp_path / "w.duckdb") as store:
        assert [row["name"] for row in store.rows("SELECT name FROM workspace WHERE name IN ('a', 'b')")] == ["a", "b"]
