"""When two engines have come to the same: cents and texts equal, fractions to 1e-9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tieback.schema import OPINIONS
from tieback.schema.relations import relation
from tieback.store import Engine

CLOSE = 1e-9
Row = tuple[Any, ...]


def opinions(engine: Engine) -> dict[str, list[Row]]:
    """The rows of every opinion, in an order that every engine's rows take."""
    return {name: ordered(rows.to_pylist()) for name, rows in as_arrow(engine).items()}


def as_arrow(engine: Engine) -> dict[str, pa.Table]:
    """The rows of every opinion as they come."""
    return {table.name: engine.read(relation(table)) for table in OPINIONS}


def ordered(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """`rows` as tuples, in the order of their cells; fractions, which may differ in their last digit, come last."""
    return sorted((tuple(row.values()) for row in rows), key=lambda row: (_exact(row), _rough(row)))


def assert_same(one: Mapping[str, list[Row]], other: Mapping[str, list[Row]]) -> None:
    """Fail with the first rows that differ, naming their table."""
    assert one.keys() == other.keys()
    for name in one:
        assert len(one[name]) == len(other[name]), f"{name}: {len(one[name])} rows and {len(other[name])}"
        for mine, theirs in zip(one[name], other[name], strict=True):
            assert all(map(_equal, mine, theirs)), f"{name}:\n{mine}\n{theirs}"


def _exact(row: Row) -> str:
    return repr([_plain(cell) for cell in row if not isinstance(cell, float)])


def _rough(row: Row) -> list[float]:
    return [round(cell, 6) for cell in row if isinstance(cell, float)]


def _plain(cell: Any) -> Any:
    """A cell in the one form that all drivers' forms of it have in common."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return cell.normalize() if isinstance(cell, Decimal) else cell


def _equal(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float):
        return abs(mine - theirs) <= CLOSE * max(1.0, abs(mine))
    return bool(type(mine) is type(theirs) and _plain(mine) == _plain(theirs))
