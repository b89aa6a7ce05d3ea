"""Segment's HTTP API: what its clients send, and what anybody may send instead."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collect.protocols.calls import (
    ANYTHING,
    BASIC,
    CHROME,
    NOW,
    assert_bears,
    call,
    reason,
    recorded,
    row,
    told,
    twisted,
)
from tieback.collect.protocols.segment import wire
from tieback.collect.requests import UnreadableError

URL = "https://shop.example/pricing?gclid=G-1"
TRACK = {"event": "Signed up", "userId": "u-1", "messageId": "m-1", "timestamp": "2025-03-04T09:59:00Z"}
BATCH: dict[str, Any] = {
    "batch": [
        {
            **TRACK,
            "type": "track",
            "anonymousId": "a-1",
            "properties": {"revenue": 1, "currency": "EUR", "list": [{"a": 1}]},
            "context": {
                "campaign": {"name": "spring"},
                "page": {"url": URL},
                "consent": {"categoryPreferences": {"Analytics": True}},
                "consentManagement": {"deniedConsentIds": ["ads"]},
                "traits": {"email": "ada@acme.example"},
                "sessionId": 1,
            },
        },
        {"type": "alias", "previousId": "a-1", "userId": "u-1", "originalTimestamp": 1741082400000},
    ],
    "sentAt": "2025-03-04T10:00:00Z",
    "writeKey": "wk_1",
}


@pytest.mark.parametrize("client", ["segment_python", "segment_node"])
def test_the_story_of_a_real_client(client: str) -> None:
    """A tagged page, a login, an account, a sale and an alias arrive with all that they say, under the client's key."""
    keys, rows = told(wire, recorded(client))
    number = {"segment_python": 1, "segment_node": 3}[client]
    visitor, user = f"5f0c1d6e-{client.replace('_', '-')}", f"user-100{number}"
    assert keys == {f"KEY-{number}"}
    assert [each.pop("occurred_at")[:16] for each in rows] == [recorded(client)[0].received_at.isoformat()[:16]] * 5
    assert rows == [
        {
            "kind": "page",
            "anonymous_id": visitor,
            "name": "Pricing",
            "url": "https://shop.example/pricing"
            f"?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=G-100{number}",
            "referrer": "https://www.google.com/",
            "utm_source": "google",
            "utm_medium": "cpc",
            "utm_campaign": "spring",
            "properties": {"title": "Pricing"},
        },
        {
            "kind": "identify",
            "anonymous_id": visitor,
            "user_id": user,
            "email": "ada@acme.example",
            "phone": "+441632960001",
            "properties": {"plan": "pro"},
        },
        {"kind": "group", "user_id": user, "group_id": "acme", "properties": {"name": "Acme", "employees": 12}},
        {
            "kind": "track",
            "user_id": user,
            "name": "Order Completed",
            "value": 199.5,
            "currency": "EUR",
            "properties": {"order_id": "o-1"},
        },
        {"kind": "identify", "anonymous_id": visitor, "user_id": user},
    ]


@pytest.mark.parametrize(("letter", "kind"), [("p", "page"), ("s", "screen"), ("t", "track"), ("i", "identify")])
def test_a_browser_posts_plain_text_to_one_letter(letter: str, kind: str) -> None:
    """The letter names the kind, the browser is the visitor's, and the body's key serves without a header."""
    body = {**TRACK, "writeKey": "wk_2", "context": {"page": {"url": URL}}}
    request = call(f"/v1/{letter}", body, headers={"content-type": "text/plain", "user-agent": CHROME})
    batch = wire.read(request)
    (one,) = batch.collected
    assert (batch.key, one.message_id) == ("wk_2", "m-1")
    assert (one.row["kind"], one.row["url"], one.row["user_agent"]) == (kind, URL, CHROME)


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/v1/b"])
def test_one_bad_event_costs_no_other(path: str) -> None:
    """The others are taken, and the bad one is kept as it came, with what is wrong with it."""
    bad = [{"type": "track", "userId": "u"}, 7, {"type": "walk", "userId": "u"}, {"type": "page"}, {"context": "x"}]
    batch = wire.read(call(path, {"batch": [*bad, {**TRACK, "type": "track"}]}))
    assert [one.message_id for one in batch.collected] == ["m-1"]
    assert [json.loads(each.raw) for each in batch.malformed] == bad
    assert [each.reason.partition(":")[0] for each in batch.malformed] == [
        "The track call has no event name",
        "The event is no call",
        "The event is none of page, screen, track, identify, group and alias",
        "The event has neither a userId nor an anonymousId",
        "The event is no call",
    ]


