"""Webhooks of any vendor: `POST /hooks/{source}`, proved by its signature and read by its mapping file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from tieback.collect.cells import RefusedError, form
from tieback.collect.payloads import at, event_of
from tieback.collect.requests import (
    Answer,
    Batch,
    Collected,
    Malformed,
    Request,
    Route,
    TurnedAwayError,
    UnreadableError,
    basic_key,
    decoded,
)
from tieback.collect.signatures import flaw
from tieback.config.hooks import Hook

PATH = "/hooks/"
_MOST_BYTES = 32_768  # of one event, as it is kept


class Hooks:
    """The webhooks, by source."""

    name = "hook"
    routes: tuple[Route, ...] = (Route(PATH + "{source}"),)

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks = hooks

    def read(self, request: Request) -> Batch:
        """What `request` holds. Raises TurnedAwayError when nobody is expected there, or it is not proved."""
        source = request.path.rpartition("/")[2]
        hook = self._hooks.get(source)
        if hook is None:
            raise TurnedAwayError(_refused(404, "There is no webhook of this name"), "unknown webhook")
        found = []
        if hook.signature and (why := flaw(request, hook.signature, hook.secret, hook.url)):
            raise TurnedAwayError(_refused(401, why), "unproved webhook")
        try:
            found += [_read(each, hook, request) for each in _events(request, hook.events)]
        except UnreadableError as error:
            found.append(Malformed(error.reason, request.body))
        return Batch(
            "" if hook.signature else _key(request),
            tuple(each for each in found if isinstance(each, Collected)),
            tuple(each for each in found if isinstance(each, Malformed)),
            source=source if hook.signature else "",
        )

    def accepted(self, batch: Batch) -> Answer:
        """How many were taken in, and how many wait in quarantine."""
        return Answer(200, msgspec.json.encode({"taken": len(batch.collected), "refused": len(batch.malformed)}))


def _refused(status: int, reason: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": reason}))


def _key(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return (
        request.query.get("key", "")
        or (bearer.strip() if scheme.lower() == "bearer" else "")
        or basic_key(request.headers)
    )


def _events(request: Request, path: str) -> list[Any]:
    """The events in the body. Raises UnreadableError."""
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    given = form(request.body) if is_form else decoded(request.body)
    found = at(given, path) if path else given
    if path and not isinstance(found, list):
        raise UnreadableError(f"There is no list at {path!r}, where the mapping looks for events")
    return found if isinstance(found, list) else [found]


def _read(event: Any, hook: Hook, request: Request) -> Collected | Malformed | None:
    raw = b""
    try:
        raw = msgspec.json.encode(event, order="deterministic")
        if not isinstance(event, dict):
            raise RefusedError("The event is no object")
        found = event_of(event, hook.fact, hook.written, request.received_at)
        if found and len(msgspec.json.encode(found.row)) > _MOST_BYTES:
            raise RefusedError(
                f"An event holds more than {_MOST_BYTES:,} bytes; let `keep_rest = false` leave some out"
            )
    except RefusedError as refusal:
        return Malformed(str(refusal), raw)
    except RecursionError:
        return Malformed("The event is nested deeper than anybody does", raw)
    # Without an id of its own, what was sent is its id: a vendor that tries again sends the same.
    return found and (found if found.message_id else Collected(hashlib.sha256(raw).hexdigest(), found.row))
