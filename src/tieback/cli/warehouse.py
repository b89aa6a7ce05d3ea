"""The one way in which commands open a workspace's warehouse."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB

_SALT = "digest of the salt"


def opened(workspace: Workspace, *, read_only: bool = False) -> DuckDB:
    """The warehouse of `workspace`, within the limits of its [warehouse] settings.

    Raises WorkspaceError when it is in use, missing (to read only), newer than this release, or of another salt.
    """
    from tieback.store import DuckDB

    limits = workspace.settings.warehouse
    store = DuckDB(workspace.warehouse, memory=limits.memory, threads=limits.threads, read_only=read_only)
    try:
        _check_salt(store, workspace, read_only=read_only)
    except BaseException:
        store.close()
        raise
    return store


def _check_salt(store: DuckDB, workspace: Workspace, *, read_only: bool) -> None:
    """Remember a digest of the salt; under another one, nobody who was imported before would be known again."""
    from tieback.config import SALT_NAME
    from tieback.errors import WorkspaceError

    digest = hashlib.sha256(workspace.salt.encode()).hexdigest()
    kept = store.rows("SELECT value FROM workspace WHERE name = ?", [_SALT])
    if not kept and not read_only:
        store.execute("INSERT INTO workspace VALUES (?, ?)", [_SALT, digest])
    elif kept and kept[0]["value"] != digest:
        raise WorkspaceError(
            f"{workspace.folder / SALT_NAME} is not the salt under which this workspace was filled: nobody imported "
            "before would be known again. Put that file back from a backup."
        )
