"""Credit to the first touch and the one that made the lead."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class UShaped:
    """The first touch and the one that made the lead take half each.

    first, lead: shares in [0, 1] that add up to 1 at most; what they leave is spread over the other touches.
    A stage's mark falls on the last touch at or before the stage. Marks on one touch add up; the share of a mark that
    the journey lacks goes to the others in proportion.
    Assumes: awareness and becoming a lead are the two moments that matter.
    Misleads: about all that happens after the lead, which in a long sale is most of it.
    Formula: first and lead to the marked touches, (1 - first - lead) / m to each of m others, normalised.
    Source: "U-shaped" in Adobe Marketo Measure (50/50). Others call 40/20/40 by that name: here that is position_based.
    """

    first: float = 0.5
    lead: float = 0.5

    def __post_init__(self) -> None:
        remainder("u_shaped", first=self.first, lead=self.lead)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the first and the lead touch."""
        rest = remainder("u_shaped", first=self.first, lead=self.lead)
        return spread(touch, {"first": self.first, "lead": self.lead}, rest)
