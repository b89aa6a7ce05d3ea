"""How commands open a workspace: its warehouse, one of its finished runs, or its settings alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.cli.output import say
from tieback.config import CONDITIONS, FILE_NAME, SALT_NAME, Settings, open_workspace
from tieback.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB, Published

_SALT = "digest of the salt"


@contextmanager
def opened(workspace: Workspace, *, read_only: bool = False) -> Iterator[DuckDB]:
    """The warehouse of `workspace`, within the limits of its [warehouse] settings; nobody else can open it meanwhile.

    Once written to, those who read finished runs are told what facts there are.
    Raises WorkspaceError when it is in use, missing (to read only), newer than this release, or of another salt;
    ConfigError for a channel rule that the engine cannot match with.
    """
    from tieback.store import DuckDB

    limits = workspace.settings.warehouse
    with DuckDB(
        workspace.warehouse,
        memory=limits.memory,
        threads=limits.threads,
        read_only=read_only,
        keep_runs=limits.keep_runs,
    ) as store:
        check_rules(store, workspace.settings)
        _check_salt(store, workspace, read_only=read_only)
        try:
            yield store
        finally:
            if not read_only:
                _tell_readers(store, workspace)


@contextmanager
def finished(workspace: Workspace, run: str = "") -> Iterator[Published]:
    """A finished run of `workspace` (the newest one, unless named) to read, whoever writes meanwhile.

    Raises WorkspaceError when there is none of that name, or it is of another salt.
    """
    from tieback.store import Published

    limits = workspace.settings.warehouse
    with Published(workspace.runs, run, memory=limits.memory, threads=limits.threads) as store:
        _check_salt(store, workspace, read_only=True)
        yield store


def _tell_readers(store: DuckDB, workspace: Workspace) -> None:
    """Let those who read finished runs know whether there are newer facts; before the first run there are none."""
    from tieback.freshness import fact_states
    from tieback.store import tell_fact_states

    if workspace.runs.is_dir():
        with suppress(OSError):  # where the disk is full, the next command that writes tells them
            tell_fact_states(workspace.runs, fact_states(store))


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


def _check_salt(store: DuckDB, workspace: Workspace, *, read_only: bool) -> None:
    """Remember a digest of the salt; under another one, nobody who was imported before would be known again."""
    file = workspace.folder / SALT_NAME
    if not workspace.salt:
        raise WorkspaceError(
            f"{file} is missing, the salt under which this workspace was filled: without it, nobody imported before "
            "would be known again. Put that file back from a backup."
        )
    digest = hashlib.sha256(workspace.salt.encode()).hexdigest()
    kept = store.rows("SELECT value FROM workspace WHERE name = ?", [_SALT])
    if not kept and not read_only:
        store.execute("INSERT INTO workspace VALUES (?, ?)", [_SALT, digest])
    elif kept and kept[0]["value"] != digest:
        raise WorkspaceError(
            f"{file} is not the salt under which this workspace was filled: nobody imported "
            "before would be known again. Put that file back from a backup."
        )
