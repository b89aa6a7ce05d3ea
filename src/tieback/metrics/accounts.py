"""Account attributes of conversions, for reports by industry, segment, country, size or owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieback.metrics.dimensions import DIMENSIONS

if TYPE_CHECKING:
    from ibis.expr import types as ir

ATTRIBUTES = tuple(dimension.column for dimension in DIMENSIONS.values() if dimension.group == "account")


def account_attributes(conversions: ir.Table, people: ir.Table, accounts: ir.Table) -> ir.Table:
    """One row per conversion with its account's attributes, NULL where there is no account or it has none.

    accounts: the current state of the CRM's accounts. The account is the conversion's own or else the person's;
    a company known by its e-mail domain takes the attributes of the CRM account with that domain, if there is one only.
    """
    import ibis

    of_person = people.filter(people.account_id.notnull()).group_by("person_id")
    of_person = of_person.aggregate(person_account=people.account_id.min())
    subject = conversions.left_join(of_person, "person_id")
    subject = subject.mutate(account=ibis.coalesce(subject.account_id, subject.person_account))
    by_id = accounts.select("account_id", account="crm:" + accounts.account_id)
    named = accounts.filter(accounts.domain.notnull())
    domains = named.group_by("domain").having(named.count() == 1).aggregate(only=named.account_id.min())
    by_domain = domains.select(account_id=domains.only, account="domain:" + domains.domain)
    known = accounts.select("account_id", *ATTRIBUTES).join(by_id.union(by_domain), "account_id")
    known = known.select("account", *ATTRIBUTES)
    found = subject.left_join(known, "account")
    return found.select("conversion_id", *ATTRIBUTES)
