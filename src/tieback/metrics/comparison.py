"""Two runs side by side: which numbers differ, which conversions are behind that, and which facts came in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tieback.metrics.measures import Measures, money
from tieback.metrics.reports import Question, report

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]
_Sums = Mapping[tuple[tuple[Any, ...], str], Measures]

METRICS = ("revenue", "leads", "customers", "cost")
_DIGITS = 6  # leads and customers are shared out, and shares are no more certain than that


def numbers(before: Rows, after: Rows, asked: Question) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The metrics that differ between two runs, one row each: the dimensions, model, metric, before, after, change.

    before, after: run one SELECT on the one run and on the other. Goes out: the rows by dimension, and those of the
    totals, which have no dimensions. Money is in the base currency, which must be the same.
    """
    was, now = (report(rows, asked) for rows in (before, after))
    names = [dimension.name for dimension in asked.by]
    lines = _differing(
        {(line.key, line.model): line.measures for line in was.lines},
        {(line.key, line.model): line.measures for line in now.lines},
    )
    totals = _differing(*({((), model): each for model, each in of.totals.items()} for of in (was, now)))
    return [dict(zip(names, key, strict=True)) | row for key, row in lines], [row for _, row in totals]


def conversions(rows: Rows, model: str, decimals: int, limit: int) -> list[dict[str, Any]]:
    """The conversions whose value, or whose credit under `model`, differs; the largest change of value first.

    rows: on the later run, with the earlier one's tables in the schema `before`. change: new, gone, value or credit.
    files: those that came in between with facts about it, as text; empty where what changed lies elsewhere.
    """
    found = rows(_CONVERSIONS, [model, model, limit])
    if not found:
        return []
    ids = [row["conversion_id"] for row in found]
    marks = ", ".join("?" for _ in ids)
    files: dict[str, list[str]] = {}
    for row in rows(_CAUSES.format(marks=marks), ids):
        files.setdefault(row["conversion_id"], []).append(row["file"])
    for row in found:
        for name in ("before", "after"):
            row[name] = None if row[name] is None else money(row[name], decimals)
        row["files"] = ", ".join(files.get(row["conversion_id"], []))
    return found


def facts(rows: Rows) -> list[dict[str, Any]]:
    """The deliveries of the later run that the earlier one did not have, in order of time."""
    return rows(_FACTS, [])


def settings_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The sections of two settings, given as plain values, that differ."""
    return [name for name in after if before.get(name) != after[name]]


def _differing(was: _Sums, now: _Sums) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for key, model in dict.fromkeys([*now, *was]):
        for metric in METRICS:
            before, after = (_value(each.get((key, model), Measures()), metric) for each in (was, now))
            if before != after:
                change = _rounded(after - before)
                yield key, {"model": model, "metric": metric, "before": before, "after": after, "change": change}


def _value(measures: Measures, metric: str) -> Any:
    return _rounded(getattr(measures, metric))


def _rounded(value: Any) -> Any:
    """Money is exact as it is."""
    return round(value, _DIGITS) if isinstance(value, float) else value


# A conversion left out of all numbers has the value that it counts with: none.
_CONVERSIONS = """
WITH was AS (
  SELECT conversion_id, kind, occurred_at, CASE WHEN excluded_reason IS NULL THEN value_minor ELSE 0 END AS worth
  FROM before.conversions
), now AS (
  SELECT conversion_id, kind, occurred_at, CASE WHEN excluded_reason IS NULL THEN value_minor ELSE 0 END AS worth
  FROM conversions
), moved AS (
  SELECT DISTINCT coalesce(w.conversion_id, n.conversion_id) AS moved_id
  FROM (SELECT * FROM before.credits WHERE model = ?) w
  FULL JOIN (SELECT * FROM credits WHERE model = ?) n
    ON w.conversion_id = n.conversion_id AND coalesce(w.touch_id, '') = coalesce(n.touch_id, '')
  WHERE w.value_minor IS DISTINCT FROM n.value_minor OR round(w.share, 9) IS DISTINCT FROM round(n.share, 9)
)
SELECT coalesce(now.conversion_id, was.conversion_id) AS conversion_id, coalesce(now.kind, was.kind) AS kind,
       coalesce(now.occurred_at, was.occurred_at) AS occurred_at,
       CASE WHEN was.conversion_id IS NULL THEN 'new' WHEN now.conversion_id IS NULL THEN 'gone'
            WHEN was.worth <> now.worth THEN 'value' ELSE 'credit' END AS change,
       was.worth AS before, now.worth AS after
FROM was FULL JOIN now ON was.conversion_id = now.conversion_id
LEFT JOIN moved ON moved_id = coalesce(now.conversion_id, was.conversion_id)
WHERE was.conversion_id IS NULL OR now.conversion_id IS NULL OR was.worth <> now.worth OR moved_id IS NOT NULL
ORDER BY abs(coalesce(now.worth, 0) - coalesce(was.worth, 0)) DESC, 1
LIMIT ?
"""
_NEW = "SELECT delivery_id, file FROM deliveries WHERE delivery_id NOT IN (SELECT delivery_id FROM before.deliveries)"
_CAUSES = f"""
WITH new AS ({_NEW}), asked AS (
  SELECT * FROM conversions WHERE conversion_id IN ({{marks}})
), told AS (
  SELECT a.conversion_id, d.origin FROM asked a JOIN deals d ON d.deal_id = a.deal_id
  UNION SELECT a.conversion_id, c.origin FROM asked a JOIN deal_contacts c ON c.deal_id = a.deal_id
  UNION SELECT a.conversion_id, o.origin FROM asked a JOIN orders o ON o.order_id = a.order_id
  UNION SELECT a.conversion_id, t.origin FROM asked a JOIN touchpoints t ON t.touch_id = a.event_id
  UNION SELECT j.conversion_id, t.origin
  FROM asked a JOIN journeys j ON j.conversion_id = a.conversion_id JOIN touchpoints t ON t.touch_id = j.touch_id
)
SELECT DISTINCT told.conversion_id, new.file FROM told JOIN new ON new.delivery_id = told.origin ORDER BY 1, 2
"""
_FACTS = """
SELECT received_at, file, table_name, facts_added, rows_refused FROM deliveries
WHERE delivery_id NOT IN (SELECT delivery_id FROM before.deliveries)
ORDER BY received_at, file
"""
