"""Postgres, held by the kit: a real server, and a schema for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres_server import new_schema, server
from tieback.store import Engine

GAPS: dict[str, str] = {}
NEEDS = ("psycopg",)


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty schema with the tables of facts and operations."""
    from tieback.store.postgres import opened

    with opened(server().url(new_schema())) as store:
        yield store
