"""What facts say of identifiers, each statement once: ties of two identifiers, and membership of one in a company."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.identifiers import KINDS, is_junk
from tieback.schema.facts import CONTACTS, ORDERS
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.relations import current
from tieback.schema.remembered import remembered

STATEMENT = ("left_kind", "left_value", "right_kind", "right_value")
COMPANY_KINDS = ("account", "group")
_COLUMNS = {**IDENTIFIERS, "account": "account_id", "group": "group_id", "domain": "email_domain"}


@remembered
def together(facts: Any, identity: Identity) -> ir.Table:
    """What stands together on rows of events, contacts and orders: the combinations of two and more, each once.

    A column for each of KINDS, `account`, `group`, `domain` (the company part of the e-mail address), `record` (the
    contact that a CRM record is about), identifiers empty where they are junk; `trust` (1 for the CRM's contact record,
    3 for an order, 4 for what events name), times_seen, last_seen_at. Of what changes, the present state alone counts.
    An event that refuses attribution ties nobody: it must not lead from a person to a browser.
    """
    agreed = facts.events.filter(facts.events.consent_attribution.fill_null(ibis.literal(value=True)))
    found = []
    for table, at, trust in (
        (current(facts.contacts, CONTACTS), "changed_at", 1),
        (current(facts.orders, ORDERS), "changed_at", 3),
        (agreed, "occurred_at", 4),
    ):
        carried = {name: table[column] for name, column in _COLUMNS.items() if column in table.columns}
        rows = table.filter(_number_of(carried.values()) > 1).select(**carried, seen_at=table[at])
        seen = rows.group_by(*carried).aggregate(times_seen=rows.count(), last_seen_at=rows.seen_at.max())
        record = seen.contact if trust == 1 else ibis.null("string")
        every = {name: seen[name] if name in carried else ibis.null("string") for name in _COLUMNS}
        found.append(
            seen.select(
                **every,
                record=record,
                trust=ibis.literal(trust, "int64"),
                times_seen="times_seen",
                last_seen_at="last_seen_at",
            )
        )
    return _clean(ibis.union(*found), identity.junk)


def observed_ties(rows: ir.Table, links: ir.Table, junk: Iterable[str]) -> ir.Table:
    """Ties of two persons' identifiers (STATEMENT columns, left < right), with times_seen and last_seen_at.

    rows: as `together` gives them. The identifiers on one row tie in a star around the strongest, which joins them as
    well as all pairs would.
    """
    return _believed(ibis.union(*_star(rows), _explicit(links, KINDS, junk)), links)


def memberships(rows: ir.Table, links: ir.Table, junk: Iterable[str]) -> ir.Table:
    """Which identifier (left) belongs to which `account` or `group` (right), with times_seen, last_seen_at and `trust`.

    rows: as `together` gives them. trust: theirs, or 2 for an explicit tie; by the lowest.
    A row's company is that of its strongest identifier.
    """
    kind, value = _holder(rows)
    rows = rows.mutate(left_kind=kind, left_value=value)
    found = [_explicit(links, COMPANY_KINDS, junk).mutate(trust=ibis.literal(2, "int64"))]
    for company in COMPANY_KINDS:
        members = rows.filter(rows.left_value.notnull() & rows[company].notnull())
        found.append(
            members.select(
                "left_kind",
                "left_value",
                right_kind=ibis.literal(company),
                right_value=members[company],
                times_seen="times_seen",
                last_seen_at="last_seen_at",
                trust="trust",
            )
        )
    return _believed(ibis.union(*found), links)


def domains(rows: ir.Table) -> ir.Table:
    """The company part of e-mail addresses: id_kind, id_value, domain, last_seen_at. rows: as `together` gives them."""
    known = rows.filter(rows.email.notnull() & rows.domain.notnull())
    tidy = known.select(
        "last_seen_at", id_kind=ibis.literal("email"), id_value=known.email, domain=known.domain.strip().lower()
    )
    return tidy.group_by("id_kind", "id_value", "domain").aggregate(last_seen_at=tidy.last_seen_at.max())


def _number_of(values: Iterable[ir.Value]) -> ir.IntegerValue:
    """How many of `values` are there."""
    return sum((value.notnull().ifelse(1, 0) for value in values), ibis.literal(0))


def _clean(rows: ir.Table, junk: Iterable[str]) -> ir.Table:
    """`rows` with NULL in place of junk identifiers."""
    texts = [name for name in rows.columns if rows[name].type().is_string() and name != "domain"]
    return rows.mutate(**{name: is_junk(rows[name], junk).ifelse(ibis.null("string"), rows[name]) for name in texts})


def _holder(rows: ir.Table) -> tuple[ir.StringValue, ir.StringValue]:
    """Kind and value of the identifier that a row is about: a CRM record's own contact, or else its strongest one."""
    value = ibis.coalesce(rows.record, *(rows[kind] for kind in KINDS))
    named = ((rows[kind].notnull(), ibis.literal(kind)) for kind in KINDS)
    return ibis.cases((rows.record.notnull(), ibis.literal("contact")), *named, else_=ibis.null("string")), value


