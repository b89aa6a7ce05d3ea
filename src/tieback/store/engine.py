"""What an engine is: what every warehouse does alike, and what differs from engine to engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tieback.errors import TiebackError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa
    from ibis.expr import types as ir

    from tieback.schema import Table

SCRATCH = "scratch_"
Self = TypeVar("Self", bound="Engine")


@dataclass(frozen=True)
class Statistics:
    """How much a table holds: its rows and, of facts, when the newest came in."""

    rows: int
    newest: datetime | None


class Engine(ABC):
    """One warehouse, open: where facts and opinions live, and what works on them.

    An engine's own file gives `dialect`, `transaction` and the statements below the line; all else follows from those.
    Every method that changes a table belongs inside `transaction`. A statement that fails raises StatementError, which
    names the table that was being built and carries the SQL; what a user can mend raises WorkspaceError.
    """

    name: ClassVar[str]  # as in `Building 'people' on NAME failed`
    dialect: ClassVar[str]  # one of tieback.schema.ddl.DIALECTS
    starts_slowly: ClassVar[bool] = False
    _few_rows = False

    @property
    def places(self) -> list[Path]:
        """The files and folders that hold its tables, where this machine sees them; none of a server's."""
        return []

    @property
    def beyond_reach(self) -> str:
        """In words, what may hold rows that were taken out even after `forget`; empty where that is nothing."""
        return ""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: what happens inside is seen by others only when it ends well."""

    @contextmanager
    def over_few_rows(self) -> Iterator[None]:
        """Inside, what a statement reads twice may be kept aside, which is cheap for few rows and dear for many."""
        self._few_rows = True
        try:
            yield
        finally:
            self._few_rows = False

    @abstractmethod
    def close(self) -> None:
        """Let go of the warehouse."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """True when a table of that name exists."""

    def save(self, table: Table, expression: ir.Table) -> int:
        """Build `table` anew from `expression`; returns its number of rows."""
        self.make(table)
        return self.append(table, expression)

    def append(self, table: Table, expression: ir.Table) -> int:
        """Add the rows of `expression` to `table`; returns how many."""
        from tieback.schema.relations import fitted

        return self.insert(table, self.sql(fitted(expression, table)))

    def replace(self, table: Table, gone: ir.Table, expression: ir.Table) -> int:
        """Take the rows of `table` out whose columns equal those of any row of `gone`, and add those of `expression`.

        gone: some columns of `table`, by name; an empty cell equals an empty one. Both expressions are worked out
        before anything is taken out. Returns how many rows came.
        """
        from tieback.schema.relations import fitted, relation

        leaving = self.scratch("leaving", gone.distinct())
        is_ready = _is_scratch(expression) and expression.schema() == relation(table).schema()
        coming = expression if is_ready else self.scratch("coming", fitted(expression, table))
        self.remove(table, leaving)
        return self.insert(table, f"SELECT * FROM {coming.get_name()}")

    def load(self, table: Table, rows: pa.Table) -> int:
        """Add Arrow rows with exactly the columns of `table` to it, in bulk; returns how many."""
        self.keep_rows(f"{SCRATCH}loading", rows)
        return self.insert(table, f"SELECT {', '.join(table.names)} FROM {SCRATCH}loading")

    def parts(self, table: Table) -> int:
        """One, where the engine itself knows how to divide its work."""
        del table
        return 1

    def scratch(self, name: str, expression: ir.Table) -> ir.Table:
        """Keep `expression` for this connection alone; returns it as a relation to build on."""
        import ibis

        self.keep(SCRATCH + name, self.sql(expression))
        return ibis.table(expression.schema(), name=SCRATCH + name)

    def scratch_rows(self, name: str, rows: pa.Table) -> ir.Table:
        """Keep Arrow `rows` likewise."""
        import ibis

        self.keep_rows(SCRATCH + name, rows)
        return ibis.table(ibis.Schema.from_pyarrow(rows.schema), name=SCRATCH + name)

    def pick(self, name: str, table: Table, *keys: ir.Table) -> ir.Table:
        """Keep the rows of `table` that have the value of any row of `keys` (one column of `table` each), likewise."""
        import ibis

        from tieback.schema.relations import relation

        rows = relation(table)
        found = ibis.or_(*(rows[column].isin(key[column]) for key in keys for column in key.columns))
        return self.scratch(name, rows.filter(found))

    def fixpoint(self, name: str, start: ir.Table, step: Callable[[ir.Table], ir.Table], mark: str = "") -> ir.Table:
        """Apply `step` from `start` until nothing changes: until a number that each change moves stays.

        mark: the column whose sum that is; without one it is the number of rows. Numbers alone are compared: two states
        of many rows need not be joined to tell that they are one.
        """
        turn = 0
        now, before = self._marked(f"{name}_0", start, mark)
        while True:
            turn = 1 - turn
            now, after = self._marked(f"{name}_{turn}", step(now), mark)
            if after == before:
                return now
            before = after

    def read(self, expression: ir.Table) -> pa.Table:
        """The rows of `expression`."""
        return self.fetch(self.sql(expression))

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a SELECT written by hand in DuckDB's dialect, with `?` for each parameter; for small results."""
        from tieback.store.compiler import translated

        found: list[dict[str, Any]] = self.fetch(translated(sql, parameters or [], self.dialect)).to_pylist()
        return found

    def _marked(self, name: str, expression: ir.Table, mark: str) -> tuple[ir.Table, Any]:
        """Keep `expression`; returns it as a relation, with the sum of its column `mark`, or its number of rows."""
        now = self.scratch(name, expression)
        number = now[mark].sum() if mark else now.count()
        return now, self.read(number.name("number").as_table())["number"][0].as_py()

    def statistics(self, tables: Iterable[Table]) -> dict[str, Statistics]:
        """How much each of `tables` holds, by its name, in one statement."""
        counts = (
            f"SELECT '{table.name}' AS name, count(*) AS held, "
            f"{'max(received_at)' if 'received_at' in table.names else 'CAST(NULL AS TIMESTAMP)'} AS newest "
            f"FROM {table.name}"
            for table in tables
        )
        return {row["name"]: Statistics(row["held"], row["newest"]) for row in self.rows(" UNION ALL ".join(counts))}

    def sql(self, expression: ir.Table) -> str:
        """The SELECT that gives `expression`."""
        from tieback.store.compiler import compiled

        return compiled(expression, self.dialect, few_rows=self._few_rows)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what differs from engine to engine ---

    @abstractmethod
    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name."""

    @abstractmethod
    def insert(self, table: Table, select: str) -> int:
        """Add the rows of `select` to `table`; returns how many."""

    @abstractmethod
    def remove(self, table: Table, gone: ir.Table) -> None:
        """Take out the rows of `table` that equal a row of the scratch table `gone` in its columns, empty or not."""

    @abstractmethod
    def forget(self) -> None:
        """Write anew what still holds rows that were taken out, and let go of earlier states, so that no byte stays.

        Outside of a transaction, and the last thing that is done here: close it after. Cut off, it may be called again.
        Raises WorkspaceError when somebody else still needs an earlier state, or there is no room for the new one.
        """

    @abstractmethod
    def keep(self, name: str, select: str) -> None:
        """Make or replace the scratch table `name` from `select`."""

    @abstractmethod
    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Make or replace the scratch table `name` from Arrow `rows`."""

    @abstractmethod
    def fetch(self, select: str) -> pa.Table:
        """The rows of `select`."""


def _is_scratch(expression: ir.Table) -> bool:
    from ibis.expr.operations import UnboundTable

    operation = expression.op()
    return isinstance(operation, UnboundTable) and operation.name.startswith(SCRATCH)


class StatementError(TiebackError):
    """A statement failed for no reason that the user gave; carries the SQL for whoever mends it."""

    def __init__(self, message: str, sql: str) -> None:
        super().__init__(message)
        self.sql = sql


def statement_error(engine: str, building: str, reason: str, sql: str) -> StatementError:
    """The error of a statement that failed on `engine`, while `building` a table (or none)."""
    what = f"Building {building!r} on {engine} failed" if building else f"A statement failed on {engine}"
    return StatementError(f"{what}: {reason.splitlines()[0]}. Run again with --debug to see the SQL.", sql)
