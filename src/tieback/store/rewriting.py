"""A DuckDB file written anew: what was deleted stays in a file's bytes until others are written over them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.errors import WorkspaceError

if TYPE_CHECKING:
    from tieback.store.duckdb import DuckDB


def write_anew(store: DuckDB, path: Path, runs: Path | None = None) -> None:
    """Put a copy of `store` in the place of its file at `path`, without the bytes of what was deleted.

    runs: a folder of finished runs that is to go with it. All happens while the file is held, so that nobody writes to
    the old one, or finds the new one, in between; nothing may be written to `store` afterwards. Raises WorkspaceError
    when there is no room.
    """
    path = path.resolve()  # a link stays one
    fresh = path.with_name(path.name + ".fresh")
    fresh.unlink(missing_ok=True)
    try:
        store.execute("CHECKPOINT")  # else the old file would, as it is let go, and remove the new one's log
        _copy(store, fresh)
        if runs:
            shutil.rmtree(runs, ignore_errors=True)
    except BaseException as error:
        for left in (fresh, fresh.with_name(fresh.name + ".wal")):
            left.unlink(missing_ok=True)
        if not isinstance(error, WorkspaceError):
            raise
        raise WorkspaceError(
            f"What was to go is deleted, but traces of it may stay in {path.name}: there is no room to write it "
            f"anew beside the old one. Free {path.stat().st_size // 2**20 + 1} MB and call again."
        ) from error
    fresh.replace(path)


def _copy(store: DuckDB, fresh: Path) -> None:
    held = str(store.execute("SELECT current_database()").fetchall()[0][0]).replace('"', '""')
    quoted = str(fresh).replace("'", "''")
    store.execute(f"ATTACH '{quoted}' AS fresh")
    store.execute(f'COPY FROM DATABASE "{held}" TO fresh')
    store.execute("DETACH fresh")
