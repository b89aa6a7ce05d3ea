"""tieback privacy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import say
from tieback.cli.warehouse import PATIENCE_SECONDS, opened_with_door, patiently
from tieback.errors import UsageError, WorkspaceError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB, Engine
    from tieback.store.ledger import Ledger
    from tieback.sync import Personal
    from tieback.sync.person import Person


@click.group("privacy")
def command() -> None:
    """What is held of a person, named by an e-mail address, a phone number, a login, a browser's id or a contact."""


@command.command("export")
@click.argument("person")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, for its owner alone."
)
@click.pass_obj
def export(folder: Path, person: str, output: Path | None) -> None:
    """Everything held about PERSON, as JSON."""
    import json

    from tieback.cli.output import as_text
    from tieback.config import open_workspace
    from tieback.sync import person as people

    workspace = open_workspace(folder)
    with _up_to_date(workspace) as (engine, door):
        found = people.person(engine, door, person, _personal(workspace))
        held = {**people.shown(engine, door, found), "feedback_to_ad_platforms": _last_words(engine, found)}
        text = json.dumps(held, indent=2, ensure_ascii=False, default=as_text)
    if output is None:
        click.echo(text)
        return
    output.touch(0o600)
    output.write_text(text + "\n", "utf-8")
    say(f"Wrote {output}")


@command.command("erase")
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.pass_obj
def erase(folder: Path, person: str, yes: bool, dry_run: bool) -> None:
    """Erase PERSON for good: facts, vault, quarantine, inbox and earlier runs, so that no trace stays.

    Deals and orders stay without a name, since they are the company's books. Numbers are worked out anew. Then every
    file of the workspace and every table are searched, and the proof printed. Cut off anywhere, the same command goes
    on.
    """
    from tieback.cli.ledger import opened_ledger
    from tieback.cli.proof import prove
    from tieback.config import open_workspace
    from tieback.pipeline import refresh
    from tieback.sync import person as people
    from tieback.sync import unfinished

    workspace = open_workspace(folder)
    _refuse_what_was_left(workspace)
    with opened_ledger(folder) as ledger:
        _load_all(workspace, ledger)
        with _up_to_date(workspace) as (engine, door):
            is_under_way = unfinished.is_under_way(door, unfinished.ERASING)
            try:
                found = people.person(engine, door, person, _personal(workspace))
            except UsageError:
                if not is_under_way:
                    raise
                found = people.Person((), (), (person,))
            say(f"{len(found.identifiers)} identifiers, {len(found.raw)} raw addresses and numbers.")
            if dry_run:
                return
            if not yes and not click.confirm("Erase this person for good?", err=True):
                say("Nothing was erased.")
                return
            if found.identifiers:
                _take_out(engine, door, ledger, found)
            refresh(engine, workspace.settings, full=True)
            _forget(engine, door)
    with _opened(workspace):
        pass  # the newest run is published
    patiently(lambda: prove(workspace, found))
    with _opened(workspace) as (_, door):
        unfinished.end(door, unfinished.ERASING)


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.pass_obj
def prune(folder: Path, dry_run: bool) -> None:
    """Take out what is older than [retention] in tieback.toml says.

    Numbers are worked out anew from what is left: revenue whose touches are gone becomes Unattributed. Warehouse and
    runs are written anew, so that no trace stays in them; earlier runs go. Cut off anywhere, the same command goes on.
    """
    from tieback.config import Retention, open_workspace
    from tieback.pipeline import refresh
    from tieback.sync import now, retention, unfinished

    workspace = open_workspace(folder)
    kept = workspace.settings.retention
    if kept == Retention():
        raise UsageError(
            "tieback.toml says of no table how long it is kept. Say so, as in\n\n[retention]\nevents = 790  # days"
        )
    _need_data(workspace)
    with _opened(workspace) as (engine, door):
        at = now()
        found = retention.expired(engine, door, kept, at)
        told = ", ".join(f"{rows:,} of {name}" for name, rows in found.items())
        say(f"Rows that were kept for long enough: {told or 'none'}.")
        if dry_run or not (found or unfinished.is_under_way(door, unfinished.PRUNING)):
            return
        with door.transaction():
            unfinished.begin(door, unfinished.PRUNING)
            retention.prune_at_the_door(engine, door, kept, at)
        with engine.transaction():
            retention.prune_facts(engine, kept, at)
        refresh(engine, workspace.settings)
        _forget(engine, door)
    with _opened(workspace) as (_, door):  # publishes the newest run, since none is
        unfinished.end(door, unfinished.PRUNING)
    say("They are gone, also from the files, and all numbers were worked out anew.")
    for left in _left_behind(workspace):
        say(f"{left}, which a move left behind, holds what it held: it is yours to delete.")


