"""The numbers and why: what marketing cost and earned, that it adds up, and how each credit came about.

Comes in: credits, touchpoints, conversions, journeys and costs. Goes out: the table `performance`,
and what is read from it.
"""

from __future__ import annotations

from tieback.metrics.differences import changed_cells, difference, replaced
from tieback.metrics.performance import (
    BASES,
    cells,
    cells_of_spend,
    credit_lines,
    credited_touches,
    earned,
    observed,
    on_spend,
)

__all__ = [
    "BASES",
    "cells",
    "cells_of_spend",
    "changed_cells",
    "credit_lines",
    "credited_touches",
    "difference",
    "earned",
    "observed",
    "on_spend",
    "replaced",
]
