from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.collect.protocols.asking import FIREFOX, PAGE, get, only, post, recorded, refusals, told
from tieback.collect.protocols.posthog import wire
from tieback.collect.requests import Request, UnreadableError

BROWSER = "01890f5e-7b1a-7c3d-9e2f-1a2b3c4d5e6f"
OTHER = "01890f5e-7b1a-7c3d-9e2f-ffffffffffff"
LOGIN = "5b0c3e9a-5f0e-4c57-8a39-1d1c2b3a4f5e"  # many shops number their customers like this


def sent(event: str, distinct_id: str = BROWSER, **properties: Any) -> Request:
    """A request with one event."""
    return post("/e/", {"api_key": "k", "event": event, "distinct_id": distinct_id, "properties": properties})


def who(request: Request) -> tuple[str, str]:
    """The browser and the login of the one event in it."""
    row = only(wire, request)
    return row.get("anonymous_id", ""), row.get("user_id", "")


def test_python_tells_a_visit_a_login_and_a_purchase() -> None:
    """The browser's id is known by its look, the alias ties it to the login; an id made up for an event is nobody's."""
    visit, alias, traits, purchase, nobody = told(wire, *recorded("posthog_python"))
    assert (visit.row["kind"], visit.row["url"], visit.row["referrer"]) == ("page", PAGE, "https://www.google.com/")
    assert (visit.row["anonymous_id"], "user_id" in visit.row) == (BROWSER, False)
    assert (alias.row["kind"], alias.row["anonymous_id"], alias.row["user_id"]) == ("identify", BROWSER, "user-1")
    assert (traits.row["kind"], traits.row["email"], traits.row["user_id"]) == ("identify", "ada@example.com", "user-1")
    assert traits.row["properties"]["$set"] == {"plan": "team"}
    assert (purchase.row["name"], purchase.row["value"], purchase.row["currency"]) == ("purchase", 49.5, "EUR")
    assert not {"anonymous_id", "user_id", "user_agent"} & set(nobody.row)
    assert len({each.message_id for each in (visit, alias, traits, purchase, nobody)}) == 5


def test_node_tells_a_visit_a_login_a_company_and_a_purchase() -> None:
    """`$identify` carries the browser beside the login, and whatever the order, an alias ties the same two."""
    visit, login, alias, company, purchase = told(wire, *recorded("posthog_node"))
    assert (visit.row["anonymous_id"], "user_id" in visit.row) == (BROWSER, False)
    for each in (login, alias):
        assert (each.row["kind"], each.row["anonymous_id"], each.row["user_id"]) == ("identify", BROWSER, "user-1")
    assert login.row["email"] == "ada@example.com"
    assert (company.row["kind"], company.row["group_id"]) == ("group", "acme")
    assert (purchase.row["group_id"], purchase.row["value"]) == ("acme", 49.5)
    assert wire.read(recorded("posthog_node")[0]).key == "wk_test"


@pytest.mark.parametrize(
    ("request_", "browser", "login"),
    [
        (sent("x", **{"$device_id": BROWSER, "$is_identified": False}), BROWSER, ""),
        (sent("x", LOGIN, **{"$device_id": BROWSER, "$is_identified": True}), BROWSER, LOGIN),
        (sent("x", LOGIN, **{"$device_id": BROWSER, "$user_id": LOGIN}), BROWSER, LOGIN),
        (sent("$identify", LOGIN, **{"$device_id": BROWSER, "$anon_distinct_id": OTHER}), OTHER, LOGIN),
        (sent("$identify", BROWSER, **{"$anon_distinct_id": OTHER}), OTHER, BROWSER),  # logins may look like anything
        (sent("x", OTHER, **{"$device_id": BROWSER}), OTHER, ""),  # after a logout
        (sent("x", LOGIN), "", LOGIN),
        (sent("x", LOGIN, **{"$process_person_profile": False}), "", ""),
        (sent("x", "$posthog_cookieless", **{"$device_id": ""}), "", ""),
        (sent("$create_alias", "user-1", alias="user-2"), "", "user-1"),
        (sent("$create_alias", BROWSER, alias=OTHER), BROWSER, ""),
        (sent("$groupidentify", "$company_acme", **{"$group_type": "company", "$group_key": "acme"}), "", ""),
        (
            sent("x", "17f3a5b2c1d0e9-0a1b2c3d4e5f60-1f3d4e5f-1fa400-17f3a5b2c1e1f0"),
            "17f3a5b2c1d0e9-0a1b2c3d4e5f60-1f3d4e5f-1fa400-17f3a5b2c1e1f0",
            "",
        ),
    ],
)
def test_browsers_are_told_from_logins(request_: Request, browser: str, login: str) -> None:
    """PostHog has one id for both; a wrong answer would make one person of two, or two of one."""
    assert who(request_) == (browser, login)


def test_an_address_as_login_is_an_address() -> None:
    """Many sites identify by e-mail; as a login it would be blotted out, the same for everybody."""
    row = only(wire, sent("x", "ada@example.com"))
    assert (row["email"], "user_id" in row) == ("ada@example.com", False)


