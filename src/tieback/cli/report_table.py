"""A report as a table that people can read within 100 columns.

Plain text, made by hand: a report answers at once, and a library for tables takes longer to load than the answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from tieback.cli.report_rows import Row, values
from tieback.metrics.measures import METRICS
from tieback.metrics.reports import Question, Report

_METRICS = ("cost", "leads", "customers", "revenue", "conversion_rate", "cac", "cost_per_lead", "roi", "roas")
_SPARED_FIRST = ("cost_per_lead", "roas", "conversion_rate", "cac", "leads", "roi", "customers")
_WIDTH = 100
_GAP = "  "
_TOTAL = "Total"


@dataclass(frozen=True)
class Shown:
    """What a table prints: rows with a total for each model, and columns."""

    rows: list[Row]
    columns: list[str]


def table_rows(
    rows: list[Row], answer: Report, asked: Question, currency: str, metrics: Sequence[str], *, fixed: bool
) -> Shown:
    """The rows with a total below each model's, and as many columns as fit; all of them when `fixed`."""
    shown: list[Row] = []
    for model in asked.models:
        shown += [row for row in rows if row["model"] == model]
        if not asked.by:
            continue
        label = dict.fromkeys((dimension.name for dimension in asked.by), "") | {asked.by[0].name: _TOTAL}
        total = values(answer.totals[model], asked, metrics)
        shown.append({**label, "model": model, "currency": currency, **total, "note": None})
    head = [dimension.name for dimension in asked.by] + (["model"] if len(asked.models) > 1 or not asked.by else [])
    tail = ["note"] if any(row["note"] for row in rows) else []
    known = [name for name in _METRICS if name in metrics and any(row[name] is not None for row in shown)]
    wanted = list(metrics) if fixed else known
    for spared in () if fixed else _SPARED_FIRST:
        if _width(shown, head + wanted + tail) > _WIDTH:
            wanted = [name for name in wanted if name != spared]
    return Shown(shown, head + wanted + tail)


def print_table(
    rows: Sequence[Row],
    columns: Sequence[str] | Mapping[str, str],
    title: str,
    show: Callable[[str, Any], str] | None = None,
) -> None:
    """Print a table on stdout: title, names, rows; numbers to the right, totals set apart.

    columns: what to show; a mapping also gives the names to head them with.
    """
    show = show or show_value
    heads = [columns[name] if isinstance(columns, Mapping) else name.replace("_", " ") for name in columns]
    columns = list(columns)
    widths = [
        max(width, len(head) + len(_GAP)) for width, head in zip(_widths(rows, columns, show), heads, strict=True)
    ]
    rights = [any(isinstance(row.get(name), int | float | Decimal) for row in rows) for name in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width - len(_GAP)) if right else cell.ljust(width - len(_GAP))
            for cell, width, right in zip(cells, widths, rights, strict=True)
        )
        return _GAP.join(padded).rstrip()

    rule = "─" * (sum(widths) - len(_GAP))
    click.echo(_bold(title))
    click.echo()
    click.echo(_bold(line(heads)))
    click.echo(rule)
    for place, row in enumerate(rows):
        is_total = bool(columns) and row.get(columns[0]) == _TOTAL and row.get("note") is None
        text = line([show(name, row.get(name)) for name in columns])
        click.echo(_bold(text) if is_total else text)
        if is_total and place < len(rows) - 1:
            click.echo(rule)


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


def _width(rows: Sequence[Row], columns: Sequence[str]) -> int:
    """The width of a table under its columns' own names."""
    cells = _widths(rows, columns)
    return sum(max(cell, len(name) + len(_GAP)) for cell, name in zip(cells, columns, strict=True)) - len(_GAP)


def _widths(rows: Sequence[Row], columns: Sequence[str], show: Callable[[str, Any], str] = show_value) -> list[int]:
    """The width of each column's values, gap included."""
    return [max([0, *(len(show(name, row.get(name))) for row in rows)]) + len(_GAP) for name in columns]


def _bold(text: str) -> str:
    is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    return text if is_plain else click.style(text, bold=True)
