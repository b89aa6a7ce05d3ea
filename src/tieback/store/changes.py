"""What a transaction has changed in the tables that are published, so that publishing costs what changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tieback.store.parts import same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tieback.schema import Table
    from tieback.store.duckdb import DuckDB

_KEPT = "changed_"  # temporary tables of the transaction


@dataclass
class Changed:
    """A table of which some rows left and others came.

    gone: the temporary table of what left, by the columns that tell it. came: that of the rows that came, if any.
    """

    gone: dict[tuple[str, ...], str] = field(default_factory=dict)
    came: str = ""


class Changes:
    """The published tables that a transaction has made anew (`whole`) or changed in part.

    Of the latter, what left and what came is kept in temporary tables of `store`; both must be told before it is done.
    """

    def __init__(self, store: DuckDB) -> None:
        self._store = store
        self.whole: set[str] = set()
        self.parts: dict[str, Changed] = {}
        self.is_run = False

    def makes(self, table: Table) -> None:
        """`table` is about to be made anew."""
        self.whole.add(table.name)

    def removes(self, table: Table, gone: str, columns: Iterable[str]) -> None:
        """The rows of `table` are about to leave that equal a row of the table `gone` in its `columns`."""
        if table.kind != "opinion" or table.name in self.whole:
            return
        changed, told = self.parts.setdefault(table.name, Changed()), tuple(columns)
        if told in changed.gone:
            self._store.execute(f"INSERT INTO {changed.gone[told]} SELECT DISTINCT {', '.join(told)} FROM {gone}")
        else:
            changed.gone[told] = f"{_KEPT}{table.name}_gone_{len(changed.gone)}"
            self._keep(changed.gone[told], f"SELECT DISTINCT {', '.join(told)} FROM {gone}")
        if changed.came:
            self._store.execute(f"DELETE FROM {changed.came} came USING {gone} gone WHERE {same('came', told)}")

    def inserts(self, table: Table, rows: str) -> str:
        """Rows of the SELECT `rows` are about to come into `table`; returns the SELECT to insert instead."""
        self.is_run |= table.name == "runs"
        if table.kind != "opinion" or table.name in self.whole:
            return rows
        changed = self.parts.setdefault(table.name, Changed())
        coming = f"{_KEPT}{table.name}_coming"
        self._keep(coming, rows)
        if changed.came:
            self._store.execute(f"INSERT INTO {changed.came} FROM {coming}")
        else:
            changed.came = f"{_KEPT}{table.name}_came"
            self._keep(changed.came, f"FROM {coming}")
        return f"SELECT * FROM {coming}"

    def _keep(self, name: str, rows: str) -> None:
        self._store.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}", building=name.removeprefix(_KEPT))
