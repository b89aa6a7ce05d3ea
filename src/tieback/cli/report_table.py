"""A report as a table that people can read within 100 columns, or as many as the terminal has.

Plain text, made by hand: a report answers at once, and a library for tables takes longer to load than the answer.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from tieback.cli.output import printable
from tieback.cli.report_rows import Row, values
from tieback.metrics.measures import METRICS
from tieback.metrics.reports import Question, Report

_METRICS = ("cost", "leads", "customers", "revenue", "conversion_rate", "cac", "cost_per_lead", "roi", "roas")
_SPARED_FIRST = ("cost_per_lead", "roas", "conversion_rate", "cac", "leads", "roi", "customers", "cost")
_WIDTH = 100
_NAME = 24  # columns of a name before a metric is left out for it
_SHORTEST = 8  # columns that a name keeps in any case
_GAP = "  "
_TOTAL = "Total"


@dataclass(frozen=True)
class Shown:
    """What a table prints: rows with a total for each model, columns, and those to leave out where there is no room."""

    rows: list[Row]
    columns: list[str]
    spared: Sequence[str]


def table_rows(
    rows: list[Row], answer: Report, asked: Question, currency: str, metrics: Sequence[str], *, fixed: bool
) -> Shown:
    """The rows with a total below each model's, under the columns that say something; all of them when `fixed`."""
    shown: list[Row] = []
    for model in asked.models:
        shown += [row for row in rows if row["model"] == model]
        if not asked.by:
            continue
        label = dict.fromkeys((dimension.name for dimension in asked.by), "") | {asked.by[0].name: _TOTAL}
        total = values(answer.totals[model], asked, metrics)
        shown.append({**label, "model": model, "currency": currency, **total, "note": None, "is_total": True})
    head = [dimension.name for dimension in asked.by] + (["model"] if len(asked.models) > 1 or not asked.by else [])
    tail = ["note"] if any(row["note"] for row in rows) else []
    known = [name for name in _METRICS if name in metrics and any(row[name] is not None for row in shown)]
    return Shown(shown, head + (list(metrics) if fixed else known) + tail, () if fixed else _SPARED_FIRST)


def print_table(
    rows: Sequence[Row],
    columns: Sequence[str] | Mapping[str, str],
    title: str,
    show: Callable[[str, Any], str] | None = None,
    spared: Sequence[str] = (),
) -> None:
    """Print a table on stdout: title, names, rows; numbers to the right, totals set apart.

    columns: what to show; a mapping also gives the names to head them with. Where there are too many for the terminal,
    names are shortened, the columns `spared` left out in that order, and names shortened further.
    """
    show = show or show_value
    heads = columns if isinstance(columns, Mapping) else {name: name.replace("_", " ") for name in columns}
    cells = {name: [head, *(printable(show(name, row.get(name))) for row in rows)] for name, head in heads.items()}
    rights = {name for name in cells if any(isinstance(row.get(name), int | float | Decimal) for row in rows)}
    room = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 0)).columns)
    names = [name for name in cells if any(isinstance(row.get(name), str) for row in rows)]
    widths = _fitted(cells, names, spared, room)

    def line(place: int) -> str:
        texts = {name: _shortened(cells[name][place], width) for name, width in widths.items()}
        gaps = {name: " " * (width - _width(texts[name])) for name, width in widths.items()}
        padded = (gaps[name] + text if name in rights else text + gaps[name] for name, text in texts.items())
        return _GAP.join(padded).rstrip()

    rule = "─" * _total(widths)
    click.echo(_bold(textwrap.fill(printable(title), room)))
    click.echo()
    click.echo(_bold(line(0)))
    click.echo(rule)
    for place, row in enumerate(rows, start=1):
        is_total = row.get("is_total", False)
        click.echo(_bold(line(place)) if is_total else line(place))
        if is_total and place < len(rows):
            click.echo(rule)


def _fitted(
    cells: Mapping[str, Sequence[str]], names: Sequence[str], spared: Sequence[str], room: int
) -> dict[str, int]:
    """The width of each column that is shown, so that together they have room."""
    widths = {name: max(map(_width, texts)) for name, texts in cells.items()}
    _narrow(widths, [name for name in names if name != "note"], _NAME, room)
    for name in spared:
        if _total(widths) > room:
            widths.pop(name, None)
    _narrow(widths, [name for name in names if name != "note"], _SHORTEST, room)
    _narrow(widths, names, _SHORTEST, room)
    return widths


def _narrow(widths: dict[str, int], names: Sequence[str], least: int, room: int) -> None:
    """Take from the widest of `names` until all has room, or none is wider than `least`."""
    while _total(widths) > room and (widest := max(names, key=widths.__getitem__, default="")):
        if widths[widest] <= least:
            return
        widths[widest] -= 1


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _shortened(text: str, width: int) -> str:
    """`text` within `width`: names tend to differ at their ends, so the middle goes."""
    kept, shown = width - 1, text
    while _width(shown) > width:
        shown = text[: kept - kept // 2] + "…" + text[len(text) - kept // 2 :]
        kept -= 1
    return shown


def _width(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else 0 if unicodedata.combining(letter) else 1
        for letter in text
    )


def show_value(name: str, value: Any) -> str:
    """A value as a person reads it: thousands apart, rates in percent, undefined as a dash."""
    if value is None:
        return "" if name == "note" else "–" if name in METRICS else "(none)"
    if name not in METRICS:
        return str(value)
    unit = METRICS[name].unit
    if unit == "money":
        return f"{value:,}"
    if unit == "ratio":
        return f"{value:,.2f}" if name == "roas" else f"{value:,.1%}"
    is_whole = abs(value - round(value)) < 0.05
    return f"{value:,.0f}" if is_whole else f"{value:,.1f}"


def _bold(text: str) -> str:
    is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    return text if is_plain else click.style(text, bold=True)
