"""Requests of Segment's family: recorded from the real clients, made by hand, and twisted at random."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from tieback.collect.requests import Batch, Request, UnreadableError, Wire
from tieback.schema.facts import EVENTS

NOW = datetime(2025, 3, 4, 10, 0)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
BASIC = "Basic d2tfMTo="  # wk_1 and no password

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def call(path: str, body: Any = None, method: str = "POST", **changed: Any) -> Request:
    """A request, received at NOW. body: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"query": {}, "headers": {"authorization": BASIC}, "received_at": NOW, **changed}
    return Request(method, path, body=b"" if body is None else content, **given)


def row(wire: Wire, path: str, body: Any, **changed: Any) -> dict[str, Any]:
    """The row of the one event that a request tells."""
    batch = wire.read(call(path, body, **changed))
    assert not batch.malformed, batch.malformed[0].reason
    (one,) = batch.collected
    return one.row


def reason(wire: Wire, path: str, body: Any, **changed: Any) -> str:
    """Why the one event of a request is malformed."""
    batch = wire.read(call(path, body, **changed))
    assert not batch.collected
    (one,) = batch.malformed
    return one.reason


def recorded(client: str) -> list[Request]:
    """What `client` sent, received a moment after the last of it was."""
    sent = json.loads((Path(__file__).parent / "recorded" / f"{client}.json").read_text("utf-8"))
    return [
        Request(each["method"], each["path"], {}, each["headers"], each["body"].encode(), _soon_after(each["body"]))
        for each in sent
    ]


def _soon_after(body: str) -> datetime:
    sent_at = datetime.fromisoformat(json.loads(body)["sentAt"]).replace(tzinfo=None)
    return sent_at + timedelta(milliseconds=20)


def told(wire: Wire, requests: list[Request]) -> tuple[set[str], list[dict[str, Any]]]:
    """The keys and the rows of all `requests`, of which nothing may be malformed, and no message id missing."""
    batches = [wire.read(each) for each in requests]
    assert not [malformed for batch in batches for malformed in batch.malformed]
    assert all(one.message_id for batch in batches for one in batch.collected)
    return {batch.key for batch in batches}, [one.row for batch in batches for one in batch.collected]


def assert_bears(wire: Wire, request: Request) -> None:
    """`request` is read, alike each time, into rows that can be written down, or is unreadable; nothing else."""
    first, second = _outcome(wire.read, request), _outcome(wire.read, request)
    assert first == second
    if isinstance(first, str):
        return
    wire.accepted(first)
    for one in first.collected:
        assert one.row.keys() <= {*EVENTS.names, "email", "phone", "user_agent", "consent", "ip"}
        assert one.row["occurred_at"].endswith("Z")
        assert b"\\u0000" not in msgspec.json.encode([one.message_id, one.row])
    for each in first.malformed:
        assert each.reason
        assert each.reason.isprintable()


def _outcome(read: Callable[[Request], Batch], request: Request) -> Batch | str:
    try:
        return read(request)
    except UnreadableError as unreadable:
        return unreadable.reason


def twisted(sound: Any) -> st.SearchStrategy[Any]:
    """`sound` with anything whatever at one place of it, whatever depth that has."""

    def put(path: tuple[Any, ...], value: Any) -> Any:
        copy = json.loads(json.dumps(sound))
        if not path:
            return value
        place = copy
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return copy

    return st.builds(put, st.sampled_from(_places(sound)), ANYTHING)


def _places(value: Any) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((step, *rest) for step, inner in pairs for rest in _places(inner))]
