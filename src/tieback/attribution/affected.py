"""Which conversions a change may touch: parties (persons and accounts) closed under what one sale knows of another.

A conversion is decided by its record, its party and the other conversions of that party: the first sale makes the
customer, a refund follows its sale, a company's deals make customers of its people. Parties that are closed under
these can be worked out anew by themselves, and the rest of the world stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered

_CRM = "crm:"
_WHOSE = ("person_id", "account_id", "subject_id")


@dataclass(frozen=True)
class Replaced:
    """The rows of one opinion that went, and those that came."""

    was: ir.Table
    now: ir.Table


@remembered
def parties_of_people(people: ir.Table) -> ir.Table:
    """The persons of the rows of PEOPLE, and their accounts: party."""
    return _parties(people, "person_id", "account_id")


@remembered
def parties_of_touches(touchpoints: ir.Table) -> ir.Table:
    """The persons of touches, also of those of whom nothing else is known, and their accounts: party."""
    return _parties(touchpoints, "person_id", "account_id")


@remembered
def parties_of_conversions(conversions: ir.Table) -> ir.Table:
    """Whose the conversions are: party."""
    return _parties(conversions, *_WHOSE)


@remembered
def parties_of_crm_accounts(rows: ir.Table) -> ir.Table:
    """The CRM accounts that deals, orders or accounts name: party."""
    named = rows.filter(rows.account_id != "")
    return named.select(party=ibis.literal(_CRM).concat(named.account_id)).distinct()


@remembered
def with_their_kin(parties: ir.Table, people: ir.Table, conversions: ir.Table) -> ir.Table:
    """`parties`, the accounts of the persons, the persons of the accounts, and all parties of their conversions.

    Each once. people: as it is now; conversions: of the last run. Repeat it until nothing is added.
    """
    theirs = people.semi_join(parties, people.person_id == parties.party)
    company = people.semi_join(parties, people.account_id == parties.party)
    held = _held(conversions, parties)
    found = (parties, _parties(theirs, "account_id"), _parties(company, "person_id"), _parties(held, *_WHOSE))
    return ibis.union(*found, distinct=True)


@remembered
def people_of(people: ir.Table, parties: ir.Table) -> ir.Table:
    """The rows of PEOPLE of the persons among `parties`."""
    return people.semi_join(parties, people.person_id == parties.party).select(*people.columns)


@remembered
def open_paths(parties: ir.Table) -> ir.Table:
    """The paths of `parties` that have not converted: path_id."""
    return parties.select(path_id=ibis.literal("open:").concat(parties.party))


@remembered
def record_keys(facts: Any, members: ir.Table, conversions: ir.Table, parties: ir.Table, near: Any) -> SimpleNamespace:
    """The keys of the records behind the conversions of `parties`: deals, orders, events, one column each.

    members: the rows of PEOPLE of `parties`. near: the keys of the deals and orders that have changed or carry a
    changed identifier.
    """
    of_contacts = members.filter(members.id_kind == "contact").select(contact_id="id_value")
    crm = parties.filter(parties.party.startswith(_CRM))
    of_accounts = crm.select(account_id=crm.party.substr(len(_CRM)))
    held = _held(conversions, parties)
    orders = [near.orders.select("order_id"), _known(held, "order_id")]
    orders.append(facts.orders.semi_join(of_accounts, "account_id").select("order_id"))
    for kind, column in IDENTIFIERS.items():
        if column in facts.orders.columns:
            of_kind = members.filter(members.id_kind == kind).select(**{column: "id_value"})
            orders.append(facts.orders.semi_join(of_kind, column).select("order_id"))
    deals = [
        near.deals.select("deal_id"),
        _known(held, "deal_id"),
        facts.deals.semi_join(of_contacts, "contact_id").select("deal_id"),
        facts.deals.semi_join(of_accounts, "account_id").select("deal_id"),
        facts.deal_contacts.semi_join(of_contacts, "contact_id").select("deal_id"),
    ]
    return SimpleNamespace(
        deals=ibis.union(*deals, distinct=True),
        orders=ibis.union(*orders, distinct=True),
        events=_known(held, "event_id").distinct(),
    )


@remembered
def with_their_sales(facts: Any, keys: Any) -> SimpleNamespace:
    """`keys`, and those of the sales that the orders continue or give back, and the other way."""
    known = ibis.union(keys.orders.select(sale_id="order_id"), keys.deals.select(sale_id="deal_id"))
    following = facts.orders.semi_join(known, "sale_id").select("order_id")
    own = facts.orders.semi_join(keys.orders, "order_id")
    followed = own.filter(own.sale_id.notnull())
    return SimpleNamespace(
        deals=ibis.union(keys.deals, followed.select(deal_id="sale_id"), distinct=True),
        orders=ibis.union(keys.orders, following, followed.select(order_id="sale_id"), distinct=True),
        events=keys.events,
    )


@remembered
def records(facts: Any, keys: Any, near_events: ir.Table) -> SimpleNamespace:
    """Every version of the deals, orders and events that `keys` name, and the contacts and accounts they speak of.

    near_events: the events that carry a changed identifier; any of them may have become a conversion.
    """
    deals, orders = _of(facts.deals, keys.deals, "deal_id"), _of(facts.orders, keys.orders, "order_id")
    contact_ids = ibis.union(deals.select("contact_id"), orders.select("contact_id"), distinct=True)
    contacts = _of(facts.contacts, contact_ids, "contact_id")
    account_ids = ibis.union(*(rows.select("account_id") for rows in (deals, orders, contacts)), distinct=True)
    return SimpleNamespace(
        deals=deals,
        orders=orders,
        events=ibis.union(near_events, _of(facts.events, keys.events, "event_id"), distinct=True),
        deal_contacts=_of(facts.deal_contacts, keys.deals, "deal_id"),
        contacts=contacts,
        accounts=_of(facts.accounts, account_ids, "account_id"),
    )


@remembered
def parties_of_records(of: Any, people: ir.Table) -> ir.Table:
    """Whose the records are, by their identifiers and CRM accounts, and those in the roles of their deals: party."""
    found = []
    for rows in (of.deals, of.orders, of.deal_contacts):
        for kind, column in IDENTIFIERS.items():
            if column in rows.columns:
                of_kind = people.filter(people.id_kind == kind)
                found.append(_parties(of_kind.semi_join(rows, of_kind.id_value == rows[column]), "person_id"))
        if "account_id" in rows.columns:
            found.append(parties_of_crm_accounts(rows))
    return ibis.union(*found, distinct=True)


@remembered
def conversions_of(conversions: ir.Table, parties: ir.Table, keys: Any) -> ir.Table:
    """The rows of `conversions` that are of one of `parties` or made of a record that `keys` name."""
    found = [_held(conversions, parties)]
    for name, key in (("deals", "deal_id"), ("orders", "order_id"), ("events", "event_id")):
        found.append(_of(conversions, keys.__dict__[name], key))
    return ibis.union(*found, distinct=True)


@remembered
def credited_again(sales: Replaced, paths: Replaced, touches: Replaced) -> ir.Table:
    """The conversions whose credit, or what it counts towards, may have changed: conversion_id.

    Those that differ in their row, their path or a touch of it; and all others of their subjects, since a customer's
    later sales count towards the first one.
    """
    paths_was = paths.was.filter(paths.was.conversion_id.notnull())
    paths_now = paths.now.filter(paths.now.conversion_id.notnull())
    changed = _differing(touches.was, touches.now).select("touch_id").distinct()
    found = (
        _differing(sales.was, sales.now).select("conversion_id"),
        _differing(paths_was, paths_now).select("conversion_id"),
        paths_was.semi_join(changed, "touch_id").select("conversion_id"),
    )
    ids = ibis.union(*found, distinct=True)
    both = sales.was.union(sales.now)
    subjects = both.semi_join(ids, "conversion_id").select("subject_id").distinct()
    return both.semi_join(subjects, "subject_id").select("conversion_id").distinct()


def _differing(was: ir.Table, now: ir.Table) -> ir.Table:
    """The rows of either that the other does not have."""
    was = was.select(*now.columns)
    return ibis.union(now.difference(was), was.difference(now))


def _held(conversions: ir.Table, parties: ir.Table) -> ir.Table:
    """The conversions of `parties`."""
    return conversions.filter(ibis.or_(*(conversions[name].isin(parties.party) for name in _WHOSE)))


def _of(rows: ir.Table, keys: ir.Table, key: str) -> ir.Table:
    return rows.semi_join(keys, key).select(*rows.columns)


def _known(rows: ir.Table, column: str) -> ir.Table:
    return rows.filter(rows[column].notnull()).select(column)


def _parties(rows: ir.Table, *columns: str) -> ir.Table:
    """The values of `columns`, each once: party."""
    found = [rows.filter(rows[name].notnull()).select(party=rows[name]) for name in columns]
    return ibis.union(*found, distinct=True) if len(found) > 1 else found[0].distinct()
