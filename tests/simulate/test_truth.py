"""What the truth says is so: it adds up, it agrees with the files, and only what has an effect has one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tieback.simulate import LOOKBACK_DAYS, PLACEBO, World, behaviour, build, sales, truth
from tieback.simulate.people import people
from tieback.simulate.world import CHANNELS, END, SWITCHABLE
from tieback.store import DuckDB

REFUSED = {"D99999", "O999999-1", "2026-02-30", "n/a"}


def test_without_effects_nothing_is_caused() -> None:
    """Where no channel has an effect, the world with all of them off has the same leads, and as likely wins."""
    idle = tuple(replace(channel, effect=0.0, win_effect=0.0) for channel in CHANNELS)
    crowd = people(800, 5)
    _, outcomes = behaviour.play(crowd, 5, [(name,) for name in SWITCHABLE] + [SWITCHABLE], idle)
    for other in outcomes[1:]:
        assert np.array_equal(other.lead_at, outcomes[0].lead_at)
        assert not other.win_logit.any()
    assert (outcomes[0].lead_at >= 0).any()


def test_the_placebo_causes_exactly_nothing(world: World) -> None:
    """The placebo is met, costs money and loses nothing when switched off; each other channel causes something."""
    by_channel = {effect.channel: effect for effect in world.effects}
    placebo = by_channel[PLACEBO]
    assert (placebo.deals, placebo.customers, placebo.revenue_minor, placebo.roas) == (0, 0, 0, 0.0)
    assert placebo.cost_minor > 0
    assert by_channel["All marketing"].revenue_minor > 0


def test_a_channel_off_never_makes_a_lead_earlier() -> None:
    """Dice are shared: switching a channel off can only delay or prevent a lead, person by person."""
    crowd = people(800, 6)
    _, outcomes = behaviour.play(crowd, 6, [("Display",), SWITCHABLE])
    real = np.where(outcomes[0].lead_at < 0, np.iinfo(np.int64).max, outcomes[0].lead_at)
    for other in outcomes[1:]:
        assert (np.where(other.lead_at < 0, np.iinfo(np.int64).max, other.lead_at) >= real).all()
    assert (outcomes[2].lead_at != outcomes[0].lead_at).any()


def test_channels_differ_in_what_they_return() -> None:
    """Paid channels truly return between 0.5 and 2.5 per unit of cost: neither all good nor all bad."""
    played = build.play_worlds(12_000, 1, lambda part, done, total: None)
    totals = [truth.totals(sold, played.rates, played.world.companies, 0) for sold in played.sold]
    found = {effect.channel: effect.roas for effect in truth.effects(totals, played.costs.cost_minor) if effect.roas}
    roas = {name: value for name, value in found.items() if name != "All marketing"}
    assert set(roas) == {"Paid Search", "Paid Social", "Display", "Webinar"}
    assert all(0.5 < value < 2.5 for value in roas.values()), roas


def test_the_files_alone_come_to_the_totals(world: World) -> None:
    """Leads, customers, revenue and cost, counted from the files by other means, are those of the truth."""
    rows = _rows(world)
    rates = {row["rate_date"]: Decimal(row["rate"]) for row in rows["fx_rates"]}

    def cents(row: dict[str, Any], amount: str, at: str) -> int:
        rate = rates[row[at][:10]] if row["currency"] == "EUR" else Decimal(1)
        return int((Decimal(amount) * rate * 100).quantize(Decimal(1), ROUND_HALF_UP))

    deals = _deals(rows["deals"])
    won = [steps for steps in deals if "Closed Won" in [step["stage"] for step in steps]]
    revenue = 0
    for steps in won:
        first = next(step for step in steps if step["stage"] == "Closed Won")
        revenue += cents(first, steps[-1]["amount"], "changed_at")
    last = {row["order_id"]: row for row in sorted(rows["orders"], key=lambda row: row["changed_at"])}
    for order in last.values():
        value = cents(order, order["amount"], "occurred_at")
        revenue += -value if order["kind"] == "refund" else value
    keys = ("spend_date", "platform", "ad_account", "campaign", "ad", "keyword")
    stated = {tuple(row[key] for key in keys): row for row in sorted(rows["spend"], key=lambda row: row["synced_at"])}
    cost = sum(cents(row, row["cost"], "spend_date") for row in stated.values())
    subscribed = sum(order["kind"] == "subscription" for order in last.values())
    counted = (len(deals), len(won) + subscribed, revenue, cost)
    total = world.totals
    assert counted == (total.deals, total.customers, total.revenue_minor, total.cost_minor)


def test_conversions_come_to_the_totals(world: World) -> None:
    """The truth's own conversions sum to its totals, each once."""
    conversions = pq.read_table(world.truth / "conversions.parquet").to_pylist()
    kinds = Counter(row["kind"] for row in conversions)
    assert len({row["conversion_id"] for row in conversions}) == len(conversions)
    assert kinds["lead"] == world.totals.deals
    assert kinds["customer"] + kinds["subscription"] == world.totals.customers
    assert sum(row["value_minor"] for row in conversions) == world.totals.revenue_minor
    assert set(kinds) == set(LOOKBACK_DAYS)