@pytest.mark.parametrize(
    ("times", "occurred_at"),
    [
        ({"timestamp": "2025-03-04T09:30:00.5+01:00"}, "2025-03-04T08:30:00.500000Z"),
        ({"timestamp": "2024-01-01T00:00:00Z", "sentAt": "2025-03-04T09:00:00Z"}, "2024-01-01T00:00:00Z"),
        ({"timestamp": "2025-03-09T10:00:00Z", "sentAt": "2025-03-09T10:00:05Z"}, "2025-03-04T09:59:55Z"),
        ({"originalTimestamp": "2025-03-04T08:00:00Z", "sentAt": "2025-03-04T09:00:00Z"}, "2025-03-04T09:00:00Z"),
        ({"originalTimestamp": "2025-03-04T08:00:00Z", "sentAt": "never"}, "2025-03-04T08:00:00Z"),
        ({"timestamp": 1741082400000}, "2025-03-04T10:00:00Z"),
        ({"timestamp": None}, "2025-03-04T10:00:00Z"),
        ({"timestamp": "2025-03-05T09:59:00Z"}, "2025-03-05T09:59:00Z"),
    ],
)
def test_when_it_happened(times: dict[str, Any], occurred_at: str) -> None:
    """As told; by our clock where the sender's is known to be wrong; and when it came where nothing is told."""
    assert row(wire, "/v1/track", {"event": "E", "userId": "u", **times})["occurred_at"] == occurred_at


def test_a_batch_speaks_for_its_events() -> None:
    """Its moment of sending and its context hold for those that have none of their own."""
    event = {"type": "track", "event": "E", "userId": "u", "originalTimestamp": "2025-03-04T08:00:00Z"}
    own = {**event, "sentAt": "2025-03-04T08:00:30Z", "context": {"sessionId": "s-2"}}
    body = {"batch": [event, own], "sentAt": "2025-03-04T09:00:00Z", "context": {"sessionId": "s-1"}}
    rows = [one.row for one in wire.read(call("/v1/batch", body)).collected]
    assert [each["session_key"] for each in rows] == ["s-1", "s-2"]
    assert [each["occurred_at"] for each in rows] == ["2025-03-04T09:00:00Z", "2025-03-04T09:59:30Z"]


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"timestamp": "yesterday"}, "no time such as"),
        ({"timestamp": [1]}, "no time such as"),
        ({"timestamp": 10**300}, "no time such as"),
        ({"timestamp": "2025-03-05T10:01:00Z"}, "more than a day in the future"),
        ({"originalTimestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T00:00:00Z"}, "beyond all times"),
    ],
)
def test_a_time_that_cannot_be(times: dict[str, Any], why: str) -> None:
    """Such an event is malformed, and its reason says so."""
    assert why in reason(wire, "/v1/track", {"event": "E", "userId": "u", **times})


def test_an_alias_makes_no_two_logins_one_person() -> None:
    """The former id is an anonymous one, whatever it was: the row never has it as a login, nor the login twice."""
    found = row(wire, "/v1/alias", {"previousId": "u-0", "userId": "u-1", "anonymousId": "a-1"})
    assert (found["anonymous_id"], found["user_id"]) == ("u-0", "u-1")
    assert "anonymous_id" not in row(wire, "/v1/a", {"previousId": "u-1", "userId": "u-1"})


def test_an_address_is_the_persons_only_where_it_is_said_to_be() -> None:
    """Traits tell whose it is; properties may be about anybody, and a group's traits are the group's."""
    said = {**TRACK, "context": {"traits": {"email": "ada@acme.example", "phone": 7}}}
    assert row(wire, "/v1/track", said)["email"] == "ada@acme.example"
    assert "phone" not in row(wire, "/v1/track", said)
    assert "email" not in row(wire, "/v1/track", {**TRACK, "properties": {"email": "friend@acme.example"}})
    assert "email" not in row(wire, "/v1/group", {**TRACK, "traits": {"email": "info@acme.example"}})
    assert "email" not in row(wire, "/v1/identify", {**TRACK, "traits": {"email": "n/a"}})


