"""The numbers and why: what marketing cost and earned, that it adds up, and how each credit came about.

Comes in: credits, touchpoints, conversions, journeys and costs. Goes out: the table `performance`,
and what is read from it.
"""

from __future__ import annotations

from tieback.metrics.differences import changed_cells, difference, replaced
from tieback.metrics.performance import (
    BASES,
    celled,
    cells,
    cells_of_spend,
    credit_lines,
    earned,
    first_sales,
    marked,
    observed,
    on_spend,
    sold_by_steps,
)

__all__ = [
    "BASES",
    "celled",
    "cells",
    "cells_of_spend",
    "changed_cells",
    "credit_lines",
    "difference",
    "earned",
    "first_sales",
    "marked",
    "observed",
    "on_spend",
    "replaced",
    "sold_by_steps",
]
