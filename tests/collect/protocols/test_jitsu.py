"""Jitsu: Segment's calls under its own paths and header."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.collect.protocols.calls import assert_bears, call, recorded, row, told, twisted
from tieback.collect.protocols.jitsu import wire

TRACK: dict[str, Any] = {
    "type": "track",
    "event": "Signed up",
    "userId": "u-1",
    "anonymousId": "a-1",
    "messageId": "m-1",
    "timestamp": "2025-03-04T09:59:00.000Z",
    "writeKey": "wk_1:***",
    "context": {"traits": {"email": "info@acme.example"}, "page": {}, "campaign": {}},
}


def test_the_story_of_the_real_client() -> None:
    """A tagged page, a login, an account and a sale, each in a request of its own, under the first half of its key."""
    keys, rows = told(wire, recorded("jitsu_node"))
    assert keys == {"KEY-5"}
    assert [each["kind"] for each in rows] == ["page", "identify", "group", "track"]
    assert {each["anonymous_id"] for each in rows} == {"5f0c1d6e-jitsu-node"}
    assert [each.get("user_id") for each in rows] == [None, "user-1005", "user-1005", "user-1005"]
    page, login, group, sale = rows
    assert (page["name"], page["url"][-6:], page["properties"]) == ("Pricing", "G-1005", {"title": "Pricing"})
    assert (login["email"], login["phone"]) == ("ada@acme.example", "+441632960001")
    assert (group["group_id"], group["properties"]) == ("acme", {"name": "Acme", "employees": 12})
    assert (sale["name"], sale["value"], sale["currency"]) == ("Order Completed", 199.5, "EUR")


def test_an_address_in_the_context_may_be_the_groups() -> None:
    """The client lays a group's traits under the person's, so only the person's own call tells an address."""
    assert "email" not in row(wire, "/api/s/track", TRACK)


@pytest.mark.parametrize(
    ("header", "body", "key"),
    [
        ({"x-write-key": "wk_1:s"}, "wk_2:***", "wk_1"),
        ({"x-write-key": "wk_1"}, "***", "wk_1"),
        ({}, "wk_2:***", "wk_2"),
        ({}, "***", ""),
        ({}, ["***"], ""),
    ],
)
def test_the_key_is_the_headers_first_half(header: dict[str, str], body: Any, key: str) -> None:
    """The body's is masked: a mask is no key."""
    assert wire.read(call("/api/s/track", {**TRACK, "writeKey": body}, headers=header)).key == key


def test_a_visit_without_ids_is_a_visit() -> None:
    """The client can be told to ask for none."""
    found = row(wire, "/api/s/s2s/page", {"properties": {"url": "https://shop.example/"}, "anonymousId": None})
    assert (found["url"], "anonymous_id" in found) == ("https://shop.example/", False)


def test_the_path_or_the_call_names_the_kind() -> None:
    """`event` leaves it to the call."""
    assert row(wire, "/api/s/event", TRACK)["kind"] == "track"
    assert row(wire, "/api/s/page", TRACK)["kind"] == "page"


def test_the_answer_is_jitsus() -> None:
    """As its client expects."""
    assert json.loads(wire.accepted(wire.read(call("/api/s/track", TRACK))).body) == {"ok": True}


@given(twisted(TRACK))
def test_anything_at_any_place_of_a_call(body: Any) -> None:
    """It is told, malformed or unreadable, the same each time."""
    assert_bears(wire, call("/api/s/track", body, headers={"x-write-key": "wk_1:s"}))
