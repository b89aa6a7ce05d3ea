"""A person in the warehouse: found by any identifier, shown whole, and erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tieback.errors import UsageError
from tieback.schema import TABLES
from tieback.schema.identifiers import IDENTIFIERS
from tieback.store import DuckDB
from tieback.sync.delivery import Personal
from tieback.sync.lookups import fill
from tieback.sync.quarantine import WIPED
from tieback.sync.readers import sql_text
from tieback.sync.unfinished import ERASING, begin

_SHORTEST = 6  # characters of a word that can be searched for among bytes: shorter ones stand everywhere
_COLUMNS = {column: kind for kind, column in IDENTIFIERS.items()}
_OWN = {"events": None, "contacts": "contact", "deal_contacts": "contact"}  # rows that are about the person go


@dataclass(frozen=True)
class Person:
    """Who is meant: the person_ids, the identifiers as (kind, value), and the raw values that the vault has of them."""

    person_ids: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    raw: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All that names the person, raw or hashed, that is long enough to be searched for."""
        values = {*self.raw, *(value for _, value in self.identifiers)}
        return tuple(sorted(word for word in values if len(word) >= _SHORTEST))


def person(store: DuckDB, named: str, personal: Personal) -> Person:
    """Who has the identifier `named`: an address, a number, a login, a browser's id, a contact, a customer number.

    A kind in front, as in user:ann, says which is meant. Raises UsageError when that is nobody, or several.
    """
    given = _candidates(store, named.strip(), personal)
    ids = _rows(store, "id_kind, id_value, person_id", "people", given) if store.has("people") else []
    owners = sorted({row["person_id"] for row in ids})
    if len(owners) > 1:
        kinds = ", ".join(sorted({row["id_kind"] for row in ids}))
        raise UsageError(f"That names {len(owners)} persons ({kinds}). Put the kind in front, as in user:NAME.")
    if owners:
        found = store.rows("SELECT id_kind, id_value FROM people WHERE person_id = ?", [owners[0]])
        identifiers = [(row["id_kind"], row["id_value"]) for row in found]
    else:
        identifiers = [each for each in given if _is_held(store, *each)]
    if not identifiers:
        raise UsageError("Nobody is known by that identifier here.")
    keep_identifiers(store, identifiers)
    raw = store.rows(
        "SELECT raw_value FROM vault v WHERE EXISTS (SELECT 1 FROM person_ids p "
        "WHERE p.id_kind = v.id_kind AND p.id_value = v.id_hash)"
    )
    return Person(tuple(owners), tuple(sorted(identifiers)), tuple(row["raw_value"] for row in raw))


def keep_identifiers(store: DuckDB, identifiers: list[tuple[str, str]]) -> None:
    """Keep them as the table person_ids for this connection."""
    kinds, values = zip(*identifiers, strict=True)
    store.keep_rows("person_ids", pa.table({"id_kind": list(kinds), "id_value": list(values)}))


def shown(store: DuckDB, of: Person) -> dict[str, Any]:
    """All that the warehouse holds of the person, as JSON values; instants in UTC."""
    facts = {}
    for name in ("events", "links", "contacts", "deal_contacts", "deals", "orders"):
        facts[name] = store.rows(f"SELECT * FROM {name} WHERE {_names(name)}")
    opinions: dict[str, Any] = {}
    if of.person_ids and store.has("credits"):
        owner = list(of.person_ids[:1])
        opinions["touchpoints"] = store.rows("SELECT * FROM touchpoints WHERE person_id = ?", owner)
        opinions["conversions"] = store.rows("SELECT * FROM conversions WHERE person_id = ?", owner)
        opinions["credits"] = store.rows(
            "SELECT * FROM credits WHERE touch_id IN (SELECT touch_id FROM touchpoints WHERE person_id = ?)", owner
        )
    return {
        "person_id": list(of.person_ids),
        "identifiers": [{"kind": kind, "value": value} for kind, value in of.identifiers],
        "raw_values": list(of.raw),
        "facts": facts,
        "opinions": opinions,
        "quarantine": store.rows(f"SELECT * FROM quarantine WHERE {_holds(store, of.words)}"),
    }


def messages(store: DuckDB) -> list[tuple[str, str]]:
    """Source and message id of the person's events that the collector took in."""
    rows = store.rows(f"SELECT event_id, origin FROM events WHERE starts_with(origin, 'inbox:') AND {_names('events')}")
    found = []
    for row in rows:
        source = row["origin"].split(":")[1]
        found.append((source, row["event_id"].removeprefix(f"{source}:")))
    return found


