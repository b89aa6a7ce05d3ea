"""From the inbox to facts: what was collected is taken in as any file is, once, however often it is tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from tieback.config.mapping import mapping_for
from tieback.store import DuckDB
from tieback.sync.delivery import Personal, Taken, refuse, take_in
from tieback.sync.plan import plans
from tieback.sync.readers import json_source

_ROWS = "inbox_rows"


class Row(Protocol):
    """A row of the inbox, as the ledger hands it out. With a reason, its payload is what could not be read."""

    @property
    def position(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True)
class Loaded:
    """What came of rows of the inbox."""

    facts_added: int = 0
    facts_known: int = 0
    rows_refused: int = 0


def take_in_inbox(store: DuckDB, rows: Sequence[Row], personal: Personal, received_at: datetime) -> Loaded:
    """Take `rows` into events, and those that cannot be into quarantine. All of them or, when anything fails, none.

    Taken in again, they change nothing: each has its event_id. A source's rows of one day are one delivery.
    """
    loaded = Loaded()
    with store.transaction():
        for source, its in _by_source(rows).items():
            loaded = _sum(loaded, _take_in(store, source, its, personal, received_at))
    return loaded


def _by_source(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.source].append(row)
    return found


def _sum(one: Loaded, other: Loaded) -> Loaded:
    return Loaded(
        one.facts_added + other.facts_added,
        one.facts_known + other.facts_known,
        one.rows_refused + other.rows_refused,
    )


def _take_in(store: DuckDB, source: str, rows: Sequence[Row], personal: Personal, received_at: datetime) -> Loaded:
    delivery, file = f"inbox:{source}:{received_at:%Y-%m-%d}", f"inbox of {source}"
    read = [row for row in rows if not row.reason]
    loaded = Loaded(rows_refused=_refuse_malformed(store, rows, delivery, file, received_at))
    if read:
        lines = [row.payload.decode() for row in read]
        store.keep_rows(_ROWS, pa.table({"row_number": [row.position for row in read], "line": lines}))
        whole = json_source(store, file, 0, f"SELECT line FROM {_ROWS}", f"SELECT row_number, line FROM {_ROWS}")
        made, _ = plans(mapping_for("events"), whole)
        taken = take_in(store, whole, made, personal, delivery, received_at)
        refused = refuse(store, whole, made, taken, delivery, received_at)
        loaded = _sum(loaded, _counted(taken, refused))
    _record(store, delivery, file, received_at, len(rows), loaded)
    return loaded


def _counted(taken: Taken, refused: int) -> Loaded:
    return Loaded(sum(each.added for each in taken.merged), sum(each.known for each in taken.merged), refused)


def _refuse_malformed(store: DuckDB, rows: Sequence[Row], delivery: str, file: str, received_at: datetime) -> int:
    """Put what could not be read into quarantine, where it is not yet; returns how many rows that is."""
    malformed = [row for row in rows if row.reason]
    if malformed:
        told = {
            "row_number": [row.position for row in malformed],
            "reason": [row.reason for row in malformed],
            "line": [row.payload.decode(errors="replace") for row in malformed],
        }
        store.keep_rows(_ROWS, pa.table(told))
        store.execute(
            f"INSERT INTO quarantine SELECT ?, ?, row_number, 'events', '', reason, json_object('_line', line), ? "
            f"FROM {_ROWS} f WHERE NOT EXISTS "
            "(SELECT 1 FROM quarantine q WHERE q.delivery_id = ? AND q.row_number = f.row_number)",
            [delivery, file, received_at, delivery],
        )
    return len(malformed)


def _record(store: DuckDB, delivery: str, file: str, received_at: datetime, rows: int, loaded: Loaded) -> None:
    """Add what came in to the day's delivery."""
    counts = [rows, loaded.facts_added, loaded.facts_known, loaded.rows_refused]
    names = ("rows_read", "facts_added", "facts_known", "rows_refused")
    added = ", ".join(f"{name} = {name} + ?" for name in names)
    changed = store.execute(f"UPDATE deliveries SET {added} WHERE delivery_id = ?", [*counts, delivery]).fetchall()
    if not changed[0][0]:
        store.execute(
            "INSERT INTO deliveries VALUES (?, ?, 'events', NULL, ?, ?, ?, ?, ?)",
            [delivery, file, received_at, *counts],
        )
