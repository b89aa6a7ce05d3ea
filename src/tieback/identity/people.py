"""Identifiers, the person each belongs to, and that person's account."""

from __future__ import annotations

from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.accounts import accounts, companies, company_addresses
from tieback.identity.identifiers import identifiers
from tieback.schema.remembered import remembered


@remembered
def people(components: ir.Table, rows: ir.Table, facts: Any, identity: Identity) -> ir.Table:
    """Every identifier found in any fact, with its person and account (PEOPLE).

    components: what the fixpoint of `labels` came to. An identifier tied to none is a person of its own.
    rows: what stands `together` on `facts`.
    person_id is the smallest identifier of the group, as kind:value.
    """

    def of(named: ir.Table) -> ir.Table:
        return persons_of(named, components)

    known = companies(of(company_addresses(rows, identity)), facts.accounts, identity)
    return _with_accounts(of(identifiers(facts, identity.junk)), accounts(of, rows, facts.links, known, identity))


@remembered
def some_people(
    components: ir.Table, rows: ir.Table, facts: Any, ids: ir.Table, known: ir.Table, identity: Identity
) -> ir.Table:
    """The rows of PEOPLE for `ids`, which are closed (see `tieback.identity.affected`), from the `facts` near them.

    rows: what stands `together` on `facts`. known: the companies that their domains stand for, as `companies` finds
    them among all facts.
    """

    def of(named: ir.Table) -> ir.Table:
        return persons_of(named, components)

    found = _with_accounts(of(identifiers(facts, identity.junk)), accounts(of, rows, facts.links, known, identity))
    return found.semi_join(ids, ["id_kind", "id_value"]).select(*found.columns)


def _with_accounts(named: ir.Table, claims: ir.Table) -> ir.Table:
    company = claims.select(member="person_id", account_id="account_id")
    both = named.left_join(company, [("person_id", "member")])
    return both.select("id_kind", "id_value", "person_id", "account_id")


def located(rows: ir.Table, people: ir.Table, components: ir.Table, ids: ir.Table) -> ir.Table:
    """`rows` (id_kind, id_value and others) with the person_id of each identifier: of `ids`, as `components` say; of
    all others as they stand in `people`, a person of its own where it does not.
    """
    names = {"id_kind": "known_kind", "id_value": "known_value"}
    near = ids.select(near_kind="id_kind", near_value="id_value", is_near=ibis.literal(value=True))
    known = people.select(**{new: old for old, new in names.items()}, known_person="person_id")
    solved = persons_of(rows, components)
    both = solved.left_join(known, list(names.items()))
    both = both.left_join(near, [("id_kind", "near_kind"), ("id_value", "near_value")])
    person = ibis.cases((both.is_near, both.person_id), else_=ibis.coalesce(both.known_person, both.person_id))
    return both.mutate(person_id=person).select(*rows.columns, "person_id")


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
