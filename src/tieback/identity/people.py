"""Identifiers, the person each belongs to, and that person's account."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.accounts import accounts
from tieback.identity.identifiers import identifiers
from tieback.schema.remembered import remembered


@remembered
def people(components: ir.Table, facts: Any, identity: Identity) -> ir.Table:
    """Every identifier found in any fact, with its person and account (PEOPLE).

    components: what the fixpoint of `labels` came to. An identifier tied to none is a person of its own.
    person_id is the smallest identifier of the group, as kind:value.
    """
    named = persons_of(identifiers(facts, identity.junk), components)
    claims = accounts(lambda rows: persons_of(rows, components), facts, identity)
    company = claims.select(member="person_id", account_id="account_id")
    both = named.left_join(company, [("person_id", "member")])
    return both.select("id_kind", "id_value", "person_id", "account_id")


def persons_of(rows: ir.Table, components: ir.Table) -> ir.Table:
    """`rows` (id_kind, id_value and others) with the person_id of each identifier."""
    smallest = components.filter(components.node == components.label)
    smallest = smallest.select(smallest_node="node", person_id=_name(smallest))
    joined = components.inner_join(smallest, [("label", "smallest_node")])
    grouped = joined.select(in_kind="id_kind", in_value="id_value", person_id="person_id")
    both = rows.left_join(grouped, [("id_kind", "in_kind"), ("id_value", "in_value")])
    named = both.mutate(person_id=ibis.coalesce(both.person_id, _name(both)))
    return named.select(*rows.columns, "person_id")


def _name(rows: ir.Table) -> ir.StringValue:
    return rows.id_kind.concat(":", rows.id_value)
