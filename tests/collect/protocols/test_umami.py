from __future__ import annotations

import json

import pytest

from tests.collect.protocols.asking import PAGE, only, post, recorded, refusals, told
from tieback.collect.protocols.umami import wire
from tieback.collect.requests import UnreadableError


def test_the_node_client_tells_a_visit_a_purchase_and_a_person() -> None:
    """A path stands for the page on its host; only an identify tells who somebody is."""
    visit, purchase, person = (each.row for each in told(wire, *recorded("umami_node")))
    assert (visit["kind"], visit["url"], visit["referrer"]) == ("page", PAGE, "https://www.google.com/")
    assert (purchase["name"], purchase["value"], purchase["currency"]) == ("purchase", 49.5, "EUR")
    assert (person["kind"], person["email"], person["properties"]) == ("identify", "ada@example.com", {"plan": "team"})
    assert not {"anonymous_id", "user_id"} & (set(visit) | set(purchase) | set(person))
    batch = wire.read(recorded("umami_node")[0])
    assert (batch.key, batch.collected[0].message_id) == ("wk_test", "")
    assert "cache" in json.loads(wire.accepted(batch).body)


def test_a_distinct_id_is_a_login_and_a_time_is_in_seconds() -> None:
    """Servers may tell of the past and of their visitor's browser."""
    payload = {
        "website": "w",
        "url": PAGE,
        "id": "user-1",
        "timestamp": 1795780000,
        "userAgent": "Mozilla/5.0",
        "ip": "203.0.113.7",
    }
    row = only(wire, post("/api/send", {"type": "event", "payload": payload}, user_agent="node"))
    assert (row["user_id"], row["user_agent"], row["occurred_at"]) == (
        "user-1",
        "Mozilla/5.0",
        "2026-11-27T11:46:40+00:00",
    )
    assert row.pop("ip") == "203.0.113.7"  # of which the door makes a country
    assert "203.0.113.7" not in str(row)


def test_an_impossible_event_is_refused() -> None:
    """With its reason."""
    for type_, said in (("event", {"timestamp": "soon"}), ("replay", {})):
        assert len(refusals(wire, post("/api/send", {"type": type_, "payload": said}))) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b'{"type": "event"}', b'{"payload": []}'])
def test_what_is_no_event_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post("/api/send", body))


def test_a_list_of_events_is_taken_at_once() -> None:
    """Each is read as if it came alone, all under one website's id, and the answer counts them."""
    events = [{"type": "event", "payload": {"website": "w", "url": PAGE, "name": name}} for name in ("", "signup")]
    batch = wire.read(post("/api/batch", [*events, {"type": "event", "payload": {"website": "other", "url": PAGE}}]))
    assert (batch.key, [each.row["kind"] for each in batch.collected]) == ("w", ["page", "track"])
    assert [each.reason for each in batch.malformed] == ["The event carries another key than the request it came in"]
    assert json.loads(wire.accepted(batch).body)["processed"] == 3
    with pytest.raises(UnreadableError, match="no list"):
        wire.read(post("/api/batch", events[0]))
