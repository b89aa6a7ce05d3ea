"""What stages are built of, over a few awkward rows: orders with empty cells, and halves on both sides of zero.

No stage of today leans on where an empty cell comes; these rows do, so that an engine that puts it elsewhere is found
before a stage is written that does.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import ibis
import pyarrow as pa

from tests.engines.same import Row, ordered
from tieback.attribution.rates import minor_units
from tieback.schema.rounding import nearest, to_six_digits
from tieback.store import Engine

_AT = [None, datetime(2025, 1, 2), datetime(2025, 1, 1), None, datetime(2025, 1, 2), datetime(2025, 1, 3)]
_WORD = ["b", None, "a", "", None, "É"]
_NUMBER = [0.5, -0.5, 2.5, -2.5, None, 0.0000005]
_AMOUNT = [Decimal("0.005"), Decimal("-0.005"), Decimal("0.025"), Decimal("-0.025"), None, Decimal("1.005")]
_ROWS = pa.table(
    {
        "row_id": [f"row-{number}" for number in range(len(_AT))],
        "at": pa.array(_AT, pa.timestamp("us")),
        "word": pa.array(_WORD, pa.string()),
        "number": pa.array(_NUMBER, pa.float64()),
        "amount": pa.array(_AMOUNT, pa.decimal128(18, 6)),
    }
)


def basics(engine: Engine) -> dict[str, list[Row]]:
    """What the engine makes of them."""
    with engine.transaction():
        rows = engine.scratch_rows("awkward", _ROWS)
        found = engine.scratch("basics", rows.mutate(**_places(rows), **_roundings(rows)))
        return {"basics": ordered(engine.read(found).to_pylist())}


def _places(rows: ibis.Table) -> dict[str, ibis.Value]:
    """The place of each row in orders of a column that may be empty, and what came before it."""
    found = {}
    for name in ("at", "word", "number"):
        for way, key in (("up", rows[name]), ("down", rows[name].desc())):
            along = ibis.window(order_by=[key, rows.row_id])
            found[f"{name}_{way}"] = ibis.row_number().over(along)
            found[f"{name}_{way}_before"] = rows.row_id.lag().over(along)
    return found


def _roundings(rows: ibis.Table) -> dict[str, ibis.Value]:
    """Each number as tieback rounds it."""
    return {
        "whole": nearest(rows.number),
        "six_digits": to_six_digits(rows.number),
        "minor": minor_units(rows.amount, ibis.literal(1.0), 2),
    }
