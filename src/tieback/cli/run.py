"""tieback run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieback.cli.output import emit, say
from tieback.cli.progress import building
from tieback.cli.warehouse import opened, opened_file

if TYPE_CHECKING:
    from datetime import datetime

    from tieback.config import Workspace
    from tieback.pipeline import StageRun


@click.command("run")
@click.option("--full", is_flag=True, help="Rebuild everything, also what still holds.")
@click.option(
    "--as-of",
    "as_of",
    default="",
    metavar="INSTANT",
    help="Work out, beside the current run, what the facts received until then come to; as 2026-03-31T12:00:00Z.",
)
@click.option("--explain", "is_explained", is_flag=True, help="Only say what would be rebuilt, and why.")
@click.pass_obj
def command(folder: Path, full: bool, as_of: str, is_explained: bool) -> None:
    """Work out people, touches, journeys, credit and performance.

    Only what is out of date is rebuilt. Where nothing but new facts has come, that is the people whom they touch, with
    their journeys, conversions and days; another setting or release rebuilds whole what depends on it.
    All of it or nothing: cut off anywhere, the last finished run stands. While it works, `report`, `explain` and the
    like read that one; no other command can write to the workspace.
    """
    if is_explained:
        explain_run(folder, full=full)
    elif as_of:
        run_as_of(folder, as_of)
    else:
        run(folder, full=full)


def run(folder: Path, *, full: bool = False) -> None:
    """Refresh the workspace in `folder` and say what was rebuilt."""
    from tieback import freshness
    from tieback.pipeline import refresh

    workspace = _with_facts(folder)
    with opened(workspace) as store:
        expected = freshness.expected_seconds(store, workspace.settings, full=full)
        with building(expected) as on_stage:
            stages = refresh(store, workspace.settings, full=full, on_stage=on_stage)
    if all(stage.rows is None for stage in stages):
        say("Nothing has changed since the last run. Rebuild all the same with `tieback run --full`.")
        return
    _tell(stages)
    say("Done. Next: `tieback report --by channel`")


def explain_run(folder: Path, *, full: bool = False) -> None:
    """Say of each opinion whether a run would rebuild it, how much of it, and why; nothing changes."""
    from tieback import freshness

    workspace = _with_facts(folder)
    with opened(workspace, read_only=True) as store:
        planned = freshness.plan(store, workspace.settings, full=full)
    built = "whole" if planned.since is None else "where new facts touch it"
    rows = [
        {
            "opinion": name,
            "rebuilt": built if name in planned.reasons else "still holds",
            "why": planned.reasons.get(name, ""),
        }
        for name in planned.prints
    ]
    emit(rows, "table")


def run_as_of(folder: Path, text: str) -> None:
    """Publish a run over the facts that the workspace in `folder` had received until then; nothing else changes."""
    from tieback import freshness
    from tieback.errors import InputError, UsageError
    from tieback.pipeline import refresh

    instant = _instant(text)
    workspace = _with_facts(folder)
    if workspace.settings.warehouse.url:
        raise UsageError("--as-of works on the embedded warehouse alone: other engines keep one run, the newest.")
    with opened_file(workspace) as store:
        if not store.rows("SELECT 1 AS one FROM deliveries WHERE received_at <= ? LIMIT 1", [instant]):
            raise InputError(
                f"Nothing had been imported by {text}. `tieback diff` and `tieback runs` tell what came when."
            )
        expected = freshness.expected_seconds(store, workspace.settings, full=True)
        with store.as_of(instant), building(expected) as on_stage:
            stages = refresh(store, workspace.settings, full=True, on_stage=on_stage)
    _tell(stages)
    say(f"Done, beside the current run. Next: `tieback report --run {instant.isoformat()}Z`")


def _with_facts(folder: Path) -> Workspace:
    from tieback.config import open_workspace
    from tieback.errors import WorkspaceError

    workspace = open_workspace(folder)
    if not workspace.settings.warehouse.url and not workspace.warehouse.exists():
        raise WorkspaceError("There are no facts yet. Bring some in with `tieback import TABLE FILE` and run again.")
    return workspace


def _instant(text: str) -> datetime:
    """`text` as a UTC instant; without a zone it is UTC."""
    from datetime import UTC, datetime

    from tieback.errors import UsageError

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no instant. Write it as 2026-03-31T12:00:00Z.") from None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _tell(stages: list[StageRun]) -> None:
    for stage in stages:
        outcome = (
            f"{stage.rows:>12,} rows  {stage.seconds:6.1f} s" if stage.rows is not None else f"{'still holds':>17}"
        )
        say(f"  {stage.name:<12} {outcome}")
