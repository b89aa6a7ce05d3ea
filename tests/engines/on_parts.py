"""The embedded engine with so little memory that visits and paths are worked out in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tieback.schema import Table
from tieback.store import DuckDB, Engine

GAPS: dict[str, str] = {}
SLOW = (
    *("test_olist", "test_readers", "test_broken", "test_the_demo_company", "test_what_one_more_visit_touches"),
    "test_a_run_after_each_kind_of_change",
)


class _InParts(DuckDB):
    def parts(self, table: Table) -> int:
        """More than one, and no power of two."""
        return 3


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty warehouse."""
    with _InParts(None) as store:
        yield store
