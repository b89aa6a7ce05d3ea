"""Reports: what the rows of `performance` add up to, by any mix of dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from tieback.metrics.dimensions import UNATTRIBUTED, Dimension
from tieback.metrics.measures import Measures, money

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]
Basis = Literal["conversion", "touch", "spend"]
Key = tuple[Any, ...]

BASES: dict[Basis, str] = {
    "conversion": "credit on the day of the conversion",
    "touch": "credit on the day of the touch that earned it",
    "spend": "credit on the day of the touch that earned it, only where that day, channel and campaign has spend",
}

_SUMS = {
    "cost": "cost_minor",
    "impressions": "impressions",
    "clicks": "clicks",
    "visits": "visits",
    "leads": "leads",
    "customers": "customers",
    "sales": "sales",
    "repeat_customers": "repeat_customers",
    "revenue": "revenue_minor",
    "sales_value": "sales_minor",
    "lifetime_value": "lifetime_minor",
    "cycle_days": "cycle_days",
    "cycles": "cycles",
    "lead_credits": "lead_credits",
    "sale_credits": "sale_credits",
}
_MONEY = ("cost", "revenue", "sales_value", "lifetime_value")
_OBSERVED = ("cost", "impressions", "clicks", "visits")
_LARGEST_FILTER = 200


@dataclass(frozen=True)
class Question:
    """What is asked: dimensions, models, date basis and window (days, both included; None leaves a side open).

    decimals: of the base currency. few: with fewer distinct conversions than that, a row is too few to say.
    """

    by: tuple[Dimension, ...]
    models: tuple[str, ...]
    basis: Basis = "conversion"
    start: date | None = None
    end: date | None = None
    decimals: int = 2
    few: int = 30


@dataclass(frozen=True)
class Line:
    """One row of a report: the dimensions' values, the model, the sums, and whether they are too few to say."""

    key: Key
    model: str
    measures: Measures
    is_few: bool


@dataclass(frozen=True)
class Report:
    """The answer: rows, the total of each model, the window that the data fill, and what basis `spend` leaves out."""

    lines: list[Line]
    totals: dict[str, Measures]
    start: date | None
    end: date | None
    left_out: dict[str, Decimal]


def report(rows: Rows, asked: Question, table: str = "performance", attributes: str = "") -> Report:
    """Answer a question from `table` (the columns of PERFORMANCE), by `rows`, which runs one SELECT.

    attributes: with dimensions of group `account`, the table that gives them by conversion_id; `table` holds them too.
    """
    found = rows(*_sums(asked, table))
    earned = {(_key(row, asked), row["model"]): row for row in found if row["model"]}
    observed = {_key(row, asked): row for row in found if not row["model"]}
    keys = dict.fromkeys([*(key for key, _ in earned), *observed, *_always(asked)])
    seen = {key: {name: observed.get(key, _NOTHING)[name] for name in _OBSERVED} for key in keys}
    merged = {(key, model): earned.get((key, model), _NOTHING) | seen[key] for model in asked.models for key in keys}
    few = _few(rows, asked, merged, attributes)
    lines = [Line(key, model, _measures(row, asked), few[key, model]) for (key, model), row in merged.items()]
    totals = {model: total(line.measures for line in lines if line.model == model) for model in asked.models}
    days = [row[name] for row in found for name in ("first_day", "last_day") if row[name]]
    return Report(
        lines, totals, min(days, default=None), max(days, default=None), _left_out(rows, asked, totals, table)
    )


def total(parts: Iterable[Measures]) -> Measures:
    """The sum of measures."""
    summed: dict[str, Any] = {}
    for part in parts:
        for field in fields(Measures):
            value = getattr(part, field.name)
            summed[field.name] = summed[field.name] + value if field.name in summed else value
    return Measures(**summed)


