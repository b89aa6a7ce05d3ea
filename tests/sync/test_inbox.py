"""Rows of the inbox become facts, or wait in quarantine; whatever they hold, and however often they come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from tieback.schema.facts import EVENTS
from tieback.store import DuckDB
from tieback.sync import Loaded, Personal, take_in_inbox

AT = datetime(2026, 3, 31, 12)
PERSONAL = Personal("0" * 64)
VISIT = {"occurred_at": "2026-03-31T11:00:00Z", "kind": "page", "url": "https://acme.example/?gclid=abc"}
COLUMNS = sorted({*EVENTS.names, "email", "phone", "user_agent"} - {"event_id", "origin", "received_at"})
ODD: tuple[Any, ...] = (
    *("a\0b", "", "null", "nan", "\U0001f600", "\t\n", "%ff%00", "9999-12-31T23:59:59Z", "https://[::1", "x" * 30_000),
    *(True, -1, 10**18, 1e300, {}, {"": 1, "a.b": {"c": [1, None]}}, {"a\0": "\0"}, ["x"], None),
)


@dataclass(frozen=True)
class Row:
    """A row as the ledger hands it out."""

    position: int
    source: str
    payload: bytes
    reason: str = ""


def row(position: int, source: str = "web", **cells: Any) -> Row:
    """A visit with an id of its own."""
    told = {"event_id": f"{source}:{position}", **VISIT, **cells}
    return Row(position, source, json.dumps(told).encode())


def deliveries(store: DuckDB) -> list[tuple[Any, ...]]:
    """Each with its counts."""
    found = store.rows("SELECT * FROM deliveries ORDER BY delivery_id")
    names = ("delivery_id", "rows_read", "facts_added", "facts_known", "rows_refused")
    return [tuple(each[name] for name in names) for each in found]


def test_rows_become_events_as_those_of_a_file_do() -> None:
    """Click ids are read from the address, addresses hashed, robots told."""
    with DuckDB(None) as store:
        loaded = take_in_inbox(store, [row(1, email="ann@acme.example", user_agent="Googlebot/2.1")], PERSONAL, AT)
        assert loaded == Loaded(facts_added=1)
        [event] = store.rows("SELECT * FROM events")
        assert (event["click_id_kind"], event["click_id"], event["bot_reason"]) == (
            "gclid",
            "abc",
            "search engine: Googlebot",
        )
        assert event["email_hash"]
        assert event["origin"] == "inbox:web:2026-03-31"


def test_rows_that_come_again_change_nothing() -> None:
    """Whoever was cut off before it could say that they are loaded loads them again."""
    rows = [row(1), row(2), Row(3, "web", b"{no", "The event is no object")]
    with DuckDB(None) as store:
        assert take_in_inbox(store, rows, PERSONAL, AT) == Loaded(facts_added=2, rows_refused=1)
        assert take_in_inbox(store, rows, PERSONAL, AT) == Loaded(facts_known=2, rows_refused=1)
        assert len(store.rows("SELECT 1 AS one FROM events")) == 2
        [refused] = store.rows("SELECT reason, raw FROM quarantine")
        assert (refused["reason"], json.loads(refused["raw"])) == ("The event is no object", {"_line": "{no"})


def test_a_day_of_a_source_is_one_delivery() -> None:
    """Or a collector would make one every other second."""
    with DuckDB(None) as store:
        for number in range(3):
            take_in_inbox(store, [row(number), row(number, "shop")], PERSONAL, AT + timedelta(hours=number))
        take_in_inbox(store, [row(9)], PERSONAL, AT + timedelta(days=1))
        assert deliveries(store) == [
            ("inbox:shop:2026-03-31", 3, 3, 0, 0),
            ("inbox:web:2026-03-31", 3, 3, 0, 0),
            ("inbox:web:2026-04-01", 1, 1, 0, 0),
        ]


@pytest.mark.parametrize("column", COLUMNS)
def test_no_row_holds_up_the_others(column: str) -> None:
    """Whatever stands in a cell, the row is an event or in quarantine: one that failed would be tried for ever."""
    with DuckDB(None) as store:
        rows = [row(number, **{column: odd}) for number, odd in enumerate(ODD)]
        loaded = take_in_inbox(store, [*rows, row(100)], PERSONAL, AT)
        assert loaded.facts_added + loaded.rows_refused == len(rows) + 1
        assert store.rows("SELECT 1 AS one FROM events WHERE event_id = 'web:100'")


def test_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off between two sources, neither is in."""

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with DuckDB(None) as store:
        monkeypatch.setattr("tieback.sync.inbox._record", cut)
        with pytest.raises(KeyboardInterrupt):
            take_in_inbox(store, [row(1), row(2, "shop")], PERSONAL, AT)
        assert not store.rows("SELECT 1 AS one FROM events")
