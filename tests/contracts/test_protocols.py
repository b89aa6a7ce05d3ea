"""What every protocol owes, whatever arrives."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieback.collect.requests import Answer, Batch, Request, UnreadableError, Wire
from tieback.config import SIGNALS
from tieback.schema.facts import EVENTS

AT = datetime(2026, 11, 27, 12, 0, 0)
PACKAGE = importlib.import_module("tieback.collect.protocols")
MODULES = [
    importlib.import_module(f"{PACKAGE.__name__}.{each.name}") for each in pkgutil.iter_modules(PACKAGE.__path__)
]
WIRES: dict[str, Wire] = {module.wire.name: module.wire for module in MODULES if hasattr(module, "wire")}
COLUMNS = {*EVENTS.names, "email", "phone", "user_agent", "consent", "gpc", "ip"}

# The words that protocols look for, so that chance comes past the first question.
WORDS = sorted({word for each in MODULES for word in re.findall(r"\"([$\w]{1,24})\"", inspect.getsource(each))})
ODD = (None, True, 1.5, -1, 10**15, 10**40, "", "x", "ä", "9" * 30, "0001-01-01T00:00:00Z", [], ["x"], {}, {"x": [1]})
TELLING = re.findall(
    r"\S+",
    """
    page track identify group alias screen pageview $pageview $identify $autocapture $create_alias submit pv ue se event
    0 nan 1e999 -1 1795780800000 2026-11-27T12:00:00Z 9999-12-31T23:59:59+00:00 0001-01-01T00:00:00+14:00 \0 {} []
    ada@example.com %40 +4930123456 e30 eyJkYXRhIjp7fX0
""",
)
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(TELLING))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.integers(10**9, 10**17))
NAMES = st.one_of(st.sampled_from(WORDS), st.text(max_size=6))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=8)),
    max_leaves=30,
)
EVENTS_SENT = st.lists(st.one_of(JSON, st.dictionaries(NAMES, st.one_of(TEXTS, JSON), max_size=12)), max_size=4)
ENVELOPES = st.builds(
    lambda around, events: (
        around
        | dict.fromkeys(("data", "batch", "events", "requests"), events)
        | {"payload": next((each for each in events if isinstance(each, dict)), {})}
    ),
    st.dictionaries(NAMES, st.one_of(TEXTS, JSON), max_size=8),
    EVENTS_SENT,
)
BODIES = st.one_of(
    st.binary(max_size=200), st.one_of(JSON, EVENTS_SENT, ENVELOPES).map(lambda value: json.dumps(value).encode())
)
QUERIES = st.dictionaries(NAMES, TEXTS, max_size=8)


@st.composite
def asked(draw: st.DrawFn, wire: Wire) -> Request:
    """A request on one of the routes of `wire` with anything in it; path parameters are filled with a word."""
    route = draw(st.sampled_from(wire.routes))
    path = route.path.replace("{", "").replace("}", "")
    headers = draw(st.dictionaries(st.sampled_from(["authorization", "user-agent", "referer", "origin"]), TEXTS))
    method = draw(st.sampled_from(route.methods))
    return Request(method, path, draw(QUERIES), headers, b"" if method == "GET" else draw(BODIES), AT)


def read(wire: Wire, request: Request) -> Batch | str:
    """The batch, or why there is none."""
    try:
        return wire.read(request)
    except UnreadableError as unreadable:
        return unreadable.reason


def test_there_are_protocols() -> None:
    """The checks below check something."""
    assert {"snowplow", "posthog", "ga4", "matomo", "plausible", "umami", "pixel"} <= set(WIRES)


def check(wire: Wire, request: Request) -> None:
    """Fail unless what is read is a batch, or unreadable: the same each time, in columns of events and plain values."""
    found = read(wire, request)
    assert found == read(wire, request)
    if isinstance(found, str):
        return
    assert isinstance(found.key, str)
    for event in found.collected:
        assert isinstance(event.message_id, str)
        assert set(event.row) <= COLUMNS
        assert {"occurred_at", "kind"} <= set(event.row)
        for column, value in event.row.items():
            assert isinstance(value, dict if column in ("properties", "consent") else str | int | float | bool), column
        assert all(
            name in SIGNALS and isinstance(agreed, bool) for name, agreed in event.row.get("consent", {}).items()
        )
        assert datetime.fromisoformat(event.row["occurred_at"]).tzinfo is not None
        json.dumps(event.row, allow_nan=False)
    assert all(each.reason and isinstance(each.raw, bytes) for each in found.malformed)
    assert isinstance(wire.accepted(found), Answer)


@pytest.mark.parametrize("name", sorted(WIRES))
@given(data=st.data())
def test_whatever_arrives_is_a_batch_or_unreadable(name: str, data: st.DataObject) -> None:
    """Nothing else, and never something else."""
    check(WIRES[name], data.draw(asked(WIRES[name])))


@pytest.mark.parametrize("name", sorted(WIRES))
def test_no_field_is_believed_to_be_what_it_should_be(name: str) -> None:
    """Each word that protocols look for stands for each odd value once: around events, in one, and within that."""
    wire = WIRES[name]
    for word in WORDS:
        for odd in ODD:
            inner = {word: odd}
            event = {"e": "pv", "event": "x", "name": "x", "type": "event", "kind": "page", "idsite": "1"}
            event |= {"params": inner, "properties": inner, "context": inner, "traits": inner} | inner
            around = {name: [event] for name in ("data", "batch", "events", "requests")}
            body = json.dumps(around | {"payload": inner | {"data": inner}} | inner).encode()
            alone = json.dumps(event).encode()
            query = {"idsite": "1", "e": "pv", word: str(odd)}
            for sent, said in ((body, {}), (alone, {}), (b"", query)):
                for route in wire.routes:
                    for method in route.methods:
                        path = route.path.replace("{", "").replace("}", "")
                        check(wire, Request(method, path, said, {"user-agent": str(odd)}, sent, AT))


@pytest.mark.parametrize("name", sorted(WIRES))
def test_what_is_nested_without_end_is_unreadable_or_malformed(name: str) -> None:
    """However deep; a parser's stack is no reason to fall."""
    for depth in (50, 900, 100_000):
        for word in ("data", "batch", "events", "payload", "properties"):
            body = b'{"%s":' % word.encode() + b"[" * depth + b"]" * depth + b"}"
            for route in WIRES[name].routes:
                read(WIRES[name], Request("POST", route.path, {}, {}, body, AT))


def test_no_two_protocols_answer_the_same_request() -> None:
    """A route and method belong to one."""
    claims: list[tuple[str, Any]] = [
        (route.path, method) for wire in WIRES.values() for route in wire.routes for method in route.methods
    ]
    assert len(claims) == len(set(claims))