def test_properties_hold_no_personal_data() -> None:
    """Fields named after an address or number go, texts lose theirs, at any depth; all else stays."""
    properties = {
        "workEmail": "x",
        "note": "write to ada@acme.example or call +44 1632 960001",
        "link": "/x?to=ada%2540acme.example&plan=pro",
        "inner": [{"phone": 1, "at": "a@b", "order": "2025-03-04/001234567"}],
    }
    assert row(wire, "/v1/track", {**TRACK, "properties": properties})["properties"] == {
        "note": "write to [e-mail] or call [phone]",
        "link": "/x?to=[e-mail]&plan=pro",
        "inner": [{"at": "[e-mail]", "order": "2025-03-04/001234567"}],
    }
    traits = {"firstName": "Ada", "address": {"city": "London"}, "plan": "pro"}
    assert row(wire, "/v1/identify", {**TRACK, "traits": traits})["properties"] == {"plan": "pro"}


@pytest.mark.parametrize("hostile", ["%" + "a" * 32000, "a%40" * 8000, "a@" * 16000, "+1 " * 10000, "%2525" * 6000])
def test_no_text_takes_long_to_clean(hostile: str) -> None:
    """A text made to be tried again and again is looked at once: this would otherwise run for hours."""
    assert_bears(wire, call("/v1/track", {**TRACK, "properties": {"a": hostile[:32000]}}))


@pytest.mark.parametrize(
    ("properties", "value", "left"),
    [
        ({"revenue": 5, "total": 6, "value": 7}, 5, {"total": 6, "value": 7}),
        ({"revenue": "free", "value": "7.25"}, 7.25, {"revenue": "free"}),
        ({"total": 1e13, "currency": "euro"}, None, {"total": 1e13, "currency": "euro"}),
        ({"value": True}, None, {"value": True}),
        ({"value": "nan"}, None, {"value": "nan"}),
    ],
)
def test_what_it_is_worth(properties: dict[str, Any], value: float | None, left: dict[str, Any]) -> None:
    """The first amount that can be read; what cannot stays among the properties."""
    found = row(wire, "/v1/track", {**TRACK, "properties": properties})
    assert (found.get("value"), found["properties"]) == (value, left)
    assert "currency" not in found


@pytest.mark.parametrize(
    ("context", "agreed"),
    [
        (
            {"consent": {"categoryPreferences": {"Analytics": True, "Advertising": False}}},
            {"analytics_storage": True, "ad_personalization": False, "ad_storage": False, "ad_user_data": False},
        ),
        (
            {"consent": {"categoryPreferences": {"ad_storage": True, "ad_user_data": False}}},
            {"ad_storage": True, "ad_user_data": False},
        ),
        (
            {"consent": {"categoryPreferences": {"ad_user_data": True, "Targeting": False}}},
            {"ad_personalization": False, "ad_storage": False, "ad_user_data": False},
        ),
        (
            {"consent": {"categoryPreferences": {"Functional": True, "marketing": "yes"}}},
            {"functionality_storage": True},
        ),
        (
            {"consentManagement": {"allowedConsentIds": ["C0002", 7], "deniedConsentIds": ["C0004"]}},
            {"analytics_storage": True, "ad_personalization": False, "ad_storage": False, "ad_user_data": False},
        ),
        ({"consentManagement": {"allowedConsentIds": "analytics"}}, None),
    ],
)
def test_consent_as_far_as_it_can_be_told(context: dict[str, Any], agreed: dict[str, bool] | None) -> None:
    """Known categories alone say something, and one refusal of a signal refuses it."""
    assert row(wire, "/v1/track", {**TRACK, "context": context}).get("consent") == agreed


def test_ids_are_texts_or_numbers_and_nothing_is_none() -> None:
    """A null or blank id is left out, a number is written out, and a list is nobody."""
    found = row(wire, "/v1/track", {**TRACK, "userId": 42, "anonymousId": None, "groupId": " ", "messageId": None})
    assert (found["user_id"], found.keys() & {"anonymous_id", "group_id"}) == ("42", set())
    assert wire.read(call("/v1/track", {**TRACK, "messageId": None})).collected[0].message_id == ""
    assert "neither" in reason(wire, "/v1/track", {**TRACK, "userId": ["u"]})
    assert "255" in reason(wire, "/v1/track", {**TRACK, "messageId": "m" * 256})


def test_a_servers_library_is_no_visitors_browser() -> None:
    """The header counts only as a browser's; what the context says counts always."""
    headers = {"authorization": BASIC, "user-agent": "python-requests/2.34"}
    assert "user_agent" not in row(wire, "/v1/track", TRACK, headers=headers)
    assert (
        row(wire, "/v1/track", {**TRACK, "context": {"userAgent": "App/1"}}, headers=headers)["user_agent"] == "App/1"
    )