def erase_facts(store: DuckDB, of: Person) -> dict[str, int]:
    """Take the person out of every fact, of the vault and of the quarantine; how many rows that was, by table.

    Rows about the person go. Deals and orders are the company's books, and rows of others are others': they stay, and
    lose the person's identifiers. Belongs inside a transaction.
    """
    gone: dict[str, int] = {}
    for name, kind in _OWN.items():
        gone[name] = _count(store.execute(f"DELETE FROM {name} WHERE {_is_theirs(name, kind)}"))
    gone["links"] = _count(store.execute(f"DELETE FROM links WHERE {_names('links')}"))
    for name in ("events", "contacts", "deals", "orders"):
        for column in _carried(name):
            others = _clears(name, column)
            changed = store.execute(f"UPDATE {name} SET {others} WHERE {_has(name, column)}")
            gone[name] = gone.get(name, 0) + _count(changed)
    gone["vault"] = _count(
        store.execute(
            "DELETE FROM vault v WHERE EXISTS (SELECT 1 FROM person_ids p "
            "WHERE p.id_kind = v.id_kind AND p.id_value = v.id_hash)"
        )
    )
    emptied = store.execute(
        f"UPDATE quarantine SET raw = '{WIPED}', reason = 'erased with the person' WHERE {_holds(store, of.words)}"
    )
    gone["quarantine"] = _count(emptied)
    begin(store, ERASING)
    return gone


def hits(store: DuckDB, words: tuple[str, ...]) -> list[str]:
    """The tables of `store` that hold any of `words` in any cell."""
    found = []
    for row in store.rows("SELECT DISTINCT table_name AS name FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"):
        if row["name"] not in ("person_ids", "person_words") and store.rows(
            f"SELECT 1 AS held FROM {row['name']} t WHERE {_holds(store, words, 't::VARCHAR')} LIMIT 1"
        ):
            found.append(str(row["name"]))
    return found


def _candidates(store: DuckDB, named: str, personal: Personal) -> list[tuple[str, str]]:
    """What `named` may be: (kind, value), hashed where facts carry hashes."""
    kind, _, value = named.partition(":")
    kinds = [kind] if kind in IDENTIFIERS and value else list(IDENTIFIERS)
    value = value if kinds == [kind] else named
    found = [(each, value) for each in kinds]
    raw: dict[str, list[str]] = {each: [f"SELECT {sql_text(value)}"] for each in ("email", "phone") if each in kinds}
    if raw:
        fill(store, raw, personal.salt, personal.phone_region)
        for each in raw:
            hashes = store.rows(f"SELECT hash FROM door_{each} WHERE hash IS NOT NULL")
            found += [(each, row["hash"]) for row in hashes]
    return found


def _rows(store: DuckDB, columns: str, table: str, given: list[tuple[str, str]]) -> list[dict[str, Any]]:
    either = " OR ".join("(id_kind = ? AND id_value = ?)" for _ in given)
    return store.rows(f"SELECT {columns} FROM {table} WHERE {either}", [word for each in given for word in each])


def _is_held(store: DuckDB, kind: str, value: str) -> bool:
    column = IDENTIFIERS[kind]
    tables = [
        name for name in ("events", "contacts", "orders", "deals", "deal_contacts") if column in TABLES[name].names
    ]
    return any(store.rows(f"SELECT 1 AS held FROM {name} WHERE {column} = ? LIMIT 1", [value]) for name in tables)


def _carried(name: str) -> list[str]:
    """The columns of a table that carry identifiers, strongest first."""
    return [column for column in _COLUMNS if column in TABLES[name].names]


def _has(name: str, column: str) -> str:
    held = "(SELECT id_value FROM person_ids WHERE id_kind = {})"
    return f"coalesce({name}.{column} IN {held.format(sql_text(_COLUMNS[column]))}, false)"


def _names(name: str) -> str:
    """SQL that is true for rows of `name` that carry any of the person's identifiers."""
    if name == "links":
        one = "EXISTS (SELECT 1 FROM person_ids p WHERE p.id_kind = links.{0}_kind AND p.id_value = links.{0}_value)"
        sides = (one.format(side) for side in ("left", "right"))
        return f"({' OR '.join(sides)})"
    return f"({' OR '.join(_has(name, column) for column in _carried(name))})"


def _is_theirs(name: str, kind: str | None) -> str:
    """SQL that is true for rows about the person: by the identifier of `kind`, or else by the strongest they carry."""
    if kind:
        return _has(name, IDENTIFIERS[kind])
    cases = " ".join(f"WHEN {column} IS NOT NULL THEN {_has(name, column)}" for column in _carried(name))
    return f"CASE {cases} ELSE false END"


def _clears(name: str, column: str) -> str:
    """The assignments that take an identifier out of a row, and what tells of it."""
    also = {"email_hash": ["email_domain"]}.get(column, [])
    return ", ".join(f"{each} = NULL" for each in [column, *(one for one in also if one in TABLES[name].names)])


def _holds(store: DuckDB, words: tuple[str, ...], text: str = "raw || reason") -> str:
    """SQL that is true where `text` holds any of `words`, letter case ignored."""
    store.keep_rows("person_words", pa.table({"word": pa.array([word.lower() for word in words], pa.string())}))
    return f"EXISTS (SELECT 1 FROM person_words w WHERE contains(lower({text}), w.word))"


def _count(done: Any) -> int:
    return int(done.fetchall()[0][0])
