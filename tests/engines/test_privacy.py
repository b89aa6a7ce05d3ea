"""What is held of a person is shown, erased and pruned alike on every engine, and nothing of it stays in its files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import pytest

from tests.ann import ANN, PHONE, exported, held, laws_hold, proof, revenue, shop, tieback, traces, words_of
from tests.engines.conftest import WHOLE, on
from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.store import DuckDB

ELSEWHERE = ("duckdb", "postgres", "clickhouse", "spark")
_GROUPS = {name: pytest.mark.xdist_group("privacy" if name == "duckdb" else name) for name in ELSEWHERE}
everywhere = pytest.mark.parametrize("name", [pytest.param(name, marks=_GROUPS[name]) for name in ELSEWHERE])
but_on_spark = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_GROUPS[name]) for name in ELSEWHERE if WHOLE or name != "spark"]
)


def url(name: str, folder: Path) -> str:
    """Where the shop may live on the engine of that name; `folder` is its own, for what needs one."""
    for package in getattr(on(name), "NEEDS", ()):
        pytest.importorskip(package, reason=f"{package} (make engines)")
    if name == "spark":
        from tests.spark_cluster import cluster

        return cluster().url(folder / "lake")
    if name == "postgres":
        from tests.postgres_server import new_schema, server

        return server().url(new_schema())
    if name == "clickhouse":
        from tests.engines.on_clickhouse import url as of_clickhouse

        return of_clickhouse(f"of_{folder.name.replace('-', '_')}")
    return f"duckdb://{folder}/there.duckdb"


def left(name: str, words: set[str], folder: Path) -> list[str]:
    """What is left of the words where the engine keeps its tables, also in what no table names any more."""
    if name == "postgres":
        return _left_on_postgres(words)
    if name == "clickhouse":
        from tests.engines.on_clickhouse import folder as of_clickhouse

        return traces(words, Path(of_clickhouse()))
    found = traces(words, folder)
    for path in folder.rglob("*.parquet"):  # packed, bytes may hide
        text = str(duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)").fetchall()).lower()
        found += [f"{path}: {word}" for word in words if word.lower() in text]
    return found


def _left_on_postgres(words: set[str]) -> list[str]:
    """In any file of the server's databases but its catalogue of statistics, whose present rows are read instead."""
    import psycopg

    from tests.postgres_server import server

    with psycopg.connect(server().url("").removesuffix("&schema="), autocommit=True) as door:
        door.execute("CHECKPOINT")
        kept = door.execute("SELECT pg_relation_filepath('pg_statistic')").fetchall()[0][0]
        told = str(door.execute("SELECT tablename, pg_stats::text FROM pg_stats").fetchall()).lower()
    found = [f"statistics: {word}" for word in words if word.lower() in told]
    return found + [each for each in traces(words, server().folder / "data/base") if not each.startswith(Path(kept).name)]


@cache
def expected() -> dict[str, Any]:
    """What the embedded engine tells of Ann, and what it holds once she is erased."""
    folder = shop(Path(mkdtemp()) / "shop")
    told = exported(folder)
    before = revenue(folder)
    tieback(folder, "privacy", "erase", ANN, "--yes")
    with opened(open_workspace(folder), read_only=True) as store:
        return {"told": told, "before": before, "after": revenue(folder), "held": held(store)}


@everywhere
def test_an_erased_person_leaves_no_trace(name: str, tmp_path: Path) -> None:
    """She is shown as the embedded engine shows her; then no byte stays, all else is as there, and every law holds."""
    folder = shop(tmp_path / "shop", url(name, tmp_path))
    told = exported(folder)
    assert told == expected()["told"]
    words = words_of(told)
    assert left(name, words, tmp_path)
    erased = tieback(folder, "privacy", "erase", ANN, "--yes")
    assert f"for {len(words)} words: no trace" in proof(erased)
    assert ("Not to be searched" in erased.stderr) == (name in ("postgres", "spark"))
    assert traces(words, folder) == []
    assert left(name, words, tmp_path) == []
    with opened(open_workspace(folder), read_only=True) as store:
        assert held(store) == expected()["held"]
        laws_hold(store)
    assert revenue(folder) == expected()["after"]
    tieback(folder, "privacy", "export", ANN, code=2)
