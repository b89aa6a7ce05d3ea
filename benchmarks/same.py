"""Whether a pipeline and the script written by hand came to the same numbers: else they did different work."""

from __future__ import annotations

import sys
from collections.abc import Callable

_NAMES = "date, basis, model, channel, source, medium, campaign, content, landing_page"
_CREDIT = """
    SELECT a.model FROM {ours} a FULL JOIN {theirs} b
    ON a.model = b.model AND a.conversion_id = b.conversion_id AND a.touch_id IS NOT DISTINCT FROM b.touch_id
    WHERE a.value_minor IS DISTINCT FROM b.value_minor OR coalesce(abs(a.share - b.share), 1) > 1e-9
"""
_REVENUE = f"SELECT {_NAMES}, sum(revenue_minor) FROM {{}} WHERE model <> '' GROUP BY ALL"


def same_numbers(count: Callable[[str], int], ours: str, theirs: str) -> None:
    """End the benchmark when credit (to the cent, shares to 1e-9) or revenue of the two is not the same.

    count: the number of rows of a SELECT in DuckDB's dialect. ours, theirs: how a table is named in it, {} for its name.
    """
    credit = _CREDIT.format(ours=ours.format("credits"), theirs=theirs.format("credits"))
    one, other = (_REVENUE.format(side.format("performance")) for side in (ours, theirs))
    found = {"credits": credit, "performance": f"({one} EXCEPT {other}) UNION ALL ({other} EXCEPT {one})"}
    for what, select in found.items():
        different = count(select)
        print(f"  {what}: {count(f'SELECT 1 FROM {ours.format(what)}'):,} rows, {different:,} of them different")
        if different:
            sys.exit(f"The rival's {what} are not tieback's: the comparison would mean nothing.")
