"""PostHog's capture API: one event, a list of them, or a batch; as JSON, or as base64 in a form from old scripts."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tieback.collect.cells import (
    TAGS,
    Asked,
    RefusedError,
    batch,
    browser_of,
    fields,
    form,
    lasting,
    number,
    rest,
    row,
    since_epoch,
    text,
    written_at,
)
from tieback.collect.consent import signals
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

_PATHS = ("/e/", "/batch/", "/capture/", "/i/v0/e/")
# What the script asks before it begins, told that nothing of it is in use here: no flags, no recordings, no surveys.
_NOTHING = {
    "featureFlags": {},
    "featureFlagPayloads": {},
    "flags": {},
    "errorsWhileComputingFlags": False,
    "hasFeatureFlags": False,
    "sessionRecording": False,
    "surveys": False,
    "heatmaps": False,
    "autocaptureExceptions": False,
    "capturePerformance": False,
    "supportedCompression": ["gzip", "gzip-js"],
    "siteApps": [],
    "toolbarParams": {},
    "isAuthenticated": False,
}
_SETTINGS = msgspec.json.encode(_NOTHING)
_KINDS = {"$pageview": "page", "$screen": "page", "$groupidentify": "group"}
_KINDS |= dict.fromkeys(("$identify", "$create_alias", "$set"), "identify")
_CELLS = (
    "token",
    "api_key",
    "distinct_id",
    "$ip",
    "$current_url",
    "$raw_user_agent",
    "$session_id",
    "$set",
    "$set_once",
)
# How PostHog's libraries name a browser or device that they meet: a UUID of version 7, once four numbers and a hash.
_MADE_UP = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{10,16}-[0-9a-f]{10,16}(?:-[0-9a-f]{4,16}){3}",
    re.IGNORECASE,
)
_COOKIELESS = "$posthog_cookieless"
_COMPANIES = ("company", "organization", "account")


class PostHog:
    """Reads `/e/`, `/batch/`, `/capture/` and `/i/v0/e/`. The write key stands for the project's token.

    The script also asks for settings and flags, and is told that there are none.
    """

    name = "posthog"
    routes = (
        *(Route(each) for path in (*_PATHS, "/flags/", "/decide/") for each in (path, path.rstrip("/"))),
        Route("/array/{token}/config", ("GET",)),
        Route("/array/{token}/config.js", ("GET",)),
    )

    def read(self, request: Request) -> Batch:
        if request.path.startswith("/array/"):
            return _settings(request)
        said, key = _said(request)
        top = fields(said)
        events = top.get("batch", [said]) if top else said
        if not isinstance(events, list):
            raise UnreadableError("The body is no event, and has no list of events")
        key = text(top.get("api_key")) or text(top.get("token")) or key
        if request.path.startswith(("/flags", "/decide")):
            return Asked(key, answer=Answer(body=_SETTINGS))
        ahead = _ahead(top, request)
        return batch(key, events, lambda event: _told(event, request, ahead), _key)

    def accepted(self, batch: Batch) -> Answer:
        return batch.answer if isinstance(batch, Asked) else Answer(200, b'{"status": 1}')


wire = PostHog()


def _settings(request: Request) -> Batch:
    """The settings of a project, as JSON or as the script that keeps them where PostHog's own looks for them."""
    token = request.path.split("/")[2]
    if not request.path.endswith(".js"):
        return Asked(token, answer=Answer(body=_SETTINGS))
    place = msgspec.json.encode(token).replace(b"<", b"\\u003c")
    script = b"(window._POSTHOG_REMOTE_CONFIG ||= {})[%b] = {config: %b, siteApps: []};" % (place, _SETTINGS)
    return Asked(token, answer=Answer(body=script, content_type="text/javascript"))


