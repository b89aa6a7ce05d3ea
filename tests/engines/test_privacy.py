"""What is held of a person is shown, erased and pruned alike on every engine, and nothing of it stays in its files."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from tests.ann import (
    ANN,
    PHONE,
    exported,
    held,
    laws_hold,
    proof,
    revenue,
    shop,
    tieback,
    traces,
    with_retention,
    words_of,
)
from tests.engines.conftest import WHOLE, on
from tieback.cli import group
from tieback.cli.warehouse import opened
from tieback.config import Settings, open_workspace
from tieback.pipeline import refresh
from tieback.schema import FACTS, OPINIONS
from tieback.schema.relations import relation
from tieback.store import DuckDB, Engine
from tieback.store.arrow import declared

ELSEWHERE = ("duckdb", "postgres", "clickhouse", "spark")
CUT_OFF = ELSEWHERE if WHOLE else ("postgres",)  # the others take longer for each attempt
PRUNED = ELSEWHERE if WHOLE else ("postgres", "clickhouse")


def on_each(names: tuple[str, ...]) -> pytest.MarkDecorator:
    """Hold the test on these engines, those that start soon together: what it starts from is built once for them."""
    groups = {name: pytest.mark.xdist_group("spark" if name == "spark" else "clickhouse") for name in names}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=groups[name]) for name in names])


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

        return of_clickhouse(f"of_{folder.parent.name}_{folder.name}".replace("-", "_"))
    return f"duckdb://{folder}/there.duckdb"


def left(name: str, words: set[str], folder: Path) -> list[str]:
    """What is left of the words where the engine keeps its tables, also in what no table names any more."""
    if name == "postgres":
        return _left_on_postgres(words)
    if name == "clickhouse":
        return _left_on_clickhouse(words, folder)
    found = traces(words, folder)
    for path in folder.rglob("*.parquet"):  # packed, bytes may hide
        text = str(duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)").fetchall()).lower()
        found += [f"{path}: {word}" for word in words if word.lower() in text]
    return found


def _left_on_clickhouse(words: set[str], folder: Path) -> list[str]:
    """In any of the workspace's states, or in parts that no table needs any more; packed, bytes may hide."""
    from tests.engines.on_clickhouse import folder as of_clickhouse
    from tieback.store.clickhouse import opened as clickhouse

    found = traces(words, Path(of_clickhouse()))
    with clickhouse(url("clickhouse", folder), read_only=True) as store:
        ours = f"startsWith(database, '{store.database}_')"
        for row in store.fetch(f"SELECT database, name FROM system.tables WHERE {ours}").to_pylist():
            text = str(store.fetch(f"SELECT * FROM {row['database']}.{row['name']}").to_pylist()).lower()
            found += [f"{row}: {word}" for word in words if word.lower() in text]
        for rest in ("system.parts WHERE NOT active AND", "system.detached_parts WHERE", "system.dropped_tables WHERE"):
            found += [str(row) for row in store.fetch(f"SELECT database, table FROM {rest} {ours}").to_pylist()]
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
    return found + [
        each for each in traces(words, server().folder / "data/base") if not each.startswith(Path(kept).name)
    ]


@cache
def expected() -> dict[str, Any]:
    """What the embedded engine tells of Ann, and what it holds once she is erased."""
    folder = shop(Path(mkdtemp()) / "shop")
    told = exported(folder)
    before = revenue(folder)
    tieback(folder, "privacy", "erase", ANN, "--yes")
    with opened(open_workspace(folder), read_only=True) as store:
        return {"told": told, "before": before, "after": revenue(folder), "held": held(store)}


STEPS: dict[str, Callable[..., bool]] = {  # where it is cut off, and at which call of it
    "tieback.sync.person.erase_at_the_door": lambda **_: True,
    "tieback.sync.person.erase_facts": lambda **_: True,
    "tieback.pipeline.refresh": lambda full=False, **_: full,
    "tieback.cli.privacy._forget": lambda **_: True,
    "tieback.store.rewriting.write_anew": lambda **_: True,
    "tieback.cli.proof.prove": lambda **_: True,
}


class CutOffError(Exception):
    """What ends a command in a test."""


