"""The steps from facts to people, as the pipeline takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tieback import identity
from tieback.config import Identity
from tieback.schema import FACTS
from tieback.schema.ddl import create_table
from tieback.schema.opinions import LINK_CUTS, PEOPLE
from tieback.schema.relations import relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

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
    rules = rules or Identity()
    stages = _stages(rules)
    _scratch(store, "pairs", stages.pairs)
    components = store.fixpoint("components", stages.start, stages.step)
    assert components.equals(COMPONENTS)
    cuts = identity.cuts(store.query(stages.suspects), rules)
    lost = store.scratch_rows("cuts", cuts)
    if cuts.num_rows:
        _scratch(store, "kept", stages.kept)
        _scratch(store, "pairs", "SELECT * FROM scratch_kept")
        store.fixpoint("components", stages.start, stages.step)
    store.save(LINK_CUTS, lost)
    store.execute(f"DROP TABLE IF EXISTS people; {create_table(PEOPLE)}; INSERT INTO people BY NAME {stages.people}")


@dataclass(frozen=True)
class _Stages:
    """The statements of one set of rules. To write them takes far longer than to run them on a handful of facts."""

    pairs: str
    start: ir.Table
    step: Callable[[ir.Table], ir.Table]
    suspects: str
    kept: str
    people: str


COMPONENTS = ibis.table(
    {"id_kind": "string", "id_value": "string", "node": "int64", "label": "int64"}, name="scratch_components_now"
)


@cache
def _stages(rules: Identity) -> _Stages:
    facts = relations(FACTS)
    ties = identity.pairs(facts, rules)
    pairs = ibis.table(ties.schema(), name="scratch_pairs")
    start, step = identity.labels(pairs)
    lost = ibis.table(dict.fromkeys(LINK_CUTS.names, "string"), name="scratch_cuts")
    return _Stages(
        pairs=compiled(ties, "duckdb"),
        start=start,
        step=step,
        suspects=compiled(identity.suspects(pairs, COMPONENTS, rules), "duckdb"),
        kept=compiled(identity.kept(pairs, lost), "duckdb"),
        people=compiled(identity.people(COMPONENTS, facts, rules), "duckdb"),
    )


def _scratch(store: DuckDB, name: str, sql: str) -> None:
    store.execute(f"CREATE OR REPLACE TEMP TABLE scratch_{name} AS {sql}")


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