def _left_behind(workspace: Workspace) -> list[Path]:
    """The files of this workspace that no command works on, since it was moved away from them."""
    from tieback.config import INTAKE_NAME

    left = workspace.warehouse if workspace.settings.warehouse.url else workspace.folder / INTAKE_NAME
    return [left] if left.exists() else []


def _refuse_what_was_left(workspace: Workspace) -> None:
    for left in _left_behind(workspace):
        raise WorkspaceError(
            f"{left} was left behind by a move, and may hold the person too. Delete it and call again; nothing was "
            "changed."
        )


def _need_data(workspace: Workspace) -> None:
    if not workspace.settings.warehouse.url and not workspace.warehouse.exists():
        raise WorkspaceError(f"{workspace.folder} holds no data yet: nobody is known.")


@contextmanager
def _opened(workspace: Workspace) -> Iterator[tuple[Engine, DuckDB]]:
    """The warehouse and its door, as soon as nobody else holds them."""
    with ExitStack() as stack:
        yield patiently(lambda: stack.enter_context(opened_with_door(workspace)))


@contextmanager
def _up_to_date(workspace: Workspace) -> Iterator[tuple[Engine, DuckDB]]:
    """Likewise, its people worked out from all facts."""
    from tieback.pipeline import refresh

    _need_data(workspace)
    with _opened(workspace) as (engine, door):
        refresh(engine, workspace.settings)
        yield engine, door


def _load_all(workspace: Workspace, ledger: Ledger) -> None:
    """Make facts of all that came before now, or wait for the loader of a collector, where that does it."""
    from tieback.cli.load import load
    from tieback.sync import now

    began, given_up = now(), time.monotonic() + PATIENCE_SECONDS
    while True:
        patiently(lambda: load(workspace, ledger, is_behind=False))
        waits = ledger.backlog()
        if waits.oldest_received_at is None or waits.oldest_received_at > began:
            return
        if time.monotonic() > given_up:
            raise WorkspaceError(f"{waits.rows:,} rows wait in the inbox for the loader of a collector. Call again.")
        time.sleep(0.1)


def _personal(workspace: Workspace) -> Personal:
    from tieback.sync import Personal

    return Personal(workspace.salt, workspace.settings.identity.phone_region)


def _last_words(engine: Engine, found: Person) -> list[dict[str, Any]]:
    from tieback.attribution import last_words
    from tieback.schema import FACTS, OPINIONS
    from tieback.schema.relations import relations
    from tieback.sync.person import whose

    at = relations((*FACTS, *OPINIONS))
    return whose(engine, found, last_words(at.events, at.people))


def _take_out(engine: Engine, door: DuckDB, ledger: Ledger, found: Person) -> None:
    """Facts last: cut off before they are gone, they tell again who the person is and what else there was."""
    from tieback.sync import person as people
    from tieback.sync import unfinished

    emptied = ledger.erase(people.messages(engine, found), [word.encode() for word in found.words])
    with door.transaction():
        unfinished.begin(door, unfinished.ERASING)
        refused = people.erase_at_the_door(door, found)
    with engine.transaction():
        gone = people.erase_facts(engine, found)
    told = ", ".join(f"{rows:,} of {name}" for name, rows in {**gone, **refused, "inbox": emptied}.items() if rows)
    say(f"Erased or emptied rows: {told or 'none'}.")


def _forget(engine: Engine, door: DuckDB) -> None:
    """Warehouse, earlier states and the file at the door without the bytes of what is gone."""
    engine.forget()
    if door is not engine:
        door.forget()
