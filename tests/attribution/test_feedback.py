"""The last word of each person on feedback to ad platforms."""

from __future__ import annotations

from typing import Any

import pytest

from tests.facts import warehouse
from tieback.attribution import last_words
from tieback.schema import FACTS, OPINIONS
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import relations
from tieback.store.compiler import compiled

AT = relations((*FACTS, *OPINIONS))
PEOPLE = [
    {"id_kind": "anonymous", "id_value": "phone", "person_id": "user:ann"},
    {"id_kind": "anonymous", "id_value": "laptop", "person_id": "user:ann"},
    {"id_kind": "user", "id_value": "ann", "person_id": "user:ann"},
    {"id_kind": "anonymous", "id_value": "other", "person_id": "anonymous:other"},
]


def word(day: int, agrees: bool | None, **identifiers: str) -> dict[str, Any]:
    """What was said on a day of January."""
    at = f"2026-01-{day:02}T12:00:00"
    return {"event_id": f"{day}{agrees}{identifiers}", "occurred_at": at, "consent_ads": agrees, **identifiers}


def told(*events: dict[str, Any]) -> dict[str, bool]:
    """Who may be told of."""
    events = tuple({"kind": "page", **event} for event in events)
    with warehouse(events=list(events), people=PEOPLE) as store:
        return {
            row["person_id"]: row["may_be_told"] for row in store.read(last_words(AT.events, AT.people)).to_pylist()
        }


def test_a_later_refusal_holds_backwards_on_every_device() -> None:
    """Said once on the phone, it holds for what was agreed to on the laptop."""
    assert told(word(1, True, anonymous_id="laptop"), word(2, False, anonymous_id="phone")) == {"user:ann": False}
    assert told(word(1, False, anonymous_id="laptop"), word(2, True, user_id="ann")) == {"user:ann": True}


def test_who_said_nothing_is_not_told_of() -> None:
    """Nothing is assumed here; what an event leaves open does not take back what was said."""
    assert told(word(1, None, anonymous_id="other")) == {}
    assert told(word(1, False, anonymous_id="other"), word(2, None, anonymous_id="other")) == {"anonymous:other": False}


def test_at_one_instant_the_refusal_counts() -> None:
    """Whatever order the words came in."""
    assert told(word(1, True, anonymous_id="phone"), word(1, False, user_id="ann")) == {"user:ann": False}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_can_be_said_in_every_dialect(dialect: str) -> None:
    """Compiled, not run."""
    assert compiled(last_words(AT.events, AT.people), dialect)
