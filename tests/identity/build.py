"""From facts to people, and what became of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tieback import pipeline
from tieback.config import Identity, Settings
from tieback.store import DuckDB

Identifier = tuple[str, str]

# Small caps, and something of one's own in every list.
TIGHT = Identity(
    max_anonymous=2,
    max_email=2,
    max_phone=1,
    max_customer=1,
    max_account_people=2,
    junk=("Info-Hash",),
    free_mail=("ISP.example",),
)


def build(store: DuckDB, rules: Identity | None = None) -> None:
    """Work out people and link_cuts from the facts in `store`."""
    pipeline.build("people", store, Settings(identity=rules or Identity()))


def persons(store: DuckDB) -> dict[Identifier, str]:
    """The person of each identifier."""
    found: pa.Table = store.query("SELECT id_kind, id_value, person_id FROM people")
    return {(row["id_kind"], row["id_value"]): row["person_id"] for row in found.to_pylist()}


def groups(store: DuckDB) -> set[frozenset[Identifier]]:
    """The people, each as the set of its identifiers."""
    together: dict[str, set[Identifier]] = {}
    for identifier, person in persons(store).items():
        together.setdefault(person, set()).add(identifier)
    return {frozenset(each) for each in together.values()}


def account_of(store: DuckDB, kind: str, value: str) -> Any:
    """The account of an identifier's person."""
    return store.rows("SELECT account_id FROM people WHERE id_kind = ? AND id_value = ?", [kind, value])[0][
        "account_id"
    ]


def reasons(store: DuckDB) -> list[str]:
    """Why ties were cut, sorted."""
    return sorted(row["reason"] for row in store.rows("SELECT reason FROM link_cuts"))