def test_a_script_repeats_its_first_arrival_for_ever() -> None:
    """Remembered tags are no new visit's; the referrer is that of the page on which the session began."""
    first = {"$current_url": PAGE, "$session_entry_url": PAGE, "$session_entry_referrer": "https://www.bing.com/"}
    kept = {"utm_source": "google", "$referrer": "https://old.example/", "$lib": "web"}
    row = only(wire, sent("$pageview", **first, **kept))
    assert (row["referrer"], "utm_source" in row) == ("https://www.bing.com/", False)
    row = only(wire, sent("$pageview", **first | {"$current_url": "https://www.example.com/docs"}, **kept))
    assert "referrer" not in row
    assert "referrer" not in only(wire, sent("$pageview", **{"$referrer": "$direct"}))
    assert only(wire, sent("lead", utm_source="fair"))["utm_source"] == "fair"


@pytest.mark.parametrize(
    ("fields", "query", "happened"),
    [
        ({"timestamp": "2026-11-27T14:00:00Z"}, "", "14:00:00"),
        ({"timestamp": "2026-11-27T15:00:00+01:00", "sent_at": "2026-11-27T14:00:30.000Z"}, "", "11:59:30"),
        ({"timestamp": "2026-11-27T14:00:00Z"}, "_=1795788030000", "11:59:30"),
        ({"timestamp": "2026-11-27T11:00:00Z", "sent_at": "yesterday"}, "", "11:00:00"),
        ({"offset": 90_000}, "", "11:58:30"),
        ({}, "", "12:00:00"),
    ],
)
def test_a_wrong_clock_is_put_right(fields: dict[str, Any], query: str, happened: str) -> None:
    """The difference between when it was sent by the client's clock and when it came in is the clock's fault."""
    row = only(wire, post("/e/", {"event": "x", "api_key": "k", **fields}, query))
    assert row["occurred_at"] == f"2026-11-27T{happened}+00:00"


def test_one_bad_event_does_not_spoil_the_others() -> None:
    """A batch may hold anything."""
    later, long_ago = {"event": "x", "timestamp": "2026-11-28T12:00:01Z"}, {"event": "x", "offset": 10**14}
    found = post(
        "/batch/", {"api_key": "k", "batch": [{"event": "x"}, 7, {}, later, long_ago, {"event": "x", "api_key": "j"}]}
    )
    assert len(wire.read(found).collected) == 1
    assert refusals(wire, found) == [
        "The event is no object",
        "The event has no name",
        "The event's time is more than a day in the future",
        "The event's time is beyond all times",
        "The event carries another key than the request it came in",
    ]


def test_old_scripts_send_forms() -> None:
    """`data=` holds base64, or JSON as it is; a list is a batch whose key stands in each event."""
    event = {"event": "$pageview", "properties": {"token": "k", "distinct_id": BROWSER, "text": "ä>?>"}}
    packed = base64.b64encode(json.dumps(event).encode()).decode()
    for body in (
        f"data={quote_plus(packed)}",
        f"data={packed}&compression=base64",
        f"v=1&data={quote_plus(json.dumps(event))}",
    ):
        request = post("/e/", body.encode(), "compression=base64&_=1795780800000")
        assert (wire.read(request).key, only(wire, request)["anonymous_id"]) == ("k", BROWSER)
    assert wire.read(post("/e/", [event, event], content_type="text/plain")).key == "k"


def test_a_script_shows_the_browser_and_sent_forms() -> None:
    """Autocapture tells of forms; the user agent is the script's, or the header's where the script sent it."""
    form = {"$event_type": "submit", "$elements": [{"tag_name": "form", "attr__id": "demo"}], "$lib": "web"}
    request = post("/e/", {"event": "$autocapture", "properties": form}, user_agent=FIREFOX)
    assert {"kind": "form", "name": "demo", "user_agent": FIREFOX}.items() <= only(wire, request).items()
    row = only(wire, sent("x", **{"$raw_user_agent": "Mozilla/5.0", "$ip": "203.0.113.7", "email": "ada@example.com"}))
    assert row["user_agent"] == "Mozilla/5.0"
    assert row.pop("ip") == "203.0.113.7"  # of which the door makes a country
    assert "203.0.113.7" not in str(row)
    assert "ada@" not in str(row.get("properties", ""))


def test_the_answer_is_the_one_clients_wait_for() -> None:
    """Status 1."""
    assert wire.accepted(wire.read(sent("x"))).body == b'{"status": 1}'


@pytest.mark.parametrize("body", [b"", b"{}", b"7", b'{"batch": {}}', b"data=%%%", b"data=", b"data=e30", b"\x00\xff"])
def test_what_is_no_event_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post("/e/", body))


@pytest.mark.parametrize("path", ["/flags/", "/decide/"])
def test_a_script_that_asks_for_flags_is_told_that_there_are_none(path: str) -> None:
    """It asks with its token, which is looked at as with an event; nothing is taken in."""
    batch = wire.read(post(path, {"token": "k", "distinct_id": BROWSER}))
    assert (batch.key, batch.collected, batch.malformed) == ("k", (), ())
    assert json.loads(wire.accepted(batch).body)["featureFlags"] == {}


def test_a_script_that_asks_for_settings_gets_those_of_nothing() -> None:
    """As JSON, and as the script that it loads, in which no token is read as code."""
    batch = wire.read(get("/array/k/config", {}))
    assert (batch.key, json.loads(wire.accepted(batch).body)["sessionRecording"]) == ("k", False)
    script = wire.accepted(wire.read(get('/array/a"];<b/config.js', {})))
    assert script.content_type == "text/javascript"
    assert script.body.startswith(b'(window._POSTHOG_REMOTE_CONFIG ||= {})["a\\"];\\u003cb"] = {config: {')
