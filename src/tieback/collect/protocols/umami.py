"""Umami's collect API: one event a request, or a list of them, without any id of the event or of the visitor."""

from __future__ import annotations

from typing import Any

import msgspec

from tieback.collect.cells import Asked, RefusedError, batch, browser_of, fields, number, rest, row, since_epoch, text
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

_CELLS = ("website", "hostname", "url", "referrer", "name", "data", "id", "ip", "userAgent", "timestamp")


class Umami:
    """Reads `/api/send` and, many at once, `/api/batch`. The write key is the website's id."""

    name = "umami"
    routes = (Route("/api/send"), Route("/api/batch"))

    def read(self, request: Request) -> Batch:
        said = decoded(request.body)
        if request.path == "/api/batch":
            return _many(said, request)
        if not isinstance(said, dict) or not isinstance(said.get("payload"), dict):
            raise UnreadableError("The body is no event of Umami's")
        key = text(said["payload"].get("website"))
        return batch(key, (said,), lambda each: _told(text(each.get("type")), each["payload"], request))

    def accepted(self, batch: Batch) -> Answer:
        if isinstance(batch, Asked):
            return batch.answer
        # The script hands `cache` back with its next event, which is of no use here.
        return Answer(body=b'{"cache":"","sessionId":"","visitId":""}')


wire = Umami()


def _many(said: Any, request: Request) -> Batch:
    """The events of a batch, and the answer that counts them as Umami does. Raises UnreadableError."""
    if not isinstance(said, list):
        raise UnreadableError("The body is no list of Umami's events")
    found = batch(
        "",
        said,
        lambda each: _told(text(each.get("type")), fields(each.get("payload")), request),
        lambda each: text(fields(each.get("payload")).get("website")),
    )
    counted = {"size": len(said), "processed": len(said), "errors": 0, "details": [], "cache": ""}
    return Asked(found.key, found.collected, found.malformed, Answer(body=msgspec.json.encode(counted)))


def _told(type_: str, payload: dict[str, Any], request: Request) -> Collected:
    """What happened. A path stands for the page on `hostname`, whose scheme nobody tells."""
    if type_ not in ("event", "identify", "performance"):
        raise RefusedError("The event's type is none of event, identify, performance")
    name, given = text(payload.get("name")), fields(payload.get("data"))
    is_page = type_ == "event" and not name
    amount = number(given.get("revenue"))
    at = request.received_at if payload.get("timestamp") is None else since_epoch(payload["timestamp"], 1)
    is_identify = type_ == "identify"
    cells = row(
        at,
        request.received_at,
        kind="identify" if is_identify else "page" if is_page else "track",
        name="" if is_identify or is_page else name or type_,
        user_id=text(payload.get("id")),
        email=text(given.get("email")) if is_identify else "",
        phone=text(given.get("phone")) if is_identify else "",
        url=_address(text(payload.get("url")), text(payload.get("hostname"))),
        referrer=text(payload.get("referrer")),
        value=amount,
        currency=text(given.get("currency")) if amount is not None else "",
        user_agent=text(payload.get("userAgent")) or browser_of(request.headers),
        ip=text(payload.get("ip")),
        properties=rest(payload, _CELLS) | rest(given, ("revenue", "currency") if amount is not None else ()),
    )
    return Collected("", cells)


def _address(url: str, host: str) -> str:
    return f"https://{host}{url}" if host and url.startswith("/") and not url.startswith("//") else url
