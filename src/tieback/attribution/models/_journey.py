"""What models are made of: checks of their parameters, and questions that a touch can ask about its journey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibis.expr import types as ir


def over_path(touch: ir.Table, value: Any) -> Any:
    """The aggregate `value` over all touches of the path that `touch` belongs to."""
    return value.over(group_by=touch.path_id)


def when(condition: Any, amount: Any) -> Any:
    """`amount` where `condition` holds, else 0."""
    return condition.ifelse(amount, 0.0)


def last_where(touch: ir.Table, condition: Any) -> Any:
    """The position of the path's last touch for which `condition` holds; 0 when there is none."""
    return over_path(touch, condition.ifelse(touch.position, 0).max())


def spread(touch: ir.Table, marks: Mapping[str, float], rest: float) -> Any:
    """Shares for the marks of a journey, and `rest` spread evenly over its touches without a mark.

    marks: share by mark: first, last, lead, opportunity. Marks on one touch add up; the share of a mark that the
    journey lacks, or of a rest without touches, falls to the others in proportion (credit is normalised per
    conversion).
    """
    places = {
        "first": touch.position == 1,
        "last": touch.position == touch.length,
        "lead": touch.is_lead_touch,
        "opportunity": touch.is_opportunity_touch,
    }
    weight = sum((when(places[mark], share) for mark, share in marks.items()), start=0.0)
    if rest <= 0:
        return weight
    is_marked = places["first"]
    for mark in marks:
        is_marked = is_marked | places[mark]
    others = over_path(touch, is_marked.ifelse(0, 1).sum())
    return is_marked.ifelse(weight, rest / others)


def remainder(model: str, **shares: float) -> float:
    """What is left of 1 after `shares`; ValueError unless each lies in [0, 1] and they leave at least nothing."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share:g}, but a share lies between 0 and 1.")
    left = round(1 - sum(shares.values()), 12)
    if left < 0:
        total = " + ".join(shares)
        raise ValueError(f"{total} is {1 - left:g}, but the shares of {model} may not exceed 1 together.")
    if left == 1:
        raise ValueError(f"{' and '.join(shares)} are 0, so that the only touch of a journey would earn nothing.")
    return left
