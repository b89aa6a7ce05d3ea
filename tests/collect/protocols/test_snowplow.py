from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.collect.protocols.asking import AT, FIREFOX, PAGE, coded, get, only, post, recorded, refusals, told
from tieback.collect.protocols.snowplow import wire
from tieback.collect.requests import Request, UnreadableError

TP2 = "/com.snowplowanalytics.snowplow/tp2"
IGLU = "iglu:com.snowplowanalytics.snowplow/{}/jsonschema/1-0-0"
MILLIS = 1795780800000  # AT


def sent(*events: dict[str, Any], **headers: str) -> Request:
    """A POST of those events."""
    return post(TP2, {"schema": IGLU.format("payload_data"), "data": list(events)}, **headers)


def describing(schema: str, about: dict[str, Any], **fields: str) -> dict[str, Any]:
    """A self-describing event."""
    inner = {"schema": IGLU.format(schema), "data": about}
    return {"e": "ue", "ue_px": coded({"schema": IGLU.format("unstruct_event"), "data": inner}), **fields}


@pytest.mark.parametrize("client", ["snowplow_python", "snowplow_node"])
def test_real_clients_tell_a_visit_a_form_and_a_purchase(client: str) -> None:
    """The e-mail address typed into the form is a cell, and nowhere else; every event keeps its own id."""
    (request,) = recorded(client)
    assert wire.read(request).key == "wk_test"
    visit, form, purchase = told(wire, request)
    assert all(len(each.message_id) == 36 for each in (visit, form, purchase))
    assert {name: visit.row[name] for name in ("kind", "url", "referrer", "anonymous_id", "session_key")} == {
        "kind": "page",
        "url": PAGE,
        "referrer": "https://www.google.com/",
        "anonymous_id": "b2f0a1d6-27a4-4a5c-9a0e-6d3b6c1f0e11",
        "session_key": "6f1c2d3e-8d7b-4f52-9a44-0a4f3a1b2c3d",
    }
    assert (form.row["kind"], form.row["name"], form.row["email"]) == ("form", "demo", "ada@example.com")
    assert "ada@" not in str(form.row["properties"])
    assert (form.row["user_id"], "user_id" in visit.row) == ("user-1", False)
    assert (purchase.row["kind"], purchase.row["name"], purchase.row["value"]) == ("track", "purchase", 49.5)


def test_a_server_is_no_browser() -> None:
    """A server's tracker sends its own user agent in the header, which says nothing of the visitor."""
    assert told(wire, *recorded("snowplow_python"))[0].row["user_agent"] == FIREFOX
    assert "user_agent" not in told(wire, *recorded("snowplow_node"))[0].row
    assert only(wire, sent({"e": "pv", "tv": "js-4.10.0"}, user_agent=FIREFOX))["user_agent"] == FIREFOX


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ({"dtm": str(MILLIS + 7_200_000), "stm": str(MILLIS + 7_230_000)}, 30),  # the clock is two hours fast
        ({"dtm": str(MILLIS), "stm": str(MILLIS - 1)}, 0),
        ({"dtm": str(MILLIS - 60_000)}, 0),
        ({"dtm": str(MILLIS), "stm": str(MILLIS + 1000), "ttm": str(MILLIS - 90_000)}, 90),
        ({}, 0),
    ],
)
def test_a_wrong_clock_is_put_right(times: dict[str, str], seconds: int) -> None:
    """An event happened as long before it came in as it waited on the device; a true time stands as it is."""
    found = only(wire, sent({"e": "pv", **times}))["occurred_at"]
    assert found == (AT - timedelta(seconds=seconds)).isoformat() + "+00:00"


def test_one_bad_event_does_not_spoil_the_others() -> None:
    """Each is refused for its own reason, which repeats nothing of it."""
    request = sent(
        {"e": "pv", "aid": "shop"},
        {"e": "pv", "ttm": "soon"},
        {"e": "pv", "ttm": str(MILLIS + 86_400_001)},
        {"e": "pv", "ttm": "99999999999999999999"},
        {"e": "zz"},
        {"e": "ue", "ue_px": "%%%"},
        {"e": "ue", "ue_px": "ä"},
        {"e": "ue", "ue_pr": "{"},
        {"e": "pv", "aid": "other shop"},
    )
    assert refusals(wire, request) == [
        "The event's time is no number",
        "The event's time is more than a day in the future",
        "The event's time is beyond all times",
        "The event is of no kind that the protocol has",
        *["What the event describes is damaged"] * 3,
        "The event carries another key than the request it came in",
    ]
    assert [each.row["kind"] for each in wire.read(request).collected] == ["page"]


