"""The default engine: one DuckDB file, embedded."""

from __future__ import annotations

import math
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import duckdb

from tieback.errors import ConfigError, InUseError, TiebackError, WorkspaceError
from tieback.schema import FACTS, TABLES, Table
from tieback.schema.ddl import create_table
from tieback.store.changes import Changes
from tieback.store.engine import SCRATCH, Engine, statement_error
from tieback.store.manifest import runs_folder
from tieback.store.migrations import admit, make_workspace
from tieback.store.publishing import Publication, catch_up, publication

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from ibis.expr import types as ir

_DAMAGES = ("not a valid DuckDB database file", "Corrupt", "Could not read enough bytes", "Could not read from file")
KEEP_RUNS = 5  # unless a workspace says otherwise
_MOST_THREADS = 1024  # beyond, starting them takes longer than any work
_MEMORY_A_ROW = 256  # bytes of an event or touch on its way through sorting and joining
_LOCKED = "lock on file"  # DuckDB's words for a file that another process has opened


class DuckDB(Engine):
    """A workspace's warehouse in one DuckDB file (or in memory, when `path` is None).

    `door` is the connection itself: files are read through it, whatever engine the facts end up in. What does not fit
    into `memory` goes to the folder `spill`, which is there as long as it is needed.
    A transaction in which a run ends publishes that run beside the file, and prunes all but `keep_runs`; opening the
    file finishes what was cut off.
    Raises WorkspaceError when another process holds the file, when it is newer than this release, damaged or none of
    tieback's, or the disk is full; ConfigError for more threads than make sense.
    """

    name = "duckdb"
    dialect = "duckdb"

    def __init__(
        self,
        path: Path | None,
        *,
        memory: str = "1.5GB",
        threads: int = 0,
        spill: Path | None = None,
        read_only: bool = False,
        keep_runs: int = KEEP_RUNS,
    ) -> None:
        self.path, self.keep_runs = path, keep_runs
        self._read_only = read_only
        self._changes: Changes | None = None
        self._as_of: datetime | None = None
        if read_only and path is not None and not path.exists():
            raise WorkspaceError(f"{path.parent} holds no data yet. Bring some in with `tieback import TABLE FILE`.")
        if path is not None and path.exists() and not path.is_file():
            raise WorkspaceError(f"{path} is no file, but stands where the warehouse file should be. Move it away.")
        if threads > _MOST_THREADS:
            raise ConfigError(
                f"threads = {threads} under [warehouse] in tieback.toml is too many: {_MOST_THREADS} at most. "
                "Leave it out to use every core."
            )
        settings: dict[str, Any] = {
            "memory_limit": memory,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if threads:
            settings["threads"] = threads
        if spill is not None:
            settings["temp_directory"] = str(spill)
        is_new = path is not None and not path.exists()
        with _plain_errors("the workspace", ""):
            try:
                self.door = _connected(path, read_only, settings)
                self.door.execute("SET TimeZone = 'UTC'")
                self.door.execute("SET enable_progress_bar_print = false")  # refused on connecting
                self._prepare()
                if not read_only:
                    self._catch_up()
            except BaseException as error:
                if hasattr(self, "door"):
                    self.door.close()
                if is_new and _LOCKED not in str(error):
                    self._unmake()
                raise

    def _unmake(self) -> None:
        """Remove a file that could not be made whole: what is left of it would pass for a damaged workspace."""
        assert self.path is not None
        for left in (self.path, self.path.with_name(self.path.name + ".wal")):
            left.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        self.door.close()

    @property
    def places(self) -> list[Path]:
        """The file, and the runs beside it."""
        return [] if self.path is None else [self.path, runs_folder(self.path)]

    def forget(self) -> None:
        """Put a copy in the place of the file, without what was deleted; runs go, and the newest comes on opening."""
        from tieback.store.rewriting import write_anew

        if self.path is not None:
            write_anew(self, self.path, runs_folder(self.path))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what happens inside is seen by others only when it ends well.

        Rows written inside may land in any order, which is a third faster and needs less memory.
        """
        self.execute("SET preserve_insertion_order = false")
        published: Publication | None = None
        try:
            self.execute("BEGIN")
            self._changes = Changes(self)
            try:
                self._forget_later_facts()
                yield
                published = self._publication()
                self.execute("ROLLBACK" if self._as_of else "COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # the error on its way is the one to tell
                    self.door.execute("ROLLBACK")
                if published:
                    published.discard()
                raise
        finally:
            self._changes = None
            with suppress(duckdb.Error):  # likewise
                self.door.execute("SET preserve_insertion_order = true")
        if published:
            published.show(self.keep_runs)

    @contextmanager
    def as_of(self, instant: datetime) -> Iterator[None]:
        """Inside, a transaction has only what was received until `instant` (UTC), and its run is published as such.

        Whatever it does, the file stays as it is. A fact that was replaced since is not there: the file holds its
        successor alone.
        """
        self._as_of = instant
        try:
            yield
        finally:
            self._as_of = None

    @contextmanager
    def over_few_rows(self) -> Iterator[None]:
        """As of any engine; lists of constants are not made tables of, which takes longer than looking through them."""
        self.execute("SET disabled_optimizers = 'in_clause'")
        try:
            with super().over_few_rows():
                yield
        finally:
            with suppress(duckdb.Error):  # the error on its way is the one to tell
                self.door.execute("RESET disabled_optimizers")

    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name."""
        if self._changes:
            self._changes.makes(table)
        self.execute(f"DROP TABLE IF EXISTS {table.name}")
        self.execute(create_table(table))

    def parts(self, table: Table) -> int:
        """As many as let each part stay in memory: what spills takes several times as long."""
        counted = f"SELECT count(*), parse_formatted_bytes(current_setting('memory_limit')) FROM {table.name}"
        rows, memory = self.execute(counted).fetchall()[0]
        return max(1, math.ceil(int(rows) * _MEMORY_A_ROW / int(memory)))

    def insert(self, table: Table, select: str) -> int:
        """Add the rows of `select` to `table`; returns how many."""
        if self._changes:
            select = self._changes.inserts(table, select)
        return int(self.execute(f"INSERT INTO {table.name} {select}", building=table.name).fetchall()[0][0])

    def remove(self, table: Table, gone: ir.Table) -> None:
        """Take out the rows of `table` that equal a row of the scratch table `gone` in its columns, empty or not."""
        if self._changes:
            self._changes.removes(table, gone.get_name(), gone.columns)
        same = " AND ".join(f"{table.name}.{name} IS NOT DISTINCT FROM gone.{name}" for name in gone.columns)
        self.execute(f"DELETE FROM {table.name} USING {gone.get_name()} gone WHERE {same}", building=table.name)

    def keep(self, name: str, select: str) -> None:
        """Make or replace the temporary table `name` from `select`."""
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}", building=name.removeprefix(SCRATCH))

    def pick(self, name: str, table: Table, *keys: ir.Table) -> ir.Table:
        """Keep the rows of `table` that have the value of any row of `keys`; only those are read in all columns."""
        from tieback.schema.relations import relation

        found = (
            f"SELECT {table.name}.rowid FROM {table.name} SEMI JOIN ({self.sql(key)}) USING ({key.columns[0]})"
            for key in keys
        )
        self.keep(SCRATCH + name, f"SELECT * FROM {table.name} WHERE rowid IN ({' UNION '.join(found)})")
        return relation(table, SCRATCH + name)

    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Make or replace the temporary table `name` from Arrow `rows`."""
        self.door.register("arrow_rows", rows)
        self.keep(name, "SELECT * FROM arrow_rows")
        self.door.unregister("arrow_rows")

    def fetch(self, select: str) -> pa.Table:
        """The rows of `select`."""
        return self.query(select)

    def query(self, sql: str, parameters: list[Any] | None = None) -> pa.Table:
        """The rows of a SELECT written by hand."""
        with _plain_errors("", sql), _interruptible(self.door):
            return self.door.sql(sql, params=parameters).to_arrow_table()

    def batches(self, sql: str, rows: int) -> Iterator[pa.Table]:
        """The rows of a SELECT written by hand, so many at a time; the connection is busy until the last."""
        import pyarrow as pa

        with _plain_errors("", sql):
            for batch in self.door.sql(sql).to_arrow_reader(rows):
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The same, as a list of dictionaries, for small results."""
        cursor = self.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def has(self, name: str) -> bool:
        """True when a table of that name exists."""
        found = self.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ? AND NOT internal", [name]).fetchall()
        return bool(found)

    def holds(self, table: Table) -> bool:
        """True when the workspace holds any row of `table`."""
        return bool(self.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchall())

    def bring(self, table: Table, select: str) -> None:
        """Have at hand, in `table`, each held row whose subject `select` has too: here all are."""

    def execute(self, sql: str, parameters: list[Any] | None = None, building: str = "") -> duckdb.DuckDBPyConnection:
        """Run one statement; a failure says which table it was `building`, and carries the SQL."""
        with _plain_errors(building, sql), _interruptible(self.door):
            return self.door.execute(sql, parameters)

    def _prepare(self) -> None:
        if self.has("workspace") or self._read_only:
            admit(self, str(self.path), self._foreign(), read_only=self._read_only)
        elif self.execute("SELECT 1 FROM duckdb_tables() WHERE NOT internal LIMIT 1").fetchall():
            raise self._foreign()
        else:
            make_workspace(self)

    def _catch_up(self) -> None:
        if self.path is not None:
            catch_up(self, runs_folder(self.path), self.keep_runs)

    def _publication(self) -> Publication | None:
        """The run that has ended in this transaction, written but not yet seen; None when none has."""
        if self.path is None or self._changes is None or not self._changes.is_run:
            return None
        return publication(self, runs_folder(self.path), self._changes, self._as_of)

    def _forget_later_facts(self) -> None:
        if self._as_of is not None:
            for table in (*FACTS, TABLES["deliveries"]):
                self.execute(f"DELETE FROM {table.name} WHERE received_at > ?", [self._as_of])

    def _foreign(self) -> WorkspaceError:
        return WorkspaceError(
            f"{self.path} is a DuckDB file, but none of tieback's; nothing was changed. Move it away, or make a "
            "workspace in another folder with `tieback init`."
        )


