"""The engine for a Postgres server (14 and later): a schema of its own in a database that others may share."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from tieback.errors import InUseError, TiebackError, WorkspaceError
from tieback.schema import TABLES, Table
from tieback.schema.ddl import COLUMN_TYPES, create_table
from tieback.store.copying import as_arrow, as_csv, column_type
from tieback.store.engine import SCRATCH, Engine, statement_error
from tieback.store.migrations import admit, make_workspace

try:
    import psycopg
except ImportError as error:
    raise WorkspaceError(
        "A warehouse on Postgres needs a part of tieback that is not installed: pip install 'tieback[postgres]'."
    ) from error

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr import types as ir

_URL = re.compile(r"postgres(?:ql)?://(?:[^@/?#]*@)?(?P<host>[^@/?#:]*|\[[^]]*\])(?::\d+)?(?:/[^@/?#]*)?(?:\?[^#]*)?")
_SCHEMA = "tieback"
_COLLATION = "code_points"
# Text is ordered by code point, as everywhere in tieback, and still knows that É is the capital of é.
_LOCALES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8")
# Each worth it many times over for work on whole tables; whoever sets them on the server or in the URL is heard.
_SETTINGS = {"work_mem": "64MB", "jit": "off"}
_ANALYZE_FROM = 0.1  # of a table's rows, as autovacuum has it
_PATIENCE_SECONDS = 60.0  # for those who still look at what is to be forgotten
_CLOSED = ("08", "57P01", "57P02", "57P03")  # SQLSTATEs, or how they begin: the connection is gone

_LOOKERS = """
SELECT who FROM (
  SELECT coalesce(nullif(application_name, ''), backend_type) || ' (process ' || pid || ' of the server)',
    greatest(age(backend_xmin), age(backend_xid)) FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
  UNION ALL SELECT 'the prepared transaction ' || gid, age(transaction) FROM pg_prepared_xacts
  WHERE database = current_database()
  UNION ALL SELECT 'the replication slot ' || slot_name, age(xmin) FROM pg_replication_slots
) looking(who, age) WHERE age > age(%s::xid)
"""


class Postgres(Engine):
    """A workspace's warehouse in one schema of a Postgres database.

    Readers see the last finished run as it was when they first looked, whatever a writer does meanwhile, and never
    wait for one; nor does a writer for them: rows are replaced within their tables, whose old rows Postgres keeps for
    as long as anybody looks at them. There is one writer at a time, for as long as it is open.

    url: postgresql://user:password@host:port/database?schema=tieback, and whatever else libpq knows.
    Raises WorkspaceError when the server cannot be reached or refuses, another writer is in, or the schema is newer
    than this release or none of tieback's.
    """

    name = "postgres"
    dialect = "postgres"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        address, self.schema = _parted(url)
        self.read_only = read_only
        self._emptied: set[str] = set()
        self.door = _connected(address)
        try:
            with _plain_errors("", ""):
                self._settle(address)
                if read_only:
                    self.door.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                    self.door.autocommit = False
                else:
                    self._be_the_only_writer()
                self._prepare()
        except BaseException:
            self.door.close()
            raise

    @property
    def beyond_reach(self) -> str:
        """What a server keeps beside its tables."""
        return "the Postgres server's write-ahead log, copies of the server, backups"

    def close(self) -> None:
        """Let go of the server; what a reader kept for itself goes, too."""
        self.door.close()

    def forget(self) -> None:
        """Write every table and its statistics anew, once nobody looks at an older state; readers wait meanwhile."""
        self._wait_for_lookers()
        self.execute("SELECT set_config('lock_timeout', %s, false)", [f"{_PATIENCE_SECONDS:.0f}s"])
        for name in TABLES:
            if self.has(name):
                self.execute(f"VACUUM (FULL, ANALYZE) {name}", building=name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what happens inside is seen by others only when it ends well."""
        self.execute("BEGIN")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):  # the error on its way is the one to tell
                self.door.execute("ROLLBACK")
            raise
        finally:
            emptied, self._emptied = self._emptied, set()
        for name in sorted(emptied):
            self.execute(f"VACUUM (TRUNCATE off) {name}")  # truncating would lock readers out

    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name: its rows go, and the table with it if it differs."""
        shape = [(column.name, _shape(column.type)) for column in table.columns]
        found = self.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            f"WHERE attrelid = to_regclass('{table.name}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ).fetchall()
        if found == shape:
            if self.execute(f"DELETE FROM {table.name}", building=table.name).rowcount:
                self._emptied.add(table.name)
            return
        self.execute(f"DROP TABLE IF EXISTS {table.name}", building=table.name)
        self.execute(create_table(table, "postgres", collation=_COLLATION), building=table.name)

    def insert(self, table: Table, select: str) -> int:
        """Add the rows of `select` to `table`; returns how many."""
        came: int = self.execute(f"INSERT INTO {table.name} {select}", building=table.name).rowcount
        self._analyze(table, came)
        return came

    def remove(self, table: Table, gone: ir.Table) -> None:
        """Take out the rows of `table` that equal a row of the scratch table `gone` in its columns, empty or not."""
        # As the elements of arrays, empty cells are equal, and unlike IS NOT DISTINCT FROM these are hashed.
        same = " AND ".join(
            f"t.{name} = gone.{name}" if table.column(name).required else f"ARRAY[t.{name}] = ARRAY[gone.{name}]"
            for name in gone.columns
        )
        sql = f"DELETE FROM {table.name} t USING {gone.get_name()} gone WHERE {same}"
        self.execute(sql, building=table.name)

    def load(self, table: Table, rows: pa.Table) -> int:
        """Add Arrow rows with exactly the columns of `table` to it, by COPY; returns how many."""
        self._copy_in(table.name, rows.select(table.names), table.name)
        self._analyze(table, rows.num_rows)
        return int(rows.num_rows)

    def keep(self, name: str, select: str) -> None:
        """Make or replace the temporary table `name` from `select`, which may read the one it replaces."""
        building = name.removeprefix(SCRATCH)
        self.execute(f"CREATE TEMP TABLE {name}_new AS {select}", building=building)
        self._put_in_place(name)

    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Make or replace the temporary table `name` from Arrow `rows`."""
        columns = ", ".join(f'"{field.name}" {column_type(field.type, _COLLATION)}' for field in rows.schema)
        self.execute(f"CREATE TEMP TABLE {name}_new ({columns})")
        self._copy_in(f"{name}_new", rows, name.removeprefix(SCRATCH))
        self._put_in_place(name)

    def read(self, expression: ir.Table) -> pa.Table:
        """The rows of `expression`, in its types."""
        return super().read(expression).cast(expression.schema().to_pyarrow())

    def fetch(self, select: str) -> pa.Table:
        """The rows of `select`."""
        columns = self.execute(f"SELECT * FROM ({select}) AS shape LIMIT 0").description or []
        sql = f"COPY ({select}) TO STDOUT (FORMAT csv)"
        with _plain_errors("", sql), self._usable_after(), self.door.cursor() as cursor, cursor.copy(sql) as copy:
            return as_arrow(b"".join(copy), columns)

    def has(self, name: str) -> bool:
        """True when a table of that name exists."""
        return self.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchall()[0][0] is True

    def execute(self, sql: str, parameters: list[Any] | None = None, building: str = "") -> psycopg.Cursor[Any]:
        """Run one statement, `%s` for each parameter; a failure says which table it was `building`."""
        with _plain_errors(building, sql), self._usable_after():
            return self.door.execute(sql.encode(), parameters)

    @contextmanager
    def _usable_after(self) -> Iterator[None]:
        """A reader's transaction ends with a failed statement; its next statement begins another."""
        try:
            yield
        except psycopg.Error:
            if self.read_only and not self.door.closed:
                self.door.rollback()
            raise

    def _copy_in(self, name: str, rows: pa.Table, building: str) -> None:
        columns = ", ".join(f'"{column}"' for column in rows.column_names)
        sql = f"COPY {name} ({columns}) FROM STDIN (FORMAT csv)"
        with _plain_errors(building, sql), self.door.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            for block in as_csv(rows):
                copy.write(block)

    def _put_in_place(self, name: str) -> None:
        self.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
        self.execute(f"ALTER TABLE {name}_new RENAME TO {name}")
        self.execute(f"ANALYZE {name}")  # autovacuum does not see temporary tables

    def _analyze(self, table: Table, came: int) -> None:
        """Let the planner know of many new rows now: the next statement is already built on them."""
        known = self.execute(f"SELECT reltuples FROM pg_class WHERE oid = '{table.name}'::regclass").fetchall()[0][0]
        if came > known * _ANALYZE_FROM:
            self.execute(f"ANALYZE {table.name}", building=table.name)

    def _settle(self, address: str) -> None:
        """Make this session say and read things in one way, and work in the workspace's schema."""
        if self.door.info.parameter_status("server_encoding") != "UTF8":
            raise WorkspaceError(
                f"The database {self.door.info.dbname} does not hold text as UTF-8. Make one that does: "
                "CREATE DATABASE tieback ENCODING 'UTF8' TEMPLATE template0."
            )
        self.door.prepare_threshold = None  # no statement comes twice
        fixed = {"search_path": _quoted(self.schema), "TimeZone": "UTC", "DateStyle": "ISO", "client_encoding": "UTF8"}
        for name, value in fixed.items():
            self.execute("SELECT set_config(%s, %s, false)", [name, value])
        for name, value in _SETTINGS.items():
            self.execute(
                "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s AND source = 'default'",
                [value, name],
            )

    def _wait_for_lookers(self) -> None:
        """Until nobody's view of the database is older than this: what somebody may see, no VACUUM takes away."""
        now = self.execute("SELECT pg_current_xact_id()::xid::text").fetchall()[0][0]
        given_up = time.monotonic() + _PATIENCE_SECONDS
        while older := self.execute(_LOOKERS, [now]).fetchall():
            if time.monotonic() > given_up:
                raise WorkspaceError(
                    f"What was to go is deleted, but the server keeps it for {older[0][0]}, which looks at the state "
                    "before. End that, and run the same command again."
                )
            time.sleep(0.1)

    def _be_the_only_writer(self) -> None:
        key = int.from_bytes(sha256(f"the writer of {self.schema}".encode()).digest()[:7], "big")
        if self.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchall()[0][0]:
            return
        held = self.execute(
            "SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.database = a.datid AND l.objsubid = 1 "
            "AND l.classid = (%s::bigint >> 32)::oid AND l.objid = (%s::bigint & 4294967295)::oid",
            [key, key],
        ).fetchall()
        who = f"{held[0][1] or 'another session'} (process {held[0][0]} of the server)" if held else "another session"
        raise InUseError(f"The workspace is in use by {who}. Wait until it ends, then try again; nothing was changed.")

    def _prepare(self) -> None:
        foreign = WorkspaceError(
            f"The schema {self.schema} holds tables, but none of tieback's; nothing was changed. Name another one at "
            "the end of the URL: ?schema=NAME."
        )
        schema = _quoted(self.schema)
        is_made, held = self.execute(
            "SELECT to_regnamespace(%s) IS NOT NULL, (SELECT count(*) FROM pg_tables WHERE schemaname = %s)",
            [schema, self.schema],
        ).fetchall()[0]
        if is_made and not self.execute("SELECT has_schema_privilege(%s, 'USAGE')", [self.schema]).fetchall()[0][0]:
            raise WorkspaceError(
                f"The Postgres user has no right to look into the schema {self.schema}. Grant it: "
                f"GRANT USAGE ON SCHEMA {schema} TO {self.door.info.user}, and SELECT on its tables."
            )
        if self.has("workspace"):
            admit(self, f"The schema {self.schema}", foreign, read_only=self.read_only)
        elif held:
            raise foreign
        elif self.read_only:
            raise WorkspaceError(
                f"The schema {self.schema} holds no data yet. Bring some in with `tieback import TABLE FILE`."
            )
        else:
            if not is_made:
                self.execute(f"CREATE SCHEMA {schema}")
            self._make_collation()
            make_workspace(self)

    def _make_collation(self) -> None:
        """Order by code point, letter case by the first locale of a few that this server has."""
        if self.execute(f"SELECT to_regcollation('{_COLLATION}') IS NOT NULL").fetchall()[0][0]:
            return
        for locale in _LOCALES:
            sql = f"CREATE COLLATION {_COLLATION} (provider = libc, lc_collate = 'C', lc_ctype = '{locale}')"
            try:
                self.door.execute(sql.encode())
            except (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedFile):
                continue
            return
        raise WorkspaceError(
            f"The server has none of the locales {', '.join(_LOCALES)}, by which it would know small letters from "
            "capitals. Install one on it."
        )