def _star(rows: ir.Table) -> list[ir.Table]:
    """The ties of the identifier that each row is about with its others, a table for each kind of the other."""
    kind, value = _holder(rows)
    centred = rows.mutate(centre_kind=kind, centre_value=value)
    found = []
    for other in KINDS:
        rays = centred.filter(centred[other].notnull() & (centred.centre_kind != other))
        is_left = rays.centre_kind < other
        found.append(
            rays.select(
                left_kind=is_left.ifelse(rays.centre_kind, other),
                left_value=is_left.ifelse(rays.centre_value, rays[other]),
                right_kind=is_left.ifelse(ibis.literal(other), rays.centre_kind),
                right_value=is_left.ifelse(rays[other], rays.centre_value),
                times_seen=rays.times_seen,
                last_seen_at=rays.last_seen_at,
            )
        )
    return found


def _explicit(links: ir.Table, right_kinds: tuple[str, ...], junk: Iterable[str]) -> ir.Table:
    """What `links` state of a person's identifier and one of `right_kinds`, removals left out."""
    rows = _ordered(links)
    named = rows.filter(
        rows.left_kind.isin(KINDS)
        & rows.right_kind.isin(right_kinds)
        & ~rows.removed
        & ~is_junk(rows.left_value, junk)
        & ~is_junk(rows.right_value, junk)
    )
    return named.group_by(*STATEMENT).aggregate(times_seen=named.count(), last_seen_at=named.observed_at.max())


def _ordered(links: ir.Table) -> ir.Table:
    """`links` with the company on the right, or else left < right; ties of a thing with itself left out."""
    company_left, company_right = links.left_kind.isin(COMPANY_KINDS), links.right_kind.isin(COMPANY_KINDS)
    same_kind = links.left_kind == links.right_kind
    descends = (links.left_kind > links.right_kind) | (same_kind & (links.left_value > links.right_value))
    swapped = company_left | (~company_right & descends)
    rows = links.filter(~(same_kind & (links.left_value == links.right_value)))
    return rows.select(
        left_kind=swapped.ifelse(links.right_kind, links.left_kind),
        left_value=swapped.ifelse(links.right_value, links.left_value),
        right_kind=swapped.ifelse(links.left_kind, links.right_kind),
        right_value=swapped.ifelse(links.left_value, links.right_value),
        observed_at=links.observed_at,
        removed=links.deleted.fill_null(ibis.literal(value=False)),
    )


def _believed(statements: ir.Table, links: ir.Table) -> ir.Table:
    """`statements`, each once, but those removed and not seen again since: at one instant the removal wins."""
    trust = {"trust": statements.trust.min()} if "trust" in statements.columns else {}
    seen = statements.group_by(*STATEMENT).aggregate(
        times_seen=statements.times_seen.sum(), last_seen_at=statements.last_seen_at.max(), **trust
    )
    words = _ordered(links)
    gone = words.filter(words.removed)
    removed = gone.group_by(*(gone[name].name(f"gone_{name}") for name in STATEMENT)).aggregate(
        removed_at=gone.observed_at.max()
    )
    both = seen.left_join(removed, [(name, f"gone_{name}") for name in STATEMENT])
    return both.filter(both.removed_at.isnull() | (both.last_seen_at > both.removed_at)).select(*seen.columns)
