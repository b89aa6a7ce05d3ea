"""A person in the warehouse: found by any identifier, shown whole, and erased.

Facts and opinions are asked for on the engine, quarantine and vault of the file at its door; where facts are embedded,
both are one. What names the person is sent as rows, never as text of a statement, which servers log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tieback.errors import UsageError
from tieback.schema import TABLES, Table
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.relations import relation
from tieback.store import DuckDB, Engine
from tieback.sync.delivery import Personal
from tieback.sync.lookups import fill
from tieback.sync.quarantine import WIPED
from tieback.sync.readers import sql_text

_SHORTEST = 6  # characters of a word that can be searched for among bytes: shorter ones stand everywhere
_CARRIERS = ("events", "links", "contacts", "deal_contacts", "deals", "orders")
_OWN = {"contacts": ("contact",), "deal_contacts": ("contact",), "deals": (), "orders": ()}  # by what a row is theirs
_TELLS = {"email_hash": ("email_domain",)}  # columns that go with an identifier


@dataclass(frozen=True)
class Person:
    """Who is meant: the person_ids, the identifiers as (kind, value), and the raw values of those that are hashes.

    Raw are those that the vault has, and the one by which the person was named.
    """

    person_ids: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    raw: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        """All that names the person: raw, hashed, and the plain SHA-256 that clients may have sent instead."""
        plain = {sha256(value.encode()).hexdigest() for value in self.raw}
        return {*self.raw, *plain, *(value for _, value in self.identifiers)}

    @property
    def words(self) -> tuple[str, ...]:
        """Those names that are long enough to be searched for."""
        return tuple(sorted(name for name in self.names if len(name) >= _SHORTEST))


def person(engine: Engine, door: DuckDB, named: str, personal: Personal) -> Person:
    """Who has the identifier `named`: an address, a number, a login, a browser's id, a contact, a customer number.

    A kind in front, as in user:ann, says which is meant. Raises UsageError when that is nobody, or several.
    """
    candidates = _candidates(door, named.strip(), personal)
    given = _ids(engine, "named", candidates)
    people = relation(TABLES["people"])
    known = engine.read(people.semi_join(given, ["id_kind", "id_value"])).to_pylist()
    owners = sorted({row["person_id"] for row in known})
    if len(owners) > 1:
        kinds = ", ".join(sorted({row["id_kind"] for row in known}))
        raise UsageError(f"That names {len(owners)} persons ({kinds}). Put the kind in front, as in user:NAME.")
    if owners:
        found = people.semi_join(_persons(given), "person_id").select("id_kind", "id_value")
        identifiers = _pairs(engine.read(found))
    else:
        identifiers = _pairs(engine.read(given.semi_join(_carried(), ["id_kind", "id_value"])))
        identifiers |= _pairs(_in_vault(door, engine.read(given)).select(["id_kind", "id_value"]))
    if not identifiers:
        raise UsageError("Nobody is known by that identifier here.")
    raw = {*_in_vault(door, _rows(identifiers))["raw_value"].to_pylist()}
    raw |= {text for pair, text in candidates.items() if text and pair in identifiers}
    return Person(tuple(owners), tuple(sorted(identifiers)), tuple(sorted(raw)))


def shown(engine: Engine, door: DuckDB, of: Person) -> dict[str, Any]:
    """All that is held of the person, as JSON values, in the order of each table's key; instants in UTC."""
    ids = _ids(engine, "person", of.identifiers)
    persons = _persons(ids)
    touches, sales, credit = (relation(TABLES[name]) for name in ("touchpoints", "conversions", "credits"))
    touches = touches.semi_join(persons, "person_id")
    opinions = {
        "touchpoints": touches,
        "conversions": sales.semi_join(persons, "person_id"),
        "credits": credit.semi_join(touches, "touch_id"),
    }
    return {
        "person_id": list(of.person_ids),
        "identifiers": [{"kind": kind, "value": value} for kind, value in of.identifiers],
        "raw_values": list(of.raw),
        "facts": {name: _told(engine, TABLES[name], _carrying(engine, name, ids)) for name in _CARRIERS},
        "opinions": {name: _told(engine, TABLES[name], rows) for name, rows in opinions.items()},
        "quarantine": door.rows(f"SELECT * FROM quarantine WHERE {_holds(door, of.words)} ORDER BY ALL"),
    }


