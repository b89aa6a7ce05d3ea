"""A webhook is taken in when it is proved to be its sender's, once, and as its mapping file says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collect.doorstep import Doorstep, doorstep
from tieback.collect.hooks import Hooks
from tieback.collect.requests import Request
from tieback.collect.signatures import flaw
from tieback.config.hooks import PRESETS, Hook, Signature, hook_in, hooks_in
from tieback.errors import ConfigError

SECRET = "s3cret"
CALL = {"CallSid": "CA1", "From": "+4930123456", "To": "+4930654321", "CallStatus": "completed", "City": "Köln & Bonn"}
TWILIO = """
when = { column = "CallStatus", is = ["completed"] }
keep_rest = false

[signature]
preset = "twilio"
secret = "${HOOK_SECRET}"

[columns]
event_id = "CallSid"
kind = { const = "call" }
phone = "From"
"""
FORMS = """
keep_rest = false

[signature]
preset = "typeform"
secret = "${HOOK_SECRET}"

[payload]
events = "batch.items"

[columns]
event_id = { template = "form-{response.id}" }
kind = { const = "form" }
name = { from = "form", values = { "42" = "Ask for a demo" }, unmapped = "refuse" }
email = "response.answers.0.email"
occurred_at = { from = "response.sent", format = "%d.%m.%Y %H:%M", time_zone = "Europe/Berlin" }
value = { from = "response.budget", decimal = ",", thousands = "." }
currency = { from = "response.currency", default = "EUR" }
"""
ITEM = {
    "form": 42,
    "response": {
        "id": 7,
        "sent": "31.03.2026 14:00",
        "answers": [{"email": "ann@acme.example"}],
        "budget": "1.250,50",
    },
}


@contextmanager
def served(folder: Path, **files: str) -> Iterator[Doorstep]:
    """A door with these webhook files, and a source for each."""
    (folder / "hooks").mkdir()
    for name, text in files.items():
        (folder / "hooks" / f"{name}.toml").write_text(text)
    hooks = Hooks(hooks_in(folder, {"HOOK_SECRET": SECRET}, "https://collect.acme.example/"))
    with doorstep(folder, hooks) as made:
        made.keys = {name: made.ledger.add_source(name) for name in files}
        yield made


def called(front: Doorstep, fields: dict[str, str], url: str = "https://collect.acme.example/hooks/calls") -> Any:
    """The answer to a call as Twilio signs it: the address, and each field in order of its name."""
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).digest()
    headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
    return front.client.post("/hooks/calls", data=fields, headers=headers)


def sent(front: Doorstep, given: Any, secret: str = SECRET, path: str = "/hooks/forms") -> Any:
    """The answer to a form as Typeform signs it."""
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    digest = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return front.client.post(path, content=body, headers={"typeform-signature": f"sha256={digest}"})


def test_twilio_signs_as_its_own_client_does() -> None:
    """The example that its library for Python is tested with: the address, and each field in order of its name."""
    fields = {"Digits": "1234", "CallSid": "CA1234567890ABCDE", "To": "+18005551212"}
    body = urlencode({**fields, "Caller": "+14158675309", "From": "+14158675309"}).encode()
    headers = {"x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
    request = Request("POST", "/hooks/calls", {}, headers, body, datetime(2026, 3, 31))
    signature = Signature("${TOKEN}", **PRESETS["twilio"])
    address = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert flaw(request, signature, "12345", address) == ""
    assert flaw(request, signature, "12346", address) != ""
    assert flaw(request, signature, "12345", address.replace("bar=2", "bar=3")) != ""


def test_a_signed_call_is_an_event_once(tmp_path: Path) -> None:
    """However often the vendor tries again."""
    with served(tmp_path, calls=TWILIO) as front:
        for _ in range(3):
            told = called(front, CALL)
            assert (told.status_code, told.json()) == (200, {"taken": 1, "refused": 0})
        [row] = front.rows()
    assert row.pop("occurred_at")
    assert row == {"event_id": "calls:CA1", "kind": "call", "phone": "+4930123456"}


def test_what_when_leaves_out_is_answered_and_not_kept(tmp_path: Path) -> None:
    """A call that only rings is none yet."""
    with served(tmp_path, calls=TWILIO) as front:
        assert called(front, {**CALL, "CallStatus": "ringing"}).json() == {"taken": 0, "refused": 0}
        assert front.rows() == []


def test_without_the_right_signature_nothing_is_kept(tmp_path: Path) -> None:
    """Missing, made with another secret, of another body, of another address."""
    body = json.dumps({"batch": {"items": [ITEM]}}).encode()
    with served(tmp_path, calls=TWILIO, forms=FORMS) as front:
        assert front.client.post("/hooks/forms", content=body).status_code == 401
        assert (
            front.client.post("/hooks/forms", content=body, headers={"typeform-signature": "sha256="}).status_code
            == 401
        )
        assert (
            front.client.post("/hooks/forms", content=body, headers={"typeform-signature": b"sha256=\xe9"}).status_code
            == 401
        )
        assert sent(front, body, secret="guessed").status_code == 401
        assert called(front, CALL, url="https://evil.example/hooks/calls").status_code == 401
        assert front.client.post("/hooks/calls", data=CALL, auth=(front.keys["calls"], "")).status_code == 401
        assert front.rows() == front.quarantined() == []
        assert front.count('tieback_refused_requests_total{protocol="hook",reason="unproved webhook"}') == 6


def test_a_list_of_events_is_read_as_the_mapping_says(tmp_path: Path) -> None:
    """Paths into objects and lists, words, times of a zone, numbers with a comma."""
    with served(tmp_path, forms=FORMS) as front:
        other = {"form": 42, "response": {**ITEM["response"], "id": 8, "sent": "1.4.2026 09:30", "currency": "CHF"}}
        assert sent(front, {"batch": {"items": [ITEM, other]}}).json() == {"taken": 2, "refused": 0}
        first, second = sorted(front.rows(), key=itemgetter("event_id"))
    assert first == {
        "event_id": "forms:form-7",
        "occurred_at": "2026-03-31T12:00:00+00:00",
        "kind": "form",
        "name": "Ask for a demo",
        "email": "ann@acme.example",
        "value": "1250.50",
        "currency": "EUR",
    }
    assert (second["occurred_at"], second["currency"]) == ("2026-04-01T07:30:00+00:00", "CHF")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"{", "The body is no JSON"),
        (b"\xff", "The body is no JSON"),
        ({"items": []}, "There is no list at 'batch.items'"),
        ({"batch": {"items": [3]}}, "The event is no object"),
        ({"batch": {"items": [{**ITEM, "form": 43}]}}, "What stands at 'form' is none of the words"),
        ({"batch": {"items": [{**ITEM, "response": {"sent": "soon"}}]}}, "The event's time is not written as"),
        ({"batch": {"items": [{**ITEM, "response": {"sent": "31.03.2199 14:00"}}]}}, "The event's time is more than"),
    ],
)
def test_what_the_mapping_cannot_read_waits_in_quarantine(tmp_path: Path, given: Any, reason: str) -> None:
    """With its reason, and the vendor is told that all went well: it would send the same for ever."""
    with served(tmp_path, forms=FORMS) as front:
        told = sent(front, given)
        assert (told.status_code, told.json()) == (200, {"taken": 0, "refused": 1})
        [(why, raw)] = front.quarantined()
    assert why.startswith(reason)
    assert raw


def test_one_bad_event_holds_up_none(tmp_path: Path) -> None:
    """Of those sent with it."""
    with served(tmp_path, forms=FORMS) as front:
        assert sent(front, {"batch": {"items": [None, ITEM]}}).json() == {"taken": 1, "refused": 1}


CHAT = """
[signature]
preset = "calendly"
secret = "${HOOK_SECRET}"

