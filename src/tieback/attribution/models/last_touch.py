"""All credit to the last touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import when


@dataclass(frozen=True)
class LastTouch:
    """The last touch before the conversion takes everything.

    Assumes: what came last is what decided.
    Misleads: about whatever creates demand; it pays brand search and direct visits for work done earlier by others.
    Formula: 1 for the last touch, 0 for the others.
    Source: "last interaction" in Google Analytics (until 2023); "last touch" everywhere.
    """

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """1 for the last touch."""
        return when(touch.position == touch.length, 1.0)