def _sums(asked: Question, table: str) -> tuple[str, list[Any]]:
    """The one SELECT that adds up `table`, and its parameters."""
    columns = [f"{_expression(dimension)} AS {dimension.name}" for dimension in asked.by]
    sums = [f"sum({column}) AS {name}" for name, column in _SUMS.items()]
    window, days = _window(asked, "date")
    groups = ", ".join(str(place) for place in range(1, len(columns) + 2))
    shown = ", ".join([*columns, "model", *sums, "min(date) AS first_day", "max(date) AS last_day"])
    # Apart, because a model's rows lie together and an engine that is asked for them alone skips the rest.
    parts = [
        f"SELECT {shown} FROM {table} WHERE {condition}{window} GROUP BY {groups}"
        for condition in ("basis = ''", *("model = ? AND basis = ?" for _ in asked.models))
    ]
    given = [days, *([model, asked.basis, *days] for model in asked.models)]
    return " UNION ALL ".join(parts), [value for values in given for value in values]


def _expression(dimension: Dimension) -> str:
    """A dimension over the columns of `performance`: what no touch earned is Unattributed in each of the touch's."""
    if dimension.group != "touch" or dimension.name == "channel":
        return dimension.column
    return f"CASE WHEN channel = '{UNATTRIBUTED}' THEN channel ELSE {dimension.column} END"


def _window(asked: Question, column: str) -> tuple[str, list[Any]]:
    conditions = [(f" AND {column} >= ?", asked.start), (f" AND {column} <= ?", asked.end)]
    given = [(condition, day) for condition, day in conditions if day is not None]
    return "".join(condition for condition, _ in given), [day for _, day in given]


def _key(row: Mapping[str, Any], asked: Question) -> Key:
    return tuple(_day(row[dimension.name], dimension) for dimension in asked.by)


def _day(value: Any, dimension: Dimension) -> Any:
    """Months as 2026-03, weeks and days as dates; whatever else as it is."""
    if dimension.group != "time" or value is None:
        return value
    return f"{value:%Y-%m}" if dimension.name == "month" else date(value.year, value.month, value.day)


def _always(asked: Question) -> list[Key]:
    """The key of what no touch earned, where it makes a row of its own."""
    only_touch = asked.by and all(dimension.group == "touch" for dimension in asked.by)
    return [tuple(UNATTRIBUTED for _ in asked.by)] if only_touch else []


_NOTHING: dict[str, Any] = dict.fromkeys(_SUMS, 0)


def _measures(row: Mapping[str, Any], asked: Question) -> Measures:
    sums: dict[str, Any] = {field.name: row[field.name] for field in fields(Measures)}
    return Measures(**sums | {name: money(row[name], asked.decimals) for name in _MONEY})


def _few(
    rows: Rows, asked: Question, merged: Mapping[tuple[Key, str], Mapping[str, Any]], attributes: str
) -> dict[tuple[Key, str], bool]:
    """Which rows rest on too few conversions: the scarcer of leads and sales counts, where there are any of it.

    Credit in a row bounds its distinct conversions on both sides; only where that leaves doubt are they counted.
    """
    bounds = {place: (_bounds(row, "lead"), _bounds(row, "sale")) for place, row in merged.items()}
    verdicts = {place: _verdict(asked.few, *both) for place, both in bounds.items()}
    doubtful = [place for place, verdict in verdicts.items() if verdict is None]
    if doubtful:
        counted = {(_key(row, asked), row["model"]): row for row in rows(*_counts(asked, doubtful, attributes))}
        for place in doubtful:
            exact = counted.get(place, {"leads": 0, "sales": 0})
            leads, sales = exact["leads"], exact["sales"]
            verdicts[place] = bool(_verdict(asked.few, (leads, leads), (sales, sales)))
    return {place: bool(verdict) for place, verdict in verdicts.items()}


def _bounds(row: Mapping[str, Any], what: str) -> tuple[float, int]:
    """At least and at most so many distinct leads or sales."""
    return round(row[f"{what}s"], 6), int(row[f"{what}_credits"])


