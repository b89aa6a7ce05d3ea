"""What becomes of leads until the world's end: deals and their stages, subscriptions, renewals, expansions, refunds.

Each buyer's fate is thrown once, whatever its marketing: a world in which a channel is off differs only by who came,
when, and how well they were looked after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tieback.simulate.behaviour import Outcome
from tieback.simulate.people import People
from tieback.simulate.world import DAY, END, Bools, Floats, Ints, day_of, rng

STAGES = ("lead", "mql", "sql", "opportunity", "customer")
RENEWALS = 3  # quarterly, at most so many before the world ends
NEVER = np.int64(2**62)
_CHANCE = (1.0, 0.85, 0.75, 0.75)  # of reaching lead, mql, sql, opportunity from the stage before
_MEDIAN_DAYS = (0.0, 2.0, 4.0, 8.0, 24.0)  # from the stage before
_SHARED = 28 * DAY  # colleagues who ask within this time work on the same decision


@dataclass(frozen=True)
class FollowUp:
    """One kind of later money by buyer: when (NEVER: not), and how much, in the buyer's currency; whole cents."""

    kind: str
    at: Ints
    amount: Floats


@dataclass(frozen=True)
class Sales:
    """One entry per buyer; instants are UTC seconds, NEVER where it did not happen before the end.

    primary: the person who asked first, or -1.
    stage_at: by stage of STAGES (companies); a private buyer has the sale alone. lost_at: when the deal was given up.
    opening, amount: what the deal was put at when it became an opportunity, and what it was won for.
    """

    primary: Ints
    stage_at: Ints
    lost_at: Ints
    opening: Floats
    amount: Floats
    is_euro: Bools
    follow_ups: tuple[FollowUp, ...]

    @property
    def sold_at(self) -> Ints:
        """When each buyer bought."""
        result: Ints = self.stage_at[-1]
        return result


def sales(world: People, outcome: Outcome, seed: int) -> Sales:
    """The sales that the leads of one world come to."""
    dice = rng(seed, "sales")
    stage_draw = dice.random((len(STAGES), world.buyers))
    lag_draw = np.exp(0.6 * dice.standard_normal((len(STAGES), world.buyers)))
    size_draw = np.exp(0.45 * dice.standard_normal(world.buyers))
    discount = dice.choice([1.0, 0.95, 0.9, 0.85], world.buyers, p=[0.5, 0.2, 0.2, 0.1])
    first_at, primary, colleagues, bump = _groups(world, outcome)
    is_company = np.arange(world.buyers) < world.companies
    wins = 1 / (1 + np.exp(-(-0.3 + 0.7 * world.fit + 0.35 * np.maximum(colleagues - 1, 0) + bump)))
    stage_at = np.full((len(STAGES), world.buyers), NEVER)
    reached, at = primary >= 0, first_at
    for number in range(len(STAGES)):
        stage_at[number] = np.where(reached, at, NEVER)
        if number + 1 < len(STAGES):
            later = wins if number + 2 == len(STAGES) else np.full(world.buyers, _CHANCE[number + 1])
            reached = reached & (stage_draw[number] < later)
            at = at + (_MEDIAN_DAYS[number + 1] * lag_draw[number + 1] * DAY).astype(np.int64) + 600
    alone_at = np.where(
        (primary >= 0) & (stage_draw[0] < 0.8 * wins),
        first_at + (9 * lag_draw[1] * DAY).astype(np.int64),
        NEVER,
    )
    stage_at = np.where(is_company, stage_at, NEVER)
    stage_at[-1] = np.where(is_company, stage_at[-1], alone_at)
    furthest = np.where(stage_at < NEVER, stage_at, 0).max(axis=0)
    gives_up = is_company & (primary >= 0) & (stage_at[-1] == NEVER) & (stage_draw[-1] < 0.8)
    lost_at = np.where(gives_up, furthest + (20 * lag_draw[0] * DAY).astype(np.int64) + 900, NEVER)
    base = np.where(is_company, np.array([3600.0, 6000.0, 9000.0, 14400.0])[world.size], 360.0)
    opening = np.where(is_company, np.round(base * size_draw, -2), np.round(base * size_draw) + 0.99)
    amount = np.where(is_company, np.round(opening * discount, 2), opening)
    stage_at, lost_at = _seen(stage_at), _seen(lost_at)
    return Sales(
        primary,
        stage_at,
        lost_at,
        opening,
        amount,
        world.is_european & is_company,
        _follow_ups(stage_at[-1], amount, seed),
    )


