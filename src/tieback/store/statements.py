"""An engine that writes statements down instead of running them: what `tieback sql` prints."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tieback.schema import Table
from tieback.schema.relations import fitted
from tieback.store.compiler import compiled


class Statements:
    """The statements, in order, by which a stage is built in `dialect`.

    What must be done between them stands as comments.
    """

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.written: list[str] = []

    def save(self, table: Table, expression: ir.Table) -> int:
        """CREATE TABLE … AS."""
        self.written.append(f"CREATE TABLE {table.name} AS\n{self._sql(fitted(expression, table))};")
        return 0

    def append(self, table: Table, expression: ir.Table) -> int:
        """INSERT INTO …."""
        self.written.append(f"INSERT INTO {table.name}\n{self._sql(fitted(expression, table))};")
        return 0

    def scratch(self, name: str, expression: ir.Table) -> ir.Table:
        """CREATE TABLE scratch_… AS; drop it when all is built."""
        self.written.append(f"CREATE TABLE scratch_{name} AS\n{self._sql(expression)};")
        return ibis.table(expression.schema(), name=f"scratch_{name}")

    def scratch_rows(self, name: str, rows: pa.Table) -> ir.Table:
        """A table that is filled from outside SQL."""
        columns = ", ".join(rows.schema.names)
        self.written.append(f"-- scratch_{name} ({columns}) is worked out from the rows above, outside SQL.")
        return ibis.table(ibis.Schema.from_pyarrow(rows.schema), name=f"scratch_{name}")

    def fixpoint(self, name: str, start: ir.Table, step: Callable[[ir.Table], ir.Table]) -> ir.Table:
        """The start, and the step to repeat."""
        now = self.scratch(f"{name}_now", start)
        again = f"-- Replace scratch_{name}_now by the rows of this query until no row changes:"
        self.written.append(f"{again}\n{self._sql(step(now))};")
        return now

    def read(self, expression: ir.Table) -> pa.Table:
        """A query whose rows are worked on outside SQL; here it has none."""
        self.written.append(f"-- Read:\n{self._sql(expression)};")
        return expression.schema().to_pyarrow().empty_table()

    def _sql(self, expression: ir.Table) -> str:
        return compiled(expression, self.dialect, pretty=True)
