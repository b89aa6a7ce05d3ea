"""What advertising cost, as the platforms state it (some of it twice), and the exchange rates of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieback.simulate.behaviour import Meetings
from tieback.simulate.people import joined
from tieback.simulate.visits import LEAVES, Touches
from tieback.simulate.world import CHANNELS, DAY, DAYS, FIRST_DAY, START, WEEKS, Bools, Floats, Ints, day_of, rng

_EURO = "linkedin_ads"  # the platform whose account is kept in euros
RESTATED = DAYS - 30  # from this day on, Google's last statement came in a file of its own


@dataclass(frozen=True)
class Spend:
    """Statements of spend, and what they come to.

    rows: columns of `spend`, the last word and, where there is one, the earlier. day, is_last: by row.
    cost_minor: by channel, in US cents by the rates of the days.
    """

    rows: pa.Table
    day: Ints
    is_last: Bools
    cost_minor: Ints


def fx_rates(seed: int) -> Floats:
    """US dollars for one euro on each day, to four decimals."""
    steps = rng(seed, "rates").standard_normal(DAYS) * 0.002
    return np.clip(1.12 * np.exp(np.cumsum(steps)), 1.02, 1.22).round(4).astype(np.float64)


def spend(meetings: Meetings, seen: Touches, rates: Floats, seed: int) -> Spend:
    """Spend by day and ad, for the ads that cost money."""
    dice = rng(seed, "spend")
    paid = np.array([number for number, (_, leaf) in enumerate(LEAVES) if leaf.platform])
    day, leaf = (grid.ravel() for grid in np.meshgrid(np.arange(DAYS), paid, indexing="ij"))
    owner = np.array([channel for channel, _ in LEAVES])[leaf]
    weight = _share()[leaf]
    weekday = np.array([1.1, 1.15, 1.15, 1.1, 1.0, 0.75, 0.75])[(day + FIRST_DAY.weekday()) % 7]
    met = meetings.met[np.minimum(day // 7, WEEKS - 1), owner] / 7 * weight * weekday
    came = np.bincount(day_of(seen.visits.at) * len(LEAVES) + seen.visits.leaf, minlength=DAYS * len(LEAVES))[
        day * len(LEAVES) + leaf
    ]
    clicks = came + dice.poisson(0.06 * came)  # some clicks never load the page
    impressions = np.maximum(dice.poisson(met * _of_channels("impressions")[owner]), clicks)
    dollars = (met * _of_channels("cost")[owner] + came * _of_channels("click_cost")[owner]) * np.exp(
        0.1 * dice.standard_normal(len(day))
    )
    is_euro = np.array([leaf.platform == _EURO for _, leaf in LEAVES])[leaf]
    cost = np.round(np.where(is_euro, dollars / rates[day], dollars), 2)
    shown = np.nonzero((cost > 0) | (impressions > 0))[0]
    day, leaf, owner, cost, impressions, clicks = (
        column[shown] for column in (day, leaf, owner, cost, impressions, clicks)
    )
    minor = np.floor(np.round(cost * np.where(is_euro[shown], rates[day], 1.0) * 100, 6) + 0.5).astype(np.int64)
    by_channel = np.bincount(owner, weights=minor, minlength=len(CHANNELS)).astype(np.int64)
    early = np.nonzero((dice.random(len(day)) < 0.15) | (day >= RESTATED))[0]
    is_late = np.zeros(len(day), bool)
    is_late[early] = True
    last = _rows(day, leaf, cost, impressions, clicks, START + (day + np.where(is_late, 4, 1)) * DAY + 6 * 3_600)
    first = _rows(
        day[early],
        leaf[early],
        np.round(cost[early] * 0.94, 2),
        impressions[early],
        clicks[early],
        START + (day[early] + 1) * DAY + 6 * 3_600,
    )
    order = np.argsort(np.concatenate([day, day[early]]), kind="stable")
    both = np.concatenate([day, day[early]])[order]
    is_last = (np.arange(len(both)) < len(day))[order]
    return Spend(pa.concat_tables([last, first]).take(pa.array(order)), both, is_last, by_channel)


def rate_rows(rates: Floats) -> pa.Table:
    """The rates as rows of `fx_rates`."""
    return pa.table(
        {
            "rate_date": _dates(np.arange(DAYS)),
            "currency": pa.repeat("EUR", DAYS),
            "base_currency": pa.repeat("USD", DAYS),
            "rate": pa.array(rates),
        }
    )


def _rows(day: Ints, leaf: Ints, cost: Floats, impressions: Ints, clicks: Ints, synced: Ints) -> pa.Table:
    at = pa.array(leaf)
    campaign = _texts("campaign").take(at)
    month = pc.strftime(_dates(day).cast(pa.timestamp("s")), format="%Y-%m")
    account = {"google_ads": "google-us", "meta_ads": "meta-us", _EURO: "linkedin-eu"}
    accounts = pa.array([account.get(leaf.platform) for _, leaf in LEAVES], pa.string())
    return pa.table(
        {
            "spend_date": _dates(day),
            "platform": _texts("platform").take(at),
            "ad_account": accounts.take(at),
            "campaign": pc.if_else(pc.equal(campaign, "webinar"), joined("webinar-", month), campaign),
            "ad": _texts("ad").take(at),
            "keyword": _texts("keyword").take(at),
            "source": _texts("source").take(at),
            "medium": _texts("medium").take(at),
            "landing_page": _texts("landing_page").take(at),
            "content": _texts("ad").take(at),
            "cost": pc.cast(pa.array(cost), pa.decimal128(18, 2)),
            "currency": pa.array(["EUR" if leaf.platform == _EURO else "USD" for _, leaf in LEAVES]).take(at),
            "impressions": pa.array(impressions),
            "clicks": pa.array(clicks),
            "platform_conversions": pa.array(np.round(clicks * 0.05, 2)),
            "synced_at": pa.array(synced * 1_000_000, pa.timestamp("us", "UTC")),
        }
    )


def _texts(name: str) -> pa.Array:
    return pa.array([getattr(leaf, name) or None for _, leaf in LEAVES], pa.string())


def _share() -> Floats:
    """Each ad's share of its channel."""
    weights = np.array([leaf.weight for _, leaf in LEAVES])
    owner = np.array([channel for channel, _ in LEAVES])
    result: Floats = weights / np.bincount(owner, weights=weights)[owner]
    return result


def _of_channels(name: str) -> Floats:
    return np.array([getattr(channel, name) for channel in CHANNELS], np.float64)


def _dates(day: Ints) -> pa.Array:
    return pa.array(np.datetime64(FIRST_DAY) + day)