def _said(request: Request) -> tuple[Any, str]:
    """What the body says, and the key that stands beside it in a form. Raises UnreadableError."""
    if not request.body.startswith(b"data=") and b"&data=" not in request.body[:1000]:
        return decoded(request.body), ""
    sent = form(request.body)
    written = sent.get("data", "")
    if not written.lstrip().startswith(("{", "[")):
        try:
            # What was a plus in base64 reads as a blank where the script did not code it.
            written = base64.b64decode(written.replace(" ", "+"), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise UnreadableError("The form's `data` is neither JSON nor base64") from None
    return decoded(written.encode("utf-8", "replace")), sent.get("api_key", "") or sent.get("token", "")


def _key(event: dict[str, Any]) -> str:
    properties = fields(event.get("properties"))
    return next(
        (key for holder in (event, properties) for name in ("api_key", "token") if (key := text(holder.get(name)))), ""
    )


def _ahead(top: dict[str, Any], request: Request) -> timedelta:
    """By how much the client's clock is ahead, by the time at which it says that it sent: `sent_at`, or `_` (ms)."""
    try:
        if sent_at := text(top.get("sent_at")) or text(top.get("sentAt")):
            return written_at(sent_at) - request.received_at
        if millis := text(request.query.get("_")):
            return since_epoch(millis, 1000) - request.received_at
    except RefusedError:
        pass  # events say when they happened all the same
    return timedelta(0)


def _told(event: dict[str, Any], request: Request, ahead: timedelta) -> Collected:
    name, properties = text(event.get("event")), fields(event.get("properties"))
    if not name:
        raise RefusedError("The event has no name")
    traits = _traits(event, properties)
    anonymous_id, user_id = _who(name, event, properties)
    kind = "form" if _sends_a_form(name, properties) else _KINDS.get(name, "track")
    amount = next((each for field in ("revenue", "value") if (each := number(properties.get(field))) is not None), None)
    url = text(properties.get("$current_url"))
    cells = row(
        _happened_at(event, request.received_at, ahead),
        request.received_at,
        kind=kind,
        name=_name(name, kind, properties),
        anonymous_id=anonymous_id,
        user_id=user_id,
        email=text(traits.get("email")),
        phone=text(traits.get("phone")),
        group_id=_group(name, properties),
        session_key=text(properties.get("$session_id")),
        url=url,
        referrer=_referrer(properties),
        value=amount,
        currency=text(properties.get("currency")) if amount is not None else "",
        consent=signals([("analytics", True)]) if name == "$opt_in" else {},
        user_agent=text(properties.get("$raw_user_agent"))
        or (browser_of(request.headers) if properties.get("$lib") == "web" else ""),
        ip=text(properties.get("$ip")),
        properties=rest(properties, _CELLS) | rest({"$set": rest(traits)}),
        # A browser remembers its tags and sends them with every later visit, so there only the address tells.
        **({} if url else {tag: text(properties.get(tag)) for tag in TAGS}),
    )
    return Collected(text(event.get("uuid")), cells)


def _happened_at(event: dict[str, Any], received_at: datetime, ahead: timedelta) -> datetime:
    """The time that the event tells, by our clock; else as many ms ago as its `offset` says. Raises RefusedError."""
    if event.get("timestamp") is not None:
        uncorrected = fields(event.get("properties")).get("$ignore_sent_at") is True
        return written_at(event["timestamp"]) - (timedelta(0) if uncorrected else ahead)
    if event.get("offset") is None:
        return received_at
    return received_at - lasting(event["offset"], 1000)


def _who(name: str, event: dict[str, Any], properties: dict[str, Any]) -> tuple[str, str]:
    """The browser and the login of an event: PostHog has one `distinct_id` for either.

    A script tells which it is; of an event from a server the look of the id has to tell.
    """
    distinct = text(event.get("distinct_id")) or text(properties.get("distinct_id"))
    device = text(properties.get("$device_id"))
    if _COOKIELESS in (distinct, device):
        return "", ""
    if name == "$groupidentify" and distinct.startswith(f"${text(properties.get('$group_type'))}_"):
        return "", ""  # made up by the library for want of a person
    if name == "$identify":
        return text(properties.get("$anon_distinct_id")) or device, distinct
    if name == "$create_alias":
        return _of_alias(distinct, text(properties.get("alias")))
    if login := text(properties.get("$user_id")):
        return device, login
    if properties.get("$is_identified") is True:
        return device, distinct
    if _MADE_UP.fullmatch(distinct) or distinct == device or properties.get("$is_identified") is False:
        return distinct, ""
    if properties.get("$process_person_profile") is False:
        return device, ""  # made up for this one event
    return device, distinct


def _of_alias(distinct: str, alias: str) -> tuple[str, str]:
    """The browser and the login among two names of one person; libraries give them in either order.

    Two logins are no pair of this kind: they stay apart, and the other one stands in the properties.
    """
    browsers = [each for each in (alias, distinct) if _MADE_UP.fullmatch(each)]
    if len(browsers) == 1:
        return browsers[0], distinct if browsers[0] == alias else alias
    return (distinct, "") if browsers else ("", distinct)


def _traits(event: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """What is told of the person; scripts put it beside the properties, servers into them."""
    holders = [fields(holder.get(name)) for name in ("$set_once", "$set") for holder in (event, properties)]
    return {trait: value for holder in holders for trait, value in holder.items()}


def _referrer(properties: dict[str, Any]) -> str:
    """Where the visit came from. A script repeats its first referrer for ever, so it counts on a visit's first page."""
    entry = text(properties.get("$session_entry_url"))
    if entry and entry != text(properties.get("$current_url")):
        return ""
    found = text(properties.get("$session_entry_referrer" if entry else "$referrer"))
    return "" if found == "$direct" else found


def _group(name: str, properties: dict[str, Any]) -> str:
    """The company: the group that is described, or the one that the person acts for, if it is clear which."""
    if name == "$groupidentify":
        return text(properties.get("$group_key"))
    groups = fields(properties.get("$groups"))
    named = next((groups[kind] for kind in _COMPANIES if kind in groups), None)
    return text(next(iter(groups.values())) if len(groups) == 1 else named)


def _sends_a_form(name: str, properties: dict[str, Any]) -> bool:
    return name == "$autocapture" and properties.get("$event_type") == "submit"


def _name(name: str, kind: str, properties: dict[str, Any]) -> str:
    if kind == "track":
        return name
    if kind == "form":
        elements = properties.get("$elements")
        first = fields(elements[0]) if isinstance(elements, list) and elements else {}
        return text(first.get("attr__name")) or text(first.get("attr__id")) or name
    return text(properties.get("$screen_name")) if name == "$screen" else ""
