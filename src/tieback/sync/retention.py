"""Retention: how long the rows of each table are kept, and taking out what is older.

Facts are on the engine, quarantine and vault in the file at its door; where facts are embedded, both are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta

import ibis
import msgspec
import pyarrow as pa
from ibis.expr import types as ir

from tieback.config import Retention
from tieback.schema import TABLES, Table
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.relations import relation
from tieback.store import DuckDB, Engine

_VAULT, _AT_THE_DOOR = "vault", ("quarantine", "vault")
_HASHED = {kind: column for kind, column in IDENTIFIERS.items() if kind in ("email", "phone")}
_CARRIERS = ("events", "links", "contacts", "deals", "orders")
_HASHES = 1_000_000  # looked up at once on the engine


def expired(engine: Engine, door: DuckDB, kept: Retention, at: datetime) -> dict[str, int]:
    """How many rows of each table are older than they are to be kept, in whole days before that instant (UTC).

    Of what has a history, such as a deal, all rows go once the newest is too old. With them go raw addresses and
    numbers that no row carries any longer.
    """
    before = _before(kept, at)
    found = {}
    for name, instant in before.items():
        if name != _VAULT:
            store, gone = (door if name in _AT_THE_DOOR else engine), _gone(TABLES[name], instant)
            rows = relation(TABLES[name]).semi_join(gone, gone.columns).count().name("rows").as_table()
            found[name] = int(store.read(rows)["rows"][0].as_py())
    if before:
        found[_VAULT] = sum(rows.num_rows for rows in _unseen(engine, door, before))
    return {name: rows for name, rows in found.items() if rows}


def prune_at_the_door(engine: Engine, door: DuckDB, kept: Retention, at: datetime) -> None:
    """Take those rows out of quarantine and vault. Belongs inside a transaction of the door."""
    before = _before(kept, at)
    vault = TABLES[_VAULT]
    for rows in list(_unseen(engine, door, before)) if before else []:
        door.remove(vault, door.scratch_rows("leaving", rows.rename_columns(["id_kind", "id_hash"])))
    _prune(door, {name: instant for name, instant in before.items() if name in _AT_THE_DOOR and name != _VAULT})


def prune_facts(engine: Engine, kept: Retention, at: datetime) -> None:
    """Take those rows out of facts. Belongs inside a transaction of the engine."""
    _prune(engine, {name: instant for name, instant in _before(kept, at).items() if name not in _AT_THE_DOOR})


def _prune(store: Engine, before: Mapping[str, datetime]) -> None:
    for name, instant in before.items():
        store.remove(TABLES[name], store.scratch("leaving", _gone(TABLES[name], instant)))


def _before(kept: Retention, at: datetime) -> dict[str, datetime]:
    """The instant before which rows are too old, by table; those that are kept for ever are not in it."""
    today = datetime.combine(at, time.min)
    return {name: today - timedelta(days=days) for name, days in msgspec.structs.asdict(kept).items() if days}


def _gone(table: Table, before: datetime) -> ir.Table:
    """What the rows of `table` that are too old, and no others, have in these columns."""
    rows = relation(table)
    column = _instant(table)
    if not table.version:
        return rows.filter(rows[column] < before).select(column).distinct()
    newest = rows.group_by(list(table.subject)).aggregate(newest_at=rows[column].max())
    return newest.filter(newest.newest_at < before).select(*table.subject)


def _left(table: Table, before: datetime) -> ir.Table:
    """The rows of `table` that are not too old."""
    rows = relation(table)
    if not table.version:
        return rows.filter(rows[_instant(table)] >= before)
    return rows.anti_join(_gone(table, before), table.subject).select(*table.names)


def _instant(table: Table) -> str:
    """The column that says how old a row is."""
    return table.version or ("occurred_at" if table.name == "events" else "received_at")


def _unseen(engine: Engine, door: DuckDB, before: Mapping[str, datetime]) -> Iterator[pa.Table]:
    """The id_kind and id_value of raw values that no row will carry, or none that is young enough; some at a time."""
    seen = ibis.union(*_seen(before))
    last = door.rows("SELECT max(rowid) AS last FROM vault")[0]["last"]
    for first in range(0, 0 if last is None else last + 1, _HASHES):
        some = door.query(
            "SELECT id_kind, id_hash AS id_value FROM vault WHERE rowid BETWEEN ? AND ?", [first, first + _HASHES - 1]
        )
        yield engine.read(engine.scratch_rows("hashes", some).anti_join(seen, ["id_kind", "id_value"]))


def _seen(before: Mapping[str, datetime]) -> Iterator[ir.Table]:
    """The hashes, by kind, in what will be left of each fact and is not too old for the vault: id_kind, id_value."""
    for name in _CARRIERS:
        table = TABLES[name]
        rows = _left(table, before[name]) if name in before else relation(table)
        if _VAULT in before:
            rows = rows.filter(rows[_instant(table)] >= before[_VAULT])
        if name == "links":
            for side in ("left", "right"):
                yield rows.select(id_kind=f"{side}_kind", id_value=f"{side}_value")
        for kind, column in _HASHED.items():
            if column in table.names:
                yield rows.filter(rows[column].notnull()).select(id_kind=ibis.literal(kind), id_value=column)
