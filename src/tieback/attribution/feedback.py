"""Whom ad platforms may be told of: the last word of each person, which also holds for what was before."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.schema.facts import EVENTS
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered


@remembered
def last_words(events: ir.Table, people: ir.Table) -> ir.Table:
    """What each person last said of feedback to ad platforms: person_id, may_be_told, said_at (UTC).

    events: the fact; people: the opinion (PEOPLE). Whoever never said anything is not in it. A refusal holds backwards:
    nothing of the person may be told any more, whatever was agreed to when it happened. Of two words at one instant the
    refusal counts.
    """
    words = events.filter(events.consent_ads.notnull())
    said = []
    for kind, column in IDENTIFIERS.items():
        if column in EVENTS.names:
            of_kind = people.filter(people.id_kind == kind)
            both = words.inner_join(of_kind, words[column] == of_kind.id_value)
            said.append(both.select("person_id", said_at=both.occurred_at, agrees=both.consent_ads.ifelse(1, 0)))
    each = ibis.union(*said)
    latest = each.group_by("person_id").aggregate(last_at=each.said_at.max())
    last = each.inner_join(latest, [("person_id", "person_id"), ("said_at", "last_at")])
    told = last.group_by("person_id", "said_at").aggregate(agrees=last.agrees.min())
    return told.select("person_id", "said_at", may_be_told=told.agrees == 1)