[columns]
kind = { const = "meeting" }
email = "payload.email"
"""


def booked(front: Doorstep, given: dict[str, Any], at: float) -> Any:
    """The answer to a booking as Calendly signs it, at that instant."""
    body = json.dumps(given)
    digest = hmac.new(SECRET.encode(), f"{at:.0f}.{body}".encode(), hashlib.sha256).hexdigest()
    return front.client.post(
        "/hooks/chat", content=body, headers={"calendly-webhook-signature": f"t={at:.0f},v1={digest}"}
    )


def test_what_was_signed_long_ago_is_refused(tmp_path: Path) -> None:
    """Somebody may have listened, and send it again; five minutes either way are a clock's."""
    with served(tmp_path, chat=CHAT) as front:
        now = time.time()
        assert booked(front, {"payload": {"email": "ann@acme.example"}}, now - 200).status_code == 200
        for at in (now - 400, now + 400):
            told = booked(front, {"payload": {}}, at)
            assert (told.status_code, told.json()["error"]) == (
                401,
                "The request was signed too long ago, or ahead of time",
            )
        assert len(front.rows()) == 1


def test_an_event_without_id_is_known_by_what_was_sent(tmp_path: Path) -> None:
    """The vendor's second try, signed anew, is the same; another booking is not."""
    with served(tmp_path, chat=CHAT) as front:
        now = time.time()
        for at in (now - 9, now):
            assert booked(front, {"payload": {"email": "ann@acme.example"}}, at).status_code == 200
        assert booked(front, {"payload": {"email": "bob@acme.example"}}, now).status_code == 200
        assert len(front.rows()) == 2


