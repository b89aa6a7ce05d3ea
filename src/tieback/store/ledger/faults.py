"""What a database says has gone wrong, in a sentence that a user can act upon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tieback.errors import WorkspaceError

_CLOSED = ("08", "57P01", "57P02", "57P03")  # SQLSTATEs, or how they begin: the connection is gone


@contextmanager
def plain_errors(where: str) -> Iterator[None]:
    """Raise WorkspaceError for whatever the database says inside; `where` is what the ledger is called."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise WorkspaceError(f"{where} {_told(error)}") from error


def _told(error: SQLAlchemyError | sqlite3.Error) -> str:
    said: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig else error
    code = getattr(said, "sqlite_errorname", None)
    if code is not None:
        return _sqlite(code, said)
    if hasattr(said, "sqlstate"):
        return _postgres(said.sqlstate or "", said)
    return f"cannot be used ({_reason(said)}). Try again; if it stays so, restart what holds it."


def _sqlite(code: str, said: BaseException) -> str:
    reason = _reason(said)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "is in use by another process. Wait until it ends, then try again; nothing was changed."
    if code in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"):
        return "cannot grow: the disk is full. Free some space and try again; nothing was changed."
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return f"is damaged or not one of tieback's ({reason}). Restore it from a backup, or move it away."
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return f"cannot be written ({reason}). Mend the permissions of the file and of its folder."
    if code.startswith("SQLITE_IOERR"):
        return f"cannot be read or written ({reason}). Check the disk and its free space, then try again."
    return f"failed ({reason}); nothing was changed. Try again; if it stays so, restore it from a backup."


def _postgres(state: str, said: BaseException) -> str:
    reason = _reason(said)
    if state == "53100":
        return "cannot grow: the disk of the server is full. Free some space and try again; nothing was changed."
    if state == "42501":
        return f"cannot be used: the Postgres user has no right to do this ({reason}). Grant it, and try again."
    if state == "25006":
        return "takes no changes (a replica?). Name the server that does in the URL."
    if state in ("55P03", "40P01"):
        return "is in use by another session. Wait until it ends, then try again; nothing was changed."
    if not state or state.startswith(_CLOSED):
        return f"was cut off from its server ({reason}). Try again once the server is up."
    return f"failed ({reason}); nothing was changed. Try again; if it stays so, look at the log of the server."


def _reason(said: BaseException) -> str:
    """The first line, without what Postgres adds of the values."""
    primary = getattr(getattr(said, "diag", None), "message_primary", None)
    return primary or (str(said).splitlines() or [type(said).__name__])[0]
