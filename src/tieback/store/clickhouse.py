"""ClickHouse: a server, or chdb within this process. How runs are published: docs/decisions/0008."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tieback.errors import ConfigError, TiebackError, WorkspaceError
from tieback.schema import FACTS, OPERATIONS, SCHEMA_VERSION, Table
from tieback.schema.ddl import create_table
from tieback.store.clickhouse_links import InProcess, Link, LinkError, Server
from tieback.store.engine import SCRATCH, Engine, statement_error

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr import types as ir

DATABASE = "tieback"  # unless the URL names another
_ABANDONED_MINUTES = 5  # a change of which nothing was heard for so long was cut off
_READ_MINUTES = 5  # a state may be read for at least so long after it was replaced
_KEPT = 2  # states that stay however old they are: the latest and the one before
_PORT, _SECURE_PORT = 8123, 8443

_UNKNOWN_TABLE, _UNKNOWN_DATABASE, _DATABASE_EXISTS, _NETWORK = 60, 81, 82, 210
_MEMORY, _NO_SPACE, _READONLY, _NO_SUCH_USER, _WRONG_PASSWORD, _DENIED = 241, 243, 164, 192, 516, 497


def opened(url: str, *, read_only: bool = False) -> ClickHouse:
    """The warehouse behind `clickhouse://user:password@host:port/database` or `chdb:///path/to/folder`.

    database: the workspace's name there, `tieback` unless given; its tables lie in databases named after it.
    `?secure=1` asks for TLS. `chdb:///folder?database=name` names the workspace in a folder likewise.
    Raises ConfigError for a URL that cannot be read, WorkspaceError when nothing answers there, or no workspace.
    """
    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    is_server = parts.scheme == "clickhouse"
    name = (parts.path.strip("/") if is_server else given.pop("database", "")) or DATABASE
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ConfigError(f"{name!r} is no name for a database. Give it letters, digits and _ alone.")
    if not is_server:
        return ClickHouse(InProcess(Path(unquote(parts.path))), name, read_only=read_only)
    secure = given.pop("secure", "0") not in ("0", "false")
    try:
        host, port = parts.hostname or "localhost", parts.port or (_SECURE_PORT if secure else _PORT)
    except ValueError:
        raise ConfigError("The port in the URL of the ClickHouse server is no number below 65,536.") from None
    user, password = unquote(parts.username or "default"), unquote(parts.password or "")
    try:
        link = Server(host, port, user, password, secure=secure)
    except LinkError as error:
        raise _plain(error, f"{host}:{port}", "", "") from error
    return ClickHouse(link, name, read_only=read_only)


class ClickHouse(Engine):
    """A workspace in ClickHouse, through `link`: each of its finished states is a database `database`_1, _2 ….

    The state with the highest number is the one to read. A transaction works in a draft, a database of its own that
    begins as a clone of the state (its parts are linked, not copied) and becomes the next state by one RENAME: seen
    whole or not at all. Outside of a transaction, a change is a transaction of its own. Readers stay with the state
    that they opened; two writers cannot both name the next one.
    Raises WorkspaceError when there is nothing to read, when another writer is at work or the workspace is newer than
    this release.
    """

    name = "clickhouse"
    dialect = "clickhouse"

    def __init__(self, link: Link, database: str = DATABASE, *, read_only: bool = False) -> None:
        self.database = database
        self._link = link
        self._draft = ""
        self._read_only = read_only
        try:
            self._state = self._latest()
            if self._state:
                self._link.use(self._named(self._state))
                self._refuse_others()
            elif read_only:
                raise WorkspaceError(
                    f"{link.place} holds no data of a workspace {database!r} yet. Bring some in with "
                    "`tieback import TABLE FILE`."
                )
            else:
                self._begin_workspace()
        except BaseException:
            link.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what happens inside is seen by others only when it ends well."""
        before = self._named(self._state)
        self._begin()
        draft = self._draft
        try:
            yield
            self._publish()
        except BaseException:
            self._draft = ""
            with suppress(TiebackError):  # the error on its way is the one to tell
                self._link.use(before if self._state else "default")
                self._run(f"DROP DATABASE IF EXISTS {draft} SYNC")
            raise
        self._prune()

    def close(self) -> None:
        """Let go of the connection; temporary tables end with it."""
        self._link.close()

    @property
    def places(self) -> list[Path]:
        """The folder of ClickHouse within this process."""
        return [self._link.folder] if isinstance(self._link, InProcess) else []

    @property
    def beyond_reach(self) -> str:
        """What a server keeps beside its tables."""
        return (
            "" if isinstance(self._link, InProcess) else "the ClickHouse server's logs, copies of the server, backups"
        )

    def forget(self) -> None:
        """Make a state of tables written anew, and drop all others at once, with whatever they still share."""
        with self.transaction():
            for name in self._tables(self._draft):
                self._run(f"CREATE TABLE {name}_anew AS {name}", name)
                self._run(f"INSERT INTO {name}_anew SELECT {self._emptied(name)} FROM {name}", name)
                self._run(f"DROP TABLE {name} SYNC", name)
                self._run(f"RENAME TABLE {name}_anew TO {name}", name)
        for number in self._numbers():
            if number < self._state:
                self._run(f"DROP DATABASE IF EXISTS {self._named(number)} SYNC")

    def has(self, name: str) -> bool:
        """True when a table of that name exists."""
        sql = f"SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {_quoted(name)}"
        return bool(self.fetch(sql).num_rows)

    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name."""
        with self._changing():
            self._run(f"DROP TABLE IF EXISTS {table.name} SYNC", table.name)
            self._run(create_table(table, self.dialect), table.name)

    def insert(self, table: Table, select: str) -> int:
        """Add the rows of `select` to `table`; returns how many."""
        with self._changing():
            return self._run(f"INSERT INTO {table.name} {select}", table.name)

    def remove(self, table: Table, gone: ir.Table) -> None:
        """Take out the rows of `table` that equal a row of the scratch table `gone` in its columns, empty or not.

        Only a mask is written of the parts that hold such rows; they are left out when parts are next merged.
        """
        # A deletion is worked out apart from this session: it neither knows its temporary tables nor its settings.
        keys = ", ".join(_comparable(table, name) for name in gone.columns)
        with self._changing():
            self._run("DROP TABLE IF EXISTS removing SYNC")
            copied = f"SELECT {', '.join(gone.columns)} FROM {gone.get_name()}"
            self._run(f"CREATE TABLE removing ENGINE = MergeTree ORDER BY tuple() AS {copied}", table.name)
            those = f"SELECT {keys} FROM {self._draft}.removing"
            self._run(f"DELETE FROM {table.name} WHERE ({keys}) IN ({those})", table.name)
            self._run("DROP TABLE removing SYNC")

    def keep(self, name: str, select: str) -> None:
        """Make or replace the temporary table `name` from `select`."""
        made = f"CREATE OR REPLACE TEMPORARY TABLE {name} ENGINE = MergeTree ORDER BY tuple()"
        self._run(f"{made} AS {select}", name.removeprefix(SCRATCH))

    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Make or replace the temporary table `name` from Arrow `rows`."""
        import ibis

        from tieback.store.clickhouse_sql import Types

        kinds = ibis.Schema.from_pyarrow(rows.schema)
        columns = ", ".join(f"{column} {Types.to_string(kind)}" for column, kind in kinds.items())
        building = name.removeprefix(SCRATCH)
        self._run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()", building)
        with self._plain_errors(building, f"INSERT INTO {name}"):
            self._link.insert(name, rows)

    def read(self, expression: ir.Table) -> pa.Table:
        """The rows of `expression`; conditions, which ClickHouse gives as numbers, are true or false again."""
        rows, kinds = self.fetch(self.sql(expression)), expression.schema()
        for place, (name, kind) in enumerate(kinds.items()):
            if kind.is_boolean():
                rows = rows.set_column(place, name, rows[name].cast("bool"))
        return rows

    def fetch(self, select: str) -> pa.Table:
        """The rows of `select`; instants are UTC without saying so, whole numbers are 64 bits wide."""
        with self._plain_errors("", select):
            rows = self._link.query(select)
        return rows.cast(_plain_types(rows.schema))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Within a transaction: the one that runs, or else one for this change alone."""
        if self._draft:
            yield
        else:
            with self.transaction():
                yield

    def _begin_workspace(self) -> None:
        with self.transaction():
            for table in (*FACTS, *OPERATIONS):
                self._run(create_table(table, self.dialect), table.name)
            self._run(f"INSERT INTO workspace VALUES ('schema_version', '{SCHEMA_VERSION}')")

    def _begin(self) -> None:
        """Open a draft of the next state."""
        if self._read_only:
            raise WorkspaceError("The workspace is open for reading alone; nothing was changed.")
        self._take_the_pen()
        draft = f"{self.database}_draft_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {draft} ENGINE = Atomic")
        self._draft = draft
        state = self._named(self._state)
        for name in self._tables(state):
            self._run(f"CREATE TABLE {draft}.{name} CLONE AS {state}.{name}", name)
        self._link.use(draft)

    def _publish(self) -> None:
        """Make the draft the next state, unless somebody else has made one meanwhile: one statement, all or nothing."""
        following = self._named(self._state + 1)
        self._run(f"RENAME DATABASE {self._draft} TO {following}")
        self._draft = ""
        self._state += 1
        self._link.use(following)

    def _take_the_pen(self) -> None:
        """WorkspaceError while another writer is at work; drafts that were cut off are dropped."""
        if self._latest() != self._state:
            raise WorkspaceError(_OVERTAKEN)
        for draft in self._databases("draft_[0-9a-f]+"):
            if not isinstance(self._link, InProcess) and self._is_alive(draft):
                raise WorkspaceError(
                    f"The workspace is in use by another writer on {self._link.place}. Wait until it ends; one that "
                    f"was cut off stands in nobody's way {_ABANDONED_MINUTES} minutes later. Nothing was changed."
                )
            self._run(f"DROP DATABASE IF EXISTS {draft} SYNC")

    def _is_alive(self, draft: str) -> bool:
        """True when something happened in `draft` lately, or a statement of it runs."""
        sql = (
            f"SELECT (SELECT count() FROM system.processes WHERE current_database = {_quoted(draft)}) + "
            f"(SELECT count() FROM system.tables WHERE database = {_quoted(draft)} "
            f"AND greatest(metadata_modification_time, {_LATEST_PART.format(database=_quoted(draft))}) "
            f"> now() - INTERVAL {_ABANDONED_MINUTES} MINUTE) AS signs"
        )
        return bool(self.fetch(sql)["signs"][0].as_py())

    def _prune(self) -> None:
        """Drop the states that were replaced long enough ago for whoever still read them to have ended."""
        numbers = self._numbers()
        for number in numbers[:-_KEPT]:
            # A state was replaced before the next but one was begun, and a state's oldest table tells when that was.
            later = _quoted(self._named(number + 2))
            begun = f"SELECT min(metadata_modification_time) FROM system.tables WHERE database = {later}"
            old = self.fetch(f"SELECT ({begun}) < now() - INTERVAL {_READ_MINUTES} MINUTE AS old")["old"][0].as_py()
            if (old or number + 2 not in numbers) and not self._is_read(number):
                # At once: left to the server, its rows would stay on disk for minutes, and nobody could say how long.
                self._run(f"DROP DATABASE IF EXISTS {self._named(number)} SYNC")

    def _is_read(self, number: int) -> bool:
        """True while a query works on that state; dropping it at once would wait for its end."""
        state = _quoted(self._named(number))
        running = f"current_database = {state} OR position(query, concat({state}, '.')) > 0"
        sql = f"SELECT count() AS n FROM system.processes WHERE query_id <> queryID() AND ({running})"
        return bool(self.fetch(sql)["n"][0].as_py())

    def _latest(self) -> int:
        """The number of the newest state, 0 before the first."""
        return max(self._numbers(), default=0)

    def _numbers(self) -> list[int]:
        return sorted(int(name.rpartition("_")[2]) for name in self._databases("[0-9]+"))

    def _databases(self, pattern: str) -> list[str]:
        """The names of this workspace's databases that end in `pattern`."""
        whole = _quoted(f"^{self.database}_{pattern}$")
        names: list[str] = self.fetch(f"SELECT name FROM system.databases WHERE match(name, {whole})")[
            "name"
        ].to_pylist()
        return names

    def _tables(self, database: str) -> list[str]:
        sql = f"SELECT name FROM system.tables WHERE database = {_quoted(database)} AND NOT is_temporary"
        names: list[str] = self.fetch(sql)["name"].to_pylist()
        return names

    def _emptied(self, name: str) -> str:
        """The columns of a table, an empty cell without the value that was cleared away: ClickHouse keeps it below."""
        of = f"WHERE database = currentDatabase() AND table = {_quoted(name)} ORDER BY position"
        columns = self.fetch(f"SELECT name, type FROM system.columns {of}").to_pylist()
        clean = "if(isNull({name}), materialize(CAST(NULL AS {type})), {name}) AS {name}"
        return ", ".join(clean.format(**each) if "Nullable" in each["type"] else each["name"] for each in columns)

    def _named(self, number: int) -> str:
        return f"{self.database}_{number}"

    def _refuse_others(self) -> None:
        """WorkspaceError for a state that this release does not know."""
        rows = self.rows("SELECT value FROM workspace WHERE name = 'schema_version'") if self.has("workspace") else []
        if not rows or not str(rows[0]["value"]).isdecimal():
            raise WorkspaceError(
                f"The database {self._named(self._state)} on {self._link.place} is none of tieback's; nothing was "
                "changed. Name another in the URL."
            )
        version = int(rows[0]["value"])
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"The workspace {self.database!r} on {self._link.place} was written by a newer tieback (schema "
                f"{version}; this release knows {SCHEMA_VERSION}). Upgrade tieback to open it."
            )
        if version < SCHEMA_VERSION:
            raise WorkspaceError(
                f"The workspace {self.database!r} on {self._link.place} is of an older schema ({version}; this release "
                f"knows {SCHEMA_VERSION}). Move it to a file with the tieback that wrote it, and back with this one."
            )

    def _run(self, sql: str, building: str = "") -> int:
        with self._plain_errors(building, sql):
            return self._link.run(sql)

    @contextmanager
    def _plain_errors(self, building: str, sql: str) -> Iterator[None]:
        try:
            yield
        except LinkError as error:
            raise _plain(error, self._link.place, building, sql) from error


