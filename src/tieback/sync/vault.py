"""The vault of raw e-mail addresses and phone numbers, and how to be rid of them for good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tieback.store import DuckDB
from tieback.store.rewriting import write_anew
from tieback.sync.quarantine import WIPED


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
