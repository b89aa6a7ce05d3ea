"""An engine that writes statements down instead of running them: what `tieback sql` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import ibis
import pyarrow as pa
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.expr import types as ir

from tieback.schema import Table
from tieback.schema.ddl import create_table
from tieback.schema.relations import fitted
from tieback.store.compiler import compiled


class Statements:
    """The statements, in order, by which a stage is built in `dialect`.

    What must be done between them stands as comments.
    """

    starts_slowly: ClassVar[bool] = False

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.written: list[str] = []

    def parts(self, table: Table) -> int:
        """One: how much memory there will be is not known."""
        del table
        return 1

    def save(self, table: Table, expression: ir.Table) -> int:
        """CREATE TABLE … and INSERT INTO …: made from a query alone, its columns would not get the declared types."""
        self.written.append(f"{create_table(table, self.dialect)};")
        return self.append(table, expression)

    def append(self, table: Table, expression: ir.Table) -> int:
        """INSERT INTO …."""
        self.written.append(f"INSERT INTO {table.name}\n{self._sql(fitted(expression, table))};")
        return 0

    def scratch(self, name: str, expression: ir.Table) -> ir.Table:
        """CREATE TABLE scratch_… AS; drop it when all is built."""
        again = any(f"CREATE TABLE scratch_{name} AS" in statement for statement in self.written)
        gone = f"DROP TABLE scratch_{name};\n" if again else ""
        self.written.append(f"{gone}CREATE TABLE scratch_{name} AS\n{self._sql(expression)};")
        return ibis.table(expression.schema(), name=f"scratch_{name}")

    def scratch_rows(self, name: str, rows: pa.Table) -> ir.Table:
        """The rows written out; without any, an empty table for what is worked out outside SQL."""
        lines = [
            sg.select(*(sge.convert(cell).as_(column) for column, cell in row.items())) for row in rows.to_pylist()
        ]
        if lines:
            given = "\nUNION ALL\n".join(line.sql(dialect=self.dialect) for line in lines)
            self.written.append(f"DROP TABLE IF EXISTS scratch_{name};\nCREATE TABLE scratch_{name} AS\n{given};")
        else:
            columns = ibis.Schema.from_pyarrow(rows.schema).items()
            one = ibis.literal(1).name("one").as_table()
            none = one.select(**{column: ibis.null(kind) for column, kind in columns}).filter(ibis.literal(value=False))
            self.scratch(name, none)
            self.written.append(f"-- Fill scratch_{name} here: it is worked out from the rows above, outside SQL.")
        return ibis.table(ibis.Schema.from_pyarrow(rows.schema), name=f"scratch_{name}")

    def fixpoint(self, name: str, start: ir.Table, step: Callable[[ir.Table], ir.Table], mark: str = "") -> ir.Table:
        """The start, the step to repeat, and the number that tells when to stop."""
        now = self.scratch(f"{name}_now", start)
        again = f"-- Replace scratch_{name}_now by the rows of this query until the number of the next one stays:"
        self.written.append(f"{again}\n{self._sql(step(now))};")
        number = now[mark].sum() if mark else now.count()
        self.written.append(f"{self._sql(number.name('number').as_table())};")
        return now

    def read(self, expression: ir.Table) -> pa.Table:
        """A query whose rows are worked on outside SQL; here it has none."""
        self.written.append(f"-- Read:\n{self._sql(expression)};")
        return expression.schema().to_pyarrow().empty_table()

    def _sql(self, expression: ir.Table) -> str:
        return compiled(expression, self.dialect, pretty=True)
