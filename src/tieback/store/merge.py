"""Facts merged by key: what is already held is not taken in twice, and order of arrival does not matter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieback.schema import TABLES, Table

if TYPE_CHECKING:
    from tieback.store.duckdb import DuckDB
    from tieback.store.engine import Engine

_STAGE = "merge_stage"
_PROVENANCE = ("origin", "received_at")
_REPLACED = "replaced_"  # names of values in the table `workspace`


@dataclass(frozen=True)
class Merged:
    """What came of a merge, in facts: new ones, ones already held, and held ones whose content was replaced.

    conflicts: those given that say something else than others under their key, held or given, whichever stayed.
    """

    added: int
    known: int
    replaced: int = 0
    conflicts: int = 0


def merge(store: DuckDB, table: Table, select: str, *, unversioned: bool = False) -> Merged:
    """Take in the rows of `select` (columns of `table`, in order) whose key is not yet held.

    Of rows with equal key and different content the one with the smallest content hash stays, whichever came first.
    unversioned: the source gave no version, so `select` made one up; a row whose other content is held already for
    its subject is then not taken in again, under whatever version.
    Run it inside a transaction.
    """
    if not store.holds(table):
        added = int(store.execute(f"INSERT INTO {table.name} {select}", building=table.name).fetchall()[0][0])
        repeated, conflicts = _drop_repeats(store, table, table.name, _told(table, unversioned=unversioned))
        return Merged(added - repeated, repeated, conflicts=conflicts)
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_STAGE} AS FROM ({select}) given({', '.join(table.names)})", building=table.name
    )
    store.bring(table, f"FROM {_STAGE}")
    merged = _merge_stage(store, table, unversioned=unversioned)
    store.execute(f"DROP TABLE {_STAGE}")
    return merged


def _merge_stage(store: DuckDB, table: Table, *, unversioned: bool) -> Merged:
    given = int(store.execute(f"SELECT count(*) FROM {_STAGE}").fetchall()[0][0])
    _, conflicts = _drop_repeats(store, table, _STAGE, _told(table, unversioned=unversioned))
    if unversioned:
        same = " AND ".join(_equal(table, name) for name in _told(table, unversioned=True))
        store.execute(f"DELETE FROM {_STAGE} given WHERE EXISTS (SELECT 1 FROM {table.name} held WHERE {same})")
    differing, replaced = _drop_losers(store, table)
    match = " AND ".join(_equal(table, name) for name in table.key)
    sql = (
        f"INSERT INTO {table.name} SELECT * FROM {_STAGE} given "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table.name} held WHERE {match})"
    )
    taken = int(store.execute(sql, building=table.name).fetchall()[0][0])
    remember_replaced(store, table, replaced)
    return Merged(taken - replaced, given - taken, replaced, conflicts + differing)


def remember(store: Engine, values: Mapping[str, str]) -> None:
    """Keep `values` by name in the table `workspace`, in place of what it held under those names."""
    import pyarrow as pa

    table = TABLES["workspace"]
    rows = store.scratch_rows("values", pa.table({"name": list(values), "value": list(values.values())}))
    store.replace(table, rows.select("name"), rows)


def forget(store: Engine, names: Collection[str]) -> None:
    """Keep nothing under those `names` in the table `workspace`."""
    import pyarrow as pa

    rows = store.scratch_rows("values", pa.table({"name": list(names), "value": [""] * len(names)}))
    store.replace(TABLES["workspace"], rows.select("name"), rows.limit(0))


def replaced_facts(store: Engine) -> dict[str, int]:
    """How many held rows were ever replaced, by table: a change that the number of rows does not show."""
    rows = store.rows("SELECT name, value FROM workspace WHERE starts_with(name, ?)", [_REPLACED])
    return {row["name"].removeprefix(_REPLACED): int(row["value"]) for row in rows}


def forget_replaced(store: Engine) -> None:
    """Count from nothing again: what was replaced is told elsewhere."""
    names = [_REPLACED + name for name in replaced_facts(store)]
    if names:
        forget(store, names)


def remember_replaced(store: Engine, table: Table, replaced: int) -> None:
    """Count `replaced` held rows more, so that the next run sees a change."""
    if replaced:
        remember(store, {_REPLACED + table.name: str(replaced_facts(store).get(table.name, 0) + replaced)})


def _drop_repeats(store: DuckDB, table: Table, name: str, told: tuple[str, ...]) -> tuple[int, int]:
    """Leave one row of each key in `name`, that with the smallest digest of the columns `told`.

    Returns how many rows went, and how many of those said something else than the one that stayed.
    A cheap look at the hashes of the keys comes first: most deliveries repeat nothing.
    """
    digest = f"hash({', '.join(table.key)})"
    twice = f"SELECT {digest} FROM {name} GROUP BY 1 HAVING count(*) > 1"
    if not store.execute(f"{twice} LIMIT 1").fetchall():
        return 0, 0
    placed = f"OVER (PARTITION BY {', '.join(table.key)} ORDER BY {_digest(told)}, rowid)"
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE merge_repeats AS SELECT rowid AS repeat, "
        f"{_digest(told)} <> first_value({_digest(told)}) {placed} AS differs FROM {name} WHERE {digest} IN ({twice}) "
        f"QUALIFY row_number() {placed} > 1",
        building=table.name,
    )
    differing = int(store.execute("SELECT count(*) FROM merge_repeats WHERE differs").fetchall()[0][0])
    gone = f"DELETE FROM {name} WHERE rowid IN (SELECT repeat FROM merge_repeats)"
    return int(store.execute(gone, building=table.name).fetchall()[0][0]), differing


def _drop_losers(store: DuckDB, table: Table) -> tuple[int, int]:
    """Take held rows out that the stage has with the same key and a smaller content.

    Returns how many rows of the two differ under one key, and how many went.
    """
    match = " AND ".join(_equal(table, name) for name in table.key)
    content = f"hash({', '.join(_content(table))}) AS content"
    sql = (
        f"CREATE OR REPLACE TEMP TABLE merge_conflicts AS SELECT held.row_id AS held_row, given.row_id AS given_row "
        f"FROM (SELECT {', '.join(table.key)}, rowid AS row_id, {content} FROM {table.name}) held "
        f"JOIN (SELECT {', '.join(table.key)}, rowid AS row_id, {content} FROM {_STAGE}) given "
        f"ON {match} WHERE held.content <> given.content"
    )
    store.execute(sql, building=table.name)
    conflicts = int(store.execute("SELECT count(*) FROM merge_conflicts").fetchall()[0][0])
    if not conflicts:
        return 0, 0
    losers = (
        f"SELECT held_row FROM merge_conflicts "
        f"JOIN (SELECT rowid AS held_row, {_digest(_content(table))} AS was FROM {table.name} "
        f"WHERE rowid IN (SELECT held_row FROM merge_conflicts)) USING (held_row) "
        f"JOIN (SELECT rowid AS given_row, {_digest(_content(table))} AS new FROM {_STAGE}) USING (given_row) "
        "WHERE new < was"
    )
    return conflicts, int(store.execute(f"DELETE FROM {table.name} WHERE rowid IN ({losers})").fetchall()[0][0])


def _content(table: Table) -> tuple[str, ...]:
    return tuple(name for name in table.names if name not in _PROVENANCE)


def _told(table: Table, *, unversioned: bool) -> tuple[str, ...]:
    """The columns that the source gave: a version made up on importing must not choose between two rows."""
    return tuple(name for name in _content(table) if not (unversioned and name == table.version))


def _digest(names: tuple[str, ...]) -> str:
    """A digest of what a row says, the same in every release and on every machine."""
    cells = ", ".join(f"coalesce({name}::VARCHAR, chr(30))" for name in names)
    return f"md5(concat_ws(chr(31), {cells}))"


def _equal(table: Table, name: str) -> str:
    sign = "=" if table.column(name).required else "IS NOT DISTINCT FROM"
    return f"held.{name} {sign} given.{name}"
