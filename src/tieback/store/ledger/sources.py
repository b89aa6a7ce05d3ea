"""Sources and their write keys: who may put messages in, and from which origins."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tieback.errors import UsageError, did_you_mean
from tieback.store.ledger.tables import SOURCES

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SHOWN = tuple(SOURCES.c[name] for name in ("name", "origins", "made_at", "revoked_at", "key_ending"))


@dataclass(frozen=True)
class Source:
    """A site, app or server that sends messages, as it is kept: of its key only the last four characters are known.

    made_at: when its key was made, revoked_at: when that ended, both in UTC without saying so.
    """

    name: str
    origins: tuple[str, ...]
    made_at: datetime
    revoked_at: datetime | None
    key_ending: str


def add_source(connection: Connection, name: str, origins: Sequence[str] = ()) -> str:
    """Make the source `name`, or a revoked one anew; returns its key, which is shown this once.

    Raises UsageError for a name that is none, or is in use.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A source cannot be called {name!r}: use up to 63 small letters a-z, digits, _ and -, a letter or digit "
            "first."
        )
    key = f"tb_{secrets.token_urlsafe(24)}"
    kept = {
        "origins": list(origins),
        "key_digest": _digest(key),
        "key_ending": key[-4:],
        "made_at": _now(),
        "revoked_at": None,
    }
    held = connection.execute(select(SOURCES.c.revoked_at).where(SOURCES.c.name == name).with_for_update()).all()
    if held and held[0].revoked_at is None:
        raise UsageError(
            f"There is a source {name!r} already; its key was left as it is. Choose another name, or revoke it first."
        )
    if held:
        connection.execute(update(SOURCES).where(SOURCES.c.name == name).values(**kept))
    else:
        connection.execute(insert(SOURCES).values(name=name, **kept))
    return key


def sources(connection: Connection) -> list[Source]:
    """All of them by name, revoked ones too."""
    return [_source(row) for row in connection.execute(select(*_SHOWN).order_by(SOURCES.c.name))]


def revoke(connection: Connection, name: str) -> None:
    """End the key of the source `name` from now on; one that is revoked stays so. Raises UsageError for none."""
    known = {source.name: source for source in sources(connection)}
    if name not in known:
        raise UsageError(f"There is no source {name!r}. {did_you_mean(name, known)}")
    ended = update(SOURCES).where(SOURCES.c.name == name, SOURCES.c.revoked_at.is_(None))
    connection.execute(ended.values(revoked_at=_now()))


def source_of(connection: Connection, key: str) -> Source | None:
    """Whose key it is; None for an unknown or revoked one."""
    held = select(*_SHOWN).where(SOURCES.c.key_digest == _digest(key), SOURCES.c.revoked_at.is_(None))
    row = connection.execute(held).one_or_none()
    return _source(row) if row else None


def source_named(connection: Connection, name: str) -> Source | None:
    """The source `name`; None when there is none, or its key was revoked."""
    row = connection.execute(
        select(*_SHOWN).where(SOURCES.c.name == name, SOURCES.c.revoked_at.is_(None))
    ).one_or_none()
    return _source(row) if row else None


def _source(row: Row[Any]) -> Source:
    return Source(row.name, tuple(row.origins), row.made_at, row.revoked_at, row.key_ending)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
