"""How commands open a workspace: its warehouse, one of its finished runs, or its settings alone."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tieback.cli.output import say
from tieback.config import CONDITIONS, FILE_NAME, SALT_NAME, Settings, open_workspace
from tieback.errors import ConfigError, InUseError, TiebackError, UsageError, WorkspaceError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB, Engine, Published

SALT = "digest of the salt"
PATIENCE_SECONDS = 60.0  # with the loader of a collector, which holds the workspace for moments
T = TypeVar("T")


@contextmanager
def opened(workspace: Workspace, *, read_only: bool = False) -> Iterator[Engine]:
    """The warehouse of `workspace`: its facts and opinions, on whatever engine; nobody else can write to it meanwhile.

    Raises WorkspaceError when it is in use, missing (to read only), newer than this release, or of another salt;
    ConfigError for a URL that leads nowhere, and for a channel rule that the engine cannot match with.
    """
    from tieback.store import DuckDB

    if not workspace.settings.warehouse.url:
        with opened_file(workspace, read_only=read_only) as file:
            yield file
        return
    with engine_at(workspace.settings.warehouse.url, read_only=read_only) as store:
        if workspace.settings.channels:
            with DuckDB(None) as rules:
                check_rules(rules, workspace.settings)
        check_salt(store, workspace, read_only=read_only)
        yield store


@contextmanager
def intake(workspace: Workspace, *, read_only: bool = False) -> Iterator[DuckDB]:
    """The door of `workspace`: what facts come in through, with deliveries, quarantine and vault.

    It is the warehouse itself where that is the embedded file. To read only, it does not reach for the engine.
    """
    from tieback.store import DuckDB
    from tieback.store.intake import Intake

    if not workspace.settings.warehouse.url:
        with opened_file(workspace, read_only=read_only) as file:
            yield file
    elif read_only:
        with DuckDB(workspace.intake, **limits(workspace), read_only=True) as door:
            yield door
    else:
        with opened(workspace) as engine, Intake(workspace.intake, engine, **limits(workspace)) as door:
            yield door


@contextmanager
def opened_with_door(workspace: Workspace) -> Iterator[tuple[Engine, DuckDB]]:
    """The warehouse, and the file at its door that holds quarantine and vault: the same where that is the warehouse.

    Errors as of `opened`. Who holds the door keeps all others on this machine from taking in anything.
    """
    from tieback.store import DuckDB

    if not workspace.settings.warehouse.url:
        with opened_file(workspace) as file:
            yield file, file
        return
    with DuckDB(workspace.intake, **limits(workspace)) as door, opened(workspace) as engine:
        yield engine, door


def patiently(work: Callable[[], T]) -> T:
    """What `work` gives; tried again for a while where another holds the workspace."""
    given_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except InUseError:
            if time.monotonic() > given_up:
                raise
            time.sleep(0.1)


def engine_at(url: str, *, read_only: bool = False) -> Engine:
    """The engine that `url` names, with the variables of this process's environment."""
    from tieback.store import open_engine

    return open_engine(url, os.environ, read_only=read_only)


@contextmanager
def opened_file(workspace: Workspace, *, read_only: bool = False) -> Iterator[DuckDB]:
    """The embedded file in the workspace's folder, whichever engine it has; errors as of `opened`.

    Once written to, those who read finished runs are told what facts there are.
    """
    from tieback.store import DuckDB

    keep_runs = workspace.settings.warehouse.keep_runs
    with DuckDB(workspace.warehouse, **limits(workspace), read_only=read_only, keep_runs=keep_runs) as store:
        check_rules(store, workspace.settings)
        check_salt(store, workspace, read_only=read_only)
        try:
            yield store
        finally:
            if not read_only:
                _tell_readers(store, workspace)


@contextmanager
def finished(workspace: Workspace, run: str = "") -> Iterator[Engine]:
    """A finished run of `workspace` (the newest one, unless named) to read, whoever writes meanwhile.

    Raises WorkspaceError when there is none of that name, or it is of another salt.
    """
    if not workspace.settings.warehouse.url:
        with published(workspace, run) as store:
            yield store
        return
    if run:
        raise UsageError("--run works on the embedded warehouse alone: other engines keep one run, the newest.")
    with opened(workspace, read_only=True) as engine:
        yield engine


@contextmanager
def published(workspace: Workspace, run: str) -> Iterator[Published]:
    """A run that the embedded warehouse has published; errors as of `finished`."""
    from tieback.store import Published

    if workspace.settings.warehouse.url:
        raise UsageError("Only the embedded warehouse keeps runs to compare: other engines keep one, the newest.")
    if not workspace.warehouse.exists():
        raise WorkspaceError(
            f"{workspace.folder} holds no data yet. Bring some in with `tieback import TABLE FILE`, then `tieback run`."
        )
    with Published(workspace.runs, run, **limits(workspace)) as store:
        check_salt(store, workspace, read_only=True)
        yield store


def limits(workspace: Workspace) -> dict[str, Any]:
    """What the embedded engine may use, as the keywords that it takes. ConfigError for a spill that has no place."""
    given = workspace.settings.warehouse
    spill = workspace.folder / given.spill
    if not spill.parent.is_dir():
        raise ConfigError(f"{FILE_NAME}: [warehouse] spill is to be in {spill.parent}, which is no folder. Make it.")
    return {"memory": given.memory, "threads": given.threads, "spill": spill}


def _tell_readers(store: DuckDB, workspace: Workspace) -> None:
    """Let those who read finished runs know whether there are newer facts; before the first run there are none."""
    from tieback.freshness import fact_states
    from tieback.store import tell_fact_states

    if workspace.runs.is_dir():
        with suppress(OSError, TiebackError):  # where the disk is full, the next command that writes tells them
            tell_fact_states(workspace.runs, fact_states(store))


def salt_digest(workspace: Workspace) -> str:
    """What tells this workspace from all others, and how its facts hash addresses, without giving its salt away."""
    return hashlib.sha256(f"{workspace.salt} digests".encode()).hexdigest()


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
    elif kept and kept[0]["value"] == hashlib.sha256(workspace.salt.encode()).hexdigest():
        raise WorkspaceError(
            "This workspace was filled by an earlier tieback, which hashed addresses and numbers in another way: "
            "nobody imported before would be known again. Import its files into a new workspace, with the "
            f"{SALT_NAME} of this one."
        )
    elif kept and kept[0]["value"] != digest:
        raise WorkspaceError(
            f"{file} is not the salt under which this workspace was filled: nobody imported "
            "before would be known again. Put that file back from a backup."
        )