@contextmanager
def _interruptible(door: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Ctrl-C stops the engine at once; left alone, it would first wait for its other threads to end their work."""
    heard = signal.getsignal(signal.SIGINT)
    if heard is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        door.interrupt()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _connected(path: Path | None, read_only: bool, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """A connection to the file that stands at `path` once it is held: another may just have put a new one there."""
    if path is None:
        return duckdb.connect(":memory:", config=settings)
    while True:
        before = _file_number(path)
        door = duckdb.connect(str(path), read_only=read_only, config=settings)
        if before in (None, _file_number(path)):
            return door
        door.close()


def _file_number(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


@contextmanager
def _plain_errors(building: str, sql: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise _plain(error, building, sql) from error
    except RuntimeError as error:
        if "interrupted" in str(error):  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from error
        raise


def _plain(error: duckdb.Error, building: str, sql: str) -> TiebackError:
    text = str(error)
    holder = re.search(r"PID (\d+)", text)
    if _LOCKED in text:
        who = f"process {holder[1]}" if holder else "another process"
        return InUseError(f"The workspace is in use by {who}. Wait until it ends, then try again; nothing was changed.")
    if any(sign in text for sign in ("No space left", "Could not write file", "max_temp_directory_size")):
        return WorkspaceError("The disk is full. Free some space and run the same command again; nothing was changed.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return WorkspaceError(
            "The memory limit was reached; nothing was changed. Raise `memory` under [warehouse] in tieback.toml "
            "and run again."
        )
    if any(sign in text for sign in ("Permission denied", "Read-only file system", "Cannot open file")):
        return WorkspaceError(f"The workspace cannot be written ({text.splitlines()[0]}). Mend its permissions.")
    if "database file with version number" in text:
        return WorkspaceError(
            f"The warehouse file was written by another release of DuckDB ({text.splitlines()[0]}). Upgrade tieback."
        )
    if "No files found that match" in text:
        return WorkspaceError("The run was pruned while it was read: run the same command again.")
    if any(sign in text for sign in _DAMAGES):
        return WorkspaceError(
            f"The warehouse file is damaged or not one of tieback's ({text.splitlines()[0]}). Restore it from a backup."
        )
    return statement_error("duckdb", building, text, sql)
