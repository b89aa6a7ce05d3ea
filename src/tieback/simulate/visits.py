"""When people came, on which device, through which ad; and which of their devices can be told to be theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tieback.simulate.behaviour import Meetings, Outcome
from tieback.simulate.people import People
from tieback.simulate.world import (
    CHANNELS,
    DAY,
    END,
    HOUR,
    START,
    WEEKS,
    Bools,
    Floats,
    Ints,
    Leaf,
    index,
    rng,
    waking_seconds,
)

LEAVES: tuple[tuple[int, Leaf], ...] = tuple(
    (number, leaf) for number, channel in enumerate(CHANNELS) for leaf in channel.leaves
)
DEVICES = 3  # at most, of one person
_APART = 3  # waking hours between two visits, at least, so that each is a session of its own


@dataclass(frozen=True)
class Visits:
    """One entry per web visit, in order of person and time.

    leaf: index of LEAVES. slot: number of the device (person x DEVICES + device). at: UTC second of the first page.
    asks: whether the visitor fills in the form; asked at the lead's own second. logs_in: whether a login is seen.
    """

    person: Ints
    leaf: Ints
    slot: Ints
    at: Ints
    pages: Ints
    asks: Bools
    logs_in: Bools

    @property
    def channel(self) -> Ints:
        """Index of CHANNELS by visit."""
        result: Ints = np.array([channel for channel, _ in LEAVES])[self.leaf]
        return result

    def taken(self, chosen: Bools | Ints) -> Visits:
        """Some of the visits."""
        return Visits(
            self.person[chosen],
            self.leaf[chosen],
            self.slot[chosen],
            self.at[chosen],
            self.pages[chosen],
            self.asks[chosen],
            self.logs_in[chosen],
        )


@dataclass(frozen=True)
class Touches:
    """Everything people did that a machine noted down.

    webinar and mail: who and when (UTC seconds), in order of time.
    mail_visit: by mail, the index of the visit that it led to, or -1.
    linked: by slot, whether form, login or a link tells whose device it is. told: slots that only a link tells.
    """

    visits: Visits
    webinar: tuple[Ints, Ints]
    mail: tuple[Ints, Ints]
    mail_visit: Ints
    linked: Bools
    told: Ints


def touches(world: People, meetings: Meetings, outcome: Outcome, seed: int) -> Touches:
    """The real world's touches, up to its last second."""
    came = visits(world, meetings, outcome, seed)
    dice = rng(seed, "touches")
    slots = world.count * DEVICES
    linked = np.zeros(slots, bool)
    linked[came.slot[came.asks | came.logs_in]] = True
    is_lead = (outcome.lead_at >= 0) & (outcome.lead_at < END)
    open_slots = np.unique(came.slot[is_lead[came.person] & ~linked[came.slot]])
    told = open_slots[dice.random(len(open_slots)) < 0.15]
    linked[told] = True
    by_mail = np.nonzero(came.channel == index("Email"))[0]
    opened = np.nonzero((meetings.channel == index("Email")) & ~meetings.is_visit)[0]
    opened = opened[dice.random(len(opened)) < 0.3]
    opened_at = _spread(world, meetings.person[opened], meetings.week[opened], dice.random(len(opened)))
    mail_person = np.concatenate([came.person[by_mail], meetings.person[opened]])
    mail_at = np.concatenate([came.at[by_mail] - 4, opened_at])
    mail_visit = np.concatenate([by_mail, np.full(len(opened), -1)])
    order = np.lexsort((mail_person, mail_at))
    order = order[mail_at[order] < END]
    attended = np.nonzero(meetings.channel == index("Webinar"))[0]
    webinar_at = _spread(world, meetings.person[attended], meetings.week[attended], dice.random(len(attended)))
    seen = np.lexsort((meetings.person[attended], webinar_at))
    seen = seen[webinar_at[seen] < END]
    webinar = (meetings.person[attended][seen], webinar_at[seen])
    return Touches(came, webinar, (mail_person[order], mail_at[order]), mail_visit[order], linked, told)


def visits(world: People, meetings: Meetings, outcome: Outcome, seed: int) -> Visits:
    """Web visits. A lead fills in the form during the week's last visit, or comes back directly when there was none."""
    dice = rng(seed, "visits")
    is_web = meetings.is_visit & (meetings.channel != index("Webinar"))
    lead = np.nonzero((outcome.lead_at >= 0) & (outcome.lead_at < END))[0]
    lead_key = lead * WEEKS + ((outcome.lead_at[lead] - START) // DAY - world.offset[lead]) // 7
    key = meetings.person[is_web] * WEEKS + meetings.week[is_web]
    comes_back = lead_key[~np.isin(lead_key, key)]
    key = np.concatenate([key, comes_back])
    channel = np.concatenate([meetings.channel[is_web], np.full(len(comes_back), index("Direct"))])
    hour = dice.random(len(key)) * (6 * 24 - _APART * len(CHANNELS))
    order = np.lexsort((channel, hour, key))
    key, channel = key[order], channel[order]
    starts = np.unique(key, return_index=True)[1]
    rank = np.arange(len(key)) - np.repeat(starts, np.diff(np.append(starts, len(key))))
    hour = hour[order] + _APART * rank
    person, week = key // WEEKS, key % WEEKS
    day = world.offset[person] + 7 * week + (hour // 24).astype(np.int64)
    at = START + day * DAY + waking_seconds(hour % 24 / 24)
    is_last = np.append(key[1:] != key[:-1], True)
    asks = is_last & np.isin(key, lead_key)
    pages = np.minimum(dice.geometric(0.45, len(key)), 4)
    at = np.where(asks, outcome.lead_at[person] - 60 * pages - dice.integers(30, 60, len(key)), at)
    second = 1 + (dice.random(len(key)) * (world.devices[person] - 1)).astype(np.int64)
    device = np.where((world.devices[person] > 1) & (dice.random(len(key)) < 0.35), second, 0)
    signs_up = rng(seed, "sign-up").random(world.count) < np.where(world.has_company, 0.7, 1.0)
    has_login = signs_up[person] & (outcome.lead_at[person] >= 0)
    logs_in = has_login & (asks | (at > outcome.lead_at[person]) & (dice.random(len(key)) < 0.8))
    found = Visits(person, _leaf(channel, dice), person * DEVICES + device, at, pages, asks, logs_in)
    return found.taken(at + HOUR // 2 < END)


def _spread(world: People, person: Ints, week: Ints, part: Floats) -> Ints:
    """Instants on the first six days of a person's week."""
    day = (part * 6).astype(np.int64)
    result: Ints = START + (world.offset[person] + 7 * week + day) * DAY + waking_seconds(part * 6 % 1)
    return result


def _leaf(channel: Ints, dice: np.random.Generator) -> Ints:
    """Through which ad each visit came, by the weights within its channel."""
    leaf = np.zeros(len(channel), np.int64)
    for number in range(len(CHANNELS)):
        own = np.array([place for place, (owner, _) in enumerate(LEAVES) if owner == number])
        weights = np.array([LEAVES[place][1].weight for place in own])
        mask = channel == number
        leaf[mask] = dice.choice(own, int(mask.sum()), p=weights / weights.sum())
    return leaf
