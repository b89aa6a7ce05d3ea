"""The spec that Segment, RudderStack and Jitsu share: a call such as page, track or identify becomes a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tieback.collect.cells import RefusedError, fields, is_digest, text
from tieback.collect.consent import of_banner
from tieback.collect.personal import without_personal
from tieback.collect.requests import Batch, Collected, Malformed, Request, UnreadableError, from_base64

KINDS = {
    "page": "page",
    "screen": "screen",
    "track": "track",
    "identify": "identify",
    "group": "group",
    "alias": "identify",
}
SEGMENT_MOST = 32 * 1024
RUDDER_MOST = 4000 * 1024

_AHEAD = timedelta(days=1)
_SLACK = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_LONGEST_ID = 255
_OF_A_PERSON = {"address", "age", "anonymousId", "avatar", "birthday", "firstName", "first_name", "gender", "id"} | {
    "lastName",
    "last_name",
    "name",
    "userId",
    "username",
}
_TAGS = {"source": "source", "medium": "medium", "name": "campaign", "content": "content", "term": "term"}
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|(?P<nul>u0000)|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Dialect:
    """Where those who speak the spec differ.

    most_bytes: what one event may take. needs_identifier: an event of nobody is malformed. has_group_traits: what
    `context.traits` says may be of the group, so that an address in it is not known to be the person's.
    """

    most_bytes: int
    needs_identifier: bool = True
    has_group_traits: bool = False


class _Context(msgspec.Struct, rename="camel"):
    campaign: Any = None
    consent: Any = None
    consent_management: Any = None
    ip: Any = None
    page: Any = None
    session_id: Any = None
    traits: Any = None
    user_agent: Any = None


class Event(msgspec.Struct, rename="camel"):
    """One call, as sent. Nothing but `context` has a type, because clients write numbers for texts and [] for {}."""

    type: Any = None
    message_id: Any = None
    anonymous_id: Any = None
    user_id: Any = None
    group_id: Any = None
    previous_id: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    channel: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    properties: Any = None
    traits: Any = None
    context: _Context | None = None


class _Body(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw] | None = None
    context: _Context | None = None
    sent_at: Any = None
    write_key: Any = None


_BODY = msgspec.json.Decoder(_Body)
_EVENT = msgspec.json.Decoder(Event)
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read(request: Request, kind: str, dialect: Dialect, key: str = "") -> Batch:
    """What `request` holds: a batch where its body has one, else one call of `kind` ("" for what the call itself says).

    key: the write key outside the body, which comes first. Raises UnreadableError.
    """
    content, body = _opened(request.body)
    collected, malformed = [], []
    for raw in [content] if body.batch is None else body.batch:
        try:
            event = _decoded(raw)
            if memoryview(raw).nbytes > (RUDDER_MOST if event.channel else dialect.most_bytes):
                raise RefusedError("The event is larger than its protocol allows")
            event.context = event.context or body.context
            event.sent_at = event.sent_at or body.sent_at
            collected.append(told(event, kind if body.batch is None else "", request, dialect))
        except RefusedError as refusal:
            malformed.append(Malformed(str(refusal), bytes(raw)))
    return Batch(key or text(body.write_key), tuple(collected), tuple(malformed))


def told(event: Event, kind: str, request: Request, dialect: Dialect) -> Collected:
    """What `event` tells. kind: what it is when its address says so. Raises RefusedError."""
    kind = kind or text(event.type)
    if kind not in KINDS:
        raise RefusedError("The event is none of page, screen, track, identify, group and alias")
    message_id = text(event.message_id)
    if len(message_id) > _LONGEST_ID:
        raise RefusedError(f"The messageId is longer than {_LONGEST_ID} characters")
    context = event.context or _Context()
    row: dict[str, Any] = {
        "occurred_at": f"{_occurred_at(event, request.received_at).isoformat()}Z",
        "kind": KINDS[kind],
    }
    row |= _filled(_persons(event, kind, context, dialect))
    if dialect.needs_identifier and not row.keys() & {"anonymous_id", "user_id", "email", "phone"}:
        visitor = _visitor(request.headers)
        if not visitor:
            raise RefusedError("The event has neither a userId nor an anonymousId")
        row["anonymous_id"] = visitor
    given = dict(fields(event.traits) or fields(context.traits)) if kind in ("identify", "group") else {}
    if kind == "identify":
        given = {name: value for name, value in given.items() if name not in _OF_A_PERSON}
    given |= fields(event.properties)
    row |= _filled(_name(event, kind, given) | _web(given, context, request.headers))
    row |= _worth(given)
    if consent := of_banner(context.consent, context.consent_management):
        row["consent"] = consent
    if kind == "track" and "name" not in row:
        raise RefusedError("The track call has no event name")
    if category := text(event.category):
        given.setdefault("category", category)
    try:
        properties = without_personal(given)
    except RecursionError:
        raise RefusedError("The event is nested deeper than anybody does") from None
    if properties:
        row["properties"] = properties
    return Collected(message_id, row)


def _opened(content: bytes) -> tuple[bytes, _Body]:
    """The body without what no text can hold, and its outermost fields. Raises UnreadableError."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\\u0000" in content:
        content = _mended(content)
    try:
        return content, _BODY.decode(content)
    except _BROKEN as error:
        reason = str(error)
    # Programs that cut texts by UTF-16 units leave half a character behind; JSON has no place for it.
    mended = _mended(content)
    try:
        return mended, _BODY.decode(mended)
    except _BROKEN:
        raise UnreadableError(f"The body is no call: {reason}") from None


