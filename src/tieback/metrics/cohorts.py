"""Cohorts: what the leads of a month have brought in by a given age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tieback.errors import UsageError
from tieback.metrics.dimensions import UNATTRIBUTED
from tieback.metrics.measures import money
from tieback.metrics.reports import Key, Question

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]

AGES = (30, 60, 90, 180, 365)  # days


@dataclass(frozen=True)
class Cohort:
    """The leads of one month under one model: how many, and the revenue for each of them by age.

    by_age: revenue per lead up to each of AGES, None where the youngest lead is not that old yet.
    to_date: revenue per lead so far, whatever its age; None without leads.
    """

    key: Key
    month: str
    model: str
    leads: float
    by_age: tuple[Decimal | None, ...]
    to_date: Decimal | None
    is_few: bool


@dataclass(frozen=True)
class Cohorts:
    """All cohorts asked for, the day up to which there are data, and by model the revenue without a lead behind it."""

    cohorts: list[Cohort]
    as_of: date | None
    without_lead: dict[str, Decimal]


def cohorts(rows: Rows, asked: Question, attributes: str = "") -> Cohorts:
    """Cohorts by month of the lead (and the dimensions asked for); the window is that of the leads.

    Leads and revenue are each counted by their own credit. Age is in days of the workspace's calendar.
    Raises UsageError for dimensions of time: the cohort is the month.
    """
    timed = next((dimension.name for dimension in asked.by if dimension.group == "time"), None)
    if timed:
        raise UsageError(f"Cohorts are by month of the lead already; leave {timed!r} out of --by.")
    as_of = rows(_AS_OF, [])[0]["as_of"]
    found = rows(*_cohort_rows(asked, attributes))
    known = [row for row in found if row["cohort"] is not None]
    without: dict[str, Decimal] = dict.fromkeys(asked.models, Decimal(0))
    for row in found:
        if row["cohort"] is None:
            without[row["model"]] += money(row["revenue"], asked.decimals)
    listed = [_cohort(row, asked, as_of) for row in known]
    places = {model: place for place, model in enumerate(asked.models)}
    listed.sort(key=lambda one: (places[one.model], one.month, tuple(str(part) for part in one.key)))
    return Cohorts(listed, as_of, without)


def _cohort(row: dict[str, Any], asked: Question, as_of: date) -> Cohort:
    month = date(row["cohort"].year, row["cohort"].month, 1)
    leads = round(float(row["leads"]), 6)
    youngest = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return Cohort(
        tuple(row[dimension.name] for dimension in asked.by),
        f"{month:%Y-%m}",
        row["model"],
        leads,
        tuple(
            _per_lead(row[f"revenue_{age}"], leads, asked) if youngest + timedelta(days=age) <= as_of else None
            for age in AGES
        ),
        _per_lead(row["revenue"], leads, asked),
        0 < row["distinct_leads"] < asked.few or not leads,
    )


def _per_lead(minor: Any, leads: float, asked: Question) -> Decimal | None:
    return money(minor, asked.decimals) / Decimal(str(leads)) if leads else None


def _cohort_rows(asked: Question, attributes: str) -> tuple[str, list[Any]]:
    """The SELECT of leads and revenue by cohort; a cohort that is NULL holds revenue without a lead behind it."""
    columns = [f"{_column(dimension.column, dimension.group)} AS {dimension.name}" for dimension in asked.by]
    with_accounts = any(dimension.group == "account" for dimension in asked.by)
    ages = ", ".join(
        f"sum(CASE WHEN v.is_revenue AND v.conversion_date <= l.lead_date + INTERVAL '{age}' DAY "
        f"THEN k.value_minor ELSE 0 END) AS revenue_{age}"
        for age in AGES
    )
    windows = [(" AND (l.lead_date >= ? OR l.lead_date IS NULL)", asked.start)]
    windows += [(" AND (l.lead_date <= ? OR l.lead_date IS NULL)", asked.end)]
    given = [(condition, day) for condition, day in windows if day is not None]
    sql = (
        f"SELECT {', '.join([*columns, 'k.model AS model'])}, date_trunc('month', l.lead_date) AS cohort, "
        "sum(CASE WHEN v.kind = 'lead' THEN k.share ELSE 0 END) AS leads, "
        "count(DISTINCT CASE WHEN v.kind = 'lead' THEN v.conversion_id END) AS distinct_leads, "
        f"sum(CASE WHEN v.is_revenue THEN k.value_minor ELSE 0 END) AS revenue, {ages} "
        "FROM credits k JOIN conversions v ON v.conversion_id = k.conversion_id "
        "LEFT JOIN touchpoints t ON t.touch_id = k.touch_id "
        f"LEFT JOIN ({_LEAD_DAYS}) l ON l.lead_at = CASE WHEN v.kind = 'lead' THEN v.occurred_at ELSE v.lead_at END"
        f"{f' LEFT JOIN {attributes} a ON a.conversion_id = k.conversion_id' if with_accounts else ''} "
        f"WHERE k.model IN ({', '.join('?' for _ in asked.models)}) AND (v.kind = 'lead' OR v.is_revenue)"
        f"{''.join(condition for condition, _ in given)} "
        f"GROUP BY {', '.join(str(place) for place in range(1, len(columns) + 3))}"
    )
    return sql, [*asked.models, *(day for _, day in given)]


def _column(column: str, group: str) -> str:
    if group == "account":
        return f"a.{column}"
    return f"CASE WHEN k.touch_id IS NULL THEN '{UNATTRIBUTED}' ELSE t.{column} END"


# The day of a lead in the workspace's time zone, found by its instant.
_LEAD_DAYS = (
    "SELECT occurred_at AS lead_at, min(conversion_date) AS lead_date FROM conversions "
    "WHERE kind = 'lead' GROUP BY occurred_at"
)

_AS_OF = (
    "SELECT max(day) AS as_of FROM (SELECT max(conversion_date) AS day FROM conversions "
    "UNION ALL SELECT max(touch_date) FROM touchpoints) AS days"
)
