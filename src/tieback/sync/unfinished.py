"""What is begun in the warehouse and to be ended elsewhere: remembered, so that whoever comes after a crash goes on.

It is kept in the file at the door of the warehouse, which whoever goes on has in hand.
"""

from __future__ import annotations

from tieback.store import DuckDB

ERASING = "erasing"  # a person's rows are gone, and their bytes may be left in files
PRUNING = "pruning"  # so are rows that were kept for long enough


def begin(door: DuckDB, what: str) -> None:
    """Note that it is under way. Belongs inside the transaction that begins it."""
    end(door, what)
    door.execute("INSERT INTO workspace VALUES (?, 'yes')", [what])


def is_under_way(door: DuckDB, what: str) -> bool:
    """True from `begin` until `end`."""
    return bool(door.rows("SELECT 1 AS held FROM workspace WHERE name = ?", [what]))


def end(door: DuckDB, what: str) -> None:
    """Note that it is done."""
    door.execute("DELETE FROM workspace WHERE name = ?", [what])
