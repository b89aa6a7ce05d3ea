"""What a protocol is handed, what it makes of it, and how it says no."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec


@dataclass(frozen=True)
class Request:
    """One HTTP request, read whole. Header names are lower case; `body` is unpacked, whatever its encoding was.

    received_at: the instant, in UTC without saying so, as facts carry it. secret: what this workspace signs with.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    client_ip: str = ""
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Collected:
    """One behaviour that a client tells of.

    message_id: the client's own id of it, the same when it is sent again; empty when it has none.
    row: what the table `events` takes, by column, the way a file to import gives it: texts, numbers, instants as ISO
    8601 with a zone, `properties` as an object, `email`, `phone` and `user_agent` raw. Empty cells are left out.
    `consent` (signals of Consent Mode, True or False), `gpc` (True) and `ip` (the internet address of whoever did it,
    where the client tells) stand for the columns that the door makes of them.
    """

    message_id: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Malformed:
    """One behaviour that cannot be told: why, in a sentence, and what came of it. It goes to quarantine."""

    reason: str
    raw: bytes


@dataclass(frozen=True)
class Answer:
    """What a client of this protocol expects to hear."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """What a request holds. key: the write key that came with it, wherever this protocol puts it; empty for none.

    source: whose it is by name, where a signature has proved it; then no key is asked for.
    otherwise: what is answered at once when nothing of it can be kept, and is then lost; None for a refusal, after
    which the sender comes again.
    """

    key: str
    collected: tuple[Collected, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    source: str = field(default="", kw_only=True)
    otherwise: Answer | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Route:
    """A path that a protocol answers: `path` as Starlette writes it (`/v1/{kind}`), and its methods."""

    path: str
    methods: tuple[str, ...] = ("POST",)


class Wire(Protocol):
    """A protocol: one file, found by the entry point `tieback.protocols`."""

    name: str
    routes: tuple[Route, ...]

    def read(self, request: Request) -> Batch:
        """What `request` holds.

        Raises UnreadableError when nothing of it can be read, TurnedAwayError when nothing of it is to be kept.
        """

    def accepted(self, batch: Batch) -> Answer:
        """The answer once all of `batch` is safe."""


class UnreadableError(Exception):
    """A request of which nothing can be read: `reason` in a sentence. The body as a whole goes to quarantine."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TurnedAwayError(Exception):
    """A request of which nothing is to be kept: what it is answered, and the `reason` under which it is counted."""

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(reason)
        self.answer, self.reason = answer, reason


class TooLargeError(Exception):
    """A body that unpacks to more than anybody sends."""


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """`body` without its gzip or deflate, told by `encoding` or by its first bytes: some clients do not say.

    Raises TooLargeError beyond `most` bytes, UnreadableError when it is damaged.
    """
    is_gzip = body[:2] == b"\x1f\x8b"
    if not is_gzip and encoding not in ("deflate", "gzip"):
        return _within(body, most)
    window = 16 + zlib.MAX_WBITS if is_gzip else zlib.MAX_WBITS
    stream = zlib.decompressobj(window)
    try:
        found = stream.decompress(body, most + 1)
    except zlib.error:
        raise UnreadableError("The body is packed, and damaged") from None
    if stream.unconsumed_tail:
        raise TooLargeError
    return _within(found, most)


def basic_key(headers: Mapping[str, str]) -> str:
    """The user name of HTTP's Basic authentication, which is where a write key stands; "" for none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return from_base64(credentials.strip()).partition(":")[0] if scheme.lower() == "basic" else ""


def from_base64(given: str) -> str:
    """The text that `given` codes; "" for none."""
    try:
        return base64.b64decode(given, validate=True).decode().replace("\x00", "")
    except (binascii.Error, ValueError):
        return ""


def decoded(body: bytes) -> Any:
    """The JSON in `body`. Raises UnreadableError."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"The body is no JSON: {error}") from None


def _within(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise TooLargeError
    return body
