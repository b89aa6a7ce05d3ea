"""Plausible's Events API: one event a request, without any id of the event or of the visitor."""

from __future__ import annotations

from typing import Any

from tieback.collect.cells import batch, browser_of, fields, number, rest, row, text
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

_SHORT = {"n": "name", "u": "url", "d": "domain", "r": "referrer", "p": "props", "m": "props", "meta": "props"}
_SHORT |= {
    "$": "revenue",
    "h": "hash",
    "i": "interactive",
    "w": "screen_width",
    "e": "engagement",
    "sd": "scroll_depth",
}
_CELLS = ("name", "url", "domain", "referrer", "props", "revenue", "v")


class Plausible:
    """Reads `/api/event`. The write key stands for the site's domain."""

    name = "plausible"
    routes = (Route("/api/event"),)

    def read(self, request: Request) -> Batch:
        said = decoded(request.body)
        if not isinstance(said, dict):
            raise UnreadableError("The body is no event of Plausible's")
        event = {_SHORT.get(name, name): value for name, value in said.items()}
        # One event may be meant for several domains; the first one's source takes it.
        key = text(event.get("domain")).partition(",")[0].strip()
        return batch(key, (event,), lambda each: _told(each, request))

    def accepted(self, batch: Batch) -> Answer:
        return Answer(202, b"ok", "text/plain")


wire = Plausible()


def _told(event: dict[str, Any], request: Request) -> Collected:
    name, revenue = text(event.get("name")), _object(event.get("revenue"))
    kind = {"pageview": "page", "Form: Submission": "form"}.get(name, "track")
    amount = number(revenue.get("amount"))
    given = row(
        request.received_at,
        request.received_at,
        kind=kind,
        name="" if kind == "page" else name,
        url=text(event.get("url")),
        referrer=text(event.get("referrer")),
        value=amount,
        currency=text(revenue.get("currency")) if amount is not None else "",
        user_agent=browser_of(request.headers),
        properties=rest(event, _CELLS) | rest(_object(event.get("props"))),
    )
    return Collected("", given)


def _object(value: Any) -> dict[str, Any]:
    """An object, also one that is written as a text within the JSON."""
    if not isinstance(value, str):
        return fields(value)
    try:
        return fields(decoded(value.encode("utf-8", "replace")))
    except UnreadableError:
        return {}
