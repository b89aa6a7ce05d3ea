"""More credit the closer to the conversion."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

_MOST_HALVINGS = 1000  # 2 ** -1000 is still a number above 0, so that a lone old touch keeps its credit


@dataclass(frozen=True)
class TimeDecay:
    """A touch loses half its weight for every `half_life` days between it and the conversion.

    half_life: days, above 0.
    Assumes: influence fades at a steady rate.
    Misleads: where deals take long: with a half-life of a week, what opened a deal of six months ago weighs nothing.
    Set it by your sales cycle.
    Formula: 0.5 ^ (days_before / half_life), normalised over the journey.
    Source: "time decay" in Google Analytics (until 2023), half-life 7 days.
    """

    half_life: float = 7.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life < float("inf"):
            raise ValueError(f"half_life is {self.half_life:g} days, but it must be above 0 and finite.")

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """Halved for every half-life before the conversion."""
        halvings = touch.days_before / self.half_life
        return 0.5 ** (halvings > _MOST_HALVINGS).ifelse(float(_MOST_HALVINGS), halvings)