def whose(engine: Engine, of: Person, rows: ir.Table) -> list[dict[str, Any]]:
    """Those of `rows`, which have a person_id, that are the person's."""
    found: list[dict[str, Any]] = engine.read(
        rows.semi_join(_persons(_ids(engine, "person", of.identifiers)), "person_id")
    ).to_pylist()
    return found


def messages(engine: Engine, of: Person) -> list[tuple[str, str]]:
    """Source and message id of the person's events that the collector took in."""
    events = _carrying(engine, "events", _ids(engine, "person", of.identifiers))
    came = events.filter(events.origin.startswith("inbox:")).select("event_id", "origin")
    found = []
    for row in engine.read(came).to_pylist():
        source = row["origin"].split(":")[1]
        found.append((source, row["event_id"].removeprefix(f"{source}:")))
    return found


def erase_at_the_door(door: DuckDB, of: Person) -> dict[str, int]:
    """Take the person out of vault and quarantine; how many rows that was, by table. Belongs inside a transaction.

    It comes before the facts go, as they tell who the person is.
    """
    door.keep_rows("person_ids", _rows(of.identifiers))
    vault = door.execute(
        "DELETE FROM vault v WHERE EXISTS (SELECT 1 FROM person_ids p "
        "WHERE p.id_kind = v.id_kind AND p.id_value = v.id_hash)"
    )
    gone = {"vault": int(vault.fetchall()[0][0])}
    emptied = door.execute(
        f"UPDATE quarantine SET raw = '{WIPED}', reason = 'erased with the person' WHERE {_holds(door, of.words)}"
    )
    return {**gone, "quarantine": int(emptied.fetchall()[0][0])}


def erase_facts(engine: Engine, of: Person) -> dict[str, int]:
    """Take the person out of every fact; how many rows that was, by table. Belongs inside a transaction.

    Rows about the person go. Deals and orders are the company's books, and rows of others are others': they stay, and
    lose the person's identifiers.
    """
    ids, gone = _ids(engine, "person", of.identifiers), {}
    for name in _CARRIERS:
        table, held = TABLES[name], _carrying(engine, name, ids)
        gone[name] = int(engine.read(held.count().name("held").as_table())["held"][0].as_py())
        if gone[name]:
            engine.replace(table, held.select(*table.key), _without(_of_others(held, name, ids), table, ids))
    return gone


def hits(engine: Engine, words: Iterable[str]) -> list[str]:
    """The tables of `engine` that hold any of `words` in any cell of text, letter case ignored."""
    low = pa.table({"word": pa.array([word.lower() for word in words], pa.string())})
    sought = engine.scratch_rows("person_words", low)
    counts = []
    for table in TABLES.values():
        if engine.has(table.name):
            rows = relation(table)
            texts = [rows[each.name].fill_null("") for each in table.columns if each.type in ("string", "json")]
            pairs = rows.select(text=ibis.literal(" ").join(texts).lower()).cross_join(sought)
            held = pairs.filter(pairs.text.contains(pairs.word)).count()
            counts.append(held.name("held").as_table().mutate(name=ibis.literal(table.name)))
    return sorted(row["name"] for row in engine.read(ibis.union(*counts)).to_pylist() if row["held"])


def _candidates(door: DuckDB, named: str, personal: Personal) -> dict[tuple[str, str], str]:
    """What `named` may be, as (kind, value), hashed where facts carry hashes; of each hash, what it is of, if known."""
    kind, _, value = named.partition(":")
    kinds = [kind] if kind in IDENTIFIERS and value else list(IDENTIFIERS)
    value = value if kinds == [kind] else named
    found = dict.fromkeys(((each, value) for each in kinds), "")
    raw: dict[str, list[str]] = {each: [f"SELECT {sql_text(value)}"] for each in ("email", "phone") if each in kinds}
    if raw:
        fill(door, raw, personal.salt, personal.phone_region)
        for each in raw:
            hashes = door.rows(f"SELECT hash, coalesce(normal, '') AS normal FROM door_{each} WHERE hash IS NOT NULL")
            found |= {(each, row["hash"]): row["normal"] for row in hashes}
    return found


def _ids(engine: Engine, name: str, identifiers: Iterable[tuple[str, str]]) -> ir.Table:
    """The `identifiers` on the engine, for this connection: id_kind, id_value."""
    return engine.scratch_rows(f"{name}_ids", _rows(identifiers))


def _rows(identifiers: Iterable[tuple[str, str]]) -> pa.Table:
    pairs = sorted(identifiers)
    kinds, values = ([pair[place] for pair in pairs] for place in (0, 1))
    return pa.table({"id_kind": pa.array(kinds, pa.string()), "id_value": pa.array(values, pa.string())})


