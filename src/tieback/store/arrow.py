"""Rows as Arrow, in the types that the schema declares: engines' drivers have their own for some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieback.schema import Table

if TYPE_CHECKING:
    import pyarrow as pa


def declared(rows: pa.Table, table: Table) -> pa.Table:
    """`rows` with the columns of `table`, in its order and types. Raises ValueError where a value does not fit."""
    return rows.select(list(table.names)).cast(schema(table))


def schema(table: Table) -> pa.Schema:
    """The columns of `table`, as Arrow has them."""
    from tieback.schema.relations import relation

    return relation(table).schema().to_pyarrow()