def cut_off(monkeypatch: pytest.MonkeyPatch, folder: Path, step: str, *words: str) -> None:
    """Call a command that ends as it comes to that step, or as soon as the step is done but not committed."""
    module, _, name = step.rpartition(".")
    whole = getattr(importlib.import_module(module), name)

    def cut(*given: Any, **more: Any) -> Any:
        if not STEPS[step](**more):
            return whole(*given, **more)
        if step.startswith("tieback.sync"):
            whole(*given, **more)
        raise CutOffError(step)

    with monkeypatch.context() as patched:
        patched.setattr(step, cut)
        with pytest.raises(CutOffError):
            CliRunner().invoke(group, ["-w", str(folder), *words], catch_exceptions=False)


def worked_out_elsewhere(engine: Engine, settings: Settings, *, full: bool = False) -> None:
    """What a full run leaves, worked out by DuckDB: Spark takes a minute for what parity tests hold."""
    if not full:
        return
    with DuckDB(None) as store, engine.transaction():
        for table in FACTS:
            store.load(table, declared(engine.read(relation(table)), table))
        refresh(store, settings)
        for table in OPINIONS:
            engine.make(table)
            if (rows := store.read(relation(table))).num_rows:
                engine.load(table, rows)


@on_each(ELSEWHERE)
def test_an_erased_person_leaves_no_trace(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """She is shown as the embedded engine shows her; then no byte stays, all else is as there, and every law holds.

    Cut off at one step after another, the same command goes on each time.
    """
    folder = shop(tmp_path / "shop", url(name, tmp_path))
    told = exported(folder)
    assert told == expected()["told"]
    if name == "spark" and not WHOLE:
        monkeypatch.setattr("tieback.pipeline.refresh", worked_out_elsewhere)
    words = words_of(told)
    assert left(name, words, tmp_path)
    for step in STEPS if name in CUT_OFF else ():
        cut_off(monkeypatch, folder, step, "privacy", "erase", ANN, "--yes")
    erased = tieback(folder, "privacy", "erase", ANN, "--yes")
    assert f"for {2 if name in CUT_OFF else len(words)} words: no trace" in proof(erased)
    assert ("Not to be searched" in erased.stderr) == (name in ("postgres", "spark"))
    assert traces(words, folder) == []
    assert left(name, words, tmp_path) == []
    with opened(open_workspace(folder), read_only=True) as store:
        assert held(store) == expected()["held"]
        laws_hold(store)
    assert revenue(folder) == expected()["after"]
    tieback(folder, "privacy", "export", ANN, code=2)


@cache
def expected_of_pruning() -> dict[str, Any]:
    """What the embedded engine holds after it."""
    folder = with_retention(shop(Path(mkdtemp()) / "shop"))
    told = tieback(folder, "privacy", "prune").stderr
    assert "4 of events, 1 of contacts, 1 of vault" in told
    with opened(open_workspace(folder), read_only=True) as store:
        found = held(store)
    return {"held": found, "raw": vault(folder)}


def vault(folder: Path) -> list[Any]:
    """The raw values that are left."""
    with duckdb.connect(str(open_workspace(folder).intake), read_only=True) as door:
        return door.execute("SELECT raw_value FROM vault ORDER BY ALL").fetchall()


@on_each(PRUNED)
def test_the_same_rows_are_pruned(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` warns of them; cut off, the same command goes on; nothing of them stays; the vault follows the facts."""
    elsewhere = tmp_path / "engine"  # the ledger knows the visits still
    elsewhere.mkdir()
    folder = with_retention(shop(tmp_path / "shop", url(name, elsewhere)))
    assert "4 of events, 1 of contacts, 1 of vault" in tieback(folder, "doctor", "--format", "json", code=6).stdout
    assert left(name, {PHONE}, elsewhere)
    for step in ("tieback.pipeline.refresh", "tieback.store.rewriting.write_anew") if name in CUT_OFF else ():
        monkeypatch.setitem(STEPS, step, lambda **_: True)
        cut_off(monkeypatch, folder, step, "privacy", "prune")
    tieback(folder, "privacy", "prune")
    assert "Rows that were kept for long enough: none." in tieback(folder, "privacy", "prune").stderr
    with opened(open_workspace(folder), read_only=True) as store:
        assert held(store) == expected_of_pruning()["held"]
    assert vault(folder) == expected_of_pruning()["raw"]
    assert traces({PHONE}, *folder.glob("*.duckdb")) + left(name, {PHONE}, elsewhere) == []
    assert "no row is older than it may be" in tieback(folder, "doctor", "--format", "json", code=6).stdout
