from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.engines.on_clickhouse import fresh, url
from tieback.errors import ConfigError, WorkspaceError
from tieback.schema import TABLES
from tieback.store import StatementError
from tieback.store.clickhouse import ClickHouse, opened

WORKSPACE = TABLES["workspace"]


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    pytest.importorskip("chdb", reason="chdb (make engines)")


@pytest.fixture
def store() -> Iterator[ClickHouse]:
    """An empty workspace."""
    with fresh() as engine:
        assert isinstance(engine, ClickHouse)
        yield engine


def values(*names: str) -> pa.Table:
    """Rows of the table `workspace`."""
    return pa.table({"name": names, "value": ["x"] * len(names)})


def names(engine: ClickHouse) -> list[str]:
    """The names in the table `workspace`, but the schema's."""
    rows = engine.rows("SELECT name FROM workspace WHERE name <> 'schema_version' ORDER BY name")
    return [row["name"] for row in rows]


def beside(store: ClickHouse, *, read_only: bool = False) -> ClickHouse:
    """The same workspace through another connection."""
    return opened(url(store.database), read_only=read_only)


def databases(store: ClickHouse) -> list[str]:
    """What the workspace has there, without its name."""
    sql = f"SELECT name FROM system.databases WHERE startsWith(name, '{store.database}_') ORDER BY name"
    return [name.removeprefix(f"{store.database}_") for name in store.fetch(sql)["name"].to_pylist()]


def test_a_change_is_seen_when_it_ends_well(store: ClickHouse) -> None:
    """Within, by the writer alone; afterwards by whoever opens the workspace. A reader stays with what it opened."""
    with beside(store, read_only=True) as before:
        with store.transaction():
            store.load(WORKSPACE, values("a"))
            assert names(store) == ["a"]
            with beside(store, read_only=True) as during:
                assert names(during) == []
        assert names(before) == []
    with beside(store, read_only=True) as after:
        assert names(after) == ["a"]


def test_a_change_that_fails_leaves_nothing(store: ClickHouse) -> None:
    """The state is the one before, and its draft is gone."""

    def change() -> None:
        with store.transaction():
            store.load(WORKSPACE, values("a"))
            store.keep("scratch_nowhere", "SELECT missing FROM workspace")

    with pytest.raises(StatementError, match="Building 'nowhere' on clickhouse failed") as failed:
        change()
    assert "SELECT missing" in failed.value.sql
    assert names(store) == []
    assert databases(store) == ["1"]


def test_one_writer_at_a_time(store: ClickHouse) -> None:
    """Whoever began from a state that has been replaced changes nothing."""
    with beside(store) as late:
        with store.transaction():
            store.load(WORKSPACE, values("a"))
        with pytest.raises(WorkspaceError, match="changed by another writer meanwhile"), late.transaction():
            late.load(WORKSPACE, values("b"))
    assert names(store) == ["a"]


