"""tieback's own protocol: `POST /v1/events`, and what servers, `curl` and the tracker say it in.

A body is `{"key": KEY, "events": [EVENT, …]}`, or one EVENT alone with KEY in the header `Authorization: Bearer KEY`.
An EVENT has the columns of the table `events` as fields, all optional but `kind`: `event_id` is the sender's own id of
it, by which it is known when it is sent again; `occurred_at` an ISO 8601 instant with a zone, else the moment it came
in; `email` and `phone` are taken raw and kept as hashes. `consent` is an object of the signals of Consent Mode, each
`granted` or `denied`; `gpc` is true where the browser says Global Privacy Control. The tracker adds an object
`visitor`, of which `tieback.collect.visitors` tells; `GET /v1/link` gives it what links to other sites carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from tieback.collect.cells import Asked, RefusedError, batch, browser_of, text
from tieback.collect.consent import signals
from tieback.collect.personal import without_personal
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, basic_key, decoded
from tieback.collect.visitors import Visitor, link_token, visitor
from tieback.schema.facts import EVENTS

_LINK = Route("/v1/link", ("GET",))
_RAW = ("email", "phone", "user_agent")
_NOT_GIVEN = {"email_hash", "email_domain", "phone_hash", "origin", "received_at", "event_id", "bot_reason", "device"}
_NOT_GIVEN |= {"consent_signals"}
FIELDS = {*(name for name in EVENTS.names if name not in _NOT_GIVEN), *_RAW}
_KNOWN = {*FIELDS, "consent", "gpc", "event_id", "key"}
_MOST_BYTES = 32_768  # of one event
_AHEAD = timedelta(days=1)


class Own:
    """The protocol as a whole."""

    name = "tieback"
    routes = (Route("/v1/events"), _LINK)

    def read(self, request: Request) -> Batch:
        """What `request` holds. Raises UnreadableError."""
        if request.path == _LINK.path:
            token = msgspec.json.encode({"token": link_token(request)})
            return Asked(request.query.get("key", ""), answer=Answer(body=token, headers={"cache-control": "no-store"}))
        given = decoded(request.body)
        if not isinstance(given, dict):
            raise UnreadableError("The body is no JSON object")
        events = given.get("events", [given] if "kind" in given else None)
        if not isinstance(events, list):
            raise UnreadableError("The body has no list `events`, and is no event with a `kind` either")
        key = text(given.get("key")) or _bearer(request.headers) or basic_key(request.headers)
        said = given.get("visitor")
        known = None
        if isinstance(said, dict):
            known = visitor(said, request)
            _named(events, said.get("id"), known.id)
        found = batch(key or request.query.get("key", ""), events, partial(_collected, request=request))
        return Asked(found.key, found.collected, found.malformed, _answer(found, known))

    def accepted(self, batch: Batch) -> Answer:
        """How many were taken in, how many wait in quarantine, and to the tracker who its visitor is; or a token."""
        return batch.answer if isinstance(batch, Asked) else _answer(batch, None)


wire = Own()


def _named(events: list[Any], said: Any, known: str) -> None:
    """Give events of the browser that asks the id that it is known by; those of who used it before keep theirs."""
    for event in events:
        if known and isinstance(event, dict) and event.get("anonymous_id") in (None, said):
            event["anonymous_id"] = known


def _answer(batch: Batch, known: Visitor | None) -> Answer:
    told: dict[str, Any] = {"taken": len(batch.collected), "refused": len(batch.malformed)}
    if known is None:
        return Answer(body=msgspec.json.encode(told))
    return Answer(body=msgspec.json.encode({**told, "visitor": known.id}), headers=known.headers)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def _collected(event: dict[str, Any], request: Request) -> Collected:
    if len(request.body) > _MOST_BYTES and len(msgspec.json.encode(event)) > _MOST_BYTES:
        raise RefusedError(f"An event holds more than {_MOST_BYTES:,} bytes")
    kind, message_id = event.get("kind"), event.get("event_id", "")
    if not isinstance(kind, str) or not kind:
        raise RefusedError("An event has no `kind`, such as page, track or form")
    if not isinstance(message_id, str):
        raise RefusedError("`event_id` is no text")
    if unknown := event.keys() - _KNOWN:
        raise RefusedError(f"There is no field {min(unknown)!r}; what is your own belongs into `properties`")
    row = {name: value for name, value in event.items() if name in FIELDS and value is not None}
    for name, value in row.items():
        if name == "properties":
            if not isinstance(value, dict):
                raise RefusedError("`properties` is no object")
            row[name] = without_personal(value)
        elif isinstance(value, (dict, list)):
            raise RefusedError(f"`{name}` is no plain value")
    row["occurred_at"] = _instant(row.get("occurred_at"), request.received_at)
    if given := _consent(event):
        row["consent"] = given
    if event.get("gpc") is True:
        row["gpc"] = True
    agent = browser_of(request.headers)
    if agent.startswith("Mozilla/"):  # a server's own client would be taken for a bot
        row.setdefault("user_agent", agent)
    return Collected(message_id, row)


def _consent(event: dict[str, Any]) -> dict[str, bool]:
    said = event.get("consent", {})
    if not isinstance(said, dict):
        raise RefusedError("`consent` is no object of signals such as ad_storage")
    return signals(said.items())


def _instant(given: Any, received_at: datetime) -> str:
    if given is None:
        return f"{received_at.isoformat()}Z"
    try:
        found = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise RefusedError("`occurred_at` is no instant such as 2026-03-31T12:00:00Z") from None
    if found.tzinfo is None:
        raise RefusedError("`occurred_at` names no zone; write it as 2026-03-31T12:00:00Z")
    try:
        instant = found.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise RefusedError("`occurred_at` is beyond all calendars") from None
    if instant > received_at + _AHEAD:
        raise RefusedError("`occurred_at` lies more than a day ahead")
    return f"{instant.isoformat()}Z"
