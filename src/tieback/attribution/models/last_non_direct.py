"""All credit to the last touch that is not a direct visit."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import last_where


@dataclass(frozen=True)
class LastNonDirect:
    """The last touch that is not Direct takes everything; when all are Direct, the last of them.

    Assumes: a direct visit is the echo of an earlier touch, which deserves the credit.
    Misleads: like last touch, about whatever creates demand; and it hides how much comes by habit or word of mouth.
    Formula: 1 for the last touch whose channel is not Direct, or for the last of all if there is none; 0 for the
    others.
    Source: "last non-direct click", the default of Google Analytics reports.
    """

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """1 for the last touch that is not Direct, or else the last."""
        last = last_where(touch, touch.channel != "Direct")
        chosen = (last > 0).ifelse(last, touch.length)
        return (touch.position == chosen).ifelse(1.0, 0.0)