def _verdict(few: int, leads: tuple[float, int], sales: tuple[float, int]) -> bool | None:
    """True for too few, False for enough, None when the bounds do not tell."""
    present = [bounds for bounds in (leads, sales) if bounds[1] > 0]
    if not present or any(most < few for _, most in present):
        return True
    return False if all(least >= few for least, _ in present) else None


def _counts(asked: Question, doubtful: list[tuple[Key, str]], attributes: str) -> tuple[str, list[Any]]:
    """The SELECT that counts the distinct leads and sales behind each row, and its parameters."""
    models = sorted({model for _, model in doubtful})
    columns = [f"{_expression(dimension)} AS {dimension.name}" for dimension in asked.by]
    window, days = _window(asked, "date")
    held, values = _holding(asked, [key for key, _ in doubtful])
    touch_day = "v.conversion_date" if asked.basis == "conversion" else "coalesce(t.touch_date, v.conversion_date)"
    accounts = [dimension.column for dimension in asked.by if dimension.group == "account"]
    with_accounts = f" LEFT JOIN {attributes} a ON a.conversion_id = k.conversion_id" if accounts else ""
    with_spend = _WITH_SPEND if asked.basis == "spend" else ""
    sql = (
        f"SELECT {', '.join([*columns, 'model'])}, count(DISTINCT CASE WHEN is_lead THEN conversion_id END) AS leads, "
        "count(DISTINCT CASE WHEN is_sale THEN conversion_id END) AS sales FROM ("
        f"SELECT k.model, k.conversion_id, {touch_day} AS date, v.kind = 'lead' AS is_lead, "
        "v.is_revenue AND v.journey_id = v.conversion_id AND v.value_minor >= 0 AS is_sale, "
        f"CASE WHEN k.touch_id IS NULL THEN '{UNATTRIBUTED}' ELSE t.channel END AS channel, "
        f"{', '.join([*_TOUCH_COLUMNS, *(f'a.{name}' for name in accounts)])} FROM credits k "
        "JOIN conversions v ON v.conversion_id = k.conversion_id LEFT JOIN touchpoints t ON t.touch_id = k.touch_id"
        f"{with_accounts}{with_spend} WHERE k.model IN ({', '.join('?' for _ in models)})"
        f") lines WHERE (is_lead OR is_sale){window}{held} "
        f"GROUP BY {', '.join(str(place) for place in range(1, len(columns) + 2))}"
    )
    return sql, [*models, *days, *values]


_TOUCH_COLUMNS = ("t.source", "t.medium", "t.campaign", "t.content", "t.ad", "t.keyword", "t.landing_page")
_WITH_SPEND = (
    " JOIN (SELECT DISTINCT spend_date, channel, coalesce(campaign, '') AS campaign FROM costs) s "
    "ON s.spend_date = t.touch_date AND s.channel = t.channel AND s.campaign = coalesce(t.campaign, '')"
)


def _holding(asked: Question, keys: list[Key]) -> tuple[str, list[Any]]:
    """A filter to the doubtful rows by their first dimension, when that spares most of the work."""
    values = {key[0] for key in keys} if asked.by and asked.by[0].group == "touch" else {None}
    if None in values or len(values) > _LARGEST_FILTER:
        return "", []
    return f" AND {_expression(asked.by[0])} IN ({', '.join('?' for _ in values)})", sorted(values)


def _left_out(rows: Rows, asked: Question, totals: Mapping[str, Measures], table: str) -> dict[str, Decimal]:
    """The revenue that basis `spend` leaves out, by model: earned where no spend is recorded."""
    if asked.basis != "spend":
        return {}
    window, days = _window(asked, "date")
    sql = f"SELECT model, sum(revenue_minor) AS revenue FROM {table} WHERE basis = 'touch'{window} GROUP BY model"
    whole = {row["model"]: money(row["revenue"], asked.decimals) for row in rows(sql, days)}
    return {model: whole.get(model, Decimal(0)) - totals[model].revenue for model in asked.models}