def _pairs(rows: pa.Table) -> set[tuple[str, str]]:
    return {(row["id_kind"], row["id_value"]) for row in rows.to_pylist()}


def _persons(ids: ir.Table) -> ir.Table:
    """The person_id of whoever has any of `ids`."""
    people = relation(TABLES["people"])
    return people.semi_join(ids, ["id_kind", "id_value"]).select("person_id").distinct()


def _in_vault(door: DuckDB, ids: pa.Table) -> pa.Table:
    """Those of `ids` that the vault has raw: id_kind, id_value, raw_value."""
    door.keep_rows("person_ids", ids)
    return door.query(
        "SELECT p.id_kind, p.id_value, raw_value FROM vault v JOIN person_ids p "
        "ON p.id_kind = v.id_kind AND p.id_value = v.id_hash ORDER BY ALL"
    )


def _carried() -> ir.Table:
    """Every identifier that a fact carries in a column of its own: id_kind, id_value."""
    return ibis.union(
        *(
            relation(TABLES[name]).select(id_kind=ibis.literal(kind), id_value=column)
            for name in _CARRIERS
            for kind, column in _columns(TABLES[name])
        )
    )


def _columns(table: Table) -> list[tuple[str, str]]:
    """The kinds of identifiers that a table carries, and their columns, strongest first."""
    return [(kind, column) for kind, column in IDENTIFIERS.items() if column in table.names]


def _carrying(engine: Engine, name: str, ids: ir.Table) -> ir.Table:
    """The rows of a fact that carry any of `ids`, kept for this connection."""
    table, kept = TABLES[name], f"person_{name}"
    if name == "links":
        sides = ("left", "right")
        found = engine.pick("person_near", table, *(ids.select(**{f"{side}_value": "id_value"}) for side in sides))
        told = ids.select(told=_tagged(ids, "id"))
        return engine.scratch(kept, found.filter(ibis.or_(*(_tagged(found, side).isin(told.told) for side in sides))))
    keys = (_of_kind(ids, kind).select(**{column: "id_value"}) for kind, column in _columns(table))
    return engine.pick(kept, table, *keys)


def _of_kind(ids: ir.Table, kind: str) -> ir.Table:
    return ids.filter(ids.id_kind == kind)


def _tagged(rows: ir.Table, side: str) -> ir.Value:
    return rows[f"{side}_kind"] + ibis.literal(":") + rows[f"{side}_value"]


def _of_others(held: ir.Table, name: str, ids: ir.Table) -> ir.Table:
    """Those of the rows that stay: about others, or the company's. Whose one is, the strongest that it carries says."""
    if name == "links":
        return held.filter(ibis.literal(value=False))
    strongest = _columns(TABLES[name])
    columns = [column for kind, column in strongest if kind in _OWN.get(name, IDENTIFIERS)]
    theirs: list[ir.BooleanValue] = []
    empty: list[ir.BooleanValue] = []
    for column in columns:
        theirs.append(ibis.and_(*empty, _has(held, column, ids)))
        empty.append(held[column].isnull())
    return held.filter(~ibis.or_(*theirs)) if theirs else held


def _has(rows: ir.Table, column: str, ids: ir.Table) -> ir.BooleanValue:
    """True where the column of `rows` carries one of `ids`; never empty."""
    kind = next(kind for kind, carries in IDENTIFIERS.items() if carries == column)
    return rows[column].notnull() & rows[column].isin(_of_kind(ids, kind).id_value)


def _without(rows: ir.Table, table: Table, ids: ir.Table) -> ir.Table:
    """The `rows` without any of `ids`, and what tells of it."""
    cleared = {}
    for _, column in _columns(table):
        for each in (column, *(one for one in _TELLS.get(column, ()) if one in table.names)):
            cleared[each] = ibis.ifelse(_has(rows, column, ids), ibis.null(rows[each].type()), rows[each])
    return rows.mutate(**cleared)


def _told(engine: Engine, table: Table, rows: ir.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.read(rows).to_pylist()
    return sorted(found, key=lambda row: [str(row[name] or "") for name in table.key])


def _holds(door: DuckDB, words: Iterable[str]) -> str:
    """SQL that is true for refused rows that hold any of `words`, letter case ignored."""
    door.keep_rows("person_words", pa.table({"word": pa.array([word.lower() for word in words], pa.string())}))
    return "EXISTS (SELECT 1 FROM person_words w WHERE contains(lower(raw || reason), w.word))"
