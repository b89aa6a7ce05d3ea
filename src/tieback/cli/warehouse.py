"""The one way in which commands open a workspace's warehouse, or read its settings alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.cli.output import say
from tieback.config import CONDITIONS, FILE_NAME, SALT_NAME, Settings, open_workspace
from tieback.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB, Engine

SALT = "digest of the salt"


def opened(workspace: Workspace, *, read_only: bool = False) -> Engine:
    """The warehouse of `workspace`: its facts and opinions, on whatever engine.

    Raises WorkspaceError when it is in use, missing (to read only), newer than this release, or of another salt;
    ConfigError for a URL that leads nowhere, and for a channel rule that the engine cannot match with.
    """
    if not workspace.settings.warehouse.url:
        return opened_file(workspace, read_only=read_only)
    store = engine_at(workspace.settings.warehouse.url, read_only=read_only)
    try:
        if workspace.settings.channels:
            from tieback.store import DuckDB

            with DuckDB(None) as rules:
                check_rules(rules, workspace.settings)
        check_salt(store, workspace, read_only=read_only)
    except BaseException:
        store.close()
        raise
    return store


def intake(workspace: Workspace, *, read_only: bool = False) -> DuckDB:
    """The door of `workspace`: what facts come in through, with deliveries, quarantine and vault.

    It is the warehouse itself where that is the embedded file. To read only, it does not reach for the engine.
    """
    from tieback.store import DuckDB, Intake

    if not workspace.settings.warehouse.url:
        return opened_file(workspace, read_only=read_only)
    limits = workspace.settings.warehouse
    if read_only:
        return DuckDB(workspace.intake, memory=limits.memory, threads=limits.threads, read_only=True)
    engine = opened(workspace)
    try:
        return Intake(workspace.intake, engine, memory=limits.memory, threads=limits.threads)
    except BaseException:
        engine.close()
        raise


def engine_at(url: str, *, read_only: bool = False) -> Engine:
    """The engine that `url` names, with the variables of this process's environment."""
    from tieback.store import open_engine

    return open_engine(url, os.environ, read_only=read_only)


def opened_file(workspace: Workspace, *, read_only: bool = False) -> DuckDB:
    """The embedded file in the workspace's folder, whichever engine it has; errors as of `opened`."""
    from tieback.store import DuckDB

    limits = workspace.settings.warehouse
    store = DuckDB(workspace.warehouse, memory=limits.memory, threads=limits.threads, read_only=read_only)
    try:
        check_rules(store, workspace.settings)
        check_salt(store, workspace, read_only=read_only)
    except BaseException:
        store.close()
        raise
    return store


def salt_digest(workspace: Workspace) -> str:
    """What tells this workspace from all others, without giving its salt away."""
    return hashlib.sha256(workspace.salt.encode()).hexdigest()


def check_rules(store: DuckDB, settings: Settings) -> None:
    """ConfigError that names the first [[channels]] pattern which the engine refuses; it knows limits of its own."""
    from tieback.store import StatementError

    for number, rule in enumerate(settings.channels, start=1):
        for name in CONDITIONS:
            pattern = getattr(rule, name)
            try:
                store.execute("SELECT regexp_matches('', ?)", [pattern])
            except StatementError as error:
                reason = str(error.__cause__).partition(": ")[2].partition("\n")[0]
                raise ConfigError(
                    f"{FILE_NAME}: [[channels]] number {number} ({rule.channel}) {name} {pattern!r} is no regular "
                    f"expression that can be matched: {reason}. Mend it and try again."
                ) from None


def settings_of(folder: Path) -> Settings:
    """The settings of the workspace in `folder`; outside of any, and with none named, the defaults."""
    if folder == Path() and not (folder / FILE_NAME).exists():
        say(f"No {FILE_NAME} here: the defaults hold, and the built-in rules alone.")
        return Settings()
    return open_workspace(folder).settings


def check_salt(store: Engine, workspace: Workspace, *, read_only: bool) -> None:
    """Remember a digest of the salt; under another one, nobody who was imported before would be known again."""
    file = workspace.folder / SALT_NAME
    if not workspace.salt:
        raise WorkspaceError(
            f"{file} is missing, the salt under which this workspace was filled: without it, nobody imported before "
            "would be known again. Put that file back from a backup."
        )
    digest = salt_digest(workspace)
    kept = store.rows("SELECT value FROM workspace WHERE name = ?", [SALT])
    if not kept and not read_only:
        from tieback.store import remember

        with store.transaction():
            remember(store, {SALT: digest})
    elif kept and kept[0]["value"] != digest:
        raise WorkspaceError(
            f"{file} is not the salt under which this workspace was filled: nobody imported "
            "before would be known again. Put that file back from a backup."
        )
