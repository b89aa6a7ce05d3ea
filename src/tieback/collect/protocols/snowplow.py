"""Snowplow's tracker protocol, version 2: flat events of texts, with JSON inside, bare (`ue_pr`) or coded (`ue_px`)."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from tieback.collect.cells import (
    PIXEL,
    Asked,
    RefusedError,
    batch,
    browser_of,
    fields,
    number,
    rest,
    row,
    since_epoch,
    text,
)
from tieback.collect.consent import signals
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

_OK = Answer(200, b"ok", "text/plain")
_IDS = ("eid", "aid", "duid", "tnuid", "uid", "sid", "ip")
_MONEY = ("se_va", "tr_tt", "tr_cu")
_CELLS = ("e", "dtm", "stm", "ttm", "url", "refr", "ua", "ue_px", "ue_pr", "cx", "co", "se_ac", *_IDS, *_MONEY)
_AGREED = {"allow_all": True, "implicit_consent": True, "deny_all": False, "withdrawn": False, "expired": False}
_ASKED = ("analytics", "ads")  # what a banner that asks for all of it asks for
_PRIVATE = ("email", "tel", "password")


class Snowplow:
    """Reads `/com.snowplowanalytics.snowplow/tp2` and, one event in its query, `/i`. The write key is the app id."""

    name = "snowplow"
    routes = (Route("/com.snowplowanalytics.snowplow/tp2"), Route("/i", ("GET",)))

    def read(self, request: Request) -> Batch:
        if request.method == "GET":
            events: Any = [dict(request.query)]
        else:
            said = decoded(request.body)
            events = said.get("data") if isinstance(said, dict) else None
        if not isinstance(events, list):
            raise UnreadableError("The body has no list `data`")
        found = batch("", events, lambda event: _told(event, request), lambda event: text(event.get("aid")))
        return Asked(found.key, found.collected, found.malformed, PIXEL if request.method == "GET" else _OK)

    def accepted(self, batch: Batch) -> Answer:
        return batch.answer if isinstance(batch, Asked) else _OK


wire = Snowplow()


def _told(event: dict[str, Any], request: Request) -> Collected:
    schema, about = _self_describing(event)
    context = _contexts(event)
    device = fields(context.get("client_session"))
    kind, name, value, currency = _kind(event, schema, about, context)
    person = _typed_in(about) if kind == "form" else fields(context.get("user"))
    cells = row(
        _happened_at(event, request.received_at),
        request.received_at,
        kind=kind,
        name=name,
        anonymous_id=text(event.get("duid")) or text(event.get("tnuid")) or text(device.get("userId")),
        user_id=text(event.get("uid")),
        email=text(person.get("email")),
        phone=text(person.get("tel")),
        session_key=text(event.get("sid")) or text(device.get("sessionId")),
        url=text(event.get("url")),
        referrer=text(event.get("refr")),
        value=value,
        currency=currency if value is not None else "",
        user_agent=text(event.get("ua")) or _browser(event, request),
        properties=rest(event, _CELLS) | rest({"event": _untyped(about), "context": context}),
        consent=_consent(schema, about),
        ip=text(event.get("ip")),
    )
    return Collected(text(event.get("eid")), cells)


def _kind(
    event: dict[str, Any], schema: str, about: dict[str, Any], context: dict[str, Any]
) -> tuple[str, str, float | int | None, str]:
    """Kind, name, value and currency of an event. Raises RefusedError for a kind that the protocol does not have."""
    match text(event.get("e")):
        case "pv":
            return "page", "", None, ""
        case "pp":
            return "track", "page_ping", None, ""
        case "se":
            return "track", text(event.get("se_ac")), number(event.get("se_va")), ""
        case "tr":
            return "track", "transaction", number(event.get("tr_tt")), text(event.get("tr_cu"))
        case "ti":
            # Its price is part of the transaction's total, and would count twice.
            return "track", "transaction_item", None, ""
        case "ue" if schema == "submit_form":
            return "form", text(about.get("formId")), None, ""
        case "ue" if schema == "screen_view":
            return "page", text(about.get("name")), None, ""
        case "ue" if schema == "snowplow_ecommerce_action":
            sold = fields(context.get("transaction"))
            return "track", text(about.get("type")), number(sold.get("revenue")), text(sold.get("currency"))
        case "ue" if schema:
            return "track", schema, None, ""
    raise RefusedError("The event is of no kind that the protocol has")


def _happened_at(event: dict[str, Any], received_at: datetime) -> datetime:
    """The true time where it is told; else as long before it came in as it waited by the device's own clock.

    Where that clock says nothing of use, the time at which it came in. Raises RefusedError.
    """
    if text(event.get("ttm")):
        return since_epoch(event["ttm"], 1000)
    if not text(event.get("dtm")):
        return received_at
    made = since_epoch(event["dtm"], 1000)
    if not text(event.get("stm")):
        return received_at
    waited = since_epoch(event["stm"], 1000) - made
    return received_at - max(waited, timedelta(0))


def _browser(event: dict[str, Any], request: Request) -> str:
    """The request's user agent, unless a server's tracker sent it."""
    tracker = text(event.get("tv"))
    return browser_of(request.headers) if not tracker or tracker.startswith("js") else ""


def _self_describing(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the schema of what happened, and what it says; both empty for the flat kinds."""
    if text(event.get("e")) != "ue":
        return "", {}
    inner = fields(_inside(event, "ue_pr", "ue_px").get("data"))
    return _schema(inner), fields(inner.get("data"))


