"""The demo's outcome held against what only a made-up world can know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tieback.cli.output import emit, say
from tieback.cli.warehouse import opened

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.simulate import World
    from tieback.store import Engine

_CENT = Decimal("0.01")
_MODELS = ("last_touch", "linear")


def deal_to_explain(workspace: Workspace) -> str:
    """A won deal whose story is worth reading: several people and channels, 4 to 8 touches. Empty when none was won."""
    with _reading(workspace) as store:
        found = store.rows(_DEALS)
    return str(found[0]["deal_id"]) if found else ""


def held_against(workspace: Workspace, world: World) -> None:
    """Print what was recovered beside what is true. Raises CheckError when they differ."""
    from tieback.errors import CheckError

    with _reading(workspace) as store:
        counted = store.rows(_COUNTED)[0]
        journeys = store.rows(_JOURNEYS, [str(world.truth / "journeys.parquet")] * 2)[0]
    true = world.totals
    rows = [
        {"what": "leads", "truth": true.deals, "recovered": counted["leads"]},
        {"what": "customers", "truth": true.customers, "recovered": counted["customers"]},
        {"what": "revenue", "truth": _money(true.revenue_minor), "recovered": _money(counted["revenue_minor"])},
        {"what": "cost", "truth": _money(true.cost_minor), "recovered": _money(counted["cost_minor"])},
        {"what": "rows refused", "truth": world.refused, "recovered": counted["refused"]},
        {"what": "touches in journeys", "truth": journeys["linked"], "recovered": journeys["recovered"]},
    ]
    emit(rows, "table", title="The truth, and what was recovered from the files", show=_show)
    if journeys["differing"] or any(row["truth"] != row["recovered"] for row in rows):
        raise CheckError(
            "What was recovered is not what is true. This is a fault of tieback: please report it, with the seed."
        )
    hidden = journeys["all_touches"] - journeys["linked"]
    if journeys["all_touches"]:
        say(
            "Every journey is recovered touch by touch. "
            f"{hidden / journeys['all_touches']:.0%} of the touches that truly happened are in none: "
            "they were on devices that no form, login or link ties to anyone."
        )


def credited_and_caused(workspace: Workspace, world: World) -> None:
    """Print, by channel, the return that models credit beside the one that the channel truly caused."""
    models = [name for name in _MODELS if name in workspace.settings.models]
    with _reading(workspace) as store:
        credited = {(row["channel"], row["model"]): row["revenue_minor"] for row in store.rows(_CREDITED)}
    rows: list[dict[str, Any]] = []
    for effect in world.effects[:-1]:
        row: dict[str, Any] = {"channel": effect.channel, "cost": _money(effect.cost_minor)}
        for model in models:
            row[f"{model} revenue"] = _money(credited.get((effect.channel, model), 0))
        row["truly caused"] = _money(effect.revenue_minor)
        row["true roas"] = None if effect.roas is None else Decimal(effect.roas).quantize(_CENT)
        rows.append(row)
    say("")
    emit(
        rows,
        "table",
        title="Revenue credited, and revenue truly caused: what would be missing without the channel",
        show=_show,
    )
    everything = world.effects[-1]
    share = 1 - everything.revenue_minor / world.totals.revenue_minor if world.totals.revenue_minor else 0
    say(
        f"{share:.0%} of revenue would have come with all marketing off, yet rule models share out all of it; "
        "Affiliates earn credit and cause nothing. Credit tells what was there, not what it changed: for that, test."
    )


@contextmanager
def _reading(workspace: Workspace) -> Iterator[Engine]:

    with opened(workspace, read_only=True) as store:
        yield store


def _money(minor: int) -> Decimal:
    return Decimal(minor) / 100


def _show(_: str, value: Any) -> str:
    return (
        ""
        if value is None
        else f"{value:,.2f}"
        if isinstance(value, Decimal)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


_DEALS = """
SELECT c.deal_id
FROM journeys j
JOIN conversions c ON c.conversion_id = j.conversion_id
JOIN touchpoints t ON t.touch_id = j.touch_id
WHERE c.kind = 'customer' AND c.excluded_reason IS NULL
GROUP BY c.deal_id
ORDER BY count(*) BETWEEN 4 AND 8 AND count(DISTINCT t.person_id) > 1 DESC, count(DISTINCT t.person_id) > 1 DESC,
  least(count(DISTINCT j.channel), 5) DESC, count(*), c.deal_id
LIMIT 1
"""
_COUNTED = """
SELECT
  (SELECT count(*) FROM conversions WHERE kind = 'lead' AND excluded_reason IS NULL) AS leads,
  (SELECT count(*) FROM conversions WHERE is_new_customer AND excluded_reason IS NULL) AS customers,
  (SELECT coalesce(sum(value_minor), 0)::BIGINT FROM conversions WHERE is_revenue AND excluded_reason IS NULL)
    AS revenue_minor,
  (SELECT coalesce(sum(cost_minor), 0)::BIGINT FROM costs) AS cost_minor,
  (SELECT coalesce(sum(rows_refused), 0)::BIGINT FROM deliveries) AS refused
"""
# Refunds follow their sale's journey, so the truth has none of their own.
_JOURNEYS = """
WITH truth AS (SELECT conversion_id, touch_id FROM read_parquet(?) WHERE is_linked),
recovered AS (
  SELECT j.conversion_id, j.touch_id
  FROM journeys j JOIN conversions c ON c.conversion_id = j.conversion_id
  WHERE c.kind IN ('lead', 'customer', 'subscription', 'renewal', 'expansion') AND c.excluded_reason IS NULL
)
SELECT
  (SELECT count(*) FROM read_parquet(?)) AS all_touches,
  (SELECT count(*) FROM truth) AS linked,
  (SELECT count(*) FROM recovered) AS recovered,
  (SELECT count(*) FROM (FROM truth EXCEPT FROM recovered))
    + (SELECT count(*) FROM (FROM recovered EXCEPT FROM truth)) AS differing
"""
_CREDITED = """
SELECT t.channel, k.model, sum(k.value_minor)::BIGINT AS revenue_minor
FROM credits k
JOIN conversions c ON c.conversion_id = k.conversion_id
JOIN touchpoints t ON t.touch_id = k.touch_id
WHERE c.is_revenue AND c.excluded_reason IS NULL
GROUP BY t.channel, k.model
"""
