"""Which conversion a user means: by its own id, or by that of its deal, order or event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tieback.config import STAGES
from tieback.errors import UsageError

Rows = Callable[[str, list[Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Found:
    """The row of `conversions` that was meant, and the ids of the others of its deal or order, in order of time."""

    conversion: dict[str, Any]
    others: list[str]


def find(rows: Rows, wanted: str) -> Found:
    """The conversion of that id; of a deal with several, the one that earned revenue, or else the furthest stage.

    Raises UsageError when there is none, with what is known of the id or the nearest one.
    """
    matches = rows(_MATCHES, [wanted] * 4)
    if not matches:
        raise UsageError(_unknown(rows, wanted))
    exact = [row for row in matches if row["conversion_id"] == wanted]
    chosen = exact[0] if exact else max(matches, key=_standing)
    others = matches
    if exact and chosen["deal_id"]:
        others = rows(_MATCHES, [chosen["deal_id"]] * 4)
    return Found(chosen, [row["conversion_id"] for row in others if row["conversion_id"] != chosen["conversion_id"]])


def _standing(row: dict[str, Any]) -> tuple[Any, ...]:
    """How much a conversion is the one that a deal is about."""
    stage = STAGES.index(row["kind"]) if row["kind"] in STAGES else -1
    is_sale = row["is_revenue"] and row["journey_id"] == row["conversion_id"] and row["value_minor"] >= 0
    return row["excluded_reason"] is None, is_sale, stage, row["occurred_at"], row["conversion_id"]


def _unknown(rows: Rows, wanted: str) -> str:
    for what, sql in (("Deal", _DEALS), ("Order", _ORDERS)):
        changes = rows(sql, [wanted])
        if changes and changes[-1]["deleted"]:
            day = f"{changes[-1]['changed_at']:%Y-%m-%d}"
            return f"{what} {wanted!r} was deleted where it came from, on {day} (UTC), so it counts nowhere."
        words = ", ".join(dict.fromkeys(row["word"] or "none given" for row in changes))
        if changes and what == "Deal":
            return (
                f"Deal {wanted!r} is known, but it is no conversion: none of its stages ({words}) counts. "
                "See [stages] in tieback.toml and `tieback doctor`."
            )
        if changes:
            return (
                f"Order {wanted!r} is known, but it is no conversion: its kind ({words}) does not count. "
                "See [conversions] in tieback.toml."
            )
    known = sorted({row["id"] for row in rows(_SIMILAR, [wanted[:3], wanted[-3:]])})
    near = get_close_matches(wanted, known, n=1, cutoff=0.6)
    if near:
        return f"There is no conversion, deal, order or event {wanted!r}. Did you mean {near[0]!r}?"
    example = rows(_EXAMPLE, [])
    such = f", such as {example[0]['conversion_id']!r}" if example else ""
    return (
        f"There is no conversion, deal, order or event {wanted!r}. "
        f"Give the id of a deal or order as it was imported, or kind:id{such}."
    )


_MATCHES = """
SELECT * FROM conversions
WHERE conversion_id = ? OR deal_id = ? OR order_id = ? OR event_id = ?
ORDER BY occurred_at, conversion_id
"""
_DEALS = "SELECT stage AS word, deleted, changed_at FROM deals WHERE deal_id = ? ORDER BY changed_at"
_ORDERS = "SELECT kind AS word, deleted, changed_at FROM orders WHERE order_id = ? ORDER BY changed_at"
_EXAMPLE = """
SELECT conversion_id FROM conversions
ORDER BY CASE WHEN excluded_reason IS NULL THEN 0 ELSE 1 END, value_minor DESC, conversion_id LIMIT 1
"""
_SIMILAR = """
SELECT id FROM (
  SELECT conversion_id AS id FROM conversions
  UNION SELECT deal_id FROM conversions UNION SELECT order_id FROM conversions
) AS ids
WHERE lower(substr(id, 1, 3)) = lower(?) OR lower(right(id, 3)) = lower(?)
LIMIT 5000
"""
