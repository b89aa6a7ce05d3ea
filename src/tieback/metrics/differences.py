"""What a change does to `performance`: rows that some credit, visits or costs no longer add to, or add to now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieback.metrics.performance import KEYS, PARTS
from tieback.schema.opinions import PERFORMANCE
from tieback.schema.remembered import remembered
from tieback.schema.rounding import nearest

if TYPE_CHECKING:
    from ibis.expr import types as ir

_KEY = ("date", "basis", "model", *KEYS)
_MEASURES = tuple(name for name in PERFORMANCE.names if name not in _KEY)
_CERTAIN = ("date", "basis", "model", "channel")  # the rest may be empty


@remembered
def difference(was: ir.Table, now: ir.Table) -> ir.Table:
    """`now` less `was` (rows of PERFORMANCE, any number to a key): one row a key, its measures in whole parts."""
    import ibis

    both = ibis.union(_in_parts(now, 1), _in_parts(was, -1))
    summed = both.group_by(*_KEY).aggregate(**{name: both[name].sum() for name in _MEASURES})
    return summed.filter(ibis.or_(*(summed[name] != 0 for name in _MEASURES)))


@remembered
def replaced(performance: ir.Table, difference: ir.Table) -> ir.Table:
    """The rows of `performance` with the keys of `difference` as they must be: those that add nothing up are gone."""
    import ibis

    keys = difference.select(**{f"its_{name}": difference[name] for name in _KEY})
    same = [performance[name] == keys[f"its_{name}"] for name in _CERTAIN]
    same += [performance[name].identical_to(keys[f"its_{name}"]) for name in _KEY if name not in _CERTAIN]
    held = performance.semi_join(keys, same)
    both = ibis.union(_in_parts(held, 1), difference.select(*_KEY, *_MEASURES))
    summed = both.group_by(*_KEY).aggregate(**{name: both[name].sum() for name in _MEASURES})
    summed = summed.filter(summed.records > 0)
    whole = {name: summed[name].cast("float64") / float(parts) for name, parts in PARTS.items()}
    return summed.mutate(**whole).select(*PERFORMANCE.names)


@remembered
def changed_cells(difference: ir.Table, was_spent: ir.Table, now_spent: ir.Table) -> ir.Table:
    """The cells whose rows of basis `spend` may change: date, channel, cell_campaign.

    difference: of basis `touch`. was_spent, now_spent: the `cells_of_spend` of the costs that changed.
    """
    import ibis

    touched = difference.filter(difference.basis == "touch")
    cells = touched.select("date", "channel", cell_campaign=touched.campaign.fill_null(""))
    spent = ("date", "channel", "cell_campaign")
    return ibis.union(cells, was_spent.select(*spent), now_spent.select(*spent), distinct=True)


def _in_parts(rows: ir.Table, sign: int) -> ir.Table:
    """`rows` with each measure as a whole number of its parts, times `sign`."""
    parts = {
        name: nearest(rows[name] * float(PARTS[name])) * sign if name in PARTS else rows[name] * sign
        for name in _MEASURES
    }
    return rows.select(*_KEY, **parts)
