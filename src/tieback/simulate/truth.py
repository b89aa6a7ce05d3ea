"""What is true of the world, whatever can be seen of it: conversions, their touches, and what each channel caused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieback.simulate import crm
from tieback.simulate.behaviour import Outcome
from tieback.simulate.events import devices, instants
from tieback.simulate.people import People, joined, numbered
from tieback.simulate.sales import NEVER, Sales, revenue_minor
from tieback.simulate.visits import DEVICES, Touches
from tieback.simulate.world import DAY, NAMES, SWITCHABLE, Bools, Floats, Ints, day_of, index

LOOKBACK_DAYS = {"lead": 90, "customer": 365, "subscription": 90, "renewal": 365, "expansion": 365, "refund": 365}
_FAR = np.int64(1 << 33)  # more seconds than the world has


@dataclass(frozen=True)
class Effect:
    """What a channel caused: the real world less the one in which it is off. Money in US cents.

    deals: leads of companies. customers: won deals and subscriptions.
    """

    channel: str
    cost_minor: int
    deals: int
    customers: int
    revenue_minor: int

    @property
    def roas(self) -> float | None:
        """Incremental revenue per unit of cost; None for what costs nothing."""
        return self.revenue_minor / self.cost_minor if self.cost_minor else None


@dataclass(frozen=True)
class Totals:
    """What any honest count must come to. Money in US cents."""

    deals: int
    customers: int
    revenue_minor: int
    cost_minor: int


def totals(sold: Sales, rates: Floats, companies: int, cost_minor: int) -> Totals:
    """Leads, customers and revenue of one world."""
    leads = int((sold.stage_at[0][:companies] < NEVER).sum())
    return Totals(leads, int((sold.sold_at < NEVER).sum()), int(revenue_minor(sold, rates).sum()), cost_minor)


def effects(worlds: list[Totals], cost_minor: Ints) -> tuple[Effect, ...]:
    """The effect of each channel of SWITCHABLE, then of all of them together.

    worlds: the real one, then each with one of them off, then the one with all off. cost_minor: by channel of CHANNELS.
    """
    real = worlds[0]
    costs = [int(cost_minor[index(name)]) for name in SWITCHABLE]
    named = zip((*SWITCHABLE, "All marketing"), (*costs, sum(costs)), worlds[1:], strict=True)
    return tuple(
        Effect(
            name, cost, real.deals - off.deals, real.customers - off.customers, real.revenue_minor - off.revenue_minor
        )
        for name, cost, off in named
    )


def conversions(world: People, sold: Sales, rates: Floats) -> pa.Table:
    """Every lead, sale, renewal, expansion and refund.

    Columns: conversion_id, kind, at (UTC seconds), buyer, value_minor (US cents).
    """
    is_company = np.arange(world.buyers) < world.companies
    number = np.arange(world.buyers)
    deal = crm.deal_ids(number)
    found = [
        ("lead", deal, sold.stage_at[0], np.zeros(world.buyers)),
        ("customer", deal, np.where(is_company, sold.sold_at, NEVER), sold.amount),
        ("subscription", crm.order_ids(number, 0), np.where(is_company, NEVER, sold.sold_at), sold.amount),
    ]
    for place, later in enumerate(sold.follow_ups, start=1):
        found.append((later.kind, crm.order_ids(number, place), later.at, later.amount))
    tables = []
    for kind, name, at, amount in found:
        buyer = np.nonzero(at < NEVER)[0]
        rate = np.where(sold.is_euro[buyer], rates[day_of(at[buyer])], 1.0)
        minor = np.floor(np.round(amount[buyer] * rate * 100, 6) + 0.5).astype(np.int64)
        columns = {
            "conversion_id": joined(kind, ":", name.take(pa.array(buyer))),
            "kind": pa.repeat(kind, len(buyer)),
            "at": at[buyer],
            "buyer": buyer,
            "value_minor": -minor if kind == "refund" else minor,
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def touch_rows(
    world: People, seen: Touches, opened_by: pa.Array, mail_ids: pa.Array, webinar_ids: pa.Array
) -> pa.Table:
    """Every touch of every person: touch_id, person, buyer, at (UTC seconds), channel, is_linked.

    is_linked: something in the files tells whose it is. A newsletter click counts itself only where the visit that it
    led to is not linked. opened_by, mail_ids, webinar_ids: the events' ids by visit, mail and attendance.
    """
    visits = seen.visits
    linked = seen.linked[visits.slot]
    clicked = np.nonzero(seen.mail_visit >= 0)[0]
    alone = clicked[~linked[seen.mail_visit[clicked]]]
    clicks = _touch_table(world, mail_ids.take(pa.array(alone)), seen.mail[0][alone], seen.mail[1][alone], "Email")
    attended = _touch_table(world, webinar_ids, *seen.webinar, "Webinar")
    return pa.concat_tables(
        [_touch_table(world, opened_by, visits.person, visits.at, visits.channel, linked), clicks, attended]
    )


def journeys(won: pa.Table, touched: pa.Table) -> pa.Table:
    """Conversion x touch within the lookback window: conversion_id, touch_id, person, occurred_at, channel, is_linked.

    A touch may earn credit up to the conversion's own second, and from exactly the window's edge.
    A refund has no row of its own: it follows its sale.
    """
    won = won.filter(pc.not_equal(won["kind"], "refund"))
    key = touched["buyer"].to_numpy() * _FAR + touched["at"].to_numpy()
    order = np.argsort(key, kind="stable")
    key = key[order]
    end = won["buyer"].to_numpy() * _FAR + won["at"].to_numpy()
    window = np.array([LOOKBACK_DAYS[kind] for kind in won["kind"].to_pylist()], np.int64) * DAY
    low, high = np.searchsorted(key, end - window, "left"), np.searchsorted(key, end, "right")
    count = high - low
    row = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + low[row]
    touch = touched.take(pa.array(order[place]))
    return pa.table(
        {
            "conversion_id": won["conversion_id"].take(pa.array(row)),
            "touch_id": touch["touch_id"],
            "person": touch["person"],
            "occurred_at": instants(touch["at"].to_numpy()),
            "channel": touch["channel"],
            "is_linked": touch["is_linked"],
        }
    )


def identifiers(world: People, seen: Touches, outcome: Outcome) -> pa.Table:
    """Whose each device is, and by whom each person buys: id_kind, id_value, person, buyer, is_linked."""
    slot = np.unique(seen.visits.slot)
    person = slot // DEVICES
    return pa.table(
        {
            "id_kind": pa.repeat("anonymous", len(slot)),
            "id_value": devices(slot),
            "person": numbered("P", person, 6),
            "buyer": world.buyer[person],
            "is_linked": seen.linked[slot],
            "is_lead": outcome.lead_at[person] >= 0,
        }
    )


def _touch_table(
    world: People, touch_id: pa.Array, person: Ints, at: Ints, channel: Ints | str, linked: Bools | bool = True
) -> pa.Table:
    if isinstance(channel, str):
        channel = np.full(len(person), index(channel))
    return pa.table(
        {
            "touch_id": touch_id,
            "person": numbered("P", person, 6),
            "buyer": world.buyer[person],
            "at": at,
            "channel": pa.array(NAMES).take(pa.array(channel)),
            "is_linked": np.broadcast_to(linked, len(person)),
        }
    )
