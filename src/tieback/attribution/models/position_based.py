"""Fixed shares for the first and last touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class PositionBased:
    """The first and last touch take fixed shares; those between share the rest evenly.

    first, last: shares in [0, 1] that add up to 1 at most. One touch takes everything; two share in the ratio first :
    last.
    Assumes: opening and closing a journey matter most.
    Misleads: where the middle persuades (webinars, demos), and where a lookback window cuts off the true first touch.
    Formula: first, (1 - first - last) / (n - 2) for each between, last.
    Source: "position based" in Google Analytics (until 2023) with 0.4 and 0.4; also known as 40/20/40.
    """

    first: float = 0.4
    last: float = 0.4

    def __post_init__(self) -> None:
        remainder("position_based", first=self.first, last=self.last)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the first and last touch, and the rest over those between."""
        rest = remainder("position_based", first=self.first, last=self.last)
        return spread(touch, {"first": self.first, "last": self.last}, rest)
