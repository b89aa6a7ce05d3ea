"""What a report of cohorts prints."""

from __future__ import annotations

from typing import Any

from tieback.cli.report_rows import TOO_FEW, Row, hidden_rows, money, named
from tieback.cli.report_table import show_value
from tieback.config import Settings
from tieback.metrics.cohorts import AGES, Cohorts
from tieback.metrics.reports import Question

_AGE = "revenue_per_lead_{}_days"
# What goes first where a terminal is narrow.
SPARED = (*(_AGE.format(age) for age in (60, 180, 30, 365, 90)), "leads")


def cohort_rows(answer: Cohorts, asked: Question, currency: str, limit: int | None) -> tuple[list[Row], list[str], int]:
    """The cohorts as rows, at most `limit` of each model; their columns; and how many the limit hides."""
    by = [dimension.name for dimension in asked.by]
    ages = [_AGE.format(age) for age in AGES]
    rows = []
    for one in answer.cohorts:
        row = dict(zip(by, one.key, strict=True)) | {"cohort": one.month, "model": one.model, "currency": currency}
        values = [None if value is None else money(value, asked.decimals) for value in (*one.by_age, one.to_date)]
        row |= {"leads": one.leads, **dict(zip([*ages, "revenue_per_lead"], values, strict=True))}
        rows.append(row | {"note": TOO_FEW if one.is_few else None})
    shown = [row for model in asked.models for row in [row for row in rows if row["model"] == model][:limit]]
    columns = [*by, "cohort", "model", "currency", "leads", *ages, "revenue_per_lead", "note"]
    return shown, columns, len(rows) - len(shown)


def cohort_columns(columns: list[str], asked: Question) -> dict[str, str]:
    """The columns of a table of cohorts and how they are headed: by age alone, as the title says the rest."""
    spared = {"currency"} | ({"model"} if len(asked.models) == 1 else set())
    short = {_AGE.format(age): f"{age} days" for age in AGES} | {"revenue_per_lead": "to date"}
    return {name: short.get(name, name.replace("_", " ")) for name in columns if name not in spared}


def show_cohort(name: str, value: Any) -> str:
    """A value of a cohort as a person reads it; a cell that is not old enough stays empty."""
    if name.startswith("revenue_per_lead"):
        return "" if value is None else f"{value:,}"
    return show_value(name, value)


def cohort_heading(answer: Cohorts, asked: Question, settings: Settings) -> str:
    """What the cohorts are of."""
    months = [one.month for one in answer.cohorts]
    window = f"leads of {min(months)} to {max(months)}" if months else "no leads"
    return (
        f"Revenue per lead by age · {window} · {named(asked.models)} · {settings.currency} · "
        f"{settings.time_zone} · data to {answer.as_of}"
    )


def cohort_footnotes(answer: Cohorts, settings: Settings, hidden: int) -> list[str]:
    """What a reader of cohorts must know besides the rows."""
    notes = ["A cell is empty until the youngest lead of its month has reached that age."]
    for amount in set(answer.without_lead.values()) - {0}:  # one: every model credits the same revenue
        notes.append(f"{amount:,} {settings.currency} of revenue has no lead behind it: it is in no cohort.")
    if hidden:
        notes.append(f"{hidden_rows(hidden)}.")
    return notes
