"""What a report prints: rows, their order, the heading, and what a reader must know besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tieback.config import Settings
from tieback.errors import UsageError, did_you_mean
from tieback.metrics.dimensions import UNATTRIBUTED
from tieback.metrics.measures import METRICS, Measures
from tieback.metrics.reports import BASES, Question, Report

Row = dict[str, Any]

TOO_FEW = "too few to say"
DEFAULT_METRICS = (
    "cost",
    "impressions",
    "clicks",
    "leads",
    "customers",
    "revenue",
    "conversion_rate",
    "cac",
    "cost_per_lead",
    "roi",
    "roas",
    "revenue_per_lead",
)


def chosen_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics of those names, or the usual ones; UsageError for a name that is none."""
    for name in names:
        if name not in METRICS:
            raise UsageError(f"There is no metric {name!r}. {did_you_mean(name, METRICS)}")
    return tuple(dict.fromkeys(names)) or DEFAULT_METRICS


def sorted_rows(
    answer: Report, asked: Question, currency: str, metrics: Sequence[str], sort: str, limit: int | None
) -> tuple[list[Row], int]:
    """The rows of each model in turn, in order, and how many `limit` hides; Unattributed is never hidden.

    Money is Decimal with the currency's decimals; what is undefined, or not known by account, is None.
    """
    order = _order(asked, sort)
    rows: list[Row] = []
    hidden = 0
    for model in asked.models:
        lines = sorted((line for line in answer.lines if line.model == model), key=order)
        for place, line in enumerate(lines):
            if limit is not None and place >= limit and UNATTRIBUTED not in line.key:
                hidden += 1
                continue
            row = dict(zip((dimension.name for dimension in asked.by), line.key, strict=True))
            row |= {"model": model, "currency": currency, **values(line.measures, asked, metrics)}
            rows.append(row | {"note": TOO_FEW if line.is_few else None})
    return rows, hidden


def _order(asked: Question, sort: str) -> Callable[[Any], Any]:
    """How lines are sorted: by time where there is time, else by revenue with Unattributed last, unless told."""
    names = [dimension.name for dimension in asked.by]
    timed = any(dimension.group == "time" for dimension in asked.by)
    wanted, turned = sort.removeprefix("-"), sort.startswith("-")
    if not wanted:
        wanted = "" if timed else "revenue"
    if wanted and wanted not in names and wanted not in METRICS:
        raise UsageError(f"There is nothing called {wanted!r} to sort by. {did_you_mean(wanted, [*names, *METRICS])}")

    def place(line: Any) -> Any:
        key = tuple((part is None, str(part)) for part in line.key)
        is_last = not sort and not timed and UNATTRIBUTED in line.key
        if wanted in METRICS:
            value = METRICS[wanted].of(line.measures)
            number = 0.0 if value is None else float(value)
            return is_last, value is None, number if turned else -number, key
        first = key[names.index(wanted)] if wanted else (False, "")
        return is_last, first[0], _turned(first[1]) if turned else first[1], key

    return place


def _turned(text: str) -> tuple[int, ...]:
    """A key that sorts text from last to first."""
    return (*(-ord(letter) for letter in text), 1)


def values(measures: Measures, asked: Question, metrics: Sequence[str]) -> Row:
    """The metrics of these sums by name; None where undefined, or not known by account."""
    by_account = any(dimension.group == "account" for dimension in asked.by)
    return {
        name: None if by_account and not METRICS[name].by_account else _value(name, measures, asked.decimals)
        for name in metrics
    }


def _value(name: str, measures: Measures, decimals: int) -> Any:
    metric = METRICS[name]
    value = metric.of(measures)
    if value is None:
        return None
    if metric.unit == "money":
        return money(Decimal(value), decimals)
    return value if isinstance(value, int) else round(float(value), 6)


def money(amount: Decimal, decimals: int) -> Decimal:
    """An amount rounded half up to the currency's decimals."""
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def heading(answer: Report, asked: Question, settings: Settings) -> str:
    """What the numbers are of: window, basis, model, currency and time zone."""
    days = _days(asked, answer.start, answer.end)
    return f"{days} · {BASES[asked.basis]} · {named(asked.models)} · {settings.currency} · {settings.time_zone}"


def named(models: Sequence[str]) -> str:
    """The model that a heading names, or how many there are."""
    return f"{models[0]} model" if len(models) == 1 else f"{len(models)} models"


def _days(asked: Question, first: Any, last: Any) -> str:
    start, end = asked.start or first, asked.end or last
    return f"{start} to {end}" if start and end else "no data"


def footnotes(answer: Report, asked: Question, settings: Settings, hidden: int) -> list[str]:
    """What a reader must know besides the rows."""
    notes = []
    if not answer.totals or answer.start is None:
        notes.append("There are no numbers in this window. Widen it, or see what was imported with `tieback doctor`.")
    parts = [
        f"{model}: {amount:,} of {answer.totals[model].revenue + amount:,} {settings.currency}"
        for model, amount in answer.left_out.items()
        if amount
    ]
    if parts:
        notes.append(
            f"{'; '.join(parts)} is left out: it was earned by touches without spend on their day, channel and "
            "campaign. `--basis touch` shows all."
        )
    if any(dimension.group == "account" for dimension in asked.by):
        notes.append("Cost and visits are not known by account; ratios that need them are empty.")
    if any(line.is_few for line in answer.lines):
        notes.append(
            f"{TOO_FEW[0].upper()}{TOO_FEW[1:]}: fewer than {asked.few} distinct leads or sales stand behind the row, "
            "so its rates and ranks may be chance."
        )
    if hidden:
        notes.append(f"{hidden_rows(hidden)}; the totals count them.")
    return notes


def hidden_rows(hidden: int) -> str:
    """How many rows `--limit` hides, as the start of a sentence."""
    return f"{hidden:,} more {'row is' if hidden == 1 else 'rows are'} not shown"
