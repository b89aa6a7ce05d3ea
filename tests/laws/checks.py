"""What the laws say of a finished run, whoever made it: the laws' own tests ask it of random worlds on DuckDB, the
kit's of what every engine made.

Each check is given a DuckDB with facts and opinions, and fails with what is against the law.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.laws.worlds import SETTINGS
from tieback.cli.explain import explained
from tieback.metrics.dimensions import UNATTRIBUTED, dimensions
from tieback.metrics.reports import Basis, Question, report
from tieback.store import DuckDB


def credit_is_revenue(store: DuckDB) -> None:
    """Law 1: per conversion and model the cents sum to its value and the shares to 1; roll-ups agree at every level."""
    wrong = store.rows(
        """
        SELECT c.conversion_id, m.model, c.value_minor, sum(k.value_minor) AS credited, sum(k.share) AS share
        FROM conversions c
        CROSS JOIN (SELECT DISTINCT model FROM credits) m
        LEFT JOIN credits k ON k.conversion_id = c.conversion_id AND k.model = m.model
        WHERE c.excluded_reason IS NULL
        GROUP BY ALL
        HAVING credited IS DISTINCT FROM c.value_minor OR abs(share - 1) > 1e-9 OR share IS NULL
        """
    )
    assert wrong == []
    left_out = "SELECT conversion_id FROM conversions WHERE excluded_reason IS NOT NULL"
    assert store.rows(f"SELECT * FROM credits WHERE conversion_id IN ({left_out})") == []
    revenue = store.rows(
        "SELECT coalesce(sum(value_minor), 0) AS n FROM conversions WHERE is_revenue AND excluded_reason IS NULL"
    )[0]["n"]
    for level in ("model", "model, channel", "model, channel, source, medium, campaign", "model, date"):
        totals = store.rows(
            f"""
            SELECT model, sum(revenue) AS revenue FROM (
              SELECT {level}, sum(revenue_minor) AS revenue FROM performance
              WHERE basis = 'conversion' GROUP BY {level}
            ) GROUP BY model
            """
        )
        assert all(row["revenue"] == revenue for row in totals), level
        assert totals or revenue == 0


def no_late_touch_is_credited(store: DuckDB) -> None:
    """Law 2: every credited touch is at or before the conversion whose journey earns the credit."""
    late = store.rows(
        """
        SELECT k.* FROM credits k
        JOIN conversions c ON c.conversion_id = k.conversion_id
        JOIN conversions own ON own.conversion_id = c.journey_id
        JOIN touchpoints t ON t.touch_id = k.touch_id
        WHERE t.occurred_at > own.occurred_at OR t.excluded_reason IS NOT NULL
        """
    )
    assert late == []


def touches_are_in_order(store: DuckDB) -> None:
    """Law 6: a path's touches are in the order of time, those of one instant in the order of their ids."""
    places = "row_number() OVER (PARTITION BY path_id ORDER BY occurred_at, touch_id)"
    assert store.rows(f"SELECT * FROM journeys QUALIFY position <> {places}") == []


def all_is_explained(store: DuckDB, most: int = 4) -> None:
    """Law 7: a credited touch is an event that was seen; a touch without credit is explained, in `most` conversions."""
    orphans = store.rows(
        "SELECT touch_id FROM credits WHERE touch_id IS NOT NULL AND touch_id NOT IN (SELECT event_id FROM events)"
    )
    assert orphans == []
    chosen = """
        SELECT conversion_id FROM conversions WHERE excluded_reason IS NULL
        ORDER BY split_part(conversion_id, '.', 1) NOT IN ('customer:core', 'refund:core-back'), conversion_id LIMIT ?
    """
    for conversion in store.rows(chosen, [most]):
        assert_explained(store, conversion["conversion_id"])


