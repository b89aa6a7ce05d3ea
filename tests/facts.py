"""Small facts for tests: dictionaries in, a warehouse out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tieback.schema import TABLES
from tieback.store import DuckDB, Engine

RECEIVED_AT = datetime(2026, 1, 1)
_ARROW = {
    "string": pa.string(),
    "json": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "int": pa.int64(),
    "float": pa.float64(),
    "decimal": pa.decimal128(18, 6),
    "boolean": pa.bool_(),
}


def warehouse(**tables: list[dict[str, Any]]) -> DuckDB:
    """An in-memory warehouse that holds `tables` (facts or opinions) by name, columns not given left empty."""
    store = DuckDB(None)
    for name, rows in tables.items():
        put(store, name, rows)
    return store


def put(store: Engine, name: str, rows: list[dict[str, Any]]) -> None:
    """Add `rows` to the table `name`; instants may be ISO strings, amounts numbers."""
    table = TABLES[name]
    filled = [{"origin": "test", "received_at": RECEIVED_AT, **row} for row in rows]
    columns = {
        column.name: pa.array([_value(row.get(column.name), column.type) for row in filled], type=_ARROW[column.type])
        for column in table.columns
    }
    unknown = {key for row in rows for key in row} - set(table.names)
    assert not unknown, f"{name} has no columns {unknown}"
    if not store.has(name):
        store.make(table)
    store.load(table, pa.table(columns))


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "timestamp" and isinstance(value, str):
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
    if kind == "date" and isinstance(value, str):
        return datetime.fromisoformat(value).date()
    if kind == "decimal":
        from decimal import Decimal

        return Decimal(str(value)).quantize(Decimal("0.000001"))
    return value