def test_a_get_has_its_event_in_the_query() -> None:
    """It is answered with an image, a POST with `ok`."""
    request = get("/i", {"e": "pp", "url": PAGE, "aid": "shop", "eid": "1", "duid": "d", "co": '{"data": []}'})
    batch = wire.read(request)
    assert (batch.key, batch.collected[0].row["name"], batch.collected[0].message_id) == ("shop", "page_ping", "1")
    assert (wire.accepted(batch).content_type, wire.accepted(batch).body[:3]) == ("image/gif", b"GIF")
    answer = wire.accepted(wire.read(sent({"e": "pv"})))
    assert (answer.status, answer.body) == (200, b"ok")


def test_a_shop_tells_its_revenue_once() -> None:
    """The value is the transaction's; its items, whose prices it contains, have none."""
    sold = {"schema": IGLU.format("transaction"), "data": {"revenue": 99.5, "currency": "EUR", "transaction_id": "o-1"}}
    event = describing("snowplow_ecommerce_action", {"type": "transaction"}, cx=coded({"data": [sold, sold]}))
    row = only(wire, sent(event))
    assert (row["name"], row["value"], row["currency"]) == ("transaction", 99.5, "EUR")
    assert row["properties"]["context"]["transaction"]["transaction_id"] == "o-1"
    whole, part = told(
        wire, sent({"e": "tr", "tr_tt": "20", "tr_cu": "USD"}, {"e": "ti", "ti_pr": "20", "ti_cu": "USD"})
    )
    assert (whole.row["value"], whole.row["currency"], "value" in part.row) == (20, "USD", False)


def test_what_was_typed_stays_private() -> None:
    """Only a form that was sent tells who somebody is; fields of addresses and numbers are in no properties."""
    elements = [
        {"name": "mail", "value": "ada@example.com", "type": "email"},
        {"name": "call", "value": "030 123456", "type": "tel"},
        {"name": "topic", "value": "prices, write to bob@example.com", "type": "text"},
    ]
    row = only(wire, sent(describing("submit_form", {"formId": "demo", "elements": elements})))
    assert (row["email"], row["phone"]) == ("ada@example.com", "030 123456")
    assert row["properties"]["event"]["elements"] == [
        {"name": "topic", "value": "prices, write to [e-mail]", "type": "text"}
    ]
    changed = only(wire, sent(describing("change_form", {"formId": "demo", "type": "tel", "value": "030 123456"})))
    assert "phone" not in changed
    assert "123456" not in str(changed)


ADS = ("ad_personalization", "ad_storage", "ad_user_data")


@pytest.mark.parametrize(
    ("about", "agreed"),
    [
        ({"eventType": "allow_all"}, {"analytics_storage": True, **dict.fromkeys(ADS, True)}),
        ({"eventType": "deny_all"}, {"analytics_storage": False, **dict.fromkeys(ADS, False)}),
        (
            {"eventType": "allow_selected", "consentScopes": ["Statistics"]},
            {"analytics_storage": True, **dict.fromkeys(ADS, False)},
        ),
        ({"eventType": "pending"}, None),
    ],
)
def test_consent_is_told_by_the_plug_in(about: dict[str, Any], agreed: dict[str, bool] | None) -> None:
    """What was not chosen is refused; what is still open is not known."""
    row = only(wire, sent(describing("consent_preferences", about)))
    assert row.get("consent") == agreed


def test_an_app_has_its_ids_beside_the_event() -> None:
    """Without a cookie the device and its session come from the session's context."""
    session = {"schema": IGLU.format("client_session"), "data": {"userId": "phone-1", "sessionId": "s-1"}}
    row = only(wire, sent(describing("screen_view", {"name": "Start"}, cx=coded({"data": [session]}))))
    assert (row["kind"], row["name"], row["anonymous_id"], row["session_key"]) == ("page", "Start", "phone-1", "s-1")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 1}', b"\xff"])
def test_what_is_no_batch_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post(TP2, body))