def test_a_sender_who_cannot_sign_gives_the_write_key(tmp_path: Path) -> None:
    """And what no column wants becomes properties, without addresses and numbers."""
    plain = '[columns]\nkind = { const = "form" }\nemail = "mail"\n'
    with served(tmp_path, forms=plain) as front:
        given = {"mail": "ann@acme.example", "plan": "pro", "Phone": "1", "note": "write to bob@acme.example"}
        assert front.client.post("/hooks/forms", json=given).status_code == 401
        assert front.client.post(f"/hooks/forms?key={front.keys['forms']}", json=given).status_code == 200
        form = {"headers": {"content-type": "application/x-www-form-urlencoded"}, "auth": (front.keys["forms"], "")}
        assert front.client.post(
            "/hooks/forms", content=urlencode({"plan": "ä", "mail": "x@y.example"}), **form
        ).is_success
        first, second = front.rows()
    assert first["properties"] == {"plan": "pro", "note": "write to [e-mail]"}
    assert (second["properties"], second["email"]) == ({"plan": "ä"}, "x@y.example")


def test_nobody_is_expected_elsewhere(tmp_path: Path) -> None:
    """A source without a webhook file has none; a revoked one is refused."""
    with served(tmp_path, forms=FORMS) as front:
        assert sent(front, {}, path="/hooks/calls").status_code == 404
        front.ledger.revoke("forms")
        assert sent(front, {"batch": {"items": [ITEM]}}).status_code == 401
        assert front.rows() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns]\n", "say of what kind"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nsecret = "abc"\nheader = "X"', "does not stand in a file"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nsecret = "${A}"', "needs header"),
        ('[columns]\nkind = { const = "x" }\n[signature]\npreset = "twillio"', "Did you mean 'twilio'?"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nheadr = "X"', "unknown key 'headr'"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nsecret = "${A}"\nheader = "X"\nsigns = "x"', "holds {body}"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nsecret = "${A}"\nheader = "X"', "variable A"),
        ('[columns]\nkind = { const = "x" }\noccurred_at = { from = "at", format = "%Q" }', "means nothing"),
        ('[columns]\nkind = { const = "x" }\n[[facts]]\ntable = "deals"\n', "Leave [[facts]] out"),
        ('[columns]\nkind = { const = "x" }\noccurred_at = { from = "at", time_zone = "Europe/Bonn" }', "no IANA name"),
        ('[columns]\nkind = { const = "x" }\n[signature]\nsecret = "${SET}"\npreset = "twilio"', "public_url"),
        ('[columns]\nkid = "x"', "no column 'kid'"),
        ("[columns", "cannot be read"),
    ],
)
def test_a_file_that_is_not_right_is_told(tmp_path: Path, text: str, said: str) -> None:
    """When the collector starts, by its name, its key and what to do."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "calls.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"calls\.toml") as error:
        hooks_in(tmp_path, {"SET": "x"})
    assert said in str(error.value)


def test_the_address_the_method_and_the_time_may_be_signed() -> None:
    """As HubSpot does, whose time is in milliseconds."""
    address, body, at = "https://collect.acme.example/hooks/crm", b'{"a": 1}', "1774958400000"
    digest = hmac.new(b"s3cret", b"POST" + address.encode() + body + at.encode(), hashlib.sha256).digest()
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(digest).decode(),
        "x-hubspot-request-timestamp": at,
    }
    request = Request("POST", "/hooks/crm", {}, headers, body, datetime(2026, 3, 31, 12, 4, 59))
    signature = Signature("${TOKEN}", **PRESETS["hubspot"])
    assert flaw(request, signature, "s3cret", address) == ""
    assert flaw(request, signature, "s3cret", address + "?") != ""
    assert flaw(replace(request, received_at=datetime(2026, 3, 31, 12, 5, 1)), signature, "s3cret", address) != ""


ANYTHING = """
[payload]
events = "items"

