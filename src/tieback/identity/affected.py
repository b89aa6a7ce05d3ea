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
from tieback.identity.identifiers import identifiers
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered

_CARRIERS = {"events": "event_id", "contacts": "contact_id", "orders": "order_id", "deals": "deal_id"}


@remembered
def named(facts: Any, identity: Identity) -> ir.Table:
    """The identifiers that `facts` name, junk left out: id_kind, id_value."""
    return identifiers(facts, identity.junk).select("id_kind", "id_value")


@remembered
def with_their_people(ids: ir.Table, people: ir.Table, link_cuts: ir.Table) -> ir.Table:
    """`ids`, all identifiers of the persons whom they belonged to at the last run, and those that ties then cut led to.

    Repeat it until nothing changes: a tie once cut may be believed now, and the other way round.
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
def carriers(facts: Any, ids: ir.Table, changed: Any) -> SimpleNamespace:
    """The keys of what carries any of `ids` or has `changed`: events, contacts, orders, deals, each one column."""
    found = {}
    for name, key in _CARRIERS.items():
        rows = facts.__dict__[name]
        keys = [changed.__dict__[name].select(key)]
        for kind, column in IDENTIFIERS.items():
            if column in rows.columns:
                of_kind = ids.filter(ids.id_kind == kind).select(**{column: "id_value"})
                keys.append(rows.semi_join(of_kind, column).select(key))
        found[name] = ibis.union(*keys, distinct=True)
    return SimpleNamespace(**found)


@remembered
def near(facts: Any, keys: Any, ids: ir.Table) -> SimpleNamespace:
    """Every version of the facts that `keys` name (as `carriers` finds them), and the ties and roles of `ids`."""
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
