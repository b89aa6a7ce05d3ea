"""The one way in which commands open a workspace's warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB


def opened(workspace: Workspace, *, read_only: bool = False) -> DuckDB:
    """The warehouse of `workspace`, within the limits of its [warehouse] settings.

    Raises WorkspaceError when it is in use, missing (to read only), or newer than this release.
    """
    from tieback.store import DuckDB

    limits = workspace.settings.warehouse
    return DuckDB(workspace.warehouse, memory=limits.memory, threads=limits.threads, read_only=read_only)
