"""Identifiers: where facts carry them, and which are junk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered

KINDS = tuple(IDENTIFIERS)

# What programs and people write when they have no identifier; letter case, and quotes and blanks around, do not matter.
JUNK = (
    {"-1", "[object object]", "[]", "{}", "false", "n/a", "na", "nan", "nil", "none", "null", "true", "undefined"}
    | {"(none)", "(not set)", "(null)", "not set", "default", "deleted", "empty", "test", "unknown"}
    | {"anon", "anonymous", "guest", "no", "not_authenticated"}
    | {"anonymous_id", "anonymousid", "distinct_id", "distinctid", "email", "id", "user_id", "userid"}
)
_AROUND = "\"' \t\n\r"


def is_junk(value: ir.StringValue, junk: Iterable[str]) -> ir.BooleanValue:
    """True for an identifier that names nobody: a built-in one, one of `junk`, or nothing but zeros and dashes."""
    names = JUNK | {entry.replace('"', "").replace("'", "").strip().lower() for entry in junk}
    # One text to look words up in: engines turn long lists into joins, which read every row, needed or not.
    words = ibis.literal(f"|{'|'.join(sorted(names))}|")
    plain = value.replace('"', "").replace("'", "").strip().lower()
    stripped = words.contains(_between_bars(plain)) | (plain.replace("0", "").replace("-", "") == "")
    # Taking text apart costs a hundred times a look at its ends, and nearly no identifier needs it.
    first, last = ibis.literal("0-" + _AROUND), ibis.literal(_AROUND)
    is_wrapped = (value == "") | first.contains(value.left(1)) | last.contains(value.right(1))
    is_short = value.length() <= max(len(name) for name in names)
    return ibis.cases((is_wrapped, stripped), (is_short, words.contains(_between_bars(value.lower()))), else_=False)


@remembered
def junk_identifiers(events: ir.Table, identity: Identity) -> ir.Table:
    """The identifiers of `events` that are junk: junk_kind, junk_id, each once."""
    found = []
    for kind, column in IDENTIFIERS.items():
        if column in events.columns:
            junk = events.filter(events[column].notnull() & is_junk(events[column], identity.junk))
            found.append(junk.select(junk_kind=ibis.literal(kind), junk_id=column).distinct())
    return ibis.union(*found)


def name_of(rows: ir.Table) -> ir.StringValue:
    """An identifier as kind:value, by which a person is named."""
    return rows.id_kind.concat(":", rows.id_value)


def _between_bars(text: ir.StringValue) -> ir.StringValue:
    return ibis.literal("|").concat(text, "|")


@remembered
def identifiers(facts: Any) -> ir.Table:
    """Every identifier of a person found in any fact, junk among them: id_kind, id_value, each once."""
    carriers = (facts.events, facts.contacts, facts.orders, facts.deals, facts.deal_contacts)
    found = [
        table.select(id_kind=ibis.literal(kind), id_value=table[column])
        for kind, column in IDENTIFIERS.items()
        for table in carriers
        if column in table.columns
    ]
    for side in ("left", "right"):
        of_people = facts.links.filter(facts.links[f"{side}_kind"].isin(KINDS))
        found.append(of_people.select(id_kind=f"{side}_kind", id_value=f"{side}_value"))
    each = ibis.union(*found, distinct=True)
    return each.filter(each.id_value.notnull())
