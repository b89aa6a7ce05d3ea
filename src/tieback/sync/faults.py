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
    broken = broken_rows(store)
    if broken:
        reason = _BROKEN.replace("{columns}", str(len(source.columns))) if not source.line else _BROKEN_LINE
        store.execute(
            f"CREATE OR REPLACE TEMP TABLE door_broken AS SELECT line AS row_number, max({reason}) AS reason, "
            "json_object('_line', ltrim(any_value(csv_line), chr(10) || chr(13)))::VARCHAR AS raw "
            "FROM door_rejects GROUP BY line"
        )
    _count_from_the_top(store, source, broken)
    if broken:
        table = sql_text(made[0].table.name)
        store.execute(f"INSERT INTO door_faults SELECT row_number, {table}, '', reason, raw FROM door_broken")


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
    for table in ("door_rejects", "door_scans", "door_odd_lines", "door_odd_scans"):
        store.execute(f"DROP TABLE IF EXISTS {table}")


def broken_rows(store: DuckDB) -> int:
    """How many rows the last passes over a file rejected as a whole. Raises NotUtf8Error when encoding was why."""
    if not store.has("door_rejects"):
        return 0
    sql = "SELECT count(DISTINCT line), count(*) FILTER (error_type = 'INVALID ENCODING') FROM door_rejects"
    rows, garbled = store.execute(sql).fetchall()[0]
    if garbled:
        raise NotUtf8Error
    return int(rows)


def _count_from_the_top(store: DuckDB, source: Source, broken: int) -> None:
    """Faults are numbered among the rows that could be read: move each by the broken and blank ones before it."""
    first = source.header_rows
    blank = _blank_rows(store, source, broken)
    if not blank and not broken:
        store.execute(f"UPDATE door_faults SET row_number = row_number + {first}")
        return
    missing = " UNION ".join(["SELECT row_number FROM door_broken"] * bool(broken) + ["FROM door_blank"] * blank)
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_shifts AS SELECT threshold, max(place) AS place FROM ("
        f"SELECT row_number - place - {first} AS threshold, place FROM ("
        f"SELECT row_number, row_number() OVER (ORDER BY row_number) AS place FROM ({missing}))) GROUP BY threshold"
    )
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_faults AS "
        f"SELECT f.row_number + {first} + coalesce(s.place, 0) AS row_number, table_name, column_name, reason, raw "
        "FROM door_faults f ASOF LEFT JOIN door_shifts s ON f.row_number > s.threshold"
    )


def _blank_rows(store: DuckDB, source: Source, broken: int) -> bool:
    """Make door_blank(row_number) of a CSV's blank rows below its header; False, and no table, when it has none.

    The reader passes over them, but a spreadsheet counts them. A line within quotation marks is no row. Where counting
    the marks does not come to the rows that there are (a mark stands alone in some cell), each line is taken for one.
    """
    if not source.lines or not store.execute(f"SELECT 1 FROM {source.lines} WHERE line IS NULL LIMIT 1").fetchall():
        return False
    rows = int(store.execute(f"SELECT count(*) FROM {source.scan}").fetchall()[0][0]) + broken
    numbered = f"SELECT row_number() OVER () AS number, line FROM {source.lines}"
    for marks in ("coalesce(length(line) - length(replace(line, '\"', '')), 0)", "0"):
        is_end = f"sum({marks}) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) % 2 = 0 AS is_end"
        ends = f"SELECT number, line, {is_end} FROM ({numbered})"
        store.execute(
            "CREATE OR REPLACE TEMP TABLE door_blank AS SELECT row_number, is_blank FROM ("
            "SELECT line IS NULL AS is_blank, row_number() OVER (ORDER BY number) AS row_number "
            f"FROM ({ends}) WHERE is_end) WHERE row_number > {source.header_rows}"
        )
        counted = store.execute("SELECT count(*) FILTER (NOT is_blank) FROM door_blank").fetchall()[0][0]
        if counted == rows:
            break
    store.execute("CREATE OR REPLACE TEMP TABLE door_blank AS SELECT row_number FROM door_blank WHERE is_blank")
    return True
