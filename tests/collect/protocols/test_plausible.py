from __future__ import annotations

import pytest

from tests.collect.protocols.asking import FIREFOX, PAGE, only, post
from tieback.collect.protocols.plausible import wire
from tieback.collect.requests import UnreadableError


def test_a_visit_has_neither_an_id_nor_a_visitor() -> None:
    """The domain is the key; the collector works ids out."""
    said = {
        "n": "pageview",
        "u": PAGE,
        "d": "example.com,all.example.com",
        "r": "https://a.example/",
        "p": {"plan": "team"},
    }
    request = post("/api/event", said, content_type="text/plain", user_agent=FIREFOX)
    batch = wire.read(request)
    assert (batch.key, batch.collected[0].message_id) == ("example.com", "")
    assert only(wire, request) == {
        "occurred_at": "2026-11-27T12:00:00+00:00",
        "kind": "page",
        "url": PAGE,
        "referrer": "https://a.example/",
        "user_agent": FIREFOX,
        "properties": {"plan": "team"},
    }
    assert (wire.accepted(batch).status, wire.accepted(batch).body) == (202, b"ok")


@pytest.mark.parametrize("revenue", [{"currency": "EUR", "amount": "49.50"}, '{"currency": "EUR", "amount": 49.5}'])
def test_long_names_mean_the_same(revenue: object) -> None:
    """Objects may be texts within the JSON."""
    said = {
        "name": "Purchase",
        "url": PAGE,
        "domain": "example.com",
        "revenue": revenue,
        "props": '{"email": "a@b.example"}',
    }
    row = only(wire, post("/api/event", said))
    assert (row["kind"], row["name"], row["value"], row["currency"]) == ("track", "Purchase", 49.5, "EUR")
    assert "properties" not in row
    assert only(wire, post("/api/event", {"n": "Form: Submission", "d": "example.com"}))["kind"] == "form"


@pytest.mark.parametrize("body", [b"", b"[]", b"n=pageview"])
def test_what_is_no_event_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post("/api/event", body))
