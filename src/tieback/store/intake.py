"""The embedded file as the door of a workspace whose facts live on another engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.schema import FACTS, TABLES, Table
from tieback.schema.relations import filled, relation
from tieback.store.arrow import declared, schema
from tieback.store.duckdb import DuckDB
from tieback.store.engine import Engine
from tieback.store.merge import forget_replaced, remember_replaced, replaced_facts

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr import types as ir

_SUBJECTS = 500_000  # looked up at once on the engine
_ROWS = 200_000  # shipped at once
_DELIVERIES = TABLES["deliveries"]


class Intake(DuckDB):
    """A door: files are read here, and facts go on to `engine` when the transaction that took them in ends well.

    Deliveries, quarantine, vault and what the workspace remembers of them stay in the file. Its fact tables are
    temporary and empty between transactions; inside one they hold, of what the engine holds, the rows that `bring`
    brought. The engine commits first: cut off in between, a delivery is held there whose facts an import that is
    repeated finds as already held.
    """

    engine: Engine | None = None  # until the file itself is made

    def __init__(
        self, path: Path, engine: Engine, *, memory: str = "1.5GB", threads: int = 0, spill: Path | None = None
    ) -> None:
        super().__init__(path, memory=memory, threads=threads, spill=spill)
        for table in FACTS:
            self.execute(f"CREATE TEMP TABLE {table.name} AS FROM main.{table.name} LIMIT 0")
            self.execute(f"CREATE TEMP TABLE {_brought(table)} AS FROM main.{table.name} LIMIT 0")
        self.engine = engine
        with DuckDB.transaction(self):
            self._learn_deliveries(engine)

    def close(self) -> None:
        """Let go of the file and of the engine."""
        super().close()
        if self.engine:
            self.engine.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on both sides."""
        if not self.engine:
            with super().transaction():
                yield
            return
        with super().transaction(), self.engine.transaction():
            yield
            for table in FACTS:
                self._ship(table, self.engine)
            self._ship_deliveries(self.engine)
            self._ship_replaced(self.engine)

    def holds(self, table: Table) -> bool:
        """True when there is any row of `table`, here or on the engine."""
        return super().holds(table) or bool(
            self.engine and self.engine.rows(f"SELECT 1 AS one FROM {table.name} LIMIT 1")
        )

    def bring(self, table: Table, select: str) -> None:
        """Have at hand what the engine holds of the subjects of `select`: rows in `table` as if they were held here."""
        assert self.engine
        texts = ", ".join(_here(table, name) for name in table.subject)
        self.execute(
            "CREATE OR REPLACE TEMP TABLE intake_subjects AS SELECT *, row_number() OVER () AS place "
            f"FROM (SELECT DISTINCT {texts} FROM ({select}))"
        )
        count = int(self.execute("SELECT count(*) FROM intake_subjects").fetchall()[0][0])
        for first in range(0, count, _SUBJECTS):
            chunk = (
                f"SELECT * EXCLUDE (place) FROM intake_subjects WHERE place > {first} AND place <= {first + _SUBJECTS}"
            )
            subjects = self.engine.scratch_rows("subjects", self.query(chunk))
            self._hold(table, self.engine.read(_sharing(table, subjects)))
        self.execute("DROP TABLE intake_subjects")

    def _hold(self, table: Table, found: pa.Table) -> None:
        """Take rows of the engine in, but for those that were brought before: they may have changed since."""
        self.door.register("intake_found", declared(found, table))
        same = " AND ".join(f"brought.{name} IS NOT DISTINCT FROM found.{name}" for name in table.key)
        new = f"NOT EXISTS (SELECT 1 FROM {_brought(table)} brought WHERE {same})"
        self.execute(f"CREATE OR REPLACE TEMP TABLE intake_new AS SELECT * FROM intake_found found WHERE {new}")
        self.door.unregister("intake_found")
        for name in (table.name, _brought(table)):
            self.execute(f"INSERT INTO {name} FROM intake_new", building=table.name)
        self.execute("DROP TABLE intake_new")

    def _ship(self, table: Table, engine: Engine) -> None:
        """Send the engine what became of `table` in this transaction, and empty it here."""
        here, brought = table.name, _brought(table)
        for batch in self.batches(_without(table, brought, here, ", ".join(table.key)), _ROWS):
            gone = engine.scratch_rows("gone", batch)
            engine.replace(table, gone, engine.scratch_rows("none", schema(table).empty_table()))
        for batch in self.batches(_without(table, here, brought, ", ".join(table.names)), _ROWS):
            engine.load(table, declared(batch, table))
        self.execute(f"DELETE FROM {here}")
        self.execute(f"DELETE FROM {brought}")

    def _ship_deliveries(self, engine: Engine) -> None:
        """Reports name the files that facts came with."""
        known = {row["delivery_id"] for row in engine.rows("SELECT delivery_id FROM deliveries")}
        rows = self.query("SELECT * FROM deliveries")
        new = rows.filter([name not in known for name in rows["delivery_id"].to_pylist()])
        if new.num_rows:
            engine.load(_DELIVERIES, declared(new, _DELIVERIES))

    def _ship_replaced(self, engine: Engine) -> None:
        """Add the held rows that were replaced to those that the engine counts."""
        for name, count in replaced_facts(self).items():
            remember_replaced(engine, TABLES[name], count)
        forget_replaced(self)

    def _learn_deliveries(self, engine: Engine) -> None:
        """Know every delivery that the engine knows: those cut off before they were held here, those of other doors."""
        known = {row["delivery_id"] for row in self.rows("SELECT delivery_id FROM deliveries")}
        new = [row for row in engine.rows("SELECT * FROM deliveries") if row["delivery_id"] not in known]
        for row in new:
            marks = ", ".join("?" for _ in _DELIVERIES.names)
            self.execute(f"INSERT INTO deliveries VALUES ({marks})", [row[name] for name in _DELIVERIES.names])


def _brought(table: Table) -> str:
    return f"brought_{table.name}"


def _without(table: Table, some: str, others: str, columns: str) -> str:
    """A SELECT of the rows of `some` that are not among `others`, whole rows compared."""
    same = " AND ".join(f"theirs.{name} IS NOT DISTINCT FROM mine.{name}" for name in table.key)
    whole = [f"hash({', '.join(f'{side}.{name}' for name in table.names)})" for side in ("theirs", "mine")]
    says = " = ".join(whole)
    return f"SELECT {columns} FROM {some} mine WHERE NOT EXISTS (SELECT 1 FROM {others} theirs WHERE {same} AND {says})"


def _here(table: Table, name: str) -> str:
    return name if table.column(name).required else f"coalesce({name}, '') AS {name}"


def _sharing(table: Table, subjects: ir.Table) -> ir.Table:
    """The rows of `table` on the engine whose subject is one of `subjects`; an empty cell equals an empty text."""
    held = relation(table)
    return held.semi_join(subjects, [filled(held, table, name) == subjects[name] for name in table.subject])