def test_states_that_were_replaced_long_ago_go(store: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest two stay; others as long as they may still be read."""
    for name in ("a", "b", "c"):
        store.load(WORKSPACE, values(name))
    assert databases(store) == ["1", "2", "3", "4"]
    monkeypatch.setattr("tieback.store.clickhouse._READ_MINUTES", -1)
    store.load(WORKSPACE, values("d"))
    assert databases(store) == ["4", "5"]
    assert names(store) == ["a", "b", "c", "d"]


def test_rows_go_by_columns_that_may_be_empty(store: ClickHouse) -> None:
    """An empty cell equals an empty one, and neither an empty text nor another cell."""
    links = TABLES["touchpoints"]
    rows = [("1", None, None), ("2", "", None), ("3", "ad", True), ("4", "ad", False), ("5", None, True)]
    kinds = {"string": "''", "timestamp": "toDateTime64('2026-01-01', 6)", "date": "toDate32('2026-01-01')"}
    with store.transaction():
        store.make(links)
        for touch_id, ad, paid in rows:
            given = {"touch_id": f"'{touch_id}'", "ad": "NULL" if ad is None else f"'{ad}'"}
            given["is_paid"] = "false" if paid is None else str(paid).lower()
            cells = [given.get(column.name, kinds.get(column.type, "0")) for column in links.columns]
            store.insert(links, f"SELECT {', '.join(cells)}")
        gone = pa.table({"ad": [None, "ad"], "is_paid": pa.array([False, True])}, schema=_GONE)
        store.remove(links, store.scratch_rows("gone", gone))
    left = store.rows("SELECT touch_id FROM touchpoints ORDER BY touch_id")
    assert [row["touch_id"] for row in left] == ["2", "4", "5"]


_GONE = pa.schema([("ad", pa.string()), ("is_paid", pa.bool_())])

_CUT_OFF = """
import os, signal, sys
from tieback.store import clickhouse_links
from tieback.store.clickhouse import opened
import pyarrow as pa
from tieback.schema import TABLES

store = opened(sys.argv[1])
store.load(TABLES["workspace"], pa.table({"name": ["kept"], "value": ["x"]}))
run = clickhouse_links.InProcess.run
left = [int(sys.argv[2])]

def killed(link, sql):
    left[0] -= 1
    if not left[0] or (left[0] < 0 and sql.startswith("RENAME")):
        os.kill(os.getpid(), signal.SIGKILL)
    return run(link, sql)

clickhouse_links.InProcess.run = killed
store.load(TABLES["workspace"], pa.table({"name": ["lost"], "value": ["x"]}))
"""
_READ = """
import sys
from tieback.store.clickhouse import opened

with opened(sys.argv[1]) as store:
    with store.transaction():
        pass
    print(sorted(row["name"] for row in store.rows("SELECT name FROM workspace")), len(store._databases(".*")))
"""


@pytest.mark.parametrize("statement", [2, 9, -1])
def test_a_process_that_is_killed_changes_nothing(tmp_path: Path, statement: int) -> None:
    """Killed while the draft is made, or as it was about to be published: the next one opens the last state."""
    where = f"chdb://{tmp_path / 'chdb'}"
    killed = subprocess.run([sys.executable, "-c", _CUT_OFF, where, str(statement)], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    after = subprocess.run([sys.executable, "-c", _READ, where], capture_output=True, text=True, check=False)
    assert after.stdout.strip() == "['kept', 'schema_version'] 3", after.stderr


def test_nothing_to_read_is_said(store: ClickHouse) -> None:
    """A workspace that nobody has begun cannot be read, and is not begun by looking."""
    with pytest.raises(WorkspaceError, match="holds no data of a workspace 'elsewhere' yet"):
        opened(url("elsewhere"), read_only=True)
    with beside(store, read_only=True) as reader, pytest.raises(WorkspaceError, match="for reading alone"):
        reader.load(WORKSPACE, values("a"))


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("clickhouse://me:secret@127.0.0.1:1/acme", WorkspaceError, "No ClickHouse server answers at 127.0.0.1:1"),
        ("clickhouse://me:secret@host:99999/acme", ConfigError, "port"),
        ("clickhouse://me:secret@host/a-b", ConfigError, "'a-b' is no name for a database"),
        ("chdb:///tmp/other", WorkspaceError, "has another chdb folder open"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(
    store: ClickHouse, address: str, error: type[Exception], words: str
) -> None:
    """Without the password."""
    with pytest.raises(error, match=words) as refused:
        opened(address)
    assert "secret" not in str(refused.value)


def test_a_newer_workspace_is_left_alone(store: ClickHouse) -> None:
    """Its schema is another."""
    with store.transaction():
        store.make(WORKSPACE)
        store.load(WORKSPACE, pa.table({"name": ["schema_version"], "value": ["99"]}))
    with pytest.raises(WorkspaceError, match="newer tieback"):
        beside(store)
