"""What stages are written against: the part of an engine that builds tables, whichever engine it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr import types as ir

    from tieback.schema.types import Table


class Builder(Protocol):
    """What a stage needs of an engine: keep an expression, repeat one until it settles, read a small result.

    starts_slowly: True where a statement costs more to start than to read rows again that it does not need.
    """

    starts_slowly: ClassVar[bool]

    def parts(self, table: Table) -> int:
        """In how many parts to work through `table`, so that what is sorted or joined at once fits into memory."""

    def save(self, table: Table, expression: ir.Table) -> int:
        """Build `table` anew; returns its number of rows."""

    def append(self, table: Table, expression: ir.Table) -> int:
        """Add rows to `table`; returns how many."""

    def scratch(self, name: str, expression: ir.Table) -> ir.Table:
        """Keep an intermediate result, gone with the connection; returns it as a relation to build on."""

    def scratch_rows(self, name: str, rows: pa.Table) -> ir.Table:
        """Keep rows worked out outside the engine, likewise."""

    def fixpoint(self, name: str, start: ir.Table, step: Callable[[ir.Table], ir.Table], mark: str = "") -> ir.Table:
        """Apply `step` from `start` until nothing changes: until a number that each change moves stays.

        mark: the column whose sum that is; without one it is the number of rows.
        """

    def read(self, expression: ir.Table) -> pa.Table:
        """The rows of a small result."""
