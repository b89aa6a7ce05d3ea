"""A request from its bytes to its answer: read, told whose it is, safe in the inbox, and only then answered."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from tieback.collect.addresses import masked
from tieback.collect.consent import with_purposes
from tieback.collect.counts import Counts, Told
from tieback.collect.limits import Guesses, Limits
from tieback.collect.requests import (
    Answer,
    Batch,
    Malformed,
    Request,
    TurnedAwayError,
    UnreadableError,
    Wire,
)
from tieback.config import PURPOSES, Consent
from tieback.schema.bots import bot_reason
from tieback.store.ledger import BusyError, Incoming, Source

_LONGEST_ID = 128  # characters of a message id; a longer one is known by its digest
_PATIENCE_SECONDS = 1.0  # of somebody who is on the way to a page
_MOST_KEPT = 32_768  # bytes of something malformed that go to quarantine


class Inbox(Protocol):
    """Where rows are safe once `put` returns, True for each that is new. Raises BusyError when it cannot take them."""

    async def put(self, rows: Sequence[Incoming]) -> list[bool]: ...


class Door:
    """Reads requests of any protocol and puts what they hold into the inbox.

    source_of: whose a write key is; None for nobody's. source_named: the source of a name, for what is signed in it;
    None for none, or a revoked one. One of the two is asked for each request.
    needs: which signals of consent each purpose needs. limits: what each source may send. guesses: how often somebody
    may come with a key of nobody's; as often as they like unless given. country_of: by an internet address: that which
    an event tells, or else that which a browser comes from, but never a server's, which relays what others did.
    keep_masked_ip: whether the network of that address stays, as the property `ip`; the address itself never does.
    """

    def __init__(
        self,
        inbox: Inbox,
        source_of: Callable[[str], Source | None],
        counts: Counts,
        needs: Consent,
        source_named: Callable[[str], Source | None] = lambda name: None,
        *,
        limits: Limits | None = None,
        guesses: Guesses | None = None,
        country_of: Callable[[str], str] = lambda address: "",
        keep_masked_ip: bool = False,
    ) -> None:
        self._limits = limits or Limits(0)
        self._guesses = guesses or Guesses(0)
        self._country_of = country_of
        self._keep_masked_ip = keep_masked_ip
        self._needs = needs
        self._inbox = inbox
        self._source_of = source_of
        self._source_named = source_named
        self._counts = counts

    async def answer(self, wire: Wire, request: Request) -> Answer:
        """What the client is told: a success only when all that it sent is on disk."""
        began = time.perf_counter()
        try:
            return await self._answer(wire, request)
        finally:
            self._counts.took(wire.name, time.perf_counter() - began)

    async def _answer(self, wire: Wire, request: Request) -> Answer:
        try:
            batch = wire.read(request)
        except UnreadableError as error:
            self._counts.refused(wire.name, "unreadable")
            return refusal(400, error.reason)
        except TurnedAwayError as error:
            self._counts.refused(wire.name, error.reason)
            return error.answer
        guess_wait = 0 if batch.source else self._guesses.wait_seconds(request.client_ip, batch.key)
        if guess_wait:
            self._counts.refused(wire.name, "too many unknown keys")
            return batch.otherwise or _later("Too many unknown write keys from this address", guess_wait)
        source = self._source_named(batch.source) if batch.source else self._source_of(batch.key)
        if source is None:
            self._guesses.missed(request.client_ip)
            self._counts.refused(wire.name, "unknown key")
            return batch.otherwise or refusal(401, "This write key is not known here, or was revoked")
        origin = request.headers.get("origin", "")
        # A list of sites guards a key that anybody can read in a page; what is signed proves itself.
        if origin and source.origins and origin not in source.origins and not batch.source:
            self._counts.refused(wire.name, "foreign origin")
            return refusal(403, "This site may not send with this write key")
        wait = self._limits.wait_seconds(source.name, len(batch.collected) + len(batch.malformed))
        if wait:
            self._counts.refused(wire.name, "too many")
            return batch.otherwise or _later("More than this source may send", wait)
        try:
            rows = list(self._rows(source.name, batch, request))
            new = await self._kept([each.row for each in rows], None if batch.otherwise is None else _PATIENCE_SECONDS)
        except BusyError as error:
            self._counts.refused(wire.name, "busy")
            return batch.otherwise or refusal(
                503, "Not taken in; send it again", {"retry-after": str(error.retry_after_seconds)}
            )
        self._counts.taken(source.name, rows, new)
        return wire.accepted(batch)

    def _rows(self, source: str, batch: Batch, request: Request) -> Iterable[Told]:
        visitor_ip = request.client_ip if _is_browser(request.headers) else ""
        for each in batch.collected:
            row = with_purposes(each.row, request.headers, self._needs)
            ip = row.pop("ip", "") or visitor_ip
            if ip and not row.get("country") and (country := self._country_of(ip)):
                row["country"] = country
            if self._keep_masked_ip and (network := masked(ip)):
                row["properties"] = {**row.get("properties", {}), "ip": network}
            agent = row.get("user_agent")
            yield Told(
                _row(source, each.message_id, row, request),
                bot_reason(agent) if isinstance(agent, str) else "",
                tuple([purpose for purpose in PURPOSES if row.get(f"consent_{purpose}") is False]),
            )
        for bad in batch.malformed:
            yield Told(_malformed(source, bad, request))

    async def _kept(self, rows: Sequence[Incoming], patience_seconds: float | None) -> list[bool]:
        """Whether each row is new, once all are on disk. Raises BusyError, also when patience runs out before."""
        if not rows:
            return []
        if patience_seconds is None:
            return await self._inbox.put(rows)
        try:
            return await asyncio.wait_for(self._inbox.put(rows), patience_seconds)
        except TimeoutError:
            raise BusyError(1) from None


def refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that says no, and why."""
    return Answer(status, msgspec.json.encode({"error": reason}), headers=headers or {})


def _later(reason: str, wait_seconds: int) -> Answer:
    return refusal(429, reason, {"retry-after": str(wait_seconds)})


def _is_browser(headers: Mapping[str, str]) -> bool:
    """True for what a browser itself sends: a server that relays may copy a user agent, but says of no site its own."""
    return headers.get("user-agent", "").startswith("Mozilla/") and ("origin" in headers or "sec-fetch-site" in headers)


def _row(source: str, told_id: str, row: dict[str, Any], request: Request) -> Incoming:
    message_id = _fit(told_id) or _digest(source, msgspec.json.encode(row, order="deterministic"))
    try:
        payload = msgspec.json.encode({"event_id": f"{source}:{message_id}", **row})
    except UnicodeEncodeError:  # half of a pair of letters
        return _malformed(source, Malformed("It holds text that is no Unicode", repr(row).encode()), request)
    return Incoming(source, message_id, request.received_at, payload)


def _malformed(source: str, bad: Malformed, request: Request) -> Incoming:
    raw = bad.raw[:_MOST_KEPT]
    return Incoming(source, f"malformed:{_digest(source, bad.raw)}", request.received_at, raw, bad.reason)


def _fit(message_id: str) -> str:
    """A message id as it can be kept: itself, or its digest."""
    if message_id.isprintable() and message_id.isascii() and len(message_id) <= _LONGEST_ID:
        return message_id
    return hashlib.sha256(message_id.encode("utf-8", "backslashreplace")).hexdigest()


def _digest(source: str, content: bytes) -> str:
    return hashlib.sha256(source.encode() + b"\0" + content).hexdigest()[:32]
