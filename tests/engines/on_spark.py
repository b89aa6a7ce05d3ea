"""A real cluster on loopback, with a lake in a folder of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.spark_cluster import cluster
from tieback.store import Engine
from tieback.store.spark import opened

GAPS: dict[str, str] = {}
NEEDS = ("pyspark",)
SLOW = (
    *("test_golden", "test_readers", "test_broken", "test_laws", "test_olist"),
    *("test_the_demo_company", "test_every_stage_of_many_worlds", "test_what_one_more_visit_touches"),
    "test_a_run_after_each_kind_of_change",
)


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty warehouse."""
    with TemporaryDirectory() as folder, opened(cluster().url(Path(folder))) as store:
        yield store