def _mended(content: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found["lone"] else b"" if found["nul"] else found[0], content)


def _decoded(raw: msgspec.Raw | bytes) -> Event:
    try:
        return _EVENT.decode(raw)
    except _BROKEN as error:
        raise RefusedError(f"The event is no call: {error}") from None


def _occurred_at(event: Event, received_at: datetime) -> datetime:
    """When it happened, by our clock: Segment's rule is received_at − (sentAt − originalTimestamp).

    A `timestamp` is believed as it stands, as it may have been given by hand, unless the sender's clock is ahead of
    ours: a clock that is behind cannot be told from a message that was long on its way.
    """
    moment = received_at
    if event.timestamp or event.original_timestamp:
        moment = _instant(event.timestamp or event.original_timestamp)
        try:
            lead = _instant(event.sent_at) - received_at if event.sent_at else timedelta()
        except RefusedError:
            lead = timedelta()
        if lead > _SLACK or not event.timestamp:
            try:
                moment -= lead
            except OverflowError:
                raise RefusedError("The event's time is beyond all times") from None
    if moment - received_at > _AHEAD:
        raise RefusedError("The event's time is more than a day in the future")
    return moment


def _instant(value: Any) -> datetime:
    """The UTC instant of an ISO 8601 text or of seconds or milliseconds since 1970. Raises RefusedError."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _EPOCH + timedelta(seconds=value / 1000 if abs(value) >= 1e11 else value)
    except (ValueError, OverflowError):
        pass
    raise RefusedError("The event's time is no time such as 2025-03-04T10:00:00Z")


def _persons(event: Event, kind: str, context: _Context, dialect: Dialect) -> dict[str, str]:
    """Who it is. An alias makes the former id an anonymous one, so that it never makes two logins one person."""
    former, user = text(event.anonymous_id), text(event.user_id)
    if kind == "alias":
        former = text(event.previous_id) or former
        former = "" if former == user else former
    # What a group call says in `traits` is the group's: its address is nobody's own.
    said = [] if kind == "group" else [fields(event.traits)]
    if not dialect.has_group_traits:
        said.append(fields(context.traits))
    found = {"anonymous_id": former, "user_id": user, "group_id": text(event.group_id)}
    for column in ("email", "phone"):
        found[column] = next((each[column].strip() for each in said if isinstance(each.get(column), str)), "")
    if "@" not in found["email"] and not is_digest(found["email"]):
        found["email"] = ""
    found["session_key"] = text(context.session_id)
    return found


def _name(event: Event, kind: str, given: dict[str, Any]) -> dict[str, str]:
    """The name of the event or page; what else says the same leaves `given`."""
    if kind == "track":
        return {"name": text(event.event)}
    if kind not in ("page", "screen"):
        return {}
    also = given.pop("name", None)
    for name in ("path", "search"):  # parts of the address
        given.pop(name, None)
    return {"name": text(event.name) or text(also)}


def _web(given: dict[str, Any], context: _Context, headers: Mapping[str, str]) -> dict[str, str]:
    """Address, referrer, tags and browser; what of them stood in `given` leaves it."""
    page, campaign = fields(context.page), fields(context.campaign)
    url, referrer = text(given.pop("url", None)), text(given.pop("referrer", None))
    found = {"url": url or text(page.get("url")), "referrer": referrer or text(page.get("referrer"))}
    if found["referrer"] == "$direct":  # RudderStack's word for none
        found["referrer"] = ""
    if campaign:
        found |= {f"utm_{ours}": text(campaign.get(theirs)) for theirs, ours in _TAGS.items()}
    # A server's client library is no visitor's browser, and would be taken for a bot.
    agent = headers.get("user-agent", "")
    found["user_agent"] = text(context.user_agent) or (agent if agent.startswith("Mozilla/") else "")
    found["ip"] = text(context.ip)
    return found


def _worth(given: dict[str, Any]) -> dict[str, Any]:
    """What it is worth; what can be read leaves `given`, and what cannot stays there."""
    found: dict[str, Any] = {}
    for name in ("revenue", "value", "total"):
        amount = _amount(given.get(name))
        if amount is not None:
            found["value"] = amount
            del given[name]
            break
    currency = given.get("currency")
    if isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha():
        found["currency"] = given.pop("currency").upper()
    return found


def _amount(value: Any) -> float | None:
    if isinstance(value, str) and len(value) < 30:
        try:
            value = float(value)
        except ValueError:
            return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e12 else None


def _visitor(headers: Mapping[str, str]) -> str:
    """The anonymous id that RudderStack's browser client puts into a header as well."""
    return from_base64(headers.get("anonymousid", "")).strip()


def _filled(cells: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in cells.items() if cell}
