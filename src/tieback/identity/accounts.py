"""The company a person belongs to: by the CRM, by an explicit group, or else by the domain of the e-mail address."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.observed import domains, memberships
from tieback.schema.facts import ACCOUNTS
from tieback.schema.relations import current
from tieback.schema.remembered import remembered

# Trusted less than the CRM's accounts (1 to 3, see `memberships`), whoever states them.
_BY_GROUP = 4
_BY_DOMAIN = 5


@remembered
def accounts(claims: ir.Table, addresses: ir.Table, companies: ir.Table) -> ir.Table:
    """The account of each person that has one: person_id, account_id (crm:…, group:… or domain:…).

    claims: `company_claims` with the person_id of each; addresses: `company_addresses` likewise; companies: as below.
    Of several accounts the most trusted source wins, then the latest word, then the smaller id. Sources: contact
    record, explicit tie, order, named group, e-mail domain.
    """
    columns = ("person_id", "account_id", "trust", "last_seen_at")
    offered = claims.select(*columns).union(_by_domain(addresses, companies).select(*columns))
    best = ibis.window(
        group_by=offered.person_id, order_by=[offered.trust, offered.last_seen_at.desc(), offered.account_id]
    )
    ranked = offered.mutate(place=ibis.row_number().over(best))
    return ranked.filter(ranked.place == 0).select("person_id", "account_id")


def company_claims(rows: ir.Table, links: ir.Table, identity: Identity) -> ir.Table:
    """What facts say of the company that an identifier belongs to: id_kind, id_value, account_id, trust, last_seen_at.

    rows: what stands `together`. links: as declared.
    """
    stated = memberships(rows, links, identity.junk)
    is_group = stated.right_kind == "group"
    return stated.select(
        id_kind="left_kind",
        id_value="left_value",
        account_id=is_group.ifelse("group:", "crm:").concat(stated.right_value),
        trust=is_group.ifelse(_BY_GROUP, stated.trust).cast("int64"),
        last_seen_at="last_seen_at",
    )


def free_mail_domains() -> frozenset[str]:
    """Domains at which anybody may have an address, so that sharing one says nothing about a company."""
    lines = files("tieback.identity").joinpath("free_mail.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@remembered
def company_addresses(rows: ir.Table, identity: Identity) -> ir.Table:
    """The e-mail addresses that may tell of a company: id_kind, id_value, domain, last_seen_at.

    rows: what stands `together`.
    """
    free = free_mail_domains() | {domain.strip().lower() for domain in identity.free_mail}
    owned = domains(rows)
    return owned.filter(owned.domain.notin(sorted(free)) & (owned.domain != ""))


@remembered
def company_domains(rows: ir.Table, crm_accounts: ir.Table, changed: Any, identity: Identity) -> ir.Table:
    """The domains of the addresses in `rows` (which stand `together`) and of the CRM accounts that have `changed`, in
    any version: domain.
    """
    own = company_addresses(rows, identity).select("domain")
    versions = crm_accounts.semi_join(changed.accounts, "account_id")
    theirs = versions.filter(versions.domain.notnull()).select(domain=versions.domain.strip().lower())
    return own.union(theirs, distinct=True)


@remembered
def companies(addresses: ir.Table, crm_accounts: ir.Table, identity: Identity) -> ir.Table:
    """The domains that stand for a company, and the one CRM account with that domain, if there is one: company,
    crm_account.

    addresses: `company_addresses` with the person_id of each. A domain of too many persons is no company.
    """
    held = addresses.select("person_id", "domain").distinct()
    few = held.group_by("domain").having(held.count() <= identity.max_account_people)
    company = few.aggregate(members=held.count()).select(company="domain")
    known = _crm_domains(crm_accounts)
    return company.left_join(known, [("company", "crm_domain")]).select("company", "crm_account")


def _by_domain(owned: ir.Table, companies: ir.Table) -> ir.Table:
    """Company domains of people's addresses; a domain that exactly one CRM account has stands for that account."""
    held = owned.group_by("person_id", "domain").aggregate(last_seen_at=owned.last_seen_at.max())
    both = held.inner_join(companies, [("domain", "company")])
    return both.select(
        "person_id",
        account_id=both.crm_account.isnull().ifelse(
            ibis.literal("domain:").concat(both.domain), ibis.literal("crm:").concat(both.crm_account)
        ),
        trust=ibis.literal(_BY_DOMAIN, "int64"),
        last_seen_at="last_seen_at",
    )


def _crm_domains(table: ir.Table) -> ir.Table:
    """Domains that exactly one CRM account has: crm_domain, crm_account."""
    rows = current(table, ACCOUNTS)
    rows = rows.filter(rows.domain.notnull()).select("account_id", crm_domain=rows.domain.strip().lower())
    single = rows.group_by("crm_domain").having(rows.count() == 1)
    return single.aggregate(crm_account=rows.account_id.min())
