"""tieback demo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieback.cli.output import say
from tieback.cli.warehouse import intake, opened

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.simulate import World

_SALT = "7469656261636b2064656d6f" + "0" * 40  # known to all: the people are made up, and every demo is the same
MARK = "# A made-up company, built by `tieback demo`."
_EXPORTS = "exports"


@click.command("demo")
@click.argument("folder", required=False, default="tieback-demo", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option(
    "--people", type=click.IntRange(min=100), default=5000, show_default=True, help="How many people live in it."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Another number, another company."
)
@click.pass_context
def command(ctx: click.Context, folder: Path, people: int, seed: int) -> None:
    """Build a world whose truth is known, and take it through the whole loop.

    A year of a made-up company goes into DIR as the files that website, CRM and ad platforms would export. They are
    imported, attributed, reported, reconciled and explained by the same commands that you would use, and the outcome
    is held against the truth. DIR becomes a workspace to try things on.
    """
    from tieback.cli import explain, reconcile, report
    from tieback.cli.demo_truth import credited_and_caused, deal_to_explain, held_against
    from tieback.config import open_workspace

    started = time.perf_counter()
    _prepare(folder)
    world = _world(folder, people, seed)
    workspace = open_workspace(folder)
    _import(workspace, world)
    _run(workspace)
    ctx.obj = folder
    say("")
    ctx.invoke(report.command)
    say("")
    ctx.invoke(reconcile.command)
    deal = deal_to_explain(workspace)
    if deal:
        say("")
        ctx.invoke(explain.command, wanted=deal, models="linear,last_touch,position_based")
    say("")
    held_against(workspace, world)
    credited_and_caused(workspace, world)
    say(_next(folder, deal, time.perf_counter() - started))


def _prepare(folder: Path) -> None:
    """Make `folder` a workspace for the demo; one left by an earlier demo is made anew.

    Raises WorkspaceError when it holds anything else.
    """
    import shutil

    from tieback.config import FILE_NAME, RUNS_NAME, SALT_NAME
    from tieback.errors import WorkspaceError

    settings = folder / FILE_NAME
    try:
        is_demo = settings.is_file() and settings.read_text("utf-8", errors="replace").startswith(MARK)
        if folder.exists() and not is_demo and (not folder.is_dir() or any(folder.iterdir())):
            raise WorkspaceError(
                f"{folder} is there already and is not a demo; it was left as it is. Name another: `tieback demo DIR`."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("warehouse.duckdb", "warehouse.duckdb.wal", SALT_NAME):
            (folder / name).unlink(missing_ok=True)
        for name in (_EXPORTS, RUNS_NAME):
            shutil.rmtree(folder / name, ignore_errors=True)
        settings.write_text(_settings(), "utf-8")
        (folder / SALT_NAME).write_text(_SALT + "\n", "ascii")
    except OSError as error:
        raise WorkspaceError(
            f"{folder} cannot be written ({error.strerror}). Choose another folder or mend its permissions."
        ) from None


def _settings() -> str:
    from tieback.simulate import FREE_MAIL, OWN_DOMAIN

    free = ", ".join(f'"{domain}"' for domain in FREE_MAIL)
    return f"""{MARK}
# It sells support software. Change anything here, then see what `tieback run` and `tieback report` make of it;
# `tieback demo` on this folder starts over. Every other setting, with its default: see `tieback init`.

name = "Brightdesk (made up)"
currency = "USD"
time_zone = "UTC"

[traffic]
own_domains = ["{OWN_DOMAIN}"]      # going from page to page of our own is no referral

[identity]
free_mail = [{free}]      # sharing such a domain does not make people colleagues

[exclude]
email_domains = ["{OWN_DOMAIN}"]    # our own people
anonymous_ids = ["office-*"]            # and the computers in our office

# A rule of our own, before the built-in ones: webinars are a channel that we pay for.
[[channels]]
channel = "Webinar"
medium = "webinar"
is_paid = true
"""


def _world(folder: Path, people: int, seed: int) -> World:
    from tieback.cli.output import console
    from tieback.simulate import write_world

    began = time.perf_counter()
    talk = console(stderr=True)
    if talk.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=talk, transient=True) as bar:
            task = bar.add_task("")
            world = write_world(
                folder / _EXPORTS,
                people,
                seed,
                lambda part, done, total: bar.update(task, description=part, completed=done, total=total),
            )
    else:
        world = write_world(folder / _EXPORTS, people, seed)
    say(
        f"Made a company and a year of {people:,} people's behaviour: {len(world.files)} files in {folder / _EXPORTS} "
        f"({time.perf_counter() - began:.1f} s)."
    )
    return world


def _import(workspace: Workspace, world: World) -> None:
    from contextlib import nullcontext

    from tieback.cli.output import console
    from tieback.sync import Personal, import_file, mapping_for, now

    began, received_at = time.perf_counter(), now()
    personal = Personal(workspace.salt, workspace.settings.identity.phone_region)
    talk = console(stderr=True)
    status = talk.status("Importing") if talk.is_terminal else None
    deliveries = []
    with intake(workspace) as store, status or nullcontext():
        for number, (table, path) in enumerate(world.files, start=1):
            if status:
                status.update(f"Importing {path.name} ({number} of {len(world.files)})")
            deliveries.append(import_file(store, path, table, mapping_for(table), personal, received_at))
    read = sum(each.rows_read for each in deliveries)
    facts = sum(each.facts_added for each in deliveries)
    refused = sum(each.rows_refused for each in deliveries)
    say(
        f"Imported {read:,} rows as {facts:,} facts; what came twice was counted once, and {refused} bad rows wait in "
        f"quarantine ({time.perf_counter() - began:.1f} s)."
    )


def _run(workspace: Workspace) -> None:
    from contextlib import nullcontext

    from tieback.cli.output import console
    from tieback.pipeline import refresh

    began = time.perf_counter()
    talk = console(stderr=True)
    status = talk.status("Starting") if talk.is_terminal else None
    with opened(workspace) as store, status or nullcontext():
        stages = refresh(
            store,
            workspace.settings,
            on_stage=lambda name: status.update(f"Building {name}") if status else None,
        )
    rows = {stage.name: stage.rows or 0 for stage in stages}
    say(
        f"Found {rows['touchpoints']:,} touchpoints and {rows['conversions']:,} conversions, and credited them under "
        f"{len(workspace.settings.models)} models ({time.perf_counter() - began:.1f} s)."
    )


def _next(folder: Path, deal: str, seconds: float) -> str:
    """What to try, as commands that work as they stand."""
    here = f"tieback -w {folder}"
    commands = [
        (f"{here} report --by campaign --model linear,last_touch", "which campaigns, under two models"),
        (f"{here} report --by channel,month --basis touch", "by the day of the touch, month by month"),
        (f"{here} explain {deal} --format json", "the same story for a program") if deal else ("", ""),
        (f"{here} quarantine list", "the rows that could not be read, and why"),
        (f"{here} import events {folder / _EXPORTS}/events-2026-06.parquet", "a file again: nothing changes"),
        (f"{here} doctor", "what is set up, matched and missing"),
    ]
    commands = [(command, why) for command, why in commands if command]
    width = max(len(command) for command, _ in commands)
    listed = "\n".join(f"  {command:<{width}}  # {why}" for command, why in commands)
    return f"\nAll of it took {seconds:.0f} s. {folder} is a workspace now. Try:\n{listed}\nYour own data: tieback init"
