"""Touchpoints and conversions by the steps that an engine keeps on the way, for all facts or a few of them."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.attribution.conversions import conversions, owned
from tieback.attribution.exclusions import staff
from tieback.attribution.moments import moments
from tieback.attribution.rates import rates_of_moments, refuse_missing
from tieback.attribution.sessions import logins_between, of_devices, possible_touches, sessions, shared_devices
from tieback.attribution.touchpoints import channels_of, clicks, led_to_a_visit, touchpoints
from tieback.config import Settings
from tieback.schema.builder import Builder


def sessions_by_steps(
    engine: Builder,
    events: ir.Table,
    people: ir.Table,
    known: tuple[ir.Table, ir.Table],
    settings: Settings,
    parts: int = 1,
) -> ir.Table:
    """The `sessions` of `events`, kept, in so many parts of devices. known: their junk identifiers, and the `staff`."""
    junk, own_people = known
    found = []
    for part in range(parts):
        of_some = of_devices(events, junk, part, parts)
        touches = engine.scratch("possible_touches", possible_touches(of_some, junk, settings))
        devices = engine.scratch("shared_devices", shared_devices(touches))
        logins = engine.scratch("logins", logins_between(touches, devices))
        some = sessions(touches, logins, of_some, people, own_people, settings)
        found.append(engine.scratch(f"sessions_{part}", some))
    return ibis.union(*found) if parts > 1 else found[0]


def touchpoints_by_steps(engine: Builder, sessions: ir.Table, settings: Settings) -> ir.Table:
    """The `touchpoints` of `sessions`, which are kept already."""
    channels = engine.scratch("channels", channels_of(sessions, settings))
    clicked = engine.scratch("clicks", clicks(sessions, settings))
    led = engine.scratch("led", led_to_a_visit(clicked, sessions, settings))
    return touchpoints(sessions, channels, led, settings)


def conversions_by_steps(engine: Builder, facts: Any, at: Any, people: ir.Table, settings: Settings) -> ir.Table:
    """The `conversions` that `facts` tell of. at: all facts, for the rates and for who is staff.

    Raises InputError when an exchange rate is missing, naming the day.
    """
    happened = engine.scratch("moments", moments(facts, settings))
    refuse_missing(engine.read, rates_of_moments(happened, settings), at.fx_rates, settings)
    own_people = engine.scratch("staff", staff(at, people, settings.exclude))
    whose = engine.scratch("owned", owned(happened, people, own_people))
    return conversions(whose, at.fx_rates, settings)
