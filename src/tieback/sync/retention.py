"""Retention: how long the rows of each table are kept, and taking out what is older."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

import msgspec

from tieback.config import Retention
from tieback.schema import TABLES
from tieback.schema.identifiers import IDENTIFIERS
from tieback.store import DuckDB

_HASHED = {kind: column for kind, column in IDENTIFIERS.items() if kind in ("email", "phone")}
_CARRIERS = ("events", "links", "contacts", "deals", "orders")


def expired(store: DuckDB, kept: Retention, at: datetime) -> dict[str, int]:
    """How many rows of each table are older than they are to be kept, in whole days before that instant (UTC)."""
    found = {}
    for name, condition in _old(kept, at):
        rows = int(store.rows(f"SELECT count(*) AS rows FROM {name} WHERE {condition}")[0]["rows"])
        if rows:
            found[name] = rows
    return found


def prune(store: DuckDB, kept: Retention, at: datetime) -> None:
    """Take those rows out, and raw addresses and numbers that no row carries any longer. Belongs inside a transaction.

    Of what has a history, such as a deal, all rows go once the newest is too old.
    """
    for name, condition in _old(kept, at):
        store.execute(f"DELETE FROM {name} WHERE {condition}")


def _old(kept: Retention, at: datetime) -> Iterator[tuple[str, str]]:
    """Each table with an end, and SQL that is true for its rows beyond; the vault last."""
    today = datetime.combine(at, time.min)
    before = {name: today - timedelta(days=days) for name, days in msgspec.structs.asdict(kept).items() if days}
    for name, instant in before.items():
        if name != "vault":
            yield name, _is_old(name, instant)
    if before:
        seen = _seen(before, before.get("vault"))
        yield "vault", " AND ".join(f"(id_kind, id_hash) NOT IN ({each})" for each in seen)


def _is_old(name: str, before: datetime) -> str:
    table, column = TABLES[name], _instant(name)
    if not table.version:
        return f"{column} < TIMESTAMP '{before}'"
    subject = ", ".join(table.subject)
    return f"({subject}) IN (SELECT {subject} FROM {name} GROUP BY ALL HAVING max({column}) < TIMESTAMP '{before}')"


def _instant(name: str) -> str:
    """The column that says how old a row is."""
    return TABLES[name].version or ("occurred_at" if name == "events" else "received_at")


def _seen(before: dict[str, datetime], since: datetime | None) -> Iterator[str]:
    """Selections of kind and hash from what will be left of each table, and is no older than `since`."""
    for name in _CARRIERS:
        stays = [f"NOT ({_is_old(name, before[name])})"] if name in before else []
        young = [f"{_instant(name)} >= TIMESTAMP '{since}'"] if since else []
        columns = [(f"'{kind}'", column) for kind, column in _HASHED.items() if column in TABLES[name].names]
        if name == "links":
            columns = [("left_kind", "left_value"), ("right_kind", "right_value")]
        for kind, column in columns:
            where = " AND ".join([f"{column} IS NOT NULL", *stays, *young])
            yield f"SELECT {kind}, {column} FROM {name} WHERE {where}"
