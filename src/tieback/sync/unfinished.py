"""What is begun in the warehouse and to be ended elsewhere: remembered, so that whoever comes after a crash goes on."""

from __future__ import annotations

from tieback.store import DuckDB

ERASING = "erasing"  # a person's rows are gone, and their bytes may be left in files
PRUNING = "pruning"  # so are rows that were kept for long enough


def begin(store: DuckDB, what: str) -> None:
    """Note that it is under way. Belongs inside the transaction that begins it."""
    end(store, what)
    store.execute("INSERT INTO workspace VALUES (?, 'yes')", [what])


def is_under_way(store: DuckDB, what: str) -> bool:
    """True from `begin` until `end`."""
    return bool(store.rows("SELECT 1 AS held FROM workspace WHERE name = ?", [what]))


def end(store: DuckDB, what: str) -> None:
    """Note that it is done."""
    store.execute("DELETE FROM workspace WHERE name = ?", [what])
