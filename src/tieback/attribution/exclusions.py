"""What never counts: bots, the workspace's own people, and what visitors did not agree to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Exclude, Settings
from tieback.schema.facts import CONTACTS
from tieback.schema.relations import current
from tieback.schema.remembered import remembered

INTERNAL = "internal traffic"
NOT_MEASURED = "no consent to measurement"


@remembered
def staff(facts: Any, people: ir.Table, exclude: Exclude) -> ir.Table:
    """The workspace's own people: staff_id (a person_id), each once.

    Whoever has an address of `email_domains`, wherever it was seen (an event, a contact, an order), or a login of
    `user_ids`.
    """
    found = people.filter((people.id_kind == "user") & matches_glob(people.id_value, exclude.user_ids))
    if exclude.email_domains:
        carriers = (
            ("email", "email_hash", facts.events),
            ("email", "email_hash", facts.contacts),
            ("email", "email_hash", facts.orders),
            ("contact", "contact_id", current(facts.contacts, CONTACTS)),
        )
        for kind, column, rows in carriers:
            theirs = rows.filter(is_staff_domain(rows.email_domain, exclude)).select(staff_value=column)
            of_kind = people.filter(people.id_kind == kind)
            found = found.union(of_kind.semi_join(theirs, of_kind.id_value == theirs.staff_value))
    return found.select(staff_id="person_id").distinct()


def is_staff_domain(domain: ir.StringColumn, exclude: Exclude) -> ir.BooleanValue:
    """True for the registered domain of an address of the workspace's own people; *.acme.com means all of acme.com."""
    return matches_glob(domain, [pattern.strip().removeprefix("*.") for pattern in exclude.email_domains])


def barred(bot_reason: ir.StringColumn, exclude: Exclude) -> ir.StringColumn:
    """`bot_reason` of those bots that may not count; null for people, and for bots that the settings let count."""
    if not exclude.bots_allowed:
        return bot_reason
    return matches_glob(bot_reason, exclude.bots_allowed).ifelse(ibis.null("string"), bot_reason)


def bots_seen(events: ir.Table, since: datetime | None, exclude: Exclude) -> ir.Table:
    """How many events were taken for a bot's: reason × origin, with events, last_at and counts (they do nevertheless).

    since: only what occurred from this instant (UTC) on.
    """
    seen = events.filter(events.bot_reason.notnull())
    if since:
        seen = seen.filter(seen.occurred_at >= ibis.timestamp(since))
    grouped = seen.group_by(reason=seen.bot_reason, origin=seen.origin)
    found = grouped.aggregate(events=seen.count(), last_at=seen.occurred_at.max())
    return found.mutate(counts=barred(found.reason, exclude).isnull())


def agreed(consent: ir.BooleanColumn, settings: Settings) -> ir.BooleanValue:
    """True where `consent` was given, or is assumed because nothing was said."""
    return consent.fill_null(ibis.literal(value=settings.consent.assumed))


def matches_glob(value: ir.StringColumn, patterns: Iterable[str]) -> ir.BooleanValue:
    """True where `value` matches one of the globs (`*` any text, `?` one character) whole, letter case ignored.

    False for a null value and without patterns.
    """
    chosen = [pattern.strip().lower() for pattern in patterns if pattern.strip()]
    if not chosen:
        return ibis.literal(value=False)
    text = value.fill_null("").lower()
    exact = [pattern for pattern in chosen if not re.search(r"[*?]", pattern)]
    globs = [text.re_search("^" + "".join(map(_portable, pattern)) + "$") for pattern in chosen if pattern not in exact]
    return reduce(lambda left, right: left | right, ([text.isin(exact)] if exact else []) + globs)


def _portable(character: str) -> str:
    """One character of a glob as a regular expression that every engine reads alike."""
    if character in "*?":
        return ".*" if character == "*" else "."
    return f"[{character}]" if character in ".+()|${}" else re.escape(character) if character in "[]^\\" else character
