"""RudderStack: its clients on Segment's paths, its beacons and its pixels."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collect.protocols.calls import CHROME, assert_bears, call, reason, recorded, row, told, twisted
from tieback.collect.protocols import segment
from tieback.collect.protocols.rudderstack import wire

PAGE: dict[str, Any] = {
    "type": "page",
    "channel": "web",
    "anonymousId": "a-1",
    "messageId": "m-1",
    "originalTimestamp": "2025-03-04T08:59:58Z",
    "sentAt": "2025-03-04T09:00:00Z",
    "name": "Home",
    "properties": {"name": "Home", "path": "/", "referrer": "$direct", "title": "T", "url": "https://shop.example/"},
    "context": {"sessionId": 1741082300123, "userAgent": CHROME, "page": {"referrer": "$direct"}},
}


@pytest.mark.parametrize(("client", "number"), [("rudderstack_python", 2), ("rudderstack_node", 4)])
def test_the_story_of_a_real_client(client: str, number: int) -> None:
    """Its batches go to Segment's path, one of them as a form, and hold all that was told."""
    keys, rows = told(segment.wire, recorded(client))
    visitor, user = f"5f0c1d6e-{client.replace('stack_', '-')}", f"user-100{number}"
    assert keys == {f"KEY-{number}"}
    assert [each.get("anonymous_id") for each in rows] == [visitor, visitor, None, None, visitor]
    assert [each.get("user_id") for each in rows] == [None, user, user, user, user]
    assert [each["kind"] for each in rows] == ["page", "identify", "group", "track", "identify"]
    page, login, group, sale, _ = rows
    assert page["url"].endswith(f"gclid=G-100{number}")
    assert page["properties"] == {"title": "Pricing"}
    assert (page["name"], page["utm_campaign"], page["referrer"]) == ("Pricing", "spring", "https://www.google.com/")
    assert (login["email"], login["phone"], login["properties"]) == (
        "ada@acme.example",
        "+441632960001",
        {"plan": "pro"},
    )
    assert (group["group_id"], group["properties"]) == ("acme", {"name": "Acme", "employees": 12})
    assert (sale["name"], sale["value"], sale["currency"]) == ("Order Completed", 199.5, "EUR")
    assert "user_agent" not in page


def test_a_browsers_page_by_our_clock() -> None:
    """No referrer is none, the session is the client's, and the time is set right by when it was sent."""
    assert row(segment.wire, "/v1/page", PAGE) == {
        "occurred_at": "2025-03-04T09:59:58Z",
        "kind": "page",
        "anonymous_id": "a-1",
        "session_key": "1741082300123",
        "name": "Home",
        "url": "https://shop.example/",
        "user_agent": CHROME,
        "properties": {"title": "T"},
    }


def test_the_header_names_a_visitor_that_the_body_does_not() -> None:
    """It is written in base64, and never stands beside an id of the body."""
    headers = {"anonymousid": base64.b64encode(b"a-2").decode()}
    assert row(segment.wire, "/v1/page", {**PAGE, "anonymousId": None}, headers=headers)["anonymous_id"] == "a-2"
    assert row(segment.wire, "/v1/page", PAGE, headers=headers)["anonymous_id"] == "a-1"
    assert "neither" in reason(segment.wire, "/v1/page", {"name": "Home"}, headers={"anonymousid": "a-2"})


def test_its_events_may_be_larger_than_segments() -> None:
    """Its mark is the channel; beyond what its server takes, they are malformed too."""
    large = {**PAGE, "properties": {"a": "x" * 40_000}}
    assert row(segment.wire, "/v1/page", large)["kind"] == "page"
    assert "larger" in reason(segment.wire, "/v1/page", {**large, "channel": None})
    assert "larger" in reason(segment.wire, "/v1/page", {**large, "properties": {"a": "x" * 4_100_000}})


def test_a_beacon_brings_its_key_in_the_query() -> None:
    """A batch as plain text, and the answer is RudderStack's."""
    request = call("/beacon/v1/batch", {"batch": [PAGE, PAGE]}, query={"writeKey": "wk_1"}, headers={})
    batch = wire.read(request)
    assert (batch.key, len(batch.collected)) == ("wk_1", 2)
    answer = wire.accepted(batch)
    assert (answer.status, answer.body, answer.content_type) == (200, b"OK", "text/plain")


def test_a_pixel_tells_in_its_query_and_is_an_image() -> None:
    """Names with dots stand for what lies within; the answer is a GIF that no cache keeps."""
    query = {
        "writeKey": "wk_1",
        "anonymousId": "a-1",
        "event": "Opened",
        "context.page.url": "https://shop.example/",
        "context.campaign.source": "mail",
        "context.userAgent": CHROME,
        "properties.issue": "12",
        "properties.a.b": "c",
    }
    batch = wire.read(call("/pixel/v1/track", method="GET", query=query))
    assert batch.key == "wk_1"
    assert batch.collected[0].row == {
        "occurred_at": "2025-03-04T10:00:00Z",
        "kind": "track",
        "name": "Opened",
        "anonymous_id": "a-1",
        "url": "https://shop.example/",
        "utm_source": "mail",
        "user_agent": CHROME,
        "properties": {"issue": "12", "a": {"b": "c"}},
    }
    answer = wire.accepted(batch)
    assert (answer.body[:6], len(answer.body), answer.content_type) == (b"GIF89a", 43, "image/gif")
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_bad_pixel_is_an_image_all_the_same() -> None:
    """What it told goes to quarantine without its key."""
    for query in ({"anonymousId": "a"}, {"properties": "x", "properties.a": "y"}, {"context": "x", "event": "e"}):
        batch = wire.read(call("/pixel/v1/track", method="GET", query={"writeKey": "wk_1", **query}))
        (bad,) = batch.malformed
        assert json.loads(bad.raw) == query
        assert wire.accepted(batch).content_type == "image/gif"


NAMES = st.lists(st.sampled_from(["context", "page", "url", "properties", "timestamp", "event", "", "x"]), max_size=4)


@given(st.dictionaries(NAMES.map(".".join) | st.text(max_size=9), st.text(max_size=9), max_size=6))
def test_any_query_of_a_pixel(query: dict[str, str]) -> None:
    """It is told, malformed or unreadable, the same each time."""
    assert_bears(wire, call("/pixel/v1/page", method="GET", query={"anonymousId": "a", **query}))


@given(twisted({"batch": [PAGE], "sentAt": "2025-03-04T09:00:00Z"}))
def test_anything_at_any_place_of_a_beacon(body: Any) -> None:
    """Likewise."""
    assert_bears(wire, call("/beacon/v1/batch", body, query={"writeKey": "wk_1"}))