def _groups(world: People, outcome: Outcome) -> tuple[Ints, Ints, Ints, Floats]:
    """Per buyer: the first lead's instant and person, how many asked within four weeks, and marketing's log-odds."""
    asked = np.nonzero((outcome.lead_at >= 0) & (outcome.lead_at < END))[0]
    order = asked[np.lexsort((asked, outcome.lead_at[asked], world.buyer[asked]))]
    buyer, starts = np.unique(world.buyer[order], return_index=True)
    first_at, primary = np.full(world.buyers, NEVER), np.full(world.buyers, -1)
    first_at[buyer], primary[buyer] = outcome.lead_at[order[starts]], order[starts]
    together = order[outcome.lead_at[order] <= first_at[world.buyer[order]] + _SHARED]
    colleagues = np.bincount(world.buyer[together], minlength=world.buyers)
    bump = np.bincount(world.buyer[together], weights=outcome.win_logit[together], minlength=world.buyers)
    return first_at, primary, colleagues.astype(np.int64), bump.astype(np.float64)


def _follow_ups(sold_at: Ints, amount: Floats, seed: int) -> tuple[FollowUp, ...]:
    """Quarterly renewals while the customer stays, at most one expansion, at most one refund: all thrown per buyer."""
    dice = rng(seed, "follow-ups")
    count = len(sold_at)
    stays = dice.geometric(0.25, count) - 1
    found = []
    for number in range(1, RENEWALS + 1):
        at = np.where((sold_at < NEVER) & (stays >= number), sold_at + number * 91 * DAY, NEVER)
        found.append(FollowUp("renewal", _seen(at), np.round(amount * 0.25, 2)))
    grows = (sold_at < NEVER) & (dice.random(count) < 0.2)
    at = np.where(grows, sold_at + (dice.uniform(30, 150, count) * DAY).astype(np.int64), NEVER)
    found.append(FollowUp("expansion", _seen(at), np.round(amount * dice.uniform(0.1, 0.5, count), 2)))
    regrets = (sold_at < NEVER) & (dice.random(count) < 0.06)
    at = np.where(regrets, sold_at + (dice.uniform(5, 40, count) * DAY).astype(np.int64), NEVER)
    found.append(FollowUp("refund", _seen(at), np.round(amount * dice.choice([0.25, 0.5, 1.0], count), 2)))
    return tuple(found)


def _seen(at: Ints) -> Ints:
    """`at`, with what happens after the world's end not seen."""
    return np.where(at < END, at, NEVER)


def revenue_minor(sold: Sales, rates: Floats) -> Ints:
    """Revenue per buyer until the world's end, refunds taken off, in US cents by each day's rate (USD per EUR)."""
    total = _cents(sold.sold_at, sold.amount, sold.is_euro, rates)
    for later in sold.follow_ups:
        sign = -1 if later.kind == "refund" else 1
        total = total + sign * _cents(later.at, later.amount, sold.is_euro, rates)
    return total


def _cents(at: Ints, amount: Floats, is_euro: Bools, rates: Floats) -> Ints:
    """Cents in US dollars, rounded half up; 0 where nothing happened."""
    happened = at < NEVER
    rate = np.where(is_euro, rates[np.where(happened, day_of(at), 0)], 1.0)
    cents = np.floor(np.round(amount * rate * 100, 6) + 0.5).astype(np.int64)
    return np.where(happened, cents, 0)
