"""Weights of your own, set in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ibis.expr import types as ir

from tieback.attribution.models._journey import when


@dataclass(frozen=True)
class Custom:
    """Weights of your own by position and stage, times factors of your own by channel and kind of touch.

    first, middle, last: weight of the first touch, of each between, of the last; a lone touch is first and last.
    lead, opportunity: weight added to the touch that made the lead, the opportunity.
    channels, kinds: factors by channel (Direct = 0) and by kind of touch (webinar = 2), letter case ignored; 1 unless
    given.
    Weights and factors are 0 or more; only their ratios count. If all of a journey come to 0, the conversion is
    Unattributed.
    Assumes: whatever you make it assume. With nothing set it is linear.
    Misleads: when weights are chosen until the answer pleases. Write down why each is what it is.
    Formula: (first + middle + last + lead + opportunity, each where it applies) × channel factor × kind factor,
    normalised.
    Source: "custom" models in Google Analytics 360 and Adobe Analytics.
    """

    first: float = 1.0
    middle: float = 1.0
    last: float = 1.0
    lead: float = 0.0
    opportunity: float = 0.0
    channels: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = {name: getattr(self, name) for name in ("first", "middle", "last", "lead", "opportunity")}
        factors = {f"channels.{name}": factor for name, factor in self.channels.items()}
        factors |= {f"kinds.{name}": factor for name, factor in self.kinds.items()}
        for name, amount in (weights | factors).items():
            if not 0 <= amount <= _MOST:
                raise ValueError(f"{name} is {amount:g}, but a weight lies between 0 and {_MOST:,}.")
        if not any(weights.values()):
            raise ValueError("first, middle, last, lead and opportunity are all 0, so that nothing would earn credit.")

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """The weights that apply to the touch, times the factors of its channel and kind."""
        is_first, is_last = touch.position == 1, touch.position == touch.length
        weight = when(is_first, self.first) + when(is_last, self.last) + when(~(is_first | is_last), self.middle)
        weight = weight + when(touch.is_lead_touch, self.lead) + when(touch.is_opportunity_touch, self.opportunity)
        return weight * _factor(touch.channel, self.channels) * _factor(touch.kind, self.kinds)


_MOST = 1_000_000


def _factor(column: ir.StringColumn, factors: Mapping[str, float]) -> ir.NumericValue | float:
    if not factors:
        return 1.0
    return column.lower().cases(*((name.lower(), factor) for name, factor in factors.items()), else_=1.0)
