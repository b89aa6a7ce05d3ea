"""The kit can fail: an engine that rounds or orders another way, broken here on purpose, is found.

A break is made where it would come from: in the SQL that an engine is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
import sqlglot
import sqlglot.expressions as sge

from tests.engines.basics import basics
from tests.engines.many import fill, small
from tests.engines.same import Row, assert_same, opinions
from tests.laws.worlds import SETTINGS
from tieback.pipeline import refresh
from tieback.store import DuckDB, Engine
from tieback.store.compiler import compiler_dialect

FEW = msgspec.structs.replace(SETTINGS, models={"linear": {}, "position_based": {}})
# What rounds half to even; Postgres' own does, of a fraction.
_EVEN = {"duckdb": "round_even", "clickhouse": "roundBankers", "postgres": "round", "databricks": "bround"}


def nulls_elsewhere(node: Any, dialect: str) -> Any:
    """Empty cells come first where they came last, and the other way round."""
    if isinstance(node, sge.Ordered):
        node.set("nulls_first", not node.args.get("nulls_first"))
    return node


def to_even(node: Any, dialect: str) -> Any:
    """Half a unit goes to the even neighbour, as bankers have it."""
    if not _is_rounding(node):
        return node
    digits = [sge.convert(0)] if dialect == "duckdb" else []
    return sge.Anonymous(this=_EVEN[dialect], expressions=[_number(node), *digits])


def plain_round(node: Any, dialect: str) -> Any:
    """ROUND as each engine has it: most take a half away from zero, below zero too."""
    return sge.Anonymous(this="round", expressions=[_number(node)]) if _is_rounding(node) else node


def cut_off(node: Any, dialect: str) -> Any:
    """Fractions of a unit are dropped."""
    return sge.Floor(this=_number(node)) if _is_rounding(node) else node


ROUNDINGS = (to_even, plain_round, cut_off)


def _is_rounding(node: Any) -> bool:
    """True for floor(number + 0.5), which is how tieback rounds."""
    added = node.this.unnest() if isinstance(node, sge.Floor) else None
    half = added.expression.unnest() if isinstance(added, sge.Add) else None
    return half is not None and (half.this if isinstance(half, sge.Cast) else half).sql() == "0.5"


def _number(rounding: Any) -> Any:
    return rounding.this.unnest().this


def break_it(engine: Engine, how: Callable[[Any, str], Any]) -> None:
    """Let `engine` be given other SQL from now on."""
    whole, dialect = engine.sql, compiler_dialect(engine.dialect)

    def broken(expression: Any) -> str:
        tree = sqlglot.parse_one(whole(expression), read=dialect)
        return str(tree.transform(how, engine.dialect, copy=False).sql(dialect=dialect))

    engine.sql = broken  # type: ignore[method-assign]  # the break itself


def made(engine: Engine) -> dict[str, list[Row]]:
    """What an engine makes of the small world, which the whole kit has, by two models."""
    fill(engine, small())
    refresh(engine, FEW)
    return opinions(engine)


@cache
def expected() -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """What DuckDB makes of the small world, and of the basics."""
    with DuckDB(None) as store:
        return made(store), basics(store)


@pytest.mark.parametrize("how", ROUNDINGS, ids=lambda how: how.__name__)
def test_rounding_of_another_kind_is_seen(engine: Engine, how: Any) -> None:
    """Bankers' rounding, the engine's own ROUND and none at all: the comparison refuses what comes of each."""
    break_it(engine, how)
    with pytest.raises(AssertionError, match=r"^basics:"):
        assert_same(basics(engine), expected()[1])
    with pytest.raises(AssertionError, match=r"^(costs|conversions|credits|performance):"):
        assert_same(made(engine), expected()[0])


def test_empty_cells_in_another_place_are_seen(engine: Engine) -> None:
    """The basics tell of it; no opinion does, as every order of every stage ends in keys that are never empty."""
    break_it(engine, nulls_elsewhere)
    with pytest.raises(AssertionError, match=r"^basics:"):
        assert_same(basics(engine), expected()[1])
    assert_same(made(engine), expected()[0])
