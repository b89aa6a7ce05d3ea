"""The way to a server, over HTTP: against chdb behind an HTTP front, for want of a server that can be installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.many import fill
from tests.engines.on_clickhouse import folder
from tests.engines.same import assert_same, opinions
from tests.laws.worlds import SETTINGS, core
from tests.store.clickhouse_front import front
from tieback.errors import WorkspaceError
from tieback.pipeline import refresh
from tieback.store import DuckDB, StatementError
from tieback.store.clickhouse import opened


@pytest.fixture
def server() -> Iterator[str]:
    """The beginning of its URLs."""
    with front(folder()) as port:
        yield f"clickhouse://tieback:a%20secret@127.0.0.1:{port}"


def test_a_run_through_http(server: str) -> None:
    """Facts in, every stage, opinions out: as on DuckDB; and another client reads them."""
    with DuckDB(None) as duckdb:
        fill(duckdb, core())
        refresh(duckdb, SETTINGS)
        expected = opinions(duckdb)
    with opened(f"{server}/served") as store:
        fill(store, core())
        refresh(store, SETTINGS)
        with opened(f"{server}/served", read_only=True) as reader:
            assert_same(opinions(reader), expected)


def test_a_statement_that_fails_carries_its_sql(server: str) -> None:
    """And the server's reason."""
    with opened(f"{server}/failing") as store, pytest.raises(StatementError, match="missing") as failed:
        store.fetch("SELECT missing FROM workspace")
    assert failed.value.sql == "SELECT missing FROM workspace"


def test_a_wrong_password_is_said_without_it(server: str) -> None:
    """In one sentence that says what to mend."""
    with pytest.raises(WorkspaceError, match="refuses that user and password") as refused:
        opened(server.replace("a%20secret", "wrong"))
    assert "wrong" not in str(refused.value)


def test_another_writer_at_work_is_said(server: str) -> None:
    """At the beginning, not after an hour's work; when it was cut off, it stands in the way for a while only."""
    with (
        opened(f"{server}/busy") as first,
        opened(f"{server}/busy") as second,
        first.transaction(),
        pytest.raises(WorkspaceError, match="in use by another writer"),
        second.transaction(),
    ):
        pass
