"""How commands speak: data on stdout in the format asked for, talk on stderr."""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

Row = Mapping[str, Any]

_JOINERS = "\u200c\u200d"  # Persian words and emoji are put together with them
FORMATS = ("table", "json", "csv", "parquet")

format_option: Callable[[Any], Any] = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the result."
)


def emit(
    rows: Sequence[Row],
    form: str,
    *,
    columns: Sequence[str] = (),
    title: str = "",
    show: Callable[[str, Any], str] | None = None,
) -> None:
    """Print `rows` on stdout.

    columns: their order; needed when there may be no rows. title: a heading, for tables alone.
    show: how a table shows a value of a column; machine formats keep instants as ISO 8601 and Decimals as strings.
    """
    names = list(columns) or (list(rows[0]) if rows else [])
    if form == "json":
        _json([{name: row.get(name) for name in names} for row in rows])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([as_text(row.get(name)) for name in names] for row in rows)
    elif form == "parquet":
        _parquet(rows, names)
    else:
        _table(rows, names, title, show or (lambda _, value: as_text(value)))


def emit_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    _json(value)


def say(text: str) -> None:
    """Print a line of talk on stderr."""
    print(text, file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """`text` in which whatever would steer a terminal or turn the direction of reading stands as an escape, \\x1b."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def console(*, stderr: bool = False) -> Any:
    """A rich console that honours NO_COLOR and, off a terminal, neither colours nor cuts lines."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 200, highlight=False, soft_wrap=not stream.isatty())


def _json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=as_text)
    sys.stdout.write("\n")


def as_text(value: Any) -> str:
    """A value as machine formats write it: instants and days as ISO 8601, amounts with all their decimals."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _parquet(rows: Sequence[Row], names: Sequence[str]) -> None:
    if sys.stdout.isatty():
        raise click.UsageError("Parquet is binary: send it to a file, as in `… --format parquet > report.parquet`.")
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    sys.stdout.buffer.write(sink.getvalue().to_pybytes())


def _table(rows: Sequence[Row], names: Sequence[str], title: str, show: Callable[[str, Any], str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in names:
        numeric = any(
            isinstance(row.get(name), int | float | Decimal) and not isinstance(row.get(name), bool) for row in rows
        )
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(show(name, row.get(name)))) for name in names))
    console().print(table)
