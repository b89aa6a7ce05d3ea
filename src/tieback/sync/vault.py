"""The vault of raw e-mail addresses and phone numbers, and how to be rid of them for good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tieback.errors import WorkspaceError
from tieback.store import DuckDB
from tieback.sync.quarantine import WIPED
from tieback.sync.readers import sql_name, sql_text


@dataclass(frozen=True)
class Wiped:
    """How many raw values left the vault, and how many entries of the quarantine were emptied."""

    values: int
    refused: int


def wipe(path: Path, memory: str) -> Wiped:
    """Delete every raw value from the warehouse at `path`, and write its file anew so that no trace stays in it.

    Refused rows hold what their file held, so they are emptied too: file, row, column and reason stay, the row's
    content and the words quoted in the reason go. Facts keep their hashes and lose nothing.
    Raises WorkspaceError when there is no room for the new file; the values are deleted even then.
    """
    with DuckDB(path, memory=memory) as store:
        with store.transaction():
            values = int(store.execute("DELETE FROM vault").fetchall()[0][0])
            refused = store.execute(
                f"UPDATE quarantine SET raw = '{WIPED}', "
                f"reason = regexp_replace(reason, '^\".*\" ', 'it ', 's') WHERE raw <> '{WIPED}'"
            )
            emptied = int(refused.fetchall()[0][0])
        write_anew(store, path)
    return Wiped(values, emptied)


def write_anew(store: DuckDB, path: Path) -> None:
    """Put a copy of `store` in the place of its file at `path`, without the bytes of what was deleted.

    The file is replaced while it is held, so that nobody writes to the old one in between; nothing may be written to
    `store` afterwards. Raises WorkspaceError when there is no room.
    """
    path = path.resolve()  # a link stays one
    fresh = path.with_name(path.name + ".fresh")
    fresh.unlink(missing_ok=True)
    try:
        store.execute("CHECKPOINT")  # else the old file would, as it is let go, and remove the new one's log
        _copy(store, fresh)
    except WorkspaceError as error:
        for left in (fresh, fresh.with_name(fresh.name + ".wal")):
            left.unlink(missing_ok=True)
        raise WorkspaceError(
            f"What was to go is deleted, but traces of it may stay in {path.name}: there is no room to write it "
            f"anew beside the old one. Free {path.stat().st_size // 2**20 + 1} MB and call again."
        ) from error
    fresh.replace(path)


def _copy(store: DuckDB, fresh: Path) -> None:
    held = str(store.execute("SELECT current_database()").fetchall()[0][0])
    store.execute(f"ATTACH {sql_text(str(fresh))} AS fresh")
    store.execute(f"COPY FROM DATABASE {sql_name(held)} TO fresh")
    store.execute("DETACH fresh")
