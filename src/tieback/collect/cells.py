"""From what a client says of an event to the cells of a row, the same for every protocol here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tieback.collect.personal import without_personal
from tieback.collect.requests import Answer, Batch, Collected, Malformed, UnreadableError

PIXEL = Answer(
    body=bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"),
    content_type="image/gif",
    headers={
        "Cache-Control": "no-store, no-cache, must-revalidate, private",
        "Pragma": "no-cache",
        "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    },
)
TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

_LOGIN_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\.[^@\s.]{2,63}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,20})?|\.\d{1,20})")
_COUNT = re.compile(r"\d{1,20}(?:\.\d{1,9})?")
_AHEAD = timedelta(days=1)
_EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
_LONGEST = timedelta(days=250 * 365)
_BEYOND = "The event's time is beyond all times"


@dataclass(frozen=True)
class Asked(Batch):
    """A batch whose answer depends on how it was sent."""

    answer: Answer = field(default_factory=Answer)


class RefusedError(Exception):
    """An event that cannot be told: why, in a sentence that repeats nothing of it."""


def batch(
    key: str,
    events: Iterable[Any],
    told: Callable[[dict[str, Any]], Collected],
    key_of: Callable[[dict[str, Any]], str] = lambda event: "",
) -> Batch:
    """The Batch of `events`, each read by `told`; what is no object, or what `told` refuses, is malformed.

    key: the request's; empty for the first that `key_of` finds in an event. An event with another one is malformed,
    so that nobody gets in under somebody else's.
    """
    collected, malformed = [], []
    for event in events:
        try:
            if not isinstance(event, dict):
                raise RefusedError("The event is no object")
            own = key_of(event)
            key = key or own
            if own and own != key:
                raise RefusedError("The event carries another key than the request it came in")
            collected.append(told(event))
        except RefusedError as refusal:
            malformed.append(Malformed(str(refusal), _encoded(event)))
        except RecursionError:
            malformed.append(Malformed("The event is nested deeper than anybody does", _encoded(event)))
    return Batch(key, tuple(collected), tuple(malformed))


def row(occurred_at: datetime, received_at: datetime, **cells: Any) -> dict[str, Any]:
    """A row of the cells that say something. Instants are UTC without zone.

    A login that is an e-mail address is the cell `email`: as a login it would be blotted out on its way in.
    Raises RefusedError for what happened more than a day after it was received, or before there were computers.
    """
    if _within(occurred_at) - received_at > _AHEAD:
        raise RefusedError("The event's time is more than a day in the future")
    given = {name: cell for name, cell in cells.items() if cell not in ("", None) and cell != {}}
    if _LOGIN_ADDRESS.fullmatch(given.get("user_id", "")):
        login = given.pop("user_id")
        given.setdefault("email", login)
    return {"occurred_at": occurred_at.replace(tzinfo=UTC).isoformat(), **given}


def text(value: Any) -> str:
    """A text or number as a cell, without blanks around it; "" for anything else."""
    if isinstance(value, str):
        return value.replace("\x00", "").strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    return str(value)


def is_digest(said: str) -> bool:
    """True for a SHA-256, which is taken for an address or a number wherever that belongs."""
    return bool(_DIGEST.fullmatch(said))


def number(value: Any) -> float | int | None:
    """An amount that a row can hold, also one written as text; None for anything else."""
    if isinstance(value, str):
        written = value.strip()
        return float(written) if _NUMBER.fullmatch(written) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < 10**12 else None


def fields(value: Any) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def lasting(value: Any, per_second: int) -> timedelta:
    """A span of so many units, of which there are `per_second`, given as number or text. Raises RefusedError."""
    is_number = _COUNT.fullmatch(value.strip()) if isinstance(value, str) else text(value)
    if not is_number:
        raise RefusedError("The event's time is no number")
    try:
        span = timedelta(seconds=float(value) / per_second)
    except (OverflowError, ValueError):
        raise RefusedError(_BEYOND) from None
    if abs(span) > _LONGEST:
        raise RefusedError(_BEYOND)
    return span


def since_epoch(value: Any, per_second: int) -> datetime:
    """The UTC instant of so many units after 1970. Raises RefusedError."""
    return _within(_EPOCH + lasting(value, per_second))


def written_at(value: Any) -> datetime:
    """The UTC instant that an ISO 8601 text names, taken for UTC where it has no zone. Raises RefusedError."""
    try:
        moment = datetime.fromisoformat(value)
        return _within(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment)
    except (TypeError, ValueError, OverflowError):
        raise RefusedError("The event's time is no time such as 2025-03-04T10:00:00Z") from None


def rest(given: Mapping[str, Any], used: Iterable[str] = ()) -> dict[str, Any]:
    """What of `given` is left for `properties`: without `used`, empty values, e-mail addresses and phone numbers.

    Raises RecursionError when it is nested deeper than anybody does.
    """
    gone = set(used)
    return without_personal(
        {name: value for name, value in given.items() if name not in gone and value not in ("", {}, [])}
    )


def form(body: bytes | str) -> dict[str, str]:
    """The fields of a query or of a form that was sent; of several with one name the last. Raises UnreadableError."""
    written = body if isinstance(body, str) else body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(written, keep_blank_values=True, max_num_fields=1000))
    except ValueError:
        raise UnreadableError("The form has more fields than anybody sends") from None


def browser_of(headers: Mapping[str, str]) -> str:
    """The user agent that the request itself names."""
    return text(headers.get("user-agent"))


def _within(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 2200:
        raise RefusedError(_BEYOND)
    return moment


def _encoded(event: Any) -> bytes:
    try:
        return msgspec.json.encode(event)
    except RecursionError:
        return b""
