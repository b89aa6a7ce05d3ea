"""All credit to the last paid touch."""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr import types as ir

from tieback.attribution.models._journey import last_where


@dataclass(frozen=True)
class LastPaid:
    """The last paid touch takes everything; without one, the last that is not Direct, or else the last.

    Assumes: where there was paid marketing it is what decided; unpaid touches earn only what no paid one claims.
    Misleads: in favour of paid channels, always, most of all brand search and retargeting. Never set a budget by it
    alone.
    Formula: 1 for the last touch with is_paid; without one, 1 for the last non-direct touch; 0 for the others.
    Source: "Google paid channels last click" in Google Analytics 4, which falls back on the last non-direct click too,
    so that the model's total stays the total revenue. Widened here from Google's channels to every paid one.
    """

    def weight(self, touch: ir.Table) -> ir.NumericValue:
        """1 for the last paid touch, or else the last that is not Direct, or else the last."""
        paid = last_where(touch, touch.is_paid)
        named = last_where(touch, touch.channel != "Direct")
        chosen = (paid > 0).ifelse(paid, (named > 0).ifelse(named, touch.length))
        return (touch.position == chosen).ifelse(1.0, 0.0)
