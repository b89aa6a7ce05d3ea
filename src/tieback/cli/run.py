"""tieback run."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.output import say
from tieback.cli.progress import building
from tieback.cli.warehouse import opened


@click.command("run")
@click.option("--full", is_flag=True, help="Rebuild everything, also what still holds.")
@click.pass_obj
def command(folder: Path, full: bool) -> None:
    """Work out people, touches, journeys, credit and performance.

    Only what is out of date is rebuilt: imports, settings and releases are compared with those of the last run.
    All of it or nothing: cut off anywhere, the last finished run stands. While it works, no other command can open the
    workspace.
    """
    run(folder, full=full)


def run(folder: Path, *, full: bool = False) -> None:
    """Refresh the workspace in `folder` and say what was rebuilt."""
    from tieback import freshness
    from tieback.config import open_workspace
    from tieback.errors import WorkspaceError
    from tieback.pipeline import refresh

    workspace = open_workspace(folder)
    if not workspace.settings.warehouse.url and not workspace.warehouse.exists():
        raise WorkspaceError("There are no facts yet. Bring some in with `tieback import TABLE FILE` and run again.")
    with opened(workspace) as store:
        expected = freshness.expected_seconds(store, workspace.settings, full=full)
        with building(expected) as on_stage:
            stages = refresh(store, workspace.settings, full=full, on_stage=on_stage)
    built = [stage for stage in stages if stage.rows is not None]
    if not built:
        say("Nothing has changed since the last run. Rebuild all the same with `tieback run --full`.")
        return
    for stage in stages:
        outcome = (
            f"{stage.rows:>12,} rows  {stage.seconds:6.1f} s" if stage.rows is not None else f"{'still holds':>17}"
        )
        say(f"  {stage.name:<12} {outcome}")
    say("Done. Next: `tieback report --by channel`")
