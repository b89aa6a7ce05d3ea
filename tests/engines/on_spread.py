"""Spark as it reads many rows: spread over partitions, exchanged between them, with the plan changed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.engines.on_spark import NEEDS as NEEDS
from tests.engines.on_spark import SLOW as SLOW_ON_SPARK
from tests.spark_cluster import cluster
from tieback.store import Engine
from tieback.store.spark import opened

SERVER = "spark"
GAPS: dict[str, str] = {}
SLOW = (*SLOW_ON_SPARK, "test_every_stage_of_a_small_world")
_SPREAD = {"spark.sql.shuffle.partitions": "3", "spark.sql.adaptive.enabled": "true"}


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty warehouse."""
    with TemporaryDirectory() as folder, opened(cluster().url(Path(folder), **_SPREAD)) as store:
        yield store
