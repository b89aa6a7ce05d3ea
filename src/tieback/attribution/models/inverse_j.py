"""Most credit to the first touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class InverseJ:
    """The first touch takes most, the last some, and those between share as much evenly: 60/20/20.

    first, last: shares in [0, 1] that add up to 1 at most. One touch takes everything; two share in the ratio first :
    last.
    Assumes: winning attention matters most, yet neither the closing nor the middle is worth nothing.
    Misleads: in favour of channels that reach many and win few; a short lookback window hides the true first touch.
    Formula: first, (1 - first - last) / (n - 2) for each between, last.
    Source: "inverse J" in Adobe Analytics (60 % first, 20 % last).
    """

    first: float = 0.6
    last: float = 0.2

    def __post_init__(self) -> None:
        remainder("inverse_j", first=self.first, last=self.last)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the first and last touch, and the rest over those between."""
        rest = remainder("inverse_j", first=self.first, last=self.last)
        return spread(touch, {"first": self.first, "last": self.last}, rest)
