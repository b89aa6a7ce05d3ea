"""Equal credit to every touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir


@dataclass(frozen=True)
class Linear:
    """Every touch takes the same.

    Assumes: each touch mattered as much as any other.
    Misleads: in favour of channels that touch often (retargeting, newsletters); one that decides with a single touch is
    diluted.
    Formula: 1 / n for each of n touches.
    Source: "linear" in Google Analytics (until 2023), "even weight" in others.
    """

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """1 for every touch."""
        return touch.position * 0 + 1.0
