"""tieback move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieback.cli.output import emit, say
from tieback.cli.warehouse import engine_at, opened, opened_file

if TYPE_CHECKING:
    from tieback.config import Settings, Workspace
    from tieback.store import Engine

HERE = "duckdb"  # the word for the workspace's own file


@click.command("move")
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help=f"The engine to move to, as [warehouse] url names it; {HERE!r} is the file in the workspace's folder.",
)
@click.pass_obj
def command(folder: Path, url: str) -> None:
    """Take the workspace to another engine, and show that nothing changed on the way.

    Every table is copied in chunks and compared: rows, sums of numeric columns, a checksum of all cells, and the
    report. Only then does tieback.toml name the new engine. Cut off anywhere, the workspace stays where it is, and the
    same command goes on. What stays behind is left as it is, for you to delete.
    """
    from tieback.cli.setting import with_setting
    from tieback.config import FILE_NAME, open_workspace
    from tieback.errors import UsageError
    from tieback.store import engines

    workspace = open_workspace(folder)
    was, url = workspace.settings.warehouse.url, "" if url == HERE else url
    if url == was:
        raise UsageError(f"The workspace is there already: {engines.shown(url) or workspace.warehouse}.")
    with_setting(
        folder / FILE_NAME, "warehouse", "url", url
    )  # a file that cannot be rewritten is told before anything is moved
    with opened(workspace) as source, engine_at(url) if url else opened_file(workspace) as target:
        _move(workspace, source, target, url)
    left = engines.shown(was) or str(workspace.warehouse)
    say(f"Done: {folder / FILE_NAME} names the new engine. What stayed behind is yours to delete: {left}")
    if url and engines.shown(url) != url:
        say(f"{folder / FILE_NAME} holds a password now. Better: keep it in the environment and write ${{NAME}} there.")


def _move(workspace: Workspace, source: Engine, target: Engine, url: str) -> None:
    from tieback.cli.progress import moving
    from tieback.cli.setting import rewrite
    from tieback.cli.warehouse import salt_digest
    from tieback.config import FILE_NAME, INTAKE_NAME
    from tieback.errors import CheckError, WorkspaceError
    from tieback.store import DuckDB, engines
    from tieback.store import moving as mover

    was = workspace.settings.warehouse.url
    mover.settle(source)
    standing = mover.standing(source)
    mover.make_room(target, salt_digest(workspace), engines.shown(url) or str(workspace.warehouse))
    with moving("Copying", mover.sizes(source)) as told:
        mover.carry(source, target, told)
    with moving("Comparing", mover.sizes(source)) as told:
        arrived = mover.prove(source, target, told)
    door = workspace.folder / INTAKE_NAME
    mover.hand_over(source, target)
    if not was and isinstance(source, DuckDB):
        mover.make_door(source, door)
    elif not url and isinstance(target, DuckDB):
        mover.take_door(target, door)
    if answers(source, workspace.settings) != answers(target, workspace.settings):
        raise CheckError(
            "Every table arrived as it was, but the two engines report on them differently: that is a fault of "
            "tieback, please report it. The workspace stays where it is."
        )
    if mover.standing(source) != standing:
        raise WorkspaceError(
            "Somebody wrote to the workspace while it was moved, so it stays where it is. Run the same command again; "
            "it goes on with the rest."
        )
    emit(
        [{"table": each.table, "rows": each.rows, "checksum": each.checksum} for each in arrived], "table", title=_TITLE
    )
    mover.take_leave(source)
    rewrite(workspace.folder / FILE_NAME, "warehouse", "url", url)
    mover.settle(target)


_TITLE = "Equal on both sides: rows, sums, checksums, and the report"


def answers(store: Engine, settings: Settings) -> str:
    """What `tieback report --model all` says in JSON, by channel and month, on each date basis; "" before any run."""
    from tieback import freshness
    from tieback.cli.output import as_text
    from tieback.cli.report_rows import chosen_metrics, sorted_rows
    from tieback.metrics.dimensions import dimensions
    from tieback.metrics.reports import BASES, Question, report

    if freshness.last_run(store) is None or not store.has("performance"):
        return ""
    made = freshness.settings_of_last_run(store)
    told = []
    for basis in BASES:
        asked = Question(
            by=dimensions(["channel", "month"]),
            models=tuple(made.models),
            basis=basis,
            decimals=made.decimals,
            few=settings.report.few_conversions,
        )
        told += sorted_rows(report(store.rows, asked), asked, made.currency, chosen_metrics(()), "", None)[0]
    return json.dumps(told, default=as_text)