def _contexts(event: dict[str, Any]) -> dict[str, Any]:
    """What stands around the event, by the name of its schema; of several with one name the first."""
    given = _inside(event, "co", "cx").get("data")
    found: dict[str, Any] = {}
    for each in given if isinstance(given, list) else ():
        found.setdefault(_schema(fields(each)), fields(fields(each).get("data")))
    found.pop("", None)
    return found


def _schema(described: dict[str, Any]) -> str:
    """`link_click` of iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1; "" where there is none."""
    parts = text(described.get("schema")).split("/")
    return parts[1] if len(parts) == 4 else ""


def _inside(event: dict[str, Any], bare: str, coded: str) -> dict[str, Any]:
    """The JSON within an event. Raises RefusedError where it is damaged."""
    written = event.get(bare) or event.get(coded)
    if not written:
        return {}
    if not isinstance(written, str):
        raise RefusedError("What the event describes is no text")
    try:
        if event.get(bare):
            return fields(decoded(written.encode("utf-8", "replace")))
        # Trackers leave the padding off, and use either alphabet.
        plain = written.strip().rstrip("=").replace("-", "+").replace("_", "/").replace(" ", "+").encode("ascii")
        return fields(decoded(base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)))
    except (UnicodeError, binascii.Error, UnreadableError):
        raise RefusedError("What the event describes is damaged") from None


def _typed_in(form: dict[str, Any]) -> dict[str, str]:
    """What was typed into the fields of type `email` and `tel` of a form that was sent."""
    elements = form.get("elements")
    given = [fields(each) for each in elements] if isinstance(elements, list) else []
    return {text(each.get("type")): text(each.get("value")) for each in reversed(given)}


def _untyped(about: dict[str, Any]) -> dict[str, Any]:
    """What a form's event says, without what was typed into fields of type `email`, `tel` and `password`."""
    if text(about.get("type")) in _PRIVATE:
        return {name: value for name, value in about.items() if name != "value"}
    elements = about.get("elements")
    if not isinstance(elements, list):
        return about
    return about | {"elements": [each for each in elements if text(fields(each).get("type")) not in _PRIVATE]}


def _consent(schema: str, about: dict[str, Any]) -> dict[str, bool]:
    """What a visitor agreed to, as the enhanced consent plug-in tells it; scopes are the site's own words."""
    if schema != "consent_preferences":
        return {}
    agreed, scopes = text(about.get("eventType")), about.get("consentScopes")
    if agreed in _AGREED:
        return signals((scope, _AGREED[agreed]) for scope in _ASKED)
    if agreed != "allow_selected" or not isinstance(scopes, list):
        return {}
    return signals((scope, False) for scope in _ASKED) | signals((scope, True) for scope in scopes)
