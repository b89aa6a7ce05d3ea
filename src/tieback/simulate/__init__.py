"""Worlds whose causal truth is known: demo data and tests.

Comes in: a number of people and a seed. Goes out: files as `tieback import` reads them, and the truth beside them.
"""

from __future__ import annotations

from tieback.simulate.build import World, write_world
from tieback.simulate.truth import LOOKBACK_DAYS, Effect, Totals
from tieback.simulate.world import FREE_MAIL, OWN_DOMAIN, PLACEBO

__all__ = ["FREE_MAIL", "LOOKBACK_DAYS", "OWN_DOMAIN", "PLACEBO", "Effect", "Totals", "World", "write_world"]