_OVERTAKEN = (
    "The workspace was changed by another writer meanwhile, so what was worked out here would undo it; nothing was "
    "changed. Run the same command again."
)
_LATEST_PART = "(SELECT max(modification_time) FROM system.parts WHERE database = {database})"


def _plain(error: LinkError, place: str, building: str, sql: str) -> TiebackError:
    """What a user can mend in one sentence; anything else with its SQL."""
    text, code = str(error), error.code
    if code == _DATABASE_EXISTS or (code == _UNKNOWN_DATABASE and "_draft_" in text):
        return WorkspaceError(_OVERTAKEN)
    if code == _UNKNOWN_DATABASE:
        return WorkspaceError("The run that was being read has been replaced meanwhile. Run the same command again.")
    if code in (_WRONG_PASSWORD, _NO_SUCH_USER):
        return WorkspaceError(f"{place} refuses that user and password. Mend them in the URL of the warehouse.")
    if code in (_DENIED, _READONLY):
        return WorkspaceError(f"{place} does not let this user do that ({_reason(text)}). Grant it the right.")
    if code == _MEMORY:
        return WorkspaceError(f"{place} ran out of the memory that a query may have; nothing was changed. Raise it.")
    if code == _NO_SPACE or "No space left" in text:
        return WorkspaceError("The disk is full. Free some space and run the same command again; nothing was changed.")
    if code == _NETWORK or (not code and "onnect" in text):
        return WorkspaceError(f"No ClickHouse server answers at {place}. Start it, or mend the URL of the warehouse.")
    return statement_error("clickhouse", building, _reason(text), sql)


def _reason(text: str) -> str:
    """ClickHouse's own words without what its libraries put around them."""
    return (re.sub(r"^.*?DB::Exception: ", "", text, count=1, flags=re.DOTALL).strip() or text).splitlines()[0]


def _comparable(table: Table, name: str) -> str:
    """A column as something that equals another row's when both are empty, too."""
    if table.column(name).required:
        return name
    return f"isNull({name}), ifNull(toString({name}), '')"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain_types(schema: pa.Schema) -> pa.Schema:
    """The types that other engines answer in."""
    import pyarrow as pa

    def plain(kind: Any) -> Any:
        if pa.types.is_timestamp(kind):
            return pa.timestamp("us")
        return pa.int64() if pa.types.is_integer(kind) else kind

    return pa.schema([pa.field(field.name, plain(field.type)) for field in schema])
