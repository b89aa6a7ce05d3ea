"""The ledger's tables, as the last migration leaves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

VERSION_TABLE = "ledger_version"
METADATA = MetaData()


class Bytes(LargeBinary):
    """Bytes that drivers are handed as they are: to wrap each in a `memoryview` takes a quarter of a row's time."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """None."""


class AnyText(TypeDecorator[str]):
    """Text that a stranger wrote, held as bytes: no database takes every sign (NUL, half of a surrogate pair)."""

    impl = Bytes
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


# digest: what a message is known by. Its id may be longer than an index of Postgres takes.
INBOX = Table(
    "inbox",
    METADATA,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("digest", Bytes, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("message_id", AnyText, nullable=False),
    Column("received_at", DateTime, nullable=False),
    Column("payload", Bytes, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("is_loaded", Boolean, nullable=False, server_default=false()),
    sqlite_autoincrement=True,  # else the position of a pruned row is given to a new one, and settled with the old
)
# As SQLAlchemy writes the condition in a query: SQLite uses a partial index only where it finds the same words.
_WAITING: dict[str, Any] = {"sqlite_where": text("is_loaded = 0"), "postgresql_where": text("NOT is_loaded")}
_LOADED: dict[str, Any] = {"sqlite_where": text("is_loaded = 1"), "postgresql_where": text("is_loaded")}
Index("inbox_waiting", INBOX.c.position, INBOX.c.received_at, **_WAITING)
Index("inbox_loaded", INBOX.c.received_at, **_LOADED)

SOURCES = Table(
    "sources",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("origins", JSON, nullable=False),
    Column("key_digest", LargeBinary, nullable=False, unique=True),
    Column("key_ending", Text, nullable=False),
    Column("made_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
