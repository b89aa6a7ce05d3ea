"""Reconciliation: credit adds up to revenue, per model, per conversion and in every roll-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tieback.metrics.measures import money

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Reconciled:
    """One model's account, in the base currency: revenue = credited + unattributed + difference."""

    model: str
    revenue: Decimal
    credited: Decimal
    unattributed: Decimal
    difference: Decimal


@dataclass(frozen=True)
class Reconciliation:
    """The account of every model, and a sentence for each thing that does not add up."""

    models: list[Reconciled]
    faults: list[str]


def reconciliation(rows: Rows, models: tuple[str, ...], decimals: int) -> Reconciliation:
    """Hold credits and performance against conversions; amounts are exact.

    models: those that must have credit; others that have some are held to account as well.
    """
    revenue = int(rows(_REVENUE, [])[0]["revenue"])
    credited = {row["model"]: row for row in rows(_CREDITED, [])}
    accounts, faults = [], []
    for model in (*models, *sorted(set(credited) - set(models))):
        row = credited.get(model, {"credited": 0, "unattributed": 0})
        parts = int(row["credited"]), int(row["unattributed"])
        amounts = (revenue, *parts, revenue - sum(parts))
        accounts.append(Reconciled(model, *(money(minor, decimals) for minor in amounts)))
        if revenue != sum(parts):
            faults.append(f"{model}: credit and revenue differ by {money(revenue - sum(parts), decimals):,}")
    faults += [_conversion_fault(row, decimals) for row in rows(_OFF, [])]
    faults += [
        f"{row['model']}: performance by basis {row['basis']} shows {money(row['shown'], decimals):,} "
        f"where credit is {money(row['credit'], decimals):,}"
        for row in rows(_ROLL_UPS, [])
    ]
    return Reconciliation(accounts, faults)


def _conversion_fault(row: dict[str, Any], decimals: int) -> str:
    worth, credit = money(row["worth"], decimals), money(row["credit"], decimals)
    more = f" (and {row['conversions'] - 1:,} more)" if row["conversions"] > 1 else ""
    return f"{row['model']}: {row['conversion_id']} is worth {worth:,} and has credit for {credit:,}{more}"


_REVENUE = (
    "SELECT coalesce(sum(value_minor), 0) AS revenue FROM conversions WHERE is_revenue AND excluded_reason IS NULL"
)

# Credit for a conversion that is left out, or not there at all, must show as a difference: so it is not filtered away.
_CREDITED = """
SELECT k.model,
       sum(CASE WHEN k.touch_id IS NOT NULL THEN k.value_minor ELSE 0 END) AS credited,
       sum(CASE WHEN k.touch_id IS NULL THEN k.value_minor ELSE 0 END) AS unattributed
FROM credits k LEFT JOIN conversions v ON v.conversion_id = k.conversion_id
WHERE v.conversion_id IS NULL OR v.is_revenue
GROUP BY k.model
"""

# Differences that cancel out between conversions: the first of each model, and how many there are.
_OFF = """
SELECT model, conversion_id, worth, credit, conversions
FROM (
  SELECT off.*, row_number() OVER (PARTITION BY model ORDER BY conversion_id) AS place,
         count(*) OVER (PARTITION BY model) AS conversions
  FROM (
    SELECT k.model, v.conversion_id, v.value_minor AS worth, sum(k.value_minor) AS credit
    FROM credits k JOIN conversions v ON v.conversion_id = k.conversion_id
    GROUP BY k.model, v.conversion_id, v.value_minor
    HAVING sum(k.value_minor) <> v.value_minor
  ) AS off
) AS placed
WHERE place = 1
ORDER BY model
"""

_ROLL_UPS = """
SELECT k.model, b.basis, k.credit, coalesce(p.shown, 0) AS shown
FROM (
  SELECT c.model, sum(c.value_minor) AS credit
  FROM credits c JOIN conversions v ON v.conversion_id = c.conversion_id
  WHERE v.is_revenue GROUP BY c.model
) AS k
CROSS JOIN (SELECT 'conversion' AS basis UNION ALL SELECT 'touch') AS b
LEFT JOIN (
  SELECT model, basis, sum(revenue_minor) AS shown FROM performance GROUP BY model, basis
) AS p ON p.model = k.model AND p.basis = b.basis
WHERE k.credit <> coalesce(p.shown, 0)
ORDER BY k.model, b.basis
"""
