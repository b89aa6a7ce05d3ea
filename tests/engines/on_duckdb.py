"""The embedded engine, held by the kit as all others are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tieback.store import DuckDB, Engine

GAPS: dict[str, str] = {}


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty warehouse."""
    with DuckDB(None) as store:
        yield store
