"""Places for a ledger of each kind, and what tests put there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.postgres_server import new_schema, server
from tieback.store.ledger import Incoming

KINDS = ("sqlite", "postgres")
NOON = datetime(2026, 3, 1, 12)
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tieback ledger%'"


def new_place(kind: str, folder: Path) -> str:
    """The URL of a ledger that is not made yet."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'ledger.sqlite'}"
    pytest.importorskip("psycopg", reason="psycopg (make engines)")
    return server().url(new_schema())


def message(number: int, source: str = "shop", at: datetime = NOON) -> Incoming:
    """The message of that number."""
    return Incoming(source, f"m{number}", at, b'{"number": %d}' % number)


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A connection to the ledger at `url` that is none of its own; what is not committed is undone."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            yield connection
        return
    import psycopg

    schema = parse_qs(urlsplit(url).query)["schema"][0]
    with closing(psycopg.connect(url.partition("&schema=")[0])) as connection:
        connection.execute(f"SET search_path = {schema}".encode())
        connection.commit()
        yield connection


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Inside, nobody else writes to the ledger at `url`."""
    with connected(url) as connection:
        connection.execute("BEGIN IMMEDIATE" if url.startswith("sqlite") else "LOCK TABLE inbox, sources")
        yield
        connection.rollback()
