"""What every command that reads results makes sure of first: that there is a finished run, and how old it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieback.cli.output import say

if TYPE_CHECKING:
    from tieback.config import Settings
    from tieback.store import DuckDB


def check_run(store: DuckDB, settings: Settings) -> None:
    """Refuse when nothing was worked out yet; say so when the run is older than the facts or the settings."""
    from tieback import freshness
    from tieback.errors import WorkspaceError

    last = freshness.last_run(store)
    if last is None or not store.has("performance"):
        raise WorkspaceError("Nothing has been worked out yet: run `tieback run` first.")
    if freshness.outdated(store, settings):
        say(
            f"Facts were imported or settings changed since the last run ({last.finished_at}): "
            "these numbers are of that run. Run `tieback run` to take them in."
        )


def named_models(listed: str, settings: Settings) -> tuple[str, ...]:
    """The models that a comma-separated list asks for, in that order; [report] model for none, every one for `all`.

    Raises UsageError for a name that is none of the workspace's.
    """
    from tieback.errors import UsageError, did_you_mean

    names = [name.strip() for name in listed.split(",") if name.strip()]
    if not names:
        return (settings.report.model if settings.report.model in settings.models else next(iter(settings.models)),)
    if names == ["all"]:
        return tuple(settings.models)
    for name in names:
        if name not in settings.models:
            raise UsageError(f"There is no model {name!r} in this workspace. {did_you_mean(name, settings.models)}")
    return tuple(dict.fromkeys(names))
