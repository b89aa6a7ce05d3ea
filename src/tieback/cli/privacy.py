"""tieback privacy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import say
from tieback.cli.warehouse import limits, opened_file
from tieback.errors import CheckError, UsageError, WorkspaceError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB
    from tieback.store.ledger import Ledger
    from tieback.sync import Personal
    from tieback.sync.person import Person

_CHUNK = 8 * 2**20


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
    from tieback.sync import person as people

    workspace = _embedded(folder)
    with _up_to_date(workspace) as store:
        found = people.person(store, person, _personal(workspace))
        held = {**people.shown(store, found), "feedback_to_ad_platforms": _last_words(store, found)}
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
    file of the workspace is searched, and the proof printed. Cut off anywhere, the same command goes on.
    """
    from tieback.cli.ledger import opened_ledger
    from tieback.cli.load import load
    from tieback.pipeline import refresh
    from tieback.sync import person as people
    from tieback.sync import unfinished

    workspace = _embedded(folder)
    with opened_ledger(folder) as ledger:
        load(workspace, ledger)
        if waits := ledger.backlog().rows:
            raise WorkspaceError(f"{waits:,} rows wait in the inbox for the loader of a collector. Call again.")
        with _up_to_date(workspace) as store:
            is_under_way = unfinished.is_under_way(store, unfinished.ERASING)
            try:
                found = people.person(store, person, _personal(workspace))
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
                _take_out(store, ledger, found)
                refresh(store, workspace.settings, full=True)
        _write_anew(workspace, unfinished.ERASING)
    _prove(workspace, found)


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.pass_obj
def prune(folder: Path, dry_run: bool) -> None:
    """Take out what is older than [retention] in tieback.toml says.

    Numbers are worked out anew from what is left: revenue whose touches are gone becomes Unattributed. Warehouse and
    runs are written anew, so that no trace stays in them; earlier runs go. Cut off anywhere, the same command goes on.
    """
    from tieback.config import Retention
    from tieback.pipeline import refresh
    from tieback.sync import now, retention, unfinished

    workspace = _embedded(folder)
    kept = workspace.settings.retention
    if kept == Retention():
        raise UsageError(
            "tieback.toml says of no table how long it is kept. Say so, as in\n\n[retention]\nevents = 790  # days"
        )
    _need_data(workspace)
    with opened_file(workspace) as store:
        at = now()
        found = retention.expired(store, kept, at)
        told = ", ".join(f"{rows:,} of {name}" for name, rows in found.items())
        say(f"Rows that were kept for long enough: {told or 'none'}.")
        if dry_run or not (found or unfinished.is_under_way(store, unfinished.PRUNING)):
            return
        with store.transaction():
            retention.prune(store, kept, at)
            unfinished.begin(store, unfinished.PRUNING)
        refresh(store, workspace.settings)
    _write_anew(workspace, unfinished.PRUNING)
    say("They are gone, also from the files, and all numbers were worked out anew.")


def _embedded(folder: Path) -> Workspace:
    """The workspace in `folder`. Raises UsageError for one on another engine."""
    from tieback.config import open_workspace

    workspace = open_workspace(folder)
    if workspace.settings.warehouse.url:
        raise UsageError(
            "This works on the embedded warehouse. Move the workspace to it (`tieback move --to file`), and back after."
        )
    return workspace


def _need_data(workspace: Workspace) -> None:
    if not workspace.warehouse.exists():
        raise WorkspaceError(f"{workspace.folder} holds no data yet: nobody is known.")


@contextmanager
def _up_to_date(workspace: Workspace) -> Iterator[DuckDB]:
    """The warehouse, its people worked out from all facts."""
    from tieback.pipeline import refresh

    _need_data(workspace)
    with opened_file(workspace) as store:
        refresh(store, workspace.settings)
        yield store


def _personal(workspace: Workspace) -> Personal:
    from tieback.sync import Personal

    return Personal(workspace.salt, workspace.settings.identity.phone_region)


def _last_words(store: DuckDB, found: Person) -> list[dict[str, Any]]:
    from tieback.attribution import last_words
    from tieback.schema import FACTS, OPINIONS
    from tieback.schema.relations import relations

    at = relations((*FACTS, *OPINIONS))
    said = last_words(at.events, at.people)
    rows: list[dict[str, Any]] = store.read(said.filter(said.person_id.isin(found.person_ids))).to_pylist()
    return rows


def _take_out(store: DuckDB, ledger: Ledger, found: Person) -> None:
    """The inbox first: which of its rows are the person's is told by facts that go next."""
    from tieback.sync import person as people

    emptied = ledger.erase(people.messages(store), [word.encode() for word in found.words])
    with store.transaction():
        gone = people.erase_facts(store, found)
    told = ", ".join(f"{rows:,} of {name}" for name, rows in {**gone, "inbox": emptied}.items() if rows)
    say(f"Erased or emptied rows: {told or 'none'}.")


def _write_anew(workspace: Workspace, what: str) -> None:
    """Warehouse and runs without the bytes of what is gone; earlier runs held it, so that one is left. Ends `what`."""
    from tieback.sync import unfinished
    from tieback.sync.vault import write_anew

    with opened_file(workspace) as store:
        write_anew(store, workspace.warehouse)
    shutil.rmtree(workspace.runs, ignore_errors=True)
    with opened_file(workspace) as store:  # publishes the newest run, since none is
        unfinished.end(store, what)


def _prove(workspace: Workspace, found: Person) -> None:
    """Search every file for the person. Raises CheckError naming those that still hold something."""
    from tieback.store import Published
    from tieback.sync import person as people

    held = []
    files = sorted(path for path in workspace.folder.rglob("*") if path.is_file())
    words = tuple(word.lower().encode() for word in found.words)
    size = 0
    for path in files:
        size += path.stat().st_size
        if _holds(path, words):
            held.append(str(path.relative_to(workspace.folder)))
    with opened_file(workspace, read_only=True) as store:
        held += [f"table {name}" for name in people.hits(store, found.words)]
    with Published(workspace.runs, **limits(workspace)) as run:
        held += [f"published {name}" for name in people.hits(run, found.words)]
    if held:
        raise CheckError(
            f"Traces are left in {', '.join(held)}. Files that you put there are yours to delete; call again after."
        )
    short = len({*found.raw, *(value for _, value in found.identifiers)}) - len(words)
    say(
        f"Searched {len(files)} files ({size:,} bytes), every table and the published run for {len(words)} words: "
        f"no trace.{f' {short} were too short to be searched for.' if short else ''}"
    )


def _holds(path: Path, words: tuple[bytes, ...]) -> bool:
    """True when the file holds any of `words`, letter case ignored."""
    longest = max(map(len, words), default=1)
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            text = (before + chunk).lower()
            if any(word in text for word in words):
                return True
            before = text[-longest:]
    return False
