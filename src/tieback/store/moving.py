"""A workspace's tables carried from one engine to another, chunk by chunk, and the proof that they arrived whole.

A chunk is a span of the table's key, carried in one transaction and in order: what the target holds tells how far a
move came that was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieback.errors import WorkspaceError
from tieback.schema import TABLES, Table
from tieback.schema.relations import filled, relation
from tieback.store.arrow import declared, schema
from tieback.store.duckdb import DuckDB
from tieback.store.engine import Engine
from tieback.store.merge import forget, remember

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr import types as ir

AT_THE_DOOR = ("quarantine", "vault")  # stay with the embedded file, wherever the facts are
CARRIED = tuple(table for name, table in TABLES.items() if name not in (*AT_THE_DOOR, "workspace"))
_CELLS = 8_000_000  # of a chunk
_COMING, _GONE = "move to here of", "moved away with"  # names of values in the table `workspace`
_OWN = ("schema_version", _COMING, _GONE)  # values that tell of one warehouse alone

Told = Callable[[str, int], None]  # hears of a table, and of rows that are done
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Arrived:
    """What is held alike on both sides: rows, the sums of numeric columns by name, and a checksum of all cells."""

    table: str
    rows: int
    sums: dict[str, Any]
    checksum: str


@dataclass(frozen=True)
class _Span:
    """The rows of a table with a key after `low` (None: from the first) and up to `high` (None: to the last)."""

    low: Key | None
    high: Key | None


def sizes(engine: Engine) -> dict[str, int]:
    """The number of rows of each table that a move carries, as far as it is there."""
    held = engine.statistics(table for table in CARRIED if engine.has(table.name))
    return {name: each.rows for name, each in held.items()}


def standing(engine: Engine) -> str:
    """The state of a warehouse, as text, as far as rows that come, go or are replaced show it."""
    replaced = {name: value for name, value in _values(engine).items() if name.startswith("replaced_")}
    return json.dumps([sizes(engine), replaced], sort_keys=True)


def make_room(target: Engine, workspace: str, where: str) -> None:
    """Have `target` ready for the tables of a workspace, known by the digest of its salt; `where` names it in errors.

    A move that was cut off goes on. What the same workspace left behind when it moved away, unchanged since, is
    replaced. Raises WorkspaceError for anything else that it holds.
    """
    held = _values(target)
    if held.get(_COMING) == workspace:
        return
    is_left_behind = workspace in held.values() and held.get(_GONE) == standing(target)
    is_empty = not any(sizes(target).values())
    if not is_empty and not is_left_behind:
        whose = (
            "this workspace, as it once was or as somebody has changed it since"
            if workspace in held.values()
            else ("another workspace")
        )
        raise WorkspaceError(
            f"{where} already holds {whose}. Nothing was changed: choose another place, or empty that."
        )
    with target.transaction():
        for table in CARRIED:
            if target.has(table.name):
                target.make(table)
        forget(target, [_GONE])
        remember(target, {_COMING: workspace})


def carry(source: Engine, target: Engine, told: Told) -> None:
    """Bring every table that is not there yet to `target`, from where an earlier move ended."""
    for table in CARRIED:
        if source.has(table.name):
            _carry(source, target, table, told)


def prove(source: Engine, target: Engine, told: Told) -> list[Arrived]:
    """Compare every table on both sides, by what an embedded engine makes of its rows.

    Raises WorkspaceError for the first that differs, and empties it on `target`: the next move brings it anew.
    """
    with DuckDB(None) as judge:
        return [_prove(source, target, table, judge, told) for table in CARRIED if source.has(table.name)]


def hand_over(source: Engine, target: Engine) -> None:
    """Let `target` remember what `source` does."""
    with target.transaction():
        remember(target, {name: value for name, value in _values(source).items() if name not in _OWN})


def make_door(source: DuckDB, path: Path) -> None:
    """Leave what stays with the embedded file in one of its own at `path`, made whole before it has that name."""
    fresh = path.with_name(path.name + ".fresh")
    fresh.unlink(missing_ok=True)
    with DuckDB(fresh):
        pass  # its tables are made
    with _beside(source, fresh, "") as door:
        for name in ("deliveries", *AT_THE_DOOR):
            source.execute(f"INSERT INTO {door}.{name} FROM {name}")
        kept = " AND ".join(f"NOT starts_with(name, '{name}')" for name in (*_OWN, "replaced_"))
        source.execute(f"INSERT INTO {door}.workspace FROM workspace WHERE {kept}")
    fresh.replace(path)


def take_door(target: DuckDB, path: Path) -> None:
    """Bring into `target` what stayed with the embedded file at `path`, if there is one."""
    if not path.exists():
        return
    with _beside(target, path, "(READ_ONLY)") as door, target.transaction():
        for name in AT_THE_DOOR:
            target.execute(f"DELETE FROM {name}")
            target.execute(f"INSERT INTO {name} FROM {door}.{name}")
        unknown = "name NOT IN (SELECT name FROM workspace)"
        target.execute(f"INSERT INTO workspace FROM {door}.workspace WHERE {unknown}")


@contextmanager
def _beside(store: DuckDB, path: Path, options: str) -> Iterator[str]:
    """Another file beside that of `store`, under the name that the block is given."""
    quoted = str(path).replace("'", "''")
    store.execute(f"ATTACH '{quoted}' AS door_file {options}")
    try:
        yield "door_file"
    finally:
        store.execute("DETACH door_file")


def take_leave(source: Engine) -> None:
    """Mark `source` as left behind, in the state in which it is."""
    with source.transaction():
        remember(source, {_GONE: standing(source)})


def settle(target: Engine) -> None:
    """Mark `target` as a workspace that no move is under way to."""
    marks = [name for name in _values(target) if name in (_COMING, _GONE)]
    if marks:
        with target.transaction():
            forget(target, marks)


def _values(engine: Engine) -> dict[str, str]:
    return {row["name"]: row["value"] for row in engine.rows("SELECT name, value FROM workspace")}


def _carry(source: Engine, target: Engine, table: Table, told: Told) -> None:
    spans = _spans(source, table)
    done = _arrived(source, target, table, spans) if target.has(table.name) else None
    if done is None:
        with target.transaction():
            target.make(table)
    else:
        told(table.name, _count(target, table))
    for span in spans[done or 0 :]:
        rows = declared(source.read(_rows(table, span)), table)
        if rows.num_rows:
            with target.transaction():
                target.load(table, rows)
        told(table.name, rows.num_rows)


def _arrived(source: Engine, target: Engine, table: Table, spans: list[_Span]) -> int | None:
    """How many of the `spans` are on the target; None when what it holds does not end where one of them does."""
    key = _keys(table)
    last = _as_keys(target.read(key.order_by([key[name].desc() for name in table.key]).limit(1)), table)
    if not last:
        return 0
    if _count(source, table) == _count(target, table):
        return len(spans)
    ends = [span.high for span in spans[:-1]]
    return ends.index(last[0]) + 1 if last[0] in ends else None


def _prove(source: Engine, target: Engine, table: Table, judge: DuckDB, told: Told) -> Arrived:
    rows, checksum, sums = 0, 0, dict.fromkeys(_numeric(table), 0)
    is_equal = _count(source, table) == _count(target, table)
    for span in _spans(source, table) if is_equal else []:
        mine, theirs = (_seal(judge, table, engine.read(_rows(table, span))) for engine in (source, target))
        is_equal = mine == theirs
        if not is_equal:
            break
        rows, checksum = rows + mine["row_count"], checksum + int(mine["cell_checksum"])
        sums = {name: total + (mine[f"sum_of_{name}"] or 0) for name, total in sums.items()}
        told(table.name, mine["row_count"])
    if not is_equal:
        with target.transaction():
            target.make(table)
        raise WorkspaceError(
            f"{table.name} did not arrive as it was sent, or changed meanwhile. It was emptied where it is to go, and "
            "the workspace stays where it is. Run the same command again; it goes on with the rest."
        )
    return Arrived(table.name, rows, sums, f"{checksum % 2**64:016x}")


def _seal(judge: DuckDB, table: Table, rows: pa.Table) -> dict[str, Any]:
    """Rows, checksum and sums of a chunk. Neither depends on the order of its rows, nor on who sent it."""
    sums = (f"sum({name} ORDER BY {name}) AS sum_of_{name}" for name in _numeric(table))
    checksum = f"coalesce(sum(hash({', '.join(table.names)})), 0) AS cell_checksum"
    told = ", ".join(["count(*) AS row_count", checksum, *sums])
    judge.door.register("chunk", declared(rows, table))
    sealed = judge.rows(f"SELECT {told} FROM chunk")[0]
    judge.door.unregister("chunk")
    return sealed


def _numeric(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.type in ("int", "float", "decimal")]


def _count(engine: Engine, table: Table) -> int:
    return engine.statistics([table])[table.name].rows


def _spans(engine: Engine, table: Table) -> list[_Span]:
    """The spans of `table` that hold a chunk each, in order of its key, as it is on `engine`."""
    size = max(1, _CELLS // len(table.columns))
    ends: list[Key] = []
    if _count(engine, table) > size:
        import ibis

        key = _keys(table)
        placed = key.mutate(place=ibis.row_number().over(ibis.window(order_by=[key[name] for name in table.key])))
        last = placed.filter(placed.place % size == size - 1)
        ends = sorted(_as_keys(engine.read(last), table))
    edges = [None, *ends, None]
    return [_Span(low, high) for low, high in pairwise(edges)]


def _keys(table: Table) -> ir.Table:
    rows = relation(table)
    return rows.select(**{name: filled(rows, table, name) for name in table.key})


def _as_keys(rows: pa.Table, table: Table) -> list[Key]:
    import pyarrow as pa

    kinds = pa.schema([schema(table).field(name) for name in table.key])
    return [tuple(row.values()) for row in rows.select(list(table.key)).cast(kinds).to_pylist()]


def _rows(table: Table, span: _Span) -> ir.Table:
    """The rows of `table` in `span`. The first column is compared by itself too, which lets engines skip the rest."""
    rows = relation(table)
    first = filled(rows, table, table.key[0])
    if span.low is not None:
        rows = rows.filter(first >= span.low[0], _is_after(rows, table, span.low))
    if span.high is not None:
        rows = rows.filter(first <= span.high[0], ~_is_after(rows, table, span.high))
    return rows


def _is_after(rows: ir.Table, table: Table, edge: Key) -> Any:
    """True where the key of a row comes after `edge`."""
    found: Any = None
    for name, value in reversed(list(zip(table.key, edge, strict=True))):
        column = filled(rows, table, name)
        found = column > value if found is None else (column > value) | ((column == value) & found)
    return found
