"""The OpenAPI document of tieback's own paths, made from the columns of events, so that it says what the door takes.

The protocols of other vendors' clients are described by those vendors.
"""

from __future__ import annotations

from typing import Any

from tieback.collect import hooks, links
from tieback.collect.protocols import own, pixel
from tieback.config import SIGNALS
from tieback.schema import Column
from tieback.schema.facts import EVENTS

_RAW = {
    "email": "E-mail address, taken raw or as its SHA-256, and kept as a salted hash",
    "phone": "Phone number, taken raw or as the SHA-256 of its E.164, and kept as a salted hash",
    "user_agent": "Browser, which tells device and robots; it is not kept",
}
_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "timestamp": {"type": "string", "format": "date-time"},
    "decimal": {"type": ["number", "string"]},
    "boolean": {"type": "boolean"},
    "json": {"type": "object"},
}
_JSON, _PLAIN = "application/json", "text/plain"


def document() -> dict[str, Any]:
    """The document, as JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tieback's collector",
            "version": "1",
            "description": "What sites, apps and servers send. A 200 means that all of it is on disk.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/events": {"post": _events()},
            "/v1/link": {"get": _link_token()},
            "/px.gif": {"get": _pixel()},
            f"{links.PATH}{{token}}": {"get": _link("Count the click"), "head": _link("Count nothing")},
            f"{hooks.PATH}{{source}}": {"post": _hook()},
            **{path: {"get": _watched(path)} for path in _WATCHED},
        },
        "components": {
            "schemas": {"Event": _event(), "Batch": _batch(), "Taken": _taken(), "Refused": _refused()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The source's write key"},
                "basic": {"type": "http", "scheme": "basic", "description": "The write key as user name"},
                "query": {"type": "apiKey", "in": "query", "name": "key", "description": "The write key"},
            },
        },
    }


_WATCHED = {
    "/healthz": ("alive", "Whether the process runs", _PLAIN, ()),
    "/readyz": ("ready", "Whether events can be stored; if not, why", _PLAIN, (503,)),
    "/metrics": ("metrics", "Counts for Prometheus", _PLAIN, ()),
    "/openapi.json": ("openapi", "This document", _JSON, ()),
}

_REFUSALS = {
    400: "The request as a whole cannot be read",
    401: "The write key is unknown or revoked, or the signature is wrong",
    403: "The source names its sites, and this is none of them",
    404: "There is no such webhook",
    413: "The body is larger than this collector takes at once",
    429: "Too many requests; send it again after Retry-After seconds",
    503: "Not stored; send it again after Retry-After seconds",
}


def _events() -> dict[str, Any]:
    return {
        "operationId": "events",
        "summary": "Take in events",
        "description": "One event, or a batch. An event that cannot be told waits in quarantine and is counted as "
        "refused; it is not to be sent again.",
        "security": [{"bearer": []}, {"basic": []}, {"query": []}, {}],
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": {"anyOf": [_to("Batch"), _to("Event")]}}},
        },
        "responses": {"200": _answer("All of it is on disk", _JSON, _to("Taken")), **_refusals(400, 401, 403, 413)},
    }


def _link_token() -> dict[str, Any]:
    token = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}}
    return {
        "operationId": "link_token",
        "summary": "What a link to another site of yours carries, so that its visitor is known there",
        "security": [{"query": []}],
        "parameters": [
            {
                "name": "id",
                "in": "query",
                "description": "What the browser calls itself, where no cookie tells",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "200": _answer("A token of two minutes; empty for nobody", _JSON, token),
            **_refusals(401, 403, 413),
        },
    }


def _pixel() -> dict[str, Any]:
    words = {name: f"Column {name} of events" for name in pixel.WORDS}
    words |= {"kind": "Of what kind it is; page unless given", "id": "Id of the event", "value": "Column value"}
    return {
        "operationId": "pixel",
        "summary": "Take in an event where no script runs",
        "security": [{"query": []}],
        "parameters": [
            {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in words.items()
        ],
        "responses": {
            "200": _answer("It is on disk, or in quarantine", "image/gif", {"type": "string", "format": "binary"}),
            **_refusals(401, 403, 413),
        },
    }


def _link(summary: str) -> dict[str, Any]:
    location = {"required": True, "schema": {"type": "string", "format": "uri"}}
    return {
        "operationId": "link" if summary == "Count the click" else "link_head",
        "summary": f"{summary}, and go where the signed link leads",
        "description": "A visitor is sent on even when the click cannot be stored; it is then lost.",
        "parameters": [_in_path("token", "Made by `tieback link`")],
        "responses": {
            "302": {"description": "On to the page", "headers": {"Location": location}},
            "400": _answer("The link is damaged", "text/html", {"type": "string"}),
            **_refusals(413),
        },
    }


def _hook() -> dict[str, Any]:
    anything: dict[str, Any] = {"schema": {}}
    return {
        "operationId": "hook",
        "summary": "Take in what a vendor sends",
        "description": "Proved by the vendor's signature where its webhook file names one, else by the write key; read "
        "by that file's mapping.",
        "security": [{}, {"bearer": []}, {"basic": []}, {"query": []}],
        "parameters": [_in_path("source", "Name of the source")],
        "requestBody": {
            "content": {_JSON: anything, "application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
        },
        "responses": {
            "200": _answer("All of it is on disk", _JSON, _to("Taken")),
            **_refusals(400, 401, 403, 404, 413),
        },
    }


def _watched(path: str) -> dict[str, Any]:
    name, summary, kind, others = _WATCHED[path]
    content = {"type": "object" if kind == _JSON else "string"}
    answers = {str(status): _answer(summary, kind, content) for status in (200, *others)}
    return {"operationId": name, "summary": summary, "responses": answers}


def _event() -> dict[str, Any]:
    own_columns = {column.name: _column(column) for column in EVENTS.columns if column.name in own.FIELDS}
    raw = {name: {"type": "string", "description": meaning} for name, meaning in _RAW.items() if name in own.FIELDS}
    answers = {name: {"enum": ["granted", "denied"]} for name in SIGNALS}
    sent = {
        "event_id": {"type": "string", "description": "The sender's own id, by which one sent again is known"},
        "consent": {"type": "object", "properties": answers, "description": "Signals of Consent Mode, as answered"},
        "gpc": {"type": "boolean", "description": "Whether the browser says Global Privacy Control"},
    }
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {**sent, **own_columns, **raw},
        "additionalProperties": False,
    }


def _column(column: Column) -> dict[str, Any]:
    limits = {"minLength": 1} if column.name == "kind" else {}
    return {**_TYPES[column.type], **limits, "description": column.meaning}


def _batch() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["events"],
        "properties": {
            "key": {"type": "string", "description": "The write key, where no header carries it"},
            "events": {"type": "array", "items": _to("Event")},
            "visitor": {"type": "object", "description": "What the tracker says of who visits"},
        },
    }


def _taken() -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["taken", "refused"],
        "properties": {
            "taken": {**count, "description": "Events on disk, new or known"},
            "refused": {**count, "description": "Events that wait in quarantine"},
            "visitor": {"type": "string", "description": "To the tracker: who its visitor is"},
        },
    }


def _refused() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string", "description": "Why, in a sentence"}},
    }


def _to(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _in_path(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": meaning, "schema": {"type": "string"}}


def _answer(meaning: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {kind: {"schema": schema}}}


def _refusals(*statuses: int) -> dict[str, Any]:
    """The answers that say no; whatever is sent may find the collector too busy."""
    found = {str(status): _answer(_REFUSALS[status], _JSON, _to("Refused")) for status in (*statuses, 429, 503)}
    for status in ("429", "503"):
        found[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return found