def test_journeys_hold_the_window_and_nothing_else(world: World) -> None:
    """A journey is every touch of the buyer within the window: compared with a slow, plain count."""
    conversions = {row["conversion_id"]: row for row in pq.read_table(world.truth / "conversions.parquet").to_pylist()}
    journeys = pq.read_table(world.truth / "journeys.parquet").to_pylist()
    touches = {(row["touch_id"], row["person"]): row["occurred_at"] for row in journeys}
    buyers: dict[str, set[int]] = {}
    for row in journeys:
        buyers.setdefault(row["person"], set()).add(conversions[row["conversion_id"]]["buyer"])
    assert all(len(found) == 1 for found in buyers.values())
    slow = {
        (name, touch)
        for name, conversion in conversions.items()
        if conversion["kind"] != "refund"
        for (touch, person), at in touches.items()
        if conversion["buyer"] in buyers[person]
        and timedelta(0)
        <= datetime.fromtimestamp(conversion["at"], at.tzinfo) - at
        <= timedelta(days=LOOKBACK_DAYS[conversion["kind"]])
    }
    assert {(row["conversion_id"], row["touch_id"]) for row in journeys} == slow


def test_what_comes_after_the_end_is_not_seen() -> None:
    """Sales, renewals and refunds beyond the last day are not in the world: the newest deals are still open."""
    crowd = people(800, 5)
    _, outcomes = behaviour.play(crowd, 5, [])
    sold = sales.sales(crowd, outcomes[0], 5)
    every = [*sold.stage_at, sold.lost_at, *(later.at for later in sold.follow_ups)]
    assert all(((at < END) | (at == sales.NEVER)).all() for at in every)
    is_open = (sold.stage_at[0] < sales.NEVER) & (sold.sold_at == sales.NEVER) & (sold.lost_at == sales.NEVER)
    assert is_open.any()


def _rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """The rows of the files by table, every value as text; those made to be refused are left out."""
    door = DuckDB(None).door
    door.execute("SET TimeZone = 'UTC'")
    found: dict[str, list[dict[str, Any]]] = {}
    for table, path in world.files:
        if table in ("deals", "orders", "spend", "fx_rates"):
            source = f"read_csv('{path}', all_varchar = true)" if ".csv" in path.name else f"read_parquet('{path}')"
            rows = door.sql(f"SELECT DISTINCT COLUMNS(*)::VARCHAR FROM {source}").to_arrow_table().to_pylist()
            found.setdefault(table, []).extend(row for row in rows if not REFUSED & set(row.values()))
    return found


def _deals(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The changes of each deal in order; test deals and deleted ones left out."""
    by_deal: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["changed_at"]):
        by_deal.setdefault(row["deal_id"], []).append(row)
    return [
        steps
        for steps in by_deal.values()
        if not steps[-1]["name"].startswith("TEST") and "true" not in [step["deleted"] for step in steps]
    ]
