"""Where a ledger is kept: connections to a SQLite file or a Postgres schema, and who may load from it."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from tieback.errors import ConfigError, WorkspaceError
from tieback.store.ledger.faults import plain_errors
from tieback.store.ledger.migrating import migrate

PATIENCE_SECONDS = 2.0  # how long anybody waits for a lock that another holds
_OPENING_SECONDS = 10.0  # how long who opens it does: another may be making its tables
_SQLITE = "sqlite:///"
_POSTGRES = re.compile(r"postgres(?:ql)?://(?:[^@/?#]*@)?(?:[^@/?#:]*|\[[^]]*\])(?::\d+)?(?:/[^@/?#]*)?(?:\?[^#]*)?")
_SCHEMA = "tieback_ledger"
# A server that has gone silent is given up after seconds and not hours, unless the URL says otherwise.
_GIVEN_UP = {"connect_timeout": "5", "keepalives_idle": "10", "tcp_user_timeout": "10000"}
# A cache of 32 MB. The log goes into the file every 16 MB: digests lie anywhere in their index, so the same pages are
# written again and again, and a commit that has to wait for that takes tens of milliseconds.
_PRAGMAS = ("synchronous=FULL", "fullfsync=ON", "cache_size=-32768", "wal_autocheckpoint=4000")


class Turn(Protocol):
    """Who loads: one ledger at a time, from when it first asks until it is closed or its process ends."""

    def is_mine(self) -> bool:
        """True when this ledger holds the turn, or could take it."""

    def leave(self) -> None:
        """Let another take it."""


@dataclass(frozen=True)
class Place:
    """An open place: its connections, the turn to load from it, and what it is called in a message."""

    engine: Engine
    turn: Turn
    where: str


def opened(url: str) -> Place:
    """The place at `url`, sqlite:///PATH or postgresql://…?schema=NAME, of this release's schema.

    Raises ConfigError for another URL, WorkspaceError when the place cannot be used. No error holds a password.
    """
    if url.startswith(_SQLITE):
        return _file(Path(url.removeprefix(_SQLITE)))
    if re.match(r"postgres(ql)?:", url):
        return _server(url)
    raise ConfigError(
        "The URL of the ledger is neither of the form sqlite:///PATH nor postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    )


def reading(engine: Engine) -> Engine:
    """`engine` for transactions that only read: in SQLite they wait for no writer."""
    return engine.execution_options(only_reads=True)


def committing(engine: Engine) -> Engine:
    """`engine` for what is one statement, and then a read at most: in SQLite that is a transaction by itself.

    At each further statement (BEGIN, COMMIT) the threads that answer requests would take Python's lock, and keep it
    for milliseconds.
    """
    return engine.execution_options(commits_itself=True)


def compact(engine: Engine) -> None:
    """Write the ledger anew, without the bytes of what is no longer in it."""
    if engine.dialect.name == "sqlite":
        file = engine.raw_connection()
        try:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                file.cursor().execute(statement)
        finally:
            file.close()
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM FULL inbox")


def _file(path: Path) -> Place:
    where = f"The ledger {path}"
    try:
        if not path.exists():
            path.touch(mode=0o600)  # it holds what people did, and is for its owner alone
    except OSError as error:
        raise WorkspaceError(
            f"{where} cannot be made ({error.strerror}). Check that its folder is there and can be written."
        ) from None
    if not path.is_file():
        raise WorkspaceError(f"{path} is no file, but stands where the ledger should be. Move it away.")
    opening = _sqlite(path, _OPENING_SECONDS)
    try:
        with plain_errors(where):
            with opening.begin() as connection:
                migrate(connection, where)
            _write_ahead(opening)
    finally:
        opening.dispose()
    engine = _sqlite(path, PATIENCE_SECONDS)
    return Place(engine, _FileTurn(path.with_name(path.name + ".loader")), where)


def _sqlite(path: Path, patience: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "timeout": patience},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("commits_itself"):
        return
    # A transaction that first reads and then writes is refused at once when another wrote meanwhile: no waiting helps.
    connection.exec_driver_sql("BEGIN" if options.get("only_reads") else "BEGIN IMMEDIATE")


def _write_ahead(engine: Engine) -> None:
    """Let readers read while another writes; which the file itself remembers."""
    connection = engine.raw_connection()
    try:
        given_up = time.monotonic() + _OPENING_SECONDS
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:  # of several that open a new file at once, SQLite lets none wait
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > given_up:
                    raise
                time.sleep(0.01)
            else:
                return
    finally:
        connection.close()


class _FileTurn:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: IO[bytes] | None = None

    def is_mine(self) -> bool:
        if self._held is None:
            held = self._path.open("ab")
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.close()
                return False
            self._held = held
        return True

    def leave(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _server(url: str) -> Place:
    if not _POSTGRES.fullmatch(url):
        raise _malformed()
    base, _, query = url.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    schema = given.pop("schema", "") or _SCHEMA
    address = f"{base}?{urlencode({**_GIVEN_UP, **given}, quote_via=quote)}"
    where = f"The ledger in the Postgres schema {schema}"
    engine = create_engine("postgresql+psycopg://", creator=_connects(address, schema), hide_parameters=True)
    key = int.from_bytes(sha256(f"the ledger {schema}".encode()).digest()[:7], "big")
    try:
        with plain_errors(where), engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_OPENING_SECONDS:.0f}s'")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            if not connection.execute(text("SELECT to_regnamespace(:name)"), {"name": _quoted(schema)}).scalar():
                connection.exec_driver_sql(f"CREATE SCHEMA {_quoted(schema).replace('%', '%%')}")
            migrate(connection, where)
    except BaseException:
        engine.dispose()
        raise
    return Place(engine, _ServerTurn(engine, key + 1), where)


def _connects(address: str, schema: str) -> Callable[[], Any]:
    """How the pool comes to a connection of the ledger's own settings."""
    try:
        import psycopg
    except ImportError as error:
        raise WorkspaceError(
            "A ledger on Postgres needs a part of tieback that is not installed: pip install 'tieback[postgres]'."
        ) from error
    who = f"tieback ledger, process {os.getpid()} on {socket.gethostname()}"[:63]
    settings = {
        "search_path": _quoted(schema),
        "TimeZone": "UTC",
        "client_encoding": "UTF8",
        "lock_timeout": f"{PATIENCE_SECONDS * 1000:.0f}ms",
    }

    def connected() -> Any:
        try:
            connection = psycopg.connect(address, autocommit=True, fallback_application_name=who)
        except psycopg.ProgrammingError:
            raise _malformed() from None  # its own words may hold the password
        except psycopg.OperationalError as error:
            reason = str(error).splitlines()[0].rpartition("FATAL:")[2].strip()
            raise WorkspaceError(
                f"Postgres cannot be reached: {reason}. Check the URL of the ledger, and that the server is up."
            ) from None
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        # A server may be told to say that all is safe before it is; a stricter one stays as it is.
        connection.execute(
            "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' "
            "AND setting = 'off'"
        )
        connection.autocommit = False
        return connection

    return connected


def _malformed() -> ConfigError:
    return ConfigError(
        "The URL of the ledger is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=SCHEMA. "
        "Signs such as @, :, / and # in a password are written as %40, %3A, %2F and %23."
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


class _ServerTurn:
    """Held by a connection of its own: when that goes, so does the turn."""

    def __init__(self, engine: Engine, key: int) -> None:
        self._connect = partial(engine.execution_options(isolation_level="AUTOCOMMIT").connect)
        self._key = key
        self._held: Connection | None = None

    def is_mine(self) -> bool:
        if self._held is not None:
            try:
                self._held.execute(text("SELECT 1"))
            except SQLAlchemyError:  # the server ended it: another may hold the turn by now
                self.leave()
        if self._held is None:
            connection = self._connect()
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar():
                self._held = connection
            else:
                connection.close()
        return self._held is not None

    def leave(self) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            held.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._key})
        except SQLAlchemyError:  # the server ended it, and the turn with it
            held.invalidate()
        held.close()
