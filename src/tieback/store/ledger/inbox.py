"""The durable inbox: what was collected, from the moment it is acknowledged until it is long loaded into facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from tieback.store.ledger.tables import INBOX

_SETTLED_AT_ONCE = 5_000  # positions in a statement: SQLite takes 32,766 parameters
_PRUNED_AT_ONCE = 1_000  # rows in a transaction: those who put wait for it
PUT_AT_ONCE = 5_000  # rows in a statement, of six parameters each
_PUT = ("digest", "source", "message_id", "received_at", "payload", "reason")


@dataclass(frozen=True)
class Incoming:
    """A message on its way in, by (source, message_id); `payload` is its row as JSON.

    With a `reason` it is malformed, and bound for quarantine: `payload` is then whatever came.
    message_id: any text but an empty one, which would make one message of many: raises ValueError.
    received_at: in UTC without saying so, as facts carry it.
    """

    source: str
    message_id: str
    received_at: datetime
    payload: bytes
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.message_id:
            raise ValueError("a message without an id cannot be told from another")


@dataclass(frozen=True)
class Waiting:
    """A message that is not yet loaded, and its position, by which it is settled. The rest is as it came."""

    position: int
    source: str
    message_id: str
    received_at: datetime
    payload: bytes
    reason: str


@dataclass(frozen=True)
class Backlog:
    """How many rows are not yet loaded, and when the oldest of them came (UTC); None when there is none."""

    rows: int
    oldest_received_at: datetime | None


def put(connection: Connection, rows: Sequence[Incoming]) -> list[bool]:
    """Keep those of `rows` that are not held yet; for each, whether it was new.

    Up to PUT_AT_ONCE rows are one statement, which needs no transaction around it.
    """
    if not rows:
        return []
    digests = [_digest(row) for row in rows]
    fresh: dict[bytes, Incoming] = {}
    for digest, row in zip(digests, rows, strict=True):
        fresh.setdefault(digest, row)
    # In one order, so that two collectors who are handed the same messages never wait for each other crosswise.
    ordered = sorted(fresh)
    new: set[bytes] = set()
    for start in range(0, len(ordered), PUT_AT_ONCE):
        some = [(digest, fresh[digest]) for digest in ordered[start : start + PUT_AT_ONCE]]
        new |= _inserted(connection, some)
    told = []
    for digest in digests:
        told.append(digest in new)
        new.discard(digest)
    return told


def _inserted(connection: Connection, rows: Sequence[tuple[bytes, Incoming]]) -> set[bytes]:
    """Insert those rows, by digest, that are not held; returns their digests.

    Each acknowledged event waits for this, so the statement is written here: with SQLAlchemy's own a row takes a sixth
    more of the processor.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    row_marks = f"({', '.join([mark] * len(_PUT))})"
    sql = (
        f"INSERT INTO {INBOX.name} ({', '.join(_PUT)}) VALUES {', '.join([row_marks] * len(rows))} "
        "ON CONFLICT DO NOTHING"
    )
    ready = [INBOX.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for name in _PUT]
    given: list[Any] = []
    for digest, row in rows:
        cells = (digest, row.source, row.message_id, row.received_at, row.payload, row.reason)
        given += [make(cell) if make else cell for make, cell in zip(ready, cells, strict=True)]
    if connection.dialect.name != "sqlite":
        return {
            bytes(digest) for digest in connection.exec_driver_sql(f"{sql} RETURNING digest", tuple(given)).scalars()
        }
    # Before each row that SQLite returns, Python hands its lock to the threads that answer requests, and has to wait
    # for it again: which rows were new is asked only where some were not. They are the last up to the one told here.
    done = connection.exec_driver_sql(sql, tuple(given))
    if done.rowcount == len(rows):
        return {digest for digest, _ in rows}
    until = select(INBOX.c.digest).where(INBOX.c.position <= (done.lastrowid or 0))
    return set(connection.execute(until.order_by(INBOX.c.position.desc()).limit(done.rowcount)).scalars())


def waiting(connection: Connection, most: int) -> list[Waiting]:
    """The first `most` rows that are not loaded, in order of position."""
    columns = [INBOX.c[name] for name in Waiting.__dataclass_fields__]
    found = select(*columns).where(~INBOX.c.is_loaded).order_by(INBOX.c.position).limit(most)
    return [Waiting(*row) for row in connection.execute(found)]


def settle(connection: Connection, positions: Iterable[int]) -> None:
    """Mark the rows at `positions` as loaded; those that are, or are gone, stay so."""
    ordered = sorted(set(positions))
    for start in range(0, len(ordered), _SETTLED_AT_ONCE):
        some = ordered[start : start + _SETTLED_AT_ONCE]
        connection.execute(update(INBOX).where(INBOX.c.position.in_(some), ~INBOX.c.is_loaded).values(is_loaded=True))


def backlog(connection: Connection) -> Backlog:
    """What is not yet loaded, counted."""
    counted = select(func.count(), func.min(INBOX.c.received_at)).where(~INBOX.c.is_loaded)
    rows, oldest = connection.execute(counted).one()
    return Backlog(rows, oldest)


def prune_some(connection: Connection, before: datetime) -> int:
    """Remove a few of the rows that are loaded and were received before `before`; how many, 0 when none is left."""
    old = select(INBOX.c.position).where(INBOX.c.is_loaded, INBOX.c.received_at < before)
    some = old.order_by(INBOX.c.received_at).limit(_PRUNED_AT_ONCE).with_for_update(skip_locked=True)
    return connection.execute(delete(INBOX).where(INBOX.c.position.in_(some))).rowcount


def blank(connection: Connection, messages: Iterable[tuple[str, str]]) -> int:
    """Empty the rows of these (source, message_id), which stay known by their digests; how many that is."""
    digests = sorted({_digest_of(*each) for each in messages})
    emptied = 0
    for start in range(0, len(digests), _SETTLED_AT_ONCE):
        some = INBOX.c.digest.in_(digests[start : start + _SETTLED_AT_ONCE])
        nothing = {"payload": b"", "message_id": "", "reason": ""}
        emptied += connection.execute(update(INBOX).where(some, INBOX.c.is_loaded).values(nothing)).rowcount
    return emptied


def blank_refused(connection: Connection, words: Sequence[bytes]) -> int:
    """Empty the loaded rows that were malformed and hold any of `words`, letter case ignored; how many that is."""
    held = select(INBOX.c.position, INBOX.c.payload).where(INBOX.c.is_loaded, INBOX.c.reason != "")
    low = [word.lower() for word in words]
    found = [position for position, payload in connection.execute(held) if any(word in payload.lower() for word in low)]
    for start in range(0, len(found), _SETTLED_AT_ONCE):
        some = INBOX.c.position.in_(found[start : start + _SETTLED_AT_ONCE])
        connection.execute(update(INBOX).where(some).values(payload=b"", message_id="", reason=""))
    return len(found)


def _digest(row: Incoming) -> bytes:
    return _digest_of(row.source, row.message_id)


def _digest_of(source: str, message_id: str) -> bytes:
    known_by = f"{source}\0{message_id}"  # names of sources hold no NUL
    return blake2b(known_by.encode("utf-8", "surrogatepass"), digest_size=16).digest()
