"""Who is whom is worked out on every engine alike."""

from __future__ import annotations

from functools import cache

import ibis
import pytest
from ibis.expr import types as ir

from tieback import identity
from tieback.config import Identity
from tieback.schema import FACTS
from tieback.schema.ddl import DIALECTS
from tieback.schema.opinions import LINK_CUTS, PEOPLE
from tieback.schema.relations import fitted, relation, relations
from tieback.store.compiler import compiled

COMPONENTS = ibis.table(
    {"id_kind": "string", "id_value": "string", "node": "int64", "label": "int64"}, name="components"
)


@cache
def statements() -> dict[str, ir.Table]:
    """Every expression of the room."""
    facts, rules = relations(FACTS), Identity()
    ties = identity.pairs(facts, rules)
    pairs = ibis.table(ties.schema(), name="pairs")
    start, step = identity.labels(pairs)
    return {
        "pairs": ties,
        "start": start,
        "step": step(COMPONENTS),
        "suspects": identity.suspects(pairs, COMPONENTS, rules),
        "kept": identity.kept(pairs, relation(LINK_CUTS)),
        "settled": identity.settled(COMPONENTS, pairs, COMPONENTS),
        "people": fitted(identity.people(COMPONENTS, facts, rules), PEOPLE),
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_can_be_said_in_every_dialect(dialect: str) -> None:
    """Each expression compiles for each engine."""
    for name, expression in statements().items():
        assert compiled(expression, dialect).startswith(("SELECT", "WITH")), name


def test_a_step_has_the_columns_of_its_start() -> None:
    """The fixpoint compares sets of rows, so start and step agree in columns and types."""
    assert statements()["start"].schema() == statements()["step"].schema() == COMPONENTS.schema()
