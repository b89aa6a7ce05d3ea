"""All credit to the first touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import when


@dataclass(frozen=True)
class FirstTouch:
    """The first touch takes everything.

    Assumes: what made the person aware is what made them buy.
    Misleads: about everything that persuades and closes; with a short lookback window, "first" is only the first in it.
    Formula: 1 for the first touch, 0 for the others.
    Source: "first interaction" in Google Analytics (until 2023), "first touch" in Adobe Marketo Measure.
    """

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """1 for the first touch."""
        return when(touch.position == 1, 1.0)
