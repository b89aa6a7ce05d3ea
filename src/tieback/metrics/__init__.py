"""The numbers and why: what marketing cost and earned, that it adds up, and how each credit came about.

Comes in: credits, touchpoints, conversions, journeys and costs. Goes out: the table `performance`,
and what is read from it.
"""

from __future__ import annotations

from tieback.metrics.performance import credited_touches, earned, observed

__all__ = ["credited_touches", "earned", "observed"]
