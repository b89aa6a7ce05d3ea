"""Whom a change of the facts may touch: identifiers closed under what ties them, and the facts that carry those.

Identity, and all that is told of a person, is decided among identifiers that are tied, were tied, or stand on one row.
A set of identifiers that is closed under these can be worked out anew by itself, and the rest of the world stands.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.identifiers import identifiers, is_junk
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered

_CARRIERS = {"contacts": "contact_id", "orders": "order_id", "deals": "deal_id"}
_OF_COMPANIES = {"contacts": "contact_id", "orders": "order_id", "accounts": "account_id"}


@remembered
def named(facts: Any, identity: Identity) -> ir.Table:
    """The identifiers that `facts` name, junk left out: id_kind, id_value."""
    found = identifiers(facts)
    return found.filter(~is_junk(found.id_value, identity.junk))


@remembered
def with_their_people(ids: ir.Table, people: ir.Table, link_cuts: ir.Table) -> ir.Table:
    """`ids`, all identifiers of the persons whom they belonged to at the last run, and those that ties then cut led to.

    Each once. Repeat it until nothing is added: a tie once cut may be believed now, and the other way round.
    """
    persons = people.semi_join(ids, ["id_kind", "id_value"]).select("person_id").distinct()
    theirs = people.semi_join(persons, "person_id").select("id_kind", "id_value")
    found = [ids, theirs]
    for one, other in (("left", "right"), ("right", "left")):
        ends = ids.select(**{f"{one}_kind": "id_kind", f"{one}_value": "id_value"})
        cut = link_cuts.semi_join(ends, [f"{one}_kind", f"{one}_value"])
        found.append(cut.select(id_kind=f"{other}_kind", id_value=f"{other}_value"))
    return ibis.union(*found, distinct=True)


@remembered
def carried(ids: ir.Table, columns: tuple[str, ...]) -> tuple[ir.Table, ...]:
    """The `ids` by the facts' column that carries them, one table of one column each, for those among `columns`."""
    found = {column: ids.filter(ids.id_kind == kind) for kind, column in IDENTIFIERS.items() if column in columns}
    return tuple(of_kind.select(**{column: "id_value"}) for column, of_kind in found.items())


@remembered
def carriers(facts: Any, ids: ir.Table, changed: Any) -> SimpleNamespace:
    """The keys of the records that carry any of `ids` or have `changed`: contacts, orders, deals, each one column."""
    found = {}
    for name, key in _CARRIERS.items():
        rows = facts.__dict__[name]
        keys = [rows.semi_join(of_kind, of_kind.columns).select(key) for of_kind in carried(ids, tuple(rows.columns))]
        found[name] = ibis.union(changed.__dict__[name].select(key), *keys, distinct=True)
    return SimpleNamespace(**found)


@remembered
def near(facts: Any, keys: Any, ids: ir.Table) -> SimpleNamespace:
    """Every version of the records that `keys` name (as `carriers` finds them), and the ties and roles of `ids`."""
    found = {
        name: facts.__dict__[name].semi_join(keys.__dict__[name], key).select(*facts.__dict__[name].columns)
        for name, key in _CARRIERS.items()
    }
    sides = []
    for side in ("left", "right"):
        ends = ids.select(**{f"{side}_kind": "id_kind", f"{side}_value": "id_value"})
        sides.append(facts.links.semi_join(ends, [f"{side}_kind", f"{side}_value"]).select(*facts.links.columns))
    found["links"] = ibis.union(*sides, distinct=True)
    contacts = ids.filter(ids.id_kind == "contact").select(contact_id="id_value")
    found["deal_contacts"] = facts.deal_contacts.semi_join(contacts, "contact_id").select(*facts.deal_contacts.columns)
    return SimpleNamespace(**found, accounts=facts.accounts)


@remembered
def of_domains(facts: Any, domains: ir.Table) -> SimpleNamespace:
    """The facts that tell who has an address in one of `domains` (domain), and all accounts."""

    def carriers(rows: ir.Table) -> ir.Table:
        return rows.filter(rows.email_domain.strip().lower().isin(domains.domain))

    found = {"events": carriers(facts.events)}
    for name in ("contacts", "orders"):  # in all their versions
        rows, key = facts.__dict__[name], _CARRIERS[name]
        found[name] = rows.filter(rows[key].isin(carriers(rows)[key]))
    return SimpleNamespace(**found, accounts=facts.accounts)


@remembered
def moved(addresses: ir.Table, people: ir.Table, changed: Any) -> ir.Table:
    """What may make a domain stand for another company, or for none: what, one row each.

    addresses: those near the change, as `owned_addresses` finds them. What may: one whose person is not the one it had
    in `people`; and any record or address that has `changed`.
    """
    had = people.select(id_kind="id_kind", id_value="id_value", had="person_id")
    both = addresses.left_join(had, ["id_kind", "id_value"])
    records = [changed.__dict__[name].select(what=key) for name, key in _OF_COMPANIES.items()]
    addressed = changed.events.filter(changed.events.email_hash.notnull()).select(what="event_id")
    return ibis.union(both.filter(~both.had.identical_to(both.person_id)).select(what="id_value"), *records, addressed)
