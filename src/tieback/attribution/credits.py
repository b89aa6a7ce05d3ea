"""Credit: what each touch earned of a conversion under a model, to the cent."""

from __future__ import annotations

from math import lcm

import ibis
from ibis.expr import types as ir

from tieback.attribution.models import Model
from tieback.schema.remembered import remembered
from tieback.schema.rounding import nearest, to_six_digits

# Weights are counted in grains of the largest weight: whole numbers have one sum in any order, which fractions do not.
# Every number to 32 divides them, so that simple ratios stay exact; 64 bits hold the sum of sixty thousand touches.
_GRAINS = lcm(*range(1, 33))

# A share is a whole number of these parts, so that counts add up exactly, in any order and from any change.
PARTS = 10**11


@remembered
def credits(journeys: ir.Table, conversions: ir.Table, name: str, model: Model) -> ir.Table:
    """The rows of the table `credits` for one `model`, under the name it was given.

    Weights become shares that sum to 1 per conversion, the same in whatever order they are added up, and are whole
    hundred-billionths: what rounding down leaves of 1 goes to the last touch. Exact shares of
    value_minor become whole minor units by the method of the largest remainder: each touch gets its share rounded down
    (of the value without sign), and what is left goes, a unit each, to the largest fractions, ties to the earlier
    touch. So a refund takes back what its sale gave, to the cent. Fractions are rounded to six digits first, so that
    the noise of binary fractions decides nothing.
    A counted conversion of which no touch has weight is one row without touch: Unattributed, share 1, all its value.
    """
    return _in_minor_units(_shares(_weighed(journeys, model), conversions)).select(
        "conversion_id", "touch_id", "share", "value_minor", model=ibis.literal(name)
    )


def _weighed(journeys: ir.Table, model: Model) -> ir.Table:
    """The touches of converted paths that have weight; the rest leave here, which makes models of one touch light."""
    touches = journeys.filter(journeys.conversion_id.notnull())
    weighed = touches.select("path_id", "touch_id", "position", weight=model.weight(touches).cast("float64"))
    # A converted path has its conversion's id: rows that were weighed by path lie together by conversion already.
    return weighed.filter(weighed.weight > 0).select("touch_id", "position", "weight", conversion_id="path_id")


def _shares(weighed: ir.Table, conversions: ir.Table) -> ir.Table:
    """Each counted conversion with its weighed touches, or with none, and their shares."""
    counted = conversions.filter(conversions.excluded_reason.isnull()).select("conversion_id", "value_minor")
    rows = counted.left_join(weighed, "conversion_id")
    rows = rows.select("conversion_id", "touch_id", "position", "value_minor", weight=rows.weight.fill_null(1.0))
    largest = rows.weight.max().over(group_by="conversion_id")
    rows = rows.mutate(grains=nearest(rows.weight / largest * float(_GRAINS)))
    whole = rows.grains.sum().over(group_by="conversion_id")
    return rows.mutate(share=rows.grains.cast("float64") / whole.cast("float64"))


def _in_minor_units(rows: ir.Table) -> ir.Table:
    """`rows` with value_minor of the conversion turned into that of the touch, and shares into whole parts."""
    exact = to_six_digits(rows.value_minor.abs().cast("float64") * rows.share)
    rows = rows.mutate(whole=exact.floor().cast("int64"), fraction=to_six_digits(exact - exact.floor()))
    places = ibis.window(group_by="conversion_id", order_by=[rows.fraction.desc(), rows.position])
    rows = rows.mutate(
        rank=ibis.row_number().over(places),
        left=rows.value_minor.abs() - rows.whole.sum().over(places),
        touches=rows.count().over(places),
        parts=(rows.share * float(PARTS)).floor().cast("int64"),
    )
    missing = PARTS - rows.parts.sum().over(group_by="conversion_id")
    last = rows.position.max().over(group_by="conversion_id")
    each = (rows.rank < rows.left).ifelse(1, 0)
    # Beyond 2^53 a share times a value is no longer exact to the unit: whatever that leaves falls to the first.
    astray = rows.left - ibis.least(ibis.greatest(rows.left, 0), rows.touches)
    unsigned = rows.whole + each + (rows.rank == 0).ifelse(astray, 0)
    return rows.mutate(
        value_minor=(rows.value_minor < 0).ifelse(-unsigned, unsigned),
        share=(rows.parts + (rows.position == last).ifelse(missing, 0)).cast("float64") / float(PARTS),
    )
