"""tieback runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tieback.cli.finished_run import run_option
from tieback.cli.output import emit, format_option, say

_COLUMNS = ("run", "finished_at", "built", "seconds", "mb", "is_current")


@click.command("runs")
@click.option(
    "--views", "is_views", is_flag=True, help="SQL that makes the tables of a run views of a DuckDB database."
)
@run_option
@format_option
@click.pass_obj
def command(folder: Path, is_views: bool, run: str, form: str) -> None:
    """The finished runs that can be read, and how to read one elsewhere.

    Every run stays as it was when it ended. All but the newest are pruned as [warehouse] keep_runs says; those over
    earlier facts (`tieback run --as-of`) are counted apart.
    """
    from tieback.config import open_workspace
    from tieback.errors import UsageError, WorkspaceError
    from tieback.store import Manifest, manifests, sizes

    workspace = open_workspace(folder)
    if run and not is_views:
        raise UsageError("--run names the run whose tables to read: give it beside --views, or leave it out.")
    if is_views:
        _print_views(workspace.runs, run)
        return
    known = manifests(workspace.runs)
    if not known:
        raise WorkspaceError("Nothing has been worked out yet: run `tieback run` first.")
    size = sizes(workspace.runs)
    newest = max((each.run_id for each in known if not each.as_of), default=0)

    def row(each: Manifest) -> dict[str, Any]:
        return {
            "run": each.name,
            "finished_at": each.finished_at,
            "built": ", ".join(stage.stage for stage in each.stages),
            "seconds": round(sum(stage.seconds for stage in each.stages), 1),
            "mb": round(sum(size.get(name, 0) for name in each.files) / 1e6, 1),
            "is_current": not each.as_of and each.run_id == newest,
        }

    emit([row(each) for each in known], form, columns=_COLUMNS)
    say(f"Together they take {sum(size.values()) / 1e6:,.1f} MB; runs share what did not change between them.")


def _print_views(runs: Path, run: str) -> None:
    from tieback.store import Published, views

    with Published(runs, run) as store:
        for view in views(runs, store.manifest):
            click.echo(f"{view.replace('CREATE VIEW', 'CREATE OR REPLACE VIEW', 1)};")