def opened(url: str, *, read_only: bool = False) -> Postgres:
    """The warehouse at `url`; its schema and tables are made when missing, unless `read_only`."""
    return Postgres(url, read_only=read_only)


def _parted(url: str) -> tuple[str, str]:
    """The URL as libpq takes it, and the name of the schema."""
    if not _URL.fullmatch(url):
        raise _malformed()
    base, _, query = url.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    schema = given.pop("schema", "") or _SCHEMA
    return f"{base}?{urlencode(given, quote_via=quote)}", schema


def _malformed() -> WorkspaceError:
    return WorkspaceError(
        "The URL of the warehouse is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=SCHEMA. "
        "Signs such as @, :, / and # in a password are written as %40, %3A, %2F and %23."
    )


def _connected(address: str) -> psycopg.Connection[Any]:
    who = f"tieback, process {os.getpid()} on {socket.gethostname()}"
    try:
        return psycopg.connect(address, autocommit=True, fallback_application_name=who[:63])
    except psycopg.ProgrammingError:
        raise _malformed() from None  # its own words may hold the password
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0].rpartition("FATAL:")[2].strip()
        raise WorkspaceError(
            f"Postgres cannot be reached: {reason}. Check the URL of the warehouse, and that the server is up."
        ) from None


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _shape(kind: Any) -> str:
    """A column type as Postgres itself writes it."""
    written = COLUMN_TYPES["postgres"][kind].lower().replace(", ", ",")
    return "timestamp without time zone" if written == "timestamp" else written


@contextmanager
def _plain_errors(building: str, sql: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _plain(error, building, sql) from error


def _plain(error: psycopg.Error, building: str, sql: str) -> TiebackError:
    reason = error.diag.message_primary or str(error) or type(error).__name__
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.DiskFull):
        return WorkspaceError(
            "The disk of the Postgres server is full. Free some space and run the same command again; nothing was "
            "changed."
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return WorkspaceError(f"The Postgres user has no right to do this ({reason}). Grant it, and run again.")
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return WorkspaceError("This Postgres server takes no changes (a replica?). Name the one that does in the URL.")
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return WorkspaceError(
            f"Another session of the Postgres server holds {building or 'a table'}. End it, and run the same command "
            "again."
        )
    if isinstance(error, psycopg.errors.QueryCanceled):
        return WorkspaceError(f"The Postgres server ended the work ({reason}); nothing was changed. Run again.")
    if state.startswith(_CLOSED) or (not state and isinstance(error, psycopg.OperationalError)):
        return WorkspaceError(
            f"The connection to Postgres was lost ({reason.splitlines()[0]}); nothing was changed. Run again."
        )
    return statement_error("postgres", building, reason, sql)
