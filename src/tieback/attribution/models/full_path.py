"""Credit to the first, lead, opportunity and closing touches."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import remainder, spread


@dataclass(frozen=True)
class FullPath:
    """The first, lead, opportunity and closing touches take 22.5 % each, the others 10 % together.

    first, lead, opportunity, close: shares in [0, 1] that add up to 1 at most; what they leave is spread over the
    others.
    A stage's mark falls on the last touch at or before the stage. Marks on one touch add up; the share of a mark that
    the journey lacks goes to the others in proportion.
    Assumes: marketing keeps working until the deal is won.
    Misleads: in favour of touches that happen anyway while a contract is signed, such as log-ins and direct visits.
    Formula: the four shares to the marked touches, the rest / m to each of m others, normalised.
    Source: "full path" in Adobe Marketo Measure (22.5 % four times, and 10).
    """

    first: float = 0.225
    lead: float = 0.225
    opportunity: float = 0.225
    close: float = 0.225

    def __post_init__(self) -> None:
        remainder("full_path", first=self.first, lead=self.lead, opportunity=self.opportunity, close=self.close)

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The shares of the marked touches, and the rest over the others."""
        rest = remainder("full_path", first=self.first, lead=self.lead, opportunity=self.opportunity, close=self.close)
        return spread(
            touch, {"first": self.first, "lead": self.lead, "opportunity": self.opportunity, "last": self.close}, rest
        )
