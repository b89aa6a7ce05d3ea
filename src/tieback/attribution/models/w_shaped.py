"""Credit to the first, lead and opportunity touches."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class WShaped:
    """The first, lead and opportunity touches take 30 % each, the others 10 % together.

    first, lead, opportunity: shares in [0, 1] that add up to 1 at most; what they leave is spread over the other
    touches.
    A stage's mark falls on the last touch at or before the stage. Marks on one touch add up; the share of a mark that
    the journey lacks goes to the others in proportion.
    Assumes: the three hand-overs of a sale matter most.
    Misleads: where stages are set late or in bulk by sales: the mark then falls on whatever touch came before the
    clean-up.
    Formula: the three shares to the marked touches, the rest / m to each of m others, normalised.
    Source: "W-shaped" in Adobe Marketo Measure (30/30/30 and 10).
    """

    first: float = 0.3
    lead: float = 0.3
    opportunity: float = 0.3

    def __post_init__(self) -> None:
        remainder("w_shaped", first=self.first, lead=self.lead, opportunity=self.opportunity)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the marked touches, and the rest over the others."""
        rest = remainder("w_shaped", first=self.first, lead=self.lead, opportunity=self.opportunity)
        return spread(touch, {"first": self.first, "lead": self.lead, "opportunity": self.opportunity}, rest)
