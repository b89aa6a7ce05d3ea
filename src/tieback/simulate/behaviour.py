"""What people do week by week: whom marketing meets, who comes to visit, who asks to be called back.

Every world (the real one, and one for each channel switched off) is played with the same dice, so that two worlds
differ only by what the switched-off channel does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tieback.simulate.people import People
from tieback.simulate.world import CHANNELS, DAY, START, WEEKS, Channel, Floats, Ints, index, rng, waking_seconds

_Floats32 = NDArray[np.float32]
_KEPT = 0.7  # of the stock of meetings, from one week to the next
_INTENT = 0.8  # weight of lasting interest
_NOT_LOOKING = -3.2  # what is added to intent while a person is not in the market
_LEAD_LOGIT = -4.9
_NEVER = 10_000
NURTURED = 10  # weeks for which a lead stays in the market
DECISION = 4  # weeks from lead to the moment at which the stock of win effects is taken


@dataclass(frozen=True)
class Outcome:
    """One world, by person: the second of becoming a lead (-1: never), and the log-odds marketing added to winning."""

    lead_at: Ints
    win_logit: Floats


@dataclass(frozen=True)
class Meetings:
    """Every meeting of the real world that leaves a trace: a visit, or a newsletter that arrived."""

    person: Ints
    week: Ints
    channel: Ints
    is_visit: NDArray[np.bool_]
    met: NDArray[np.int64]  # people met by week and channel, trace or not


@dataclass
class _World:
    """The state of one world while it is played."""

    channels: tuple[int, ...]
    stock: _Floats32
    lead_week: NDArray[np.int32]
    win_logit: _Floats32
    traces: list[tuple[Ints, Ints, Ints, NDArray[np.bool_]]] = field(default_factory=list)


def play(
    world: People,
    seed: int,
    off: Iterable[Iterable[str]],
    channels: tuple[Channel, ...] = CHANNELS,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> tuple[Meetings, list[Outcome]]:
    """The real world's meetings, and the outcomes of the real world and of each world in `off`, in order.

    off: for each further world, the channels switched off in it. progress: called with weeks done and weeks in all.
    """
    worlds = [_start(world, channels, set(names)) for names in ((), *off)]
    selection = np.array([[channel.selection * _INTENT] for channel in channels], np.float32)
    pull = np.exp(selection * world.intent.astype(np.float32))
    seasons = _seasons(seed)
    met = np.zeros((WEEKS, len(channels)), np.int64)
    for week in range(WEEKS):
        dice = rng(seed, "behaviour", week)
        meet_draw = dice.random((len(channels), world.count), np.float32)
        lead_draw = dice.random(world.count, np.float32)
        for number, state in enumerate(worlds):
            week_pull = pull * seasons[week][:, None]
            counts = _live(world, state, week, channels, week_pull, meet_draw, lead_draw, keep=number == 0)
            if number == 0:
                met[week] = counts
        progress(week + 1, WEEKS)
    person, weeks, channel, is_visit = (np.concatenate(column) for column in zip(*worlds[0].traces, strict=True))
    return Meetings(person, weeks, channel, is_visit, met), [_outcome(world, state, seed) for state in worlds]


def _start(world: People, channels: tuple[Channel, ...], off: set[str]) -> _World:
    on = tuple(number for number, channel in enumerate(channels) if channel.name not in off)
    return _World(
        on,
        np.zeros((len(channels), world.count), np.float32),
        np.full(world.count, _NEVER, np.int32),
        np.zeros(world.count, np.float32),
    )


def _live(
    world: People,
    state: _World,
    week: int,
    channels: tuple[Channel, ...],
    pull: _Floats32,
    meet_draw: _Floats32,
    lead_draw: _Floats32,
    *,
    keep: bool,
) -> Ints:
    """Play one week of one world; returns the people met by channel."""
    is_lead = state.lead_week < _NEVER
    looking = ((world.enters <= week) & (week < world.leaves)) | (is_lead & (week - state.lead_week <= NURTURED))
    warmth = np.log1p(state.stock[index("Display")] + state.stock[index("Paid Social")])
    state.stock *= np.float32(_KEPT)
    logit = np.float32(0.9 * _INTENT) * world.intent.astype(np.float32)
    logit += np.where(looking, np.float32(_LEAD_LOGIT), np.float32(_LEAD_LOGIT + _NOT_LOOKING))
    counts = np.zeros(len(channels), np.int64)
    for number in state.channels:
        channel = channels[number]
        idle_reach = channel.reach * np.exp(channel.selection * _NOT_LOOKING)
        chance = np.where(looking, np.float32(channel.reach), np.float32(idle_reach))
        chance *= pull[number]
        if channel.mediated:
            chance *= 1 + np.float32(channel.mediated) * warmth
        if channel.name == "Email":
            chance *= world.is_subscribed | (state.lead_week < week)
        if channel.name == "Webinar":
            chance *= week % 4 == 2  # one a month
        np.minimum(chance, np.float32(0.9), out=chance)
        is_met = meet_draw[number] < chance
        state.stock[number] += is_met
        counts[number] = np.count_nonzero(is_met)
        if keep:
            state.traces.append(_traces(number, week, channel, meet_draw[number], chance))
    for number in state.channels:
        if channels[number].effect:
            logit += np.float32(channels[number].effect) * np.log1p(state.stock[number])
    asks = (state.lead_week == _NEVER) & (lead_draw < 1 / (1 + np.exp(-logit)))
    state.lead_week[asks] = week
    decides = state.lead_week == week - DECISION
    if week == WEEKS - 1:
        decides = (state.lead_week >= week - DECISION) & (state.lead_week < _NEVER)
    for number in state.channels:
        if channels[number].win_effect:
            state.win_logit[decides] += np.float32(channels[number].win_effect) * np.log1p(state.stock[number][decides])
    return counts


def _traces(
    number: int, week: int, channel: Channel, draw: _Floats32, chance: _Floats32
) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    visits = draw < chance * np.float32(channel.visit_rate)
    person = np.nonzero(draw < chance if channel.name == "Email" else visits)[0]
    return person, np.full(len(person), week), np.full(len(person), number), visits[person]


def _seasons(seed: int) -> _Floats32:
    """How busy each channel is by week, around 1: campaigns come and go, and summers and Christmas are slow."""
    dice = rng(seed, "seasons")
    drift = np.exp(0.15 * np.cumsum(dice.standard_normal((WEEKS, len(CHANNELS))), axis=0) / np.sqrt(10))
    year = 1 + 0.12 * np.sin(2 * np.pi * (np.arange(WEEKS) - 8) / 52)
    result: _Floats32 = (np.clip(drift, 0.6, 1.6) * year[:, None]).astype(np.float32)
    return result


def _outcome(world: People, state: _World, seed: int) -> Outcome:
    part = waking_seconds(rng(seed, "hour of the lead").random(world.count))
    week = state.lead_week.astype(np.int64)
    at = START + (world.offset + 7 * week + 6) * DAY + part
    return Outcome(np.where(week == _NEVER, -1, at), state.win_logit.astype(np.float64))
