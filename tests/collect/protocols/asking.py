"""Requests to protocols, made by hand or recorded from the clients themselves."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tieback.collect.requests import Collected, Request, Wire

AT = datetime(2026, 11, 27, 12, 0, 0)
PAGE = "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def post(path: str, body: Any, query: str = "", **headers: str) -> Request:
    """A POST of `body` as it is, or as JSON; in `headers` _ stands for -."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", path, dict(parse_qsl(query)), _headers(headers), sent, AT)


def get(path: str, query: dict[str, str] | str, **headers: str) -> Request:
    """A GET with `query`."""
    said = dict(parse_qsl(query)) if isinstance(query, str) else query
    return Request("GET", path, said, _headers(headers), b"", AT)


def recorded(name: str) -> list[Request]:
    """What the client `name` sent, as if it came in at AT."""
    found = json.loads((Path(__file__).parent / "recorded" / f"{name}.json").read_text())
    return [
        Request(each["method"], each["path"], each["query"], each["headers"], each["body"].encode(), AT)
        for each in found
    ]


def told(wire: Wire, *requests: Request) -> list[Collected]:
    """The events in `requests`, of which none is malformed."""
    batches = [wire.read(request) for request in requests]
    assert [each.malformed for each in batches] == [()] * len(batches)
    return [event for each in batches for event in each.collected]


def only(wire: Wire, request: Request) -> dict[str, Any]:
    """The row of the one event in `request`."""
    (event,) = told(wire, request)
    return event.row


def refusals(wire: Wire, request: Request) -> list[str]:
    """Why each malformed event of `request` is refused."""
    return [each.reason for each in wire.read(request).malformed]


def coded(value: Any) -> str:
    """`value` as JSON in base64, for an address, without padding."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _headers(given: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
