"""Work in parts: nothing is left out or taken twice, and reading stops at what another part will read."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta

import pytest

from tests.facts import warehouse
from tieback.attribution.sessions import of_devices, possible_touches
from tieback.config import Settings
from tieback.identity import junk_identifiers
from tieback.schema import FACTS
from tieback.schema.relations import relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

AT = relations(FACTS)
JUNK = junk_identifiers(AT.events, Settings().identity)


def _seen() -> DuckDB:
    """A warehouse of events on few browsers, some of them junk or none, by few who log in."""
    pick = random.Random(7)
    events = [
        {
            "event_id": f"e{number}",
            "occurred_at": datetime(2026, 3, 1) + timedelta(minutes=pick.randrange(5000)),
            "kind": pick.choice(("page", "form", "call")),
            "url": pick.choice(("https://www.acme.com/", None)),
            "anonymous_id": pick.choice(("undefined", "null", None, *(f"b{browser}" for browser in range(9)))),
            "user_id": pick.choice(("ann", "bob", "cleo", None, "undefined")),
        }
        for number in range(300)
    ]
    return warehouse(events=events)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 8])
def test_parts_of_devices_have_each_event_once_and_each_visit_whole(parts: int) -> None:
    """The touches of all parts are those of the whole, also where junk names the browser or nothing does."""
    with _seen() as store:
        whole = store.query(compiled(possible_touches(AT.events, JUNK, Settings()), "duckdb")).to_pylist()
        events, touches = [], []
        for part in range(parts):
            some = of_devices(AT.events, JUNK, part, parts)
            events += store.query(compiled(some.select("event_id"), "duckdb")).to_pylist()
            touches += store.query(compiled(possible_touches(some, JUNK, Settings()), "duckdb")).to_pylist()
    assert sorted(event["event_id"] for event in events) == sorted(f"e{number}" for number in range(300))
    assert sorted(touches, key=str) == sorted(whole, key=str)


def test_the_browser_is_looked_at_before_the_rest_is_read() -> None:
    """The scan of the events itself leaves out what is of other parts: each part would read everything otherwise."""
    with _seen() as store:
        some = possible_touches(of_devices(AT.events, JUNK, 1, 3), JUNK, Settings())
        plan = store.execute("EXPLAIN (FORMAT json) " + compiled(some, "duckdb")).fetchall()[0][1]
    scans = re.findall(r'"name": "SEQ_SCAN\s*"|"Filters": (?:"[^"]*"|\[[^\]]*\])', plan)
    assert any("hash(anonymous_id)" in scan for scan in scans), plan
