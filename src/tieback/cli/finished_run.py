"""What every command that reads a finished run says first: which one it is, and whether it is behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import say

if TYPE_CHECKING:
    from tieback.config import Settings
    from tieback.store import Engine


run_option: Callable[[Any], Any] = click.option(
    "--run", default="", metavar="RUN", help="A run of `tieback runs`, instead of the newest."
)


def settings_of_run(store: Engine, settings: Settings) -> Settings:
    """The settings under which the numbers were worked out, and [report] as it is now in `settings`.

    Says so when the run is older than the facts or the settings, or is not the newest. Raises WorkspaceError when
    nothing was worked out yet.
    """
    import msgspec

    from tieback import freshness
    from tieback.errors import WorkspaceError
    from tieback.store import Published, fact_states

    if isinstance(store, Published):
        when, facts = f"{store.manifest.finished_at.isoformat(timespec='seconds')}Z", fact_states(store.folder)
        is_behind = facts is not None and bool(freshness.outdated(store, settings, facts))
        if store.manifest.as_of:
            say(f"These numbers are of the facts received until {store.manifest.name}, worked out at {when}.")
            is_behind = False
        elif not store.is_newest:
            say(f"These numbers are of run {store.manifest.name} ({when}); there is a newer one.")
            is_behind = False
    else:
        last = freshness.last_run(store)
        if last is None or not store.has("performance"):
            raise WorkspaceError("Nothing has been worked out yet: run `tieback run` first.")
        when, is_behind = last.finished_at, bool(freshness.outdated(store, settings))
    if is_behind:
        say(
            f"Facts were imported or settings changed since the last run ({when}): "
            "these numbers are of that run, under its settings. Run `tieback run` to take them in."
        )
    return msgspec.structs.replace(freshness.settings_of_last_run(store), report=settings.report)


def named_models(listed: str, of_run: Settings, settings: Settings) -> tuple[str, ...]:
    """The models that a comma-separated list asks for, in that order; [report] model for none, every one for `all`.

    of_run: what has been worked out. settings: those of now, which may name more.
    Raises UsageError for a name that is none of the workspace's, WorkspaceError for one that has not been run.
    """
    from tieback.errors import UsageError, WorkspaceError, did_you_mean

    names = [name.strip() for name in listed.split(",") if name.strip()]
    if "all" in names:
        return tuple(of_run.models)
    if not names:
        chosen = settings.report.model
        names = [chosen if chosen in {**of_run.models, **settings.models} else next(iter(of_run.models))]
    for name in names:
        if name not in of_run.models and name in settings.models:
            raise WorkspaceError(f"The model {name!r} has not been worked out yet: run `tieback run` first.")
        if name not in of_run.models:
            raise UsageError(f"There is no model {name!r} in this workspace. {did_you_mean(name, of_run.models)}")
    return tuple(dict.fromkeys(names))