def assert_explained(store: DuckDB, conversion_id: str) -> None:
    """Each touch is in, or out with a reason; just what is in has a linear share; each model sums to the value."""
    told = explained(store, SETTINGS, conversion_id, tuple(SETTINGS.models))
    for touch in told.touches:
        assert touch.included == (touch.reason is None)
        assert touch.included or not touch.credits
        assert touch.included == ("linear" in touch.credits and touch.credits["linear"].share > 0)
    for model in SETTINGS.models:
        parts = [touch.credits[model] for touch in told.touches if model in touch.credits]
        parts += [told.unattributed[model]] if model in told.unattributed else []
        assert sum(part.value for part in parts) == told.value, model
        assert abs(sum(part.share for part in parts) - 1) < 1e-9


def windows_match(store: DuckDB, window: list[date]) -> None:
    """Law 9: in any window, cost is the spend of its days and revenue the credit that the basis dates into them."""
    spent = "SELECT coalesce(sum(cost_minor), 0) AS n FROM {} BETWEEN ? AND ?"
    told = store.rows(spent.format("performance WHERE date"), window)
    assert told == store.rows(spent.format("costs WHERE spend_date"), window)
    for basis, dated in DATED.items():
        assert revenue_told(store, basis, window) == revenue_dated(store, dated, window), basis


def few_are_told(store: DuckDB, few: int, basis: Basis) -> None:
    """Law 10: fewer distinct leads or sales than asked for are too few to say; Unattributed is a row of every model."""
    asked = Question(by=dimensions(["channel"]), models=tuple(SETTINGS.models), basis=basis, few=few)
    behind = {(row["channel"], row["model"]): (row["leads"], row["sales"]) for row in store.rows(BEHIND)}
    answer = report(store.rows, asked)
    for line in answer.lines:
        present = [number for number in behind.get((*line.key, line.model), (0, 0)) if number]
        assert line.is_few == (not present or min(present) < few), (line.key, line.model, present)
    shown = {line.model: line.measures.revenue for line in answer.lines if line.key == (UNATTRIBUTED,)}
    told = {row["model"]: Decimal(int(row["n"])) / 100 for row in store.rows(UNEXPLAINED)}
    assert shown == {model: told.get(model, 0) for model in SETTINGS.models}


BEHIND = """
    SELECT coalesce(t.channel, 'Unattributed') AS channel, k.model,
      count(DISTINCT k.conversion_id) FILTER (c.kind = 'lead') AS leads,
      count(DISTINCT k.conversion_id) FILTER (
        c.is_revenue AND c.journey_id = c.conversion_id AND c.value_minor >= 0
      ) AS sales
    FROM credits k JOIN conversions c USING (conversion_id) LEFT JOIN touchpoints t ON t.touch_id = k.touch_id
    GROUP BY ALL
"""
UNEXPLAINED = """
    SELECT k.model, sum(k.value_minor) AS n FROM credits k JOIN conversions c USING (conversion_id)
    WHERE k.touch_id IS NULL AND c.is_revenue GROUP BY ALL
"""

DATED = {
    "conversion": "c.conversion_date BETWEEN ? AND ?",
    "touch": "coalesce(t.touch_date, c.conversion_date) BETWEEN ? AND ?",
    "spend": "t.touch_date BETWEEN ? AND ? AND EXISTS (SELECT 1 FROM costs s WHERE s.spend_date = t.touch_date "
    "AND s.channel = t.channel AND s.campaign = t.campaign)",
}


def revenue_told(store: DuckDB, basis: str, window: list[Any]) -> list[dict[str, Any]]:
    """Revenue by model as performance has it."""
    return store.rows(
        """
        SELECT model, sum(revenue_minor) AS n FROM performance
        WHERE basis = ? AND date BETWEEN ? AND ? GROUP BY model HAVING n <> 0 ORDER BY model
        """,
        [basis, *window],
    )


def revenue_dated(store: DuckDB, dated: str, window: list[Any]) -> list[dict[str, Any]]:
    """Revenue by model straight from credit, dated by the condition `dated`."""
    return store.rows(
        f"""
        SELECT k.model, sum(k.value_minor) AS n FROM credits k JOIN conversions c USING (conversion_id)
        LEFT JOIN touchpoints t ON t.touch_id = k.touch_id
        WHERE c.is_revenue AND {dated} GROUP BY k.model HAVING n <> 0 ORDER BY k.model
        """,
        window,
    )
