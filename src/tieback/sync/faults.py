"""Which rows could not be taken in, and why: found in a second pass, only when some are missing."""

from __future__ import annotations

import json

from tieback.store import DuckDB
from tieback.sync.door import Door
from tieback.sync.encodings import NotUtf8Error
from tieback.sync.plan import Plan
from tieback.sync.readers import Source, sql_text

# What the CSV reader calls a broken row, in words for whoever has to mend it.
_BROKEN = """CASE error_type
    WHEN 'UNQUOTED VALUE' THEN 'a quotation mark is opened and not closed, or stands in the middle of a cell'
    WHEN 'LINE SIZE OVER MAXIMUM' THEN 'the line is too long'
    WHEN 'MISSING COLUMNS' THEN 'it has fewer cells than the header, which has {columns}'
    WHEN 'TOO MANY COLUMNS' THEN 'it has more cells than the header, which has {columns}'
    ELSE lower(error_type) || ': ' || error_message END"""
_COLUMNS = "columns_"  # names of values in the table `workspace`
_BROKEN_LINE = "'the line holds a control character, or is longer than 32 MB'"


def find_faults(store: DuckDB, source: Source, made: tuple[Plan, ...], doors: tuple[Door, ...]) -> None:
    """Make door_faults(row_number, table_name, column_name, reason, raw), rows counted as a spreadsheet counts them.

    Raises NotUtf8Error when a row was left out because of its encoding.
    """
    forget_rejects(store)
    store.execute("SET preserve_insertion_order = true")
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_faults "
        "(row_number BIGINT, table_name VARCHAR, column_name VARCHAR, reason VARCHAR, raw VARCHAR)"
    )
    for plan, each in zip(made, doors, strict=True):
        name = plan.table.name
        store.execute(
            f"INSERT INTO door_faults SELECT row_number, {sql_text(name)}, column_name, min(reason), any_value(raw) "
            f"FROM ({each.faults}) GROUP BY row_number, column_name",
            building=name,
        )
    if not broken_rows(store):
        store.execute(f"UPDATE door_faults SET row_number = row_number + {source.header_rows}")
        return
    _count_broken_rows_in(store, source)
    reason = _BROKEN.replace("{columns}", str(len(source.columns))) if not source.line else _BROKEN_LINE
    store.execute(
        f"INSERT INTO door_faults SELECT line, {sql_text(made[0].table.name)}, '', max({reason}), "
        "json_object('_line', any_value(csv_line))::VARCHAR FROM door_rejects GROUP BY line"
    )


def remember_columns(store: DuckDB, source: Source, delivery_id: str) -> None:
    """Keep the columns of JSON lines for a retry: a refused line may lack what others of its file have."""
    if source.line:
        names = [name for name in source.columns if "@" not in name]  # a name may be anything, also somebody's address
        store.execute("INSERT INTO workspace VALUES (?, ?)", [_COLUMNS + delivery_id, json.dumps(names)])
        forget_columns(store)


def remembered_columns(store: DuckDB, delivery_id: str) -> tuple[str, ...]:
    """The columns kept of a delivery; none for other formats, whose rows have them all."""
    found = store.rows("SELECT value FROM workspace WHERE name = ?", [_COLUMNS + delivery_id])
    return tuple(json.loads(found[0]["value"])) if found else ()


def forget_columns(store: DuckDB) -> None:
    """Let go of the columns of deliveries of which nothing waits any more."""
    waiting = f"SELECT '{_COLUMNS}' || delivery_id FROM quarantine"
    store.execute(f"DELETE FROM workspace WHERE starts_with(name, '{_COLUMNS}') AND name NOT IN ({waiting})")


def forget_rejects(store: DuckDB) -> None:
    """Let go of what earlier passes over a file rejected."""
    store.execute("DROP TABLE IF EXISTS door_rejects")
    store.execute("DROP TABLE IF EXISTS door_scans")


def broken_rows(store: DuckDB) -> int:
    """How many rows the last passes over a file rejected as a whole. Raises NotUtf8Error when encoding was why."""
    if not store.has("door_rejects"):
        return 0
    sql = "SELECT count(DISTINCT line), count(*) FILTER (error_type = 'INVALID ENCODING') FROM door_rejects"
    rows, garbled = store.execute(sql).fetchall()[0]
    if garbled:
        raise NotUtf8Error
    return int(rows)


def _count_broken_rows_in(store: DuckDB, source: Source) -> None:
    """Faults are numbered among the rows that could be read: move each by the broken ones before it."""
    first = source.header_rows
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_shifts AS SELECT threshold, max(place) AS place FROM ("
        f"SELECT line - place - {first} AS threshold, place FROM ("
        "SELECT line, row_number() OVER (ORDER BY line) AS place FROM (SELECT DISTINCT line FROM door_rejects))) "
        "GROUP BY threshold"
    )
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_faults AS "
        f"SELECT f.row_number + {first} + coalesce(s.place, 0) AS row_number, table_name, column_name, reason, raw "
        "FROM door_faults f ASOF LEFT JOIN door_shifts s ON f.row_number > s.threshold"
    )
