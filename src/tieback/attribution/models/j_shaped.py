"""Most credit to the last touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class JShaped:
    """The last touch takes most, the first some, and those between share as much evenly: 20/20/60.

    first, last: shares in [0, 1] that add up to 1 at most. One touch takes everything; two share in the ratio first :
    last.
    Assumes: what closes matters most, yet neither the opening nor the middle is worth nothing.
    Misleads: in favour of channels that harvest demand, such as brand search.
    Formula: first, (1 - first - last) / (n - 2) for each between, last.
    Source: "J curve" in Adobe Analytics (20 % first, 60 % last).
    """

    first: float = 0.2
    last: float = 0.6

    def __post_init__(self) -> None:
        remainder("j_shaped", first=self.first, last=self.last)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the first and last touch, and the rest over those between."""
        rest = remainder("j_shaped", first=self.first, last=self.last)
        return spread(touch, {"first": self.first, "last": self.last}, rest)
