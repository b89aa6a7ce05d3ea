"""The declared tables as unbound Ibis relations: what stages read from and must fit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.schema.types import Table, Type

_IBIS_TYPES: dict[Type, str] = {
    "string": "string",
    "timestamp": "timestamp",
    "date": "date",
    "int": "int64",
    "float": "float64",
    "decimal": "decimal(18, 6)",
    "boolean": "boolean",
    "json": "string",
}


def relation(table: Table, name: str = "") -> ir.Table:
    """`table` as an unbound Ibis relation; `name` overrides the name it is read by."""
    columns = {column.name: _IBIS_TYPES[column.type] for column in table.columns}
    return ibis.table(columns, name=name or table.name)


def relations(tables: tuple[Table, ...]) -> Any:
    """A namespace of relations: `relations(FACTS).events`, and so on."""
    return SimpleNamespace(**{table.name: relation(table) for table in tables})


def fitted(expression: ir.Table, table: Table) -> ir.Table:
    """`expression` with exactly the columns of `table`, in its order and types.

    Raises ValueError naming the columns that are missing or too many: a stage must build what the schema declares.
    """
    have, want = set(expression.columns), set(table.names)
    if have != want:
        raise ValueError(
            f"{table.name}: missing columns {sorted(want - have)}, undeclared columns {sorted(have - want)}"
        )
    target = relation(table).schema()
    return expression.select(
        **{
            name: expression[name] if expression[name].type() == target[name] else expression[name].cast(target[name])
            for name in table.names
        }
    )


def filled(rows: ir.Table, table: Table, name: str) -> ir.Value:
    """A column of `table` in `rows`, an empty cell as empty text; only texts of a key may be empty."""
    return rows[name] if table.column(name).required else rows[name].fill_null("")


def current(table: ir.Table, declared: Table) -> ir.Table:
    """The latest row of each subject, removed ones left out: the present state of a fact that changes.

    Subject and version together are the key, so no two rows tie.
    """
    window = ibis.window(group_by=[table[name] for name in declared.subject], order_by=table[declared.version].desc())
    latest = table.mutate(_rank=ibis.row_number().over(window)).filter(lambda t: t._rank == 0).drop("_rank")
    if "deleted" in declared.names:
        latest = latest.filter(lambda t: ~t.deleted.fill_null(ibis.literal(value=False)))
    return latest
