"""Small files for tests of imports, and what became of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from tieback.store import DuckDB
from tieback.sync import Delivery, Personal, import_file, mapping_from

MOMENT = datetime(2026, 3, 1, 12)
PERSONAL = Personal("salt", "DE")


def csv_text(rows: Iterable[dict[str, Any]]) -> str:
    """`rows` as a CSV, columns by name."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def taken(
    store: DuckDB,
    folder: Path,
    table: str,
    text: str | bytes,
    mapping: str = "",
    name: str = "in.csv",
    at: datetime = MOMENT,
) -> Delivery:
    """What came of importing a file with `text`."""
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_file(store, file, table, mapping_from(mapping, table), PERSONAL, at)


def facts(store: DuckDB, table: str, *columns: str) -> list[Any]:
    """The rows of `table`, as tuples of `columns` (a bare value for one); without columns, all but provenance."""
    chosen = ", ".join(columns) or "* EXCLUDE (origin, received_at)"
    rows = store.execute(f"SELECT {chosen} FROM {table} ORDER BY ALL").fetchall()
    return [row[0] for row in rows] if len(columns) == 1 else rows
