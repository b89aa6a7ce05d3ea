"""A workspace that goes round the engines ends where it began, byte for byte in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.company import tieback
from tests.engines.conftest import WHOLE, on

ROUND = ("spark", "postgres", "clickhouse") if WHOLE else ("postgres", "clickhouse")  # Spark takes minutes


def report(folder: Path) -> str:
    """All that the models say, month by month, as a program reads it."""
    result = tieback(folder, "report", "--by", "channel,month", "--model", "all", "--format", "json")
    assert result.exception is None, result.exception
    return result.stdout


def url(name: str, folder: Path) -> str:
    """Where a workspace on the engine of that name may live; `folder` is there for what needs one."""
    for package in on(name).NEEDS:
        pytest.importorskip(package, reason=f"{package} (make engines)")
    if name == "spark":
        from tests.spark_cluster import cluster

        return cluster().url(folder)
    if name == "postgres":
        from tests.postgres_server import new_schema, server

        return server().url(new_schema())
    from tests.engines.on_clickhouse import url as of_clickhouse

    return of_clickhouse("moved")


@pytest.mark.xdist_group("clickhouse")
def test_a_workspace_goes_round_the_engines(tmp_path: Path) -> None:
    """DuckDB, (Spark,) Postgres, ClickHouse and back: each has the same report to the byte, and so has the last."""
    folder = tmp_path / "demo"
    assert tieback(tmp_path, "demo", str(folder), "--people", "100").exception is None
    told = report(folder)
    for name in ROUND:
        moved = tieback(folder, "move", "--to", url(name, tmp_path / name))
        assert moved.exception is None, (name, moved.exception)
        assert report(folder) == told, name
    assert tieback(folder, "move", "--to", "duckdb").exception is None
    assert report(folder) == told