[columns]
event_id = { template = "{id}-{a.b}" }
kind = { from = "kind", default = "form" }
name = { from = "a.0.b", values = { x = "y" }, unmapped = "empty" }
email = "email"
value = { from = "value", decimal = ",", thousands = "." }
occurred_at = { from = "at", time_zone = "Asia/Tokyo" }
"""
NAMES = st.sampled_from(["id", "a", "b", "0", "kind", "email", "value", "at", "a.b", "phone"])
WORDS = st.sampled_from(
    ["x", "", "1.250,5", "1795780800", "1795780800000", "2026-11-27T12:00", "9999-12-31", "\0", "a@b.de"]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=9)),
    max_leaves=20,
)
BODIES = st.one_of(
    st.binary(max_size=99),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(JSON, max_size=4).map(lambda value: json.dumps({"items": value}).encode()),
    st.sampled_from([b'{"items": [{"x": "\\ud800"}]}', b'{"items": [%s]}' % (b"[" * 5000 + b"]" * 5000)]),
    st.integers(1, 2000).map(lambda depth: b'{"items": [%s1%s]}' % (b'{"x": ' * depth, b"}" * depth)),
)


@given(BODIES, st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_whatever_is_sent_is_events_or_waits_in_quarantine(body: bytes, kind: str) -> None:
    """Nothing is lost, nothing fails, and each time alike."""
    hooks = Hooks({"any": replace(any_hook(), events="items" if "json" in kind else "")})
    request = Request("POST", "/hooks/any", {"key": "k"}, {"content-type": kind}, body, datetime(2026, 11, 27, 12))
    found = hooks.read(request)
    assert found == hooks.read(request)
    assert found.key == "k"
    for event in found.collected:
        assert event.message_id
        assert set(event.row) <= {"occurred_at", "kind", "name", "email", "value", "properties"}
        assert "b@" not in json.dumps(event.row.get("properties", {}))
        assert datetime.fromisoformat(event.row["occurred_at"]).tzinfo is not None
    assert all(each.reason for each in found.malformed)
    assert hooks.accepted(found).status == 200


@cache
def any_hook() -> Hook:
    """The webhook of the file ANYTHING."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "any.toml"
        file.write_text(ANYTHING)
        return hook_in(file, "any")


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "webhooks.md"


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_files_on_the_page_are_right(tmp_path: Path, text: str) -> None:
    """Each can be used as it stands."""
    (tmp_path / "calls.toml").write_text(text)
    assert hook_in(tmp_path / "calls.toml", "calls").fact.rules
    assert len(re.findall("```toml", PAGE.read_text())) == 3
