"""Members: the people whose touches count for a conversion."""

from __future__ import annotations

from ibis.expr import types as ir

from tieback.schema.facts import DEAL_CONTACTS
from tieback.schema.relations import current
from tieback.schema.remembered import remembered


@remembered
def members(conversions: ir.Table, people: ir.Table, deal_contacts: ir.Table) -> ir.Table:
    """Whose touches count for each conversion that has a journey of its own; a refund follows its sale's.

    conversions, people: as declared. deal_contacts: the fact, every change.
    A conversion has its primary person and the people of its deal's contacts; one that is account-wide (account_id) has
    everyone of the account too. Grain and columns: conversion_id, person_id.
    """
    own = conversions.filter(conversions.journey_id == conversions.conversion_id)
    primary = own.filter(own.person_id.notnull()).select("conversion_id", "person_id")
    contacts = people.filter(people.id_kind == "contact").select("person_id", contact_id=people.id_value)
    group = current(deal_contacts, DEAL_CONTACTS).select("deal_id", "contact_id").join(contacts, "contact_id")
    involved = own.select("conversion_id", "deal_id").join(group, "deal_id").select("conversion_id", "person_id")
    staff = people.filter(people.account_id.notnull()).select("account_id", "person_id")
    colleagues = (
        own.select("conversion_id", "account_id").join(staff, "account_id").select("conversion_id", "person_id")
    )
    return primary.union(involved, distinct=False).union(colleagues, distinct=False).distinct()
