"""Nested SELECTs that Postgres must work out one after the other.

Its planner writes the expression of a nested SELECT's column wherever the outer one names the column. Where columns
build on columns that are named several times, as the rules of channels do, the whole grows out of all bounds before the
first row is read: 20 GB for a text of 30 kB. OFFSET 0 keeps a SELECT apart.
"""

from __future__ import annotations

from collections import Counter

import sqlglot.expressions as sge
from sqlglot.optimizer.scope import Scope, traverse_scope

_MOST = 200  # parts of expressions that a column, named several times, may put in place of its name


def fence(tree: sge.Expression) -> None:
    """Keep apart, in place, those SELECTs in `tree` whose columns would be written out too often."""
    sizes: dict[int, dict[str, int]] = {}
    cte_uses = Counter(table.name for table in tree.find_all(sge.Table))
    for scope in traverse_scope(tree):
        select = scope.expression
        if not isinstance(select, sge.Select):
            continue
        named = Counter((column.table, column.name) for column in scope.columns)
        inner = {name: source for name, source in scope.sources.items() if isinstance(source, Scope)}
        for name, source in inner.items():
            columns = sizes.get(id(source.expression), {})
            grown = max(
                (
                    columns.get(column, 1) * uses
                    for (table, column), uses in named.items()
                    if table == name and uses > 1 and columns.get(column, 1) > 1
                ),
                default=0,
            )
            if grown > _MOST:
                source.expression.set("offset", sge.Offset(expression=sge.Literal.number(0)))
                sizes[id(source.expression)] = {}
        if _stands_alone(select) or (isinstance(select.parent, sge.CTE) and cte_uses[select.parent.alias] > 1):
            continue
        sizes[id(select)] = {
            projection.alias_or_name: _size(projection, inner, sizes) for projection in select.expressions
        }


def _stands_alone(select: sge.Select) -> bool:
    """True for a SELECT that Postgres keeps apart of itself."""
    return any(select.args.get(part) for part in ("group", "distinct", "limit", "offset", "having")) or any(
        one.find(sge.Window, sge.AggFunc) for one in select.expressions
    )


def _size(projection: sge.Expression, inner: dict[str, Scope], sizes: dict[int, dict[str, int]]) -> int:
    """How many parts the expression has, once columns of nested SELECTs are written out."""
    parts = 0
    for part in projection.find_all(sge.Column, sge.Func, sge.Binary, sge.Case, sge.If):
        source = inner.get(part.table) if isinstance(part, sge.Column) else None
        parts += sizes.get(id(source.expression), {}).get(part.name, 1) if source else 1
    return parts
