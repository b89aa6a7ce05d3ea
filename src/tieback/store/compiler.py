"""Ibis expressions as the SQL of each dialect. Ibis is a compiler here, never the executor."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import ibis
import sqlglot
import sqlglot.expressions as sge
from ibis.backends.sql import compilers
from ibis.expr import types as ir

from tieback.store import clickhouse_sql
from tieback.store.fences import fence


class _DuckDB(compilers.DuckDBCompiler):  # type: ignore[misc]  # ibis ships no types
    """Ibis' own, but a hash stays unsigned: a condition that casts, which may fail, is not met while DuckDB reads."""

    def visit_Hash(self, op: Any, *, arg: Any) -> Any:  # noqa: N802  # ibis names it
        return self.f.hash(arg)


class _Databricks(compilers.DatabricksCompiler):  # type: ignore[misc]  # ibis ships no types
    """Ibis' own, but a float stays one: Spark takes 86400.0 for a decimal, and divides to six digits by it."""

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:  # noqa: N802  # ibis names it
        if dtype.is_floating() and math.isfinite(value):
            return self.cast(sge.convert(value), dtype)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)


_COMPILERS = {
    "duckdb": _DuckDB,
    "databricks": _Databricks,
    "bigquery": compilers.BigQueryCompiler,
    "snowflake": compilers.SnowflakeCompiler,
    "clickhouse": clickhouse_sql.Compiler,
    "postgres": compilers.PostgresCompiler,
    "trino": compilers.TrinoCompiler,
}

# Merging nested SELECTs takes two thirds of a compilation, and every engine does it again in its own planner.
ibis.options.sql.fuse_selects = False


def compiled(expression: ir.Expr, dialect: str, *, pretty: bool = False, few_rows: bool = False) -> str:
    """The SQL that builds `expression`, for one of the dialects of `tieback.schema.ddl.DIALECTS`.

    few_rows: what is read twice is cheap to keep aside.
    """
    return _sql(expression.op(), dialect, pretty, few_rows)


def translated(sql: str, parameters: list[Any], dialect: str) -> str:
    """A SELECT written by hand in DuckDB's dialect, as another engine reads it, `parameters` in place of each `?`."""
    tree = _parsed(sql).copy()
    for select in tree.find_all(sge.Select):  # ClickHouse would call `k.model` so where it stands in a join
        select.set("expressions", [_named(column) for column in select.expressions])
    given = iter(parameters)
    for mark in list(tree.find_all(sge.Placeholder, bfs=False)):
        mark.replace(sge.convert(next(given)))
    return str(tree.sql(dialect=compiler_dialect(dialect)))


def compiler_dialect(dialect: str) -> Any:
    """The name, or class, by which the parser knows one of our dialects."""
    return _compiler(dialect).dialect


def _named(column: Any) -> Any:
    return column.as_(column.name) if isinstance(column, sge.Column) and column.table and not column.is_star else column


@lru_cache(maxsize=64)
def _parsed(sql: str) -> Any:
    return sqlglot.parse_one(sql, read="duckdb")


@lru_cache(maxsize=1024)  # a full and a partial run of one workspace's settings have some 180 statements
def _sql(operation: Any, dialect: str, pretty: bool, few_rows: bool) -> str:
    compiler = _compiler(dialect)
    tree = compiler.to_sqlglot(operation.to_expr())
    if dialect == "duckdb" and not few_rows:
        for shared in tree.find_all(sge.CTE):
            shared.set("materialized", False)  # events read twice are cheaper than events kept aside, whole and spilled
    if dialect == "postgres":
        fence(tree)
    return str(tree.sql(dialect=compiler.dialect, pretty=pretty, copy=False))


@cache
def _compiler(dialect: str) -> Any:
    return _COMPILERS[dialect]()
