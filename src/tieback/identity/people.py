"""Identifiers, the person each belongs to, and that person's account."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.accounts import company_addresses, company_claims
from tieback.identity.identifiers import is_junk, name_of
from tieback.schema.remembered import remembered


@remembered
def people(found: ir.Table, settled: ir.Table, accounts: ir.Table, identity: Identity) -> ir.Table:
    """Those of the identifiers `found` that are not junk, with their person and account (PEOPLE).

    settled: the person of each identifier that is tied; one tied to none is a person of its own.
    accounts: of each person that has one.
    """
    found = found.select("id_kind", "id_value")
    named = persons_of(found.filter(~is_junk(found.id_value, identity.junk)), settled)
    company = accounts.select(member="person_id", account_id="account_id")
    both = named.left_join(company, [("person_id", "member")])
    return both.select("id_kind", "id_value", "person_id", "account_id")


@remembered
def owned_addresses(rows: ir.Table, settled: ir.Table, identity: Identity) -> ir.Table:
    """The addresses that may tell of a company (`company_addresses` of `rows`), with the person_id of each."""
    return persons_of(company_addresses(rows, identity), settled)


@remembered
def owned_claims(rows: ir.Table, links: ir.Table, settled: ir.Table, identity: Identity) -> ir.Table:
    """What facts say of the company that someone belongs to (`company_claims`), with the person_id of each."""
    return persons_of(company_claims(rows, links, identity), settled)


def located(rows: ir.Table, people: ir.Table, settled: ir.Table, ids: ir.Table) -> ir.Table:
    """`rows` (id_kind, id_value and others) with the person_id of each identifier: of `ids`, as `settled` says; of
    all others as they stand in `people`, a person of its own where it does not.
    """
    names = {"id_kind": "known_kind", "id_value": "known_value"}
    near = ids.select(near_kind="id_kind", near_value="id_value", is_near=ibis.literal(value=True))
    known = people.select(**{new: old for old, new in names.items()}, known_person="person_id")
    there = persons_of(rows, settled)
    both = there.left_join(known, list(names.items()))
    both = both.left_join(near, [("id_kind", "near_kind"), ("id_value", "near_value")])
    person = ibis.cases((both.is_near, both.person_id), else_=ibis.coalesce(both.known_person, both.person_id))
    return both.mutate(person_id=person).select(*rows.columns, "person_id")


def persons_of(rows: ir.Table, settled: ir.Table) -> ir.Table:
    """`rows` (id_kind, id_value and others) with the person_id of each identifier."""
    tied = settled.select("person_id", in_kind="id_kind", in_value="id_value")
    both = rows.left_join(tied, [("id_kind", "in_kind"), ("id_value", "in_value")])
    return both.mutate(person_id=ibis.coalesce(both.person_id, name_of(both))).select(*rows.columns, "person_id")
