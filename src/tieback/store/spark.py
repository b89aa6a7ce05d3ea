"""The engine for a cluster: Spark 4 by a master URL or by Spark Connect, its tables in a lake of Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from tieback.schema import Table
from tieback.schema.ddl import COLUMN_TYPES
from tieback.store.delta import DeltaLogs
from tieback.store.engine import SCRATCH, Engine, statement_error
from tieback.store.lake import Held, Lake, Part
from tieback.store.lake_files import ConnectFiles, HadoopFiles, LocalFiles
from tieback.store.lake_reader import LakeReader
from tieback.store.spark_session import Address, address, connected, plain_errors

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from ibis.expr import types as ir
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_APART = "apart"  # the column that names folders
_WORD = re.compile(r"\w+")
_SMALL = 1_000_000  # bytes of rows that travel with a plan; more are written to the lake first

# Over few rows, a statement costs what planning, compiling and starting jobs cost: these make it one job of few tasks.
_PARTITIONS = "spark.sql.shuffle.partitions"
_FEW_ROWS = 200_000
_FOR_FEW_ROWS = {
    "spark.sql.adaptive.enabled": "false",  # or each shuffle is a job of its own
    _PARTITIONS: "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",  # or each broadcast is
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.constraintPropagation.enabled": "false",
}


@dataclass(frozen=True)
class _Scratch:
    """Where a scratch table lies in the lake (nowhere, where its rows travel with a plan), and how many rows it has."""

    path: str
    rows: int


def opened(url: str, *, read_only: bool = False) -> Spark:
    """The cluster and the lake that `url` names, with the tables of a new workspace where the lake is empty.

    Raises ConfigError for a URL that says too little, WorkspaceError when the cluster or the lake cannot be reached,
    or holds nothing (`read_only`).
    """
    where = address(url)
    session = connected(where)
    files = _files(where, session)
    lake = Lake(files, read_only=read_only)
    logs = DeltaLogs(files) if where.has_delta_logs and not isinstance(files, ConnectFiles) else None
    for_few_rows = {name: value for name, value in _FOR_FEW_ROWS.items() if name not in where.settings}
    return Spark(session, lake, for_few_rows, logs)


class Spark(Engine):
    """A workspace's warehouse in a lake of Parquet files, worked on by the cluster behind `session`.

    for_few_rows: settings of the session for statements over few rows. logs: of the tables as Delta tables, if any.
    """

    name = "spark"
    dialect = "databricks"  # which Spark 4 reads
    starts_slowly = True

    def __init__(
        self, session: SparkSession, lake: Lake, for_few_rows: Mapping[str, str], logs: DeltaLogs | None = None
    ) -> None:
        self._session = session
        self._lake = lake
        self._logs = logs
        self._reader = LakeReader(lake, lake.files.folder) if isinstance(lake.files, LocalFiles) else None
        self._seen: dict[str, Held] = {}
        self._scratch: dict[str, _Scratch] = {}
        self._in_transaction = False
        self._for_few_rows = for_few_rows
        self._for_many_rows = {name: session.conf.get(name) for name in for_few_rows}
        self._is_set_for_few_rows = False

    def close(self) -> None:
        """Remove what this session kept for itself.

        Without Spark Connect, the process stays an application of the cluster until it ends.
        """
        for name in (*self._seen, *self._scratch):
            self._session.catalog.dropTempView(name)
        if self._reader:
            self._reader.close()
        self._lake.close()
        if isinstance(self._lake.files, ConnectFiles):
            self._session.stop()  # left to the end of the process, it would wait for itself

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: the manifest that ends it names all the parts that were written inside."""
        self._lake.begin()
        self._in_transaction = True
        try:
            yield
            self._publish()
        except BaseException:
            self._lake.abandon()
            raise
        finally:
            self._in_transaction = False

    @property
    def places(self) -> list[Path]:
        """The folder of a lake that this machine sees."""
        return [self._lake.files.folder] if isinstance(self._lake.files, LocalFiles) else []

    @property
    def beyond_reach(self) -> str:
        """What the cluster, or an object store, keeps beside the lake."""
        lake = (
            "" if self.places else "the lake's files, of which only tables were searched, and versions that it keeps, "
        )
        return f"{lake}what the cluster's machines spill to their disks until this process has ended"

    def forget(self) -> None:
        """Write tables anew of which rows were taken out, and let go of all that earlier manifests name."""
        with self.transaction():
            for name, held in self._lake.tables.items():
                if held.has_removals:
                    self._write_in_one(name, held)
        self._lake.forget()

    def has(self, name: str) -> bool:
        """True when a table of that name exists."""
        return name in self._lake.tables

    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name."""
        self._lake.make(table)
        self._changed()

    def insert(self, table: Table, select: str) -> int:
        """Add the rows of `select` to `table`, as one part; returns how many."""
        coming = self._coming(table, select)
        self._add(table, coming)
        return coming.rows

    def remove(self, table: Table, gone: ir.Table) -> None:
        """Take out the rows of `table` that equal a row of `gone`: a part says which, and readers leave them out."""
        self._add(table, self._leaving(table, list(gone.columns), f"SELECT * FROM {gone.get_name()}"))

    def replace(self, table: Table, gone: ir.Table, expression: ir.Table) -> int:
        """As of any engine; each side is written once, since a part changes nothing until it is added."""
        from tieback.schema.relations import fitted

        leaving = self._leaving(table, list(gone.columns), self.sql(gone.distinct()))
        coming = self._coming(table, self.sql(fitted(expression, table)))
        self._add(table, leaving, coming)
        return coming.rows

    def keep(self, name: str, select: str) -> None:
        """Make or replace the scratch table `name` from `select`, written out: what is built on it starts there."""
        building = name.removeprefix(SCRATCH)
        self._keep(name, self._frame(select, building), building)

    def _marked(self, name: str, expression: ir.Table, mark: str) -> tuple[ir.Table, Any]:
        """As of any engine; rows are counted and summed while they are written, which spares a statement."""
        import ibis

        kept = SCRATCH + name
        number = self._keep(kept, self._frame(self.sql(expression), name), name, adding_up=mark)
        return ibis.table(expression.schema(), name=kept), number

    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Make or replace the scratch table `name` from Arrow `rows`."""
        building = name.removeprefix(SCRATCH)
        with plain_errors(building, ""):
            frame = self._gathered(self._session.createDataFrame(rows), rows.num_rows)
        if rows.nbytes > _SMALL:
            self._keep(name, frame, building)
            return
        frame.createOrReplaceTempView(name)
        self._drop(name)
        self._scratch[name] = _Scratch("", rows.num_rows)
        if self._reader:
            self._reader.keep_rows(name, rows)

    def fetch(self, select: str) -> pa.Table:
        """The rows of `select`, for results that fit this process."""
        frame = self._frame(select, "")
        with plain_errors("", select):
            return frame.toArrow()

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a SELECT written by hand; where this machine sees the lake, the cluster is not asked."""
        if self._reader:
            return self._reader.rows(sql, parameters)
        return super().rows(sql, parameters)

    def _coming(self, table: Table, select: str) -> Part:
        """The rows of `select` as a part of `table`, written and not yet added."""
        held = self._lake.tables[table.name]
        frame = self._frame(select, table.name).toDF(*held.columns)
        return Part(*self._written(table.name, frame, held, required=[c.name for c in table.columns if c.required]))

    def _leaving(self, table: Table, columns: list[str], select: str) -> Part:
        """Likewise a part that takes out of `table` what equals a row of `select` in `columns`."""
        types = {name: self._lake.tables[table.name].columns[name] for name in columns}
        frame = self._frame(select, table.name)
        return Part(*self._written(table.name, frame, Held(types)), removed_by=tuple(columns))

    def _write_in_one(self, name: str, held: Held) -> None:
        """Put one part with the rows of a table in place of all its parts."""
        path, rows = self._written(name, self._frame(f"SELECT * FROM {name}", name), held)
        self._lake.rewrite(name, Part(path, rows))

    def _add(self, table: Table, *parts: Part) -> None:
        """Add those of `parts` that have rows, and rows to take out."""
        for part in parts:
            if part.rows and (not part.removed_by or self._lake.tables[table.name].parts):
                self._lake.add(table.name, part)
        self._changed()

    def _changed(self) -> None:
        """What is changed outside of any transaction is one of its own."""
        if not self._in_transaction:
            self._publish()

    def _publish(self) -> None:
        """End a transaction, tables written anew of which Delta or a reader of many parts would need it."""
        for name, held in self._lake.tables.items():
            if held.is_piled_up() or (self._logs and held.has_removals):
                self._write_in_one(name, held)
        self._lake.publish()
        if self._logs:
            self._logs.follow(self._lake)

    def _frame(self, select: str, building: str) -> DataFrame:
        """`select` over the tables as they stand in this transaction, the session set for as many rows as they hold."""
        named = set(_WORD.findall(select))
        rows = sum(self._scratch[name].rows for name in named & self._scratch.keys())
        for name in named & self._lake.tables.keys():
            held = self._lake.tables[name]
            rows += held.rows
            if self._seen.get(name) is not held:
                self._table(held).createOrReplaceTempView(name)
                self._seen[name] = held
        self._suit(rows)
        with plain_errors(building, select):
            return self._session.sql(select)

    def _suit(self, rows: int) -> None:
        """Set the session for so many rows."""
        are_few = rows <= _FEW_ROWS
        if are_few is not self._is_set_for_few_rows:
            for name, value in (self._for_few_rows if are_few else self._for_many_rows).items():
                self._session.conf.set(name, str(value))
            self._is_set_for_few_rows = are_few

    def _table(self, held: Held) -> DataFrame:
        types = COLUMN_TYPES[self.dialect]
        nothing = ", ".join(f"CAST(NULL AS {types[kind]}) AS {name}" for name, kind in held.columns.items())
        found = None
        for removed_by, parts in held.layers():
            columns = {name: held.columns[name] for name in removed_by or held.columns}
            schema = ", ".join(f"{name} {types[kind]}" for name, kind in columns.items())
            scan = self._scan(schema, [part.path for part in parts], sum(part.rows for part in parts))
            if not removed_by:
                found = scan if found is None else found.unionAll(scan)
            elif found is not None:
                same = reduce(and_, (found[name].eqNullSafe(scan[name]) for name in removed_by))
                found = found.join(scan, same, "left_anti")
        return self._session.sql(f"SELECT {nothing} WHERE false") if found is None else found

    def _scan(self, schema: str | StructType, paths: list[str], rows: int) -> DataFrame:
        # Files of one value each lie in folders of their own, and hold it too: their statistics say what to leave out.
        reader = self._session.read.schema(schema).option("recursiveFileLookup", "true")
        return self._gathered(reader.parquet(*(self._lake.uri(path) for path in paths)), rows)

    def _gathered(self, frame: DataFrame, rows: int) -> DataFrame:
        """Few rows in one partition: they need no shuffle then, whatever they are joined or put in order by."""
        return frame.coalesce(1) if rows <= _FEW_ROWS and _PARTITIONS in self._for_few_rows else frame

    def _written(self, name: str, frame: DataFrame, held: Held, required: list[str] | None = None) -> tuple[str, int]:
        """The path of a new part with the rows of `frame`, in the types of `held`, and how many they are.

        They are counted while they are written.
        """
        from pyspark.sql import Observation
        from pyspark.sql import functions as f

        types = COLUMN_TYPES[self.dialect]
        columns = {column: f.col(column).cast(types[kind]) for column, kind in held.columns.items()}
        apart = [columns[held.partition].alias(_APART)] if held.partition else []
        typed = frame.select(*columns.values(), *apart)
        missing = [f.count_if(f.col(column).isNull()).alias(column) for column in required or []]
        seen = Observation()
        path = self._lake.new_part(name)
        with plain_errors(name, ""):
            observed = typed.observe(seen, f.count(f.lit(1)).alias(" rows"), *missing)
            observed.write.parquet(self._lake.uri(path), partitionBy=[_APART] if apart else None)
            counted = seen.get
        empty = [column for column in required or [] if counted[column]]
        if empty:
            raise statement_error(self.name, name, f"{empty[0]} is empty in {counted[empty[0]]} rows", "")
        return path, int(counted[" rows"])

    def _keep(self, name: str, frame: DataFrame, building: str, adding_up: str = "") -> Any:
        """Write the scratch table `name`; returns the sum of its column `adding_up`, or its number of rows."""
        from pyspark.sql import Observation
        from pyspark.sql import functions as f

        path, seen = self._lake.new_scratch(name), Observation()
        total = f.sum(adding_up) if adding_up else f.count(f.lit(1))
        with plain_errors(building, ""):
            observed = frame.observe(seen, f.count(f.lit(1)).alias("rows"), total.alias("total"))
            observed.write.parquet(self._lake.uri(path))
            counted = seen.get
            rows = int(counted["rows"])
            self._scan(frame.schema, [path], rows).createOrReplaceTempView(name)
        self._drop(name)
        self._scratch[name] = _Scratch(path, rows)
        if self._reader:
            self._reader.keep(name, path)
        return counted["total"]

    def _drop(self, name: str) -> None:
        """Remove the files of an earlier scratch table `name`."""
        earlier = self._scratch.pop(name, None)
        if earlier and earlier.path:
            self._lake.files.remove(earlier.path)


def _files(where: Address, session: SparkSession) -> LocalFiles | HadoopFiles | ConnectFiles:
    if where.is_connect:
        return ConnectFiles(session, where.lake)
    if where.lake.startswith("file:"):
        return LocalFiles(where.lake)
    return HadoopFiles(session, where.lake)
