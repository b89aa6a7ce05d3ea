"""tieback quarantine."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from tieback.cli.output import emit, format_option, say
from tieback.cli.warehouse import intake

if TYPE_CHECKING:
    from tieback.store import DuckDB

_delivery = click.option("--delivery", default="", metavar="ID", help="Only what this delivery refused; see `list`.")


@click.group("quarantine")
def command() -> None:
    """See, export, retry or discard the rows that could not be taken in."""


@command.command("list")
@_delivery
@click.option("--rows", is_flag=True, help="Every refused row, instead of one line for each kind of refusal.")
@format_option
@click.pass_obj
def list_refusals(folder: Path, delivery: str, rows: bool, form: str) -> None:
    """Why rows were refused, and how many."""
    from tieback.sync.quarantine import refusals, refused_rows

    with _store(folder, delivery) as store:
        found = refused_rows(store, delivery) if rows else refusals(store, delivery)
    if not found and form == "table":
        say("No refused rows.")
        return
    columns = ("delivery_id", "file", "table_name", "column_name", "reason")
    chosen = (*columns[:2], "row_number", *columns[2:], "raw") if rows else (*columns, "rows", "first_row")
    emit(found, form, columns=chosen)
    if found:
        say(
            "Get the rows: tieback quarantine export FILE. "
            "Take them in with a better mapping: tieback quarantine retry --map MAP.toml"
        )


@command.command("export")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_delivery
@click.option(
    "--format", "form", type=click.Choice(("csv", "jsonl")), help="By the name of FILE; csv when there is none."
)
@click.pass_obj
def export(folder: Path, file: Path | None, delivery: str, form: str | None) -> None:
    """Write the refused rows, by their own columns and with the reason, to FILE or stdout.

    Mend them there and import that file with the same mapping; then discard the refused ones.
    """
    from tieback.errors import InputError
    from tieback.sync.quarantine import refused_rows

    if file is not None and file.exists():
        raise InputError(f"{file} is there already, and may hold what you have mended. Choose another name.")
    with _store(folder, delivery) as store:
        found = refused_rows(store, delivery)
    is_json = form == "jsonl" or (form is None and file is not None and file.suffix in (".jsonl", ".ndjson"))
    rows = [
        {"_file": row["file"], "_row": row["row_number"], "_table": row["table_name"], "_column": row["column_name"]}
        | {"_reason": row["reason"]}
        | json.loads(row["raw"])
        for row in found
    ]
    if file is None:
        _write(rows, sys.stdout, is_json=is_json)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            _write(rows, out, is_json=is_json)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}). Choose another place.") from None
    say(f"{len(rows):,} refused rows are in {file}. They hold what the file held, personal data too.")


@command.command("retry")
@_delivery
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    metavar="MAP.toml",
    help="Instead of the mapping they came with.",
)
@click.pass_obj
def retry(folder: Path, delivery: str, map_file: Path | None) -> None:
    """Take the refused rows in again; those that pass leave the quarantine."""
    from tieback.config import open_workspace
    from tieback.sync import Personal, mapping_for
    from tieback.sync import quarantine as room

    workspace = open_workspace(folder)
    settings = workspace.settings
    personal = Personal(workspace.salt, settings.identity.phone_region)
    replacement = (lambda table: mapping_for(table, map_file)) if map_file else None
    with intake(workspace) as store:
        _check_delivery(store, delivery)
        done = room.retry(store, personal, replacement, delivery)
    for notice in done.notices:
        say(f"Note: {notice}")
    say(f"{done.passed:,} rows taken in, {done.refused:,} refused again.")
    if done.hopeless:
        say(
            f"{done.hopeless:,} rows cannot be retried (broken lines, or emptied by `tieback vault wipe`): "
            "mend the file and import it again."
        )
    if done.passed:
        say("Next: tieback run")


@command.command("discard")
@_delivery
@click.option("--yes", is_flag=True, help="Confirm the action without prompting.")
@click.pass_obj
def discard(folder: Path, delivery: str, yes: bool) -> None:
    """Let refused rows go for good, once they are mended or not wanted."""
    from tieback.config import open_workspace
    from tieback.sync import quarantine as room

    workspace = open_workspace(folder)
    if not yes and not click.confirm("Let the refused rows go for good?", err=True):
        say("Nothing was discarded.")
        return
    with intake(workspace) as store:
        _check_delivery(store, delivery)
        gone = room.discard(store, delivery)
    say(f"{gone:,} refusals discarded.")


@contextmanager
def _store(folder: Path, delivery: str) -> Iterator[DuckDB]:
    from tieback.config import open_workspace

    with intake(open_workspace(folder), read_only=True) as store:
        _check_delivery(store, delivery)
        yield store


def _check_delivery(store: DuckDB, delivery: str) -> None:
    from tieback.errors import UsageError, did_you_mean

    known = [str(row["delivery_id"]) for row in store.rows("SELECT DISTINCT delivery_id FROM quarantine")]
    if delivery and delivery not in known:
        raise UsageError(f"There is no delivery {delivery!r} with refused rows. {did_you_mean(delivery, known)}")


def _write(rows: list[dict[str, object]], out: TextIO, *, is_json: bool) -> None:
    if is_json:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
        for row in rows
    )
