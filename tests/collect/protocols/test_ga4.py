from __future__ import annotations

from typing import Any

import pytest

from tests.collect.protocols.asking import FIREFOX, PAGE, only, post, refusals, told
from tieback.collect.protocols.ga4 import wire
from tieback.collect.requests import Request, UnreadableError

AT_MICROS = 1795780800000000


def sent(*events: Any, **top: Any) -> Request:
    """A request with those events, and those fields beside them."""
    body = {"client_id": "12.34", "events": list(events), **top}
    return post("/mp/collect", body, "measurement_id=G-1&api_secret=k", user_agent="python-requests/2")


def test_a_visit_and_a_purchase_share_device_and_login() -> None:
    """The API secret is the key; a server's user agent is not the visitor's."""
    request = sent(
        {
            "name": "page_view",
            "params": {"page_location": PAGE, "page_referrer": "https://a.example/", "session_id": 7},
        },
        {"name": "purchase", "params": {"value": 49.5, "currency": "EUR", "transaction_id": "o-1"}},
        user_id="user-1",
        user_properties={"plan": {"value": "team"}, "email": {"value": "ada@example.com"}},
        user_data={"sha256_email_address": "ab"},
    )
    visit, purchase = (each.row for each in told(wire, request))
    assert (visit["kind"], visit["url"], visit["referrer"], visit["session_key"]) == (
        "page",
        PAGE,
        "https://a.example/",
        "7",
    )
    assert (purchase["name"], purchase["value"], purchase["currency"]) == ("purchase", 49.5, "EUR")
    assert purchase["properties"] == {"transaction_id": "o-1", "user_properties": {"plan": "team"}}
    assert {(each["anonymous_id"], each["user_id"], "user_agent" in each) for each in (visit, purchase)} == {
        ("12.34", "user-1", False)
    }
    assert (wire.read(request).key, wire.accepted(wire.read(request)).status) == ("k", 204)
    assert only(wire, sent({"name": "x"}, user_agent=FIREFOX))["user_agent"] == FIREFOX


def test_whom_a_server_knows_comes_as_digests() -> None:
    """One or a list of them, as Google takes them; what is none is nobody's."""
    email, phone = "a1" * 32, "B2" * 32
    told_of = {"sha256_email_address": ["none", email], "sha256_phone_number": phone}
    row = only(wire, sent({"name": "x"}, user_data=told_of))
    assert (row["email"], row["phone"]) == (email, phone)


def test_an_event_has_its_own_time_or_the_requests() -> None:
    """In microseconds; what is older than the 72 hours of Google's happened all the same."""
    own = {"name": "x", "timestamp_micros": AT_MICROS - 1_500_000}
    first, second = told(wire, sent(own, {"name": "x"}, timestamp_micros=str(AT_MICROS - 100 * 3_600_000_000)))
    assert first.row["occurred_at"] == "2026-11-27T11:59:58.500000+00:00"
    assert second.row["occurred_at"] == "2026-11-23T08:00:00+00:00"


def test_one_bad_event_does_not_spoil_the_others() -> None:
    """Each is refused for its own reason."""
    request = sent({"name": "x"}, {}, 1, {"name": "x", "timestamp_micros": AT_MICROS + 86_400_000_001})
    assert len(wire.read(request).collected) == 1
    assert refusals(wire, request) == [
        "The event has no name",
        "The event is no object",
        "The event's time is more than a day in the future",
    ]


@pytest.mark.parametrize(
    ("top", "agreed"),
    [
        (
            {"consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"}},
            {"ad_user_data": True, "ad_personalization": False},
        ),
        ({"consent": {"ad_user_data": "UNSPECIFIED"}}, None),
        ({"non_personalized_ads": True}, {"ad_personalization": False}),
        ({"consent": {}}, None),
    ],
)
def test_consent_is_told_signal_by_signal(top: dict[str, Any], agreed: dict[str, bool] | None) -> None:
    """What is not told is not known."""
    assert only(wire, sent({"name": "x"}, **top)).get("consent") == agreed


def test_a_campaign_is_told_by_its_own_event() -> None:
    """Elsewhere `source` and `content` are anybody's parameters."""
    params = {"source": "fair", "medium": "offline", "campaign": "spring"}
    row = only(wire, sent({"name": "campaign_details", "params": params}))
    assert (row["utm_source"], row["utm_medium"], row["utm_campaign"]) == ("fair", "offline", "spring")
    row = only(wire, sent({"name": "share", "params": params}))
    assert ("utm_source" in row, row["properties"]) == (False, params)
    assert only(wire, sent({"name": "form_submit", "params": {"form_id": "demo"}}))["kind"] == "form"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"events": {}}'])
def test_what_has_no_events_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post("/mp/collect", body))
