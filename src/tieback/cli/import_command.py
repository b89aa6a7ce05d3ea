"""tieback import."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import emit, emit_json, format_option, say
from tieback.cli.warehouse import intake, limits

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store import DuckDB
    from tieback.sync import Delivery, Mapping, Personal, Preview


@click.command("import")
@click.argument("table")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    metavar="MAP.toml",
    help="How the files' columns become facts.",
)
@click.option("--dry-run", is_flag=True, help="Show the first facts and every kind of problem; change nothing.")
@click.option(
    "--read-as",
    type=click.Choice(("csv", "tsv", "jsonl", "parquet")),
    help="The files' format, when their content does not show it.",
)
@format_option
@click.pass_obj
def command(
    folder: Path,
    table: str,
    files: tuple[Path, ...],
    map_file: Path | None,
    dry_run: bool,
    read_as: str | None,
    form: str,
) -> None:
    """Take FILEs into TABLE: events, links, contacts, accounts, deals, deal_contacts, orders, spend or fx_rates.

    CSV, TSV, JSON lines and Parquet, plain or gzip. Importing a file again, or one that overlaps, changes nothing.
    A row that cannot be taken in goes to quarantine, and the rest goes in.
    """
    from tieback.config import open_workspace
    from tieback.errors import UsageError
    from tieback.sync import FACT_TABLES, Personal, mapping_for
    from tieback.sync.encodings import opening

    _check_table(table, tuple(FACT_TABLES))
    if dry_run and form not in ("table", "json"):
        raise UsageError(f"A dry run shows several tables, and {form} holds one. Choose --format table or json.")
    workspace = open_workspace(folder)
    mapping = mapping_for(table, map_file)
    for file in files:
        opening(file)  # a name mistyped is told before anything is taken in
    personal = Personal(workspace.salt, workspace.settings.identity.phone_region)
    if dry_run:
        _preview(workspace, files, mapping, personal, read_as or "", form)
    else:
        _import(workspace, table, files, mapping, personal, read_as or "", form)


def _check_table(table: str, known: tuple[str, ...]) -> None:
    from tieback.errors import UsageError, did_you_mean
    from tieback.schema import TABLES

    if table in known:
        return
    if table in TABLES:
        raise UsageError(f"{table} is worked out by `tieback run`, not imported. Facts to import: {', '.join(known)}.")
    raise UsageError(f"There is no table {table!r} to import into. {did_you_mean(table, known)}")


def _import(
    workspace: Workspace,
    table: str,
    files: tuple[Path, ...],
    mapping: Mapping,
    personal: Personal,
    read_as: str,
    form: str,
) -> None:
    from tieback.cli.progress import reading
    from tieback.sync import import_file, now

    deliveries: list[Delivery] = []
    received_at = now()
    with intake(workspace) as store, _terminable(store):
        for number, file in enumerate(files):
            try:
                with reading(store, file.name, file.stat().st_size):
                    delivery = import_file(store, file, table, mapping, personal, received_at, read_as)
            except BaseException:
                if len(files) > 1:
                    _tell_rest(files, number)
                raise
            deliveries.append(delivery)
            _tell(delivery)
    if form != "table":
        emit([_row(delivery) for delivery in deliveries], form)
    if any(delivery.rows_refused for delivery in deliveries):
        say("See why rows were refused: tieback quarantine list")
    if any(delivery.facts_added or delivery.facts_replaced for delivery in deliveries):
        say("Next: tieback run")


@contextmanager
def _terminable(store: DuckDB) -> Iterator[None]:
    """SIGTERM in the block ends the command as Ctrl-C does: copies of files go, and nothing is half done."""

    def stop(number: int, frame: FrameType | None) -> None:
        store.door.interrupt()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_rest(files: tuple[Path, ...], number: int) -> None:
    """Say what of several files is in, when the one of that `number` is not."""
    held, rest = (", ".join(file.name for file in some) for some in (files[:number], files[number:]))
    say(f"Already in: {held or 'none'}. Not in: {rest}. The same command takes in the rest, and counts nothing twice.")


def _tell(delivery: Delivery) -> None:
    for notice in delivery.notices:
        say(f"Note: {notice}")
    replaced = f", {delivery.facts_replaced:,} replaced" if delivery.facts_replaced else ""
    say(
        f"{delivery.file}: {delivery.rows_read:,} rows read; {delivery.facts_added:,} facts new{replaced}, "
        f"{delivery.facts_known:,} already held; {delivery.rows_refused:,} rows refused."
    )


def _row(delivery: Delivery) -> dict[str, Any]:
    row = asdict(delivery)
    row.pop("notices")
    return row


def _preview(
    workspace: Workspace, files: tuple[Path, ...], mapping: Mapping, personal: Personal, read_as: str, form: str
) -> None:
    from tieback.cli.progress import reading
    from tieback.store import DuckDB
    from tieback.sync import now, preview

    previews: list[Preview] = []
    with DuckDB(None, **limits(workspace)) as store, _terminable(store):
        for file in files:
            with reading(store, file.name, file.stat().st_size):
                previews.append(preview(store, file, mapping, personal, now(), read_as))
    if form == "json":
        emit_json([asdict(each) for each in previews])
    else:
        for each in previews:
            _show(each)
    say("Nothing was changed. Import for good: the same command without --dry-run")


def _show(found: Preview) -> None:
    for notice in found.notices:
        say(f"Note: {notice}")
    for table, rows in found.facts.items():
        columns = [name for name in (rows[0] if rows else {}) if any(row[name] is not None for row in rows)]
        if rows:
            emit(rows, "table", columns=columns, title=f"{found.file}: first rows of {table}")
        else:
            say(f"{found.file}: no row of {table} can be taken in.")
    if found.problems:
        emit(found.problems, "table", title=f"{found.file}: problems")
    say(f"{found.file}: {found.rows_read:,} rows read, {len(found.problems)} kinds of problem.")