def test_an_event_over_32_kb_is_malformed() -> None:
    """Segment's own limit, of the event as sent; a batch may be larger."""
    fits = {**TRACK, "type": "track", "properties": {"a": "x" * 30_000}}
    batch = wire.read(call("/v1/batch", {"batch": [fits, {**fits, "properties": {"a": "x" * 33_000}}, fits]}))
    assert len(batch.collected) == 2
    assert [each.reason for each in batch.malformed] == ["The event is larger than its protocol allows"]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (BASIC, "wk_1"),
        ("basic d2tfMTo=", "wk_1"),
        ("Bearer d2tfMTo=", "wk_2"),
        ("Basic %", "wk_2"),
        ("Basic /w==", "wk_2"),
    ],
)
def test_the_key_is_the_headers_or_else_the_bodys(header: str, key: str) -> None:
    """A header that brings none is passed over."""
    assert wire.read(call("/v1/track", {**TRACK, "writeKey": "wk_2"}, headers={"authorization": header})).key == key


def test_what_no_text_can_hold_is_mended() -> None:
    """NUL goes, half a character becomes the sign for one, and a backslash before such a word stays what it is."""
    body = json.dumps({**TRACK, "event": "a\x00b\ud83d|\U0001f600|\\u0000\\ud83d"}).encode()
    assert row(wire, "/v1/track", body)["name"] == "ab\ufffd|\U0001f600|\\u0000\\ud83d"
    assert row(wire, "/v1/track", {**TRACK, "event": "a\x00b"})["name"] == "ab"
    assert row(wire, "/v1/track", b"\xef\xbb\xbf" + json.dumps(TRACK).encode())["name"] == "Signed up"


@pytest.mark.parametrize(
    "body",
    [b"", b"data=%7B%7D", b"[]", b'{"batch":{}}', b'{"a":"\xff', b"[" * 99999, b'{"a":' * 9999, b'{"a":"\\ud8'],
    ids=str,
)
def test_no_call_at_all_is_unreadable(body: bytes) -> None:
    """Whatever else it is."""
    with pytest.raises(UnreadableError):
        wire.read(call("/v1/track", body[:99999]))


def test_no_path_of_another_protocol_is_taken() -> None:
    """The calls by name and by letter, and the batches; nothing else below /v1."""
    names = ["page", "screen", "track", "identify", "group", "alias", "p", "s", "t", "i", "g", "a"]
    assert {each.path for each in wire.routes} == {f"/v1/{last}" for last in [*names, "batch", "b", "import"]}


def test_deep_nesting_is_malformed() -> None:
    """What is nested beyond use is told as such, and what is nested within reason is kept."""
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    assert row(wire, "/v1/track", {**TRACK, "properties": {"a": deep}})["properties"] == {"a": deep}
    assert "nested" in reason(wire, "/v1/track", {**TRACK, "properties": {"a": [[[deep]]]}})


def test_of_one_name_twice_the_last_counts() -> None:
    """As in every reader of JSON."""
    assert row(wire, "/v1/track", b'{"event":"a","event":"b","userId":"u"}')["name"] == "b"


@given(twisted(BATCH))
def test_anything_at_any_place_of_a_batch(body: Any) -> None:
    """It is told, malformed or unreadable, the same each time."""
    assert_bears(wire, call("/v1/batch", body))


@given(twisted(BATCH["batch"][0]), st.sampled_from("pstiga"))
def test_anything_at_any_place_of_a_call(body: Any, letter: str) -> None:
    """Likewise of a single call of each kind."""
    assert_bears(wire, call(f"/v1/{letter}", body, received_at=NOW + timedelta(days=1)))


@given(st.binary(max_size=60), ANYTHING.map(json.dumps).map(str.encode), st.integers(0, 400), st.text(max_size=20))
def test_any_bytes_at_any_place(bytes_: bytes, value: bytes, place: int, header: str) -> None:
    """Put into a good body, or alone, and any header."""
    sound = json.dumps(BATCH).encode()
    headers = {"authorization": f"Basic {header}", "anonymousid": header}
    for body in (bytes_, value, sound[:place] + bytes_ + sound[place:], sound[:place] + value + sound[place:]):
        assert_bears(wire, call("/v1/batch", body, headers=headers))


def test_the_answer_is_segments() -> None:
    """As its clients expect."""
    answer = wire.accepted(wire.read(call("/v1/batch", {"batch": []})))
    assert (answer.status, json.loads(answer.body)) == (200, {"success": True})
