"""Send events from a server: `Client(url, key).track("signup", user_id="u1")`.

Needs Python's standard library alone and nothing else of tieback, so this file may be copied into your own project.
What is tracked waits in memory and goes out in batches by a thread of its own. What the collector cannot take in at the
moment is sent again with the same event_id, so that it counts once however often it was sent.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import random
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPException
from threading import Condition, Thread
from types import TracebackType
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

_LOG = logging.getLogger("tieback.client")
_LONGEST_PAUSE = 60.0  # seconds between tries
_MOST_BYTES = 500_000  # of a batch; an event alone may hold more


class QueueFullError(Exception):
    """So many events wait that no other is taken; the one at hand was not. The collector is slow, or not there."""


class Client:
    """Sends events to the collector at `url` with the write key `key`. Safe for threads; make it after a fork.

    most_waiting: events that may wait in memory; then `track` raises QueueFullError.
    most_at_once: events of a batch. linger_seconds: how long an event may wait for others to go with it.
    timeout_seconds: of one request. on_lost: called with the events that the collector will never take, and why; they
    are logged unless given. It runs in the sending thread.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        most_waiting: int = 10_000,
        most_at_once: int = 50,
        linger_seconds: float = 0.5,
        timeout_seconds: float = 10.0,
        on_lost: Callable[[list[dict[str, Any]], str], None] | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/events"
        self._key = key
        self._most_waiting, self._most_at_once = most_waiting, most_at_once
        self._linger_seconds, self._timeout_seconds = linger_seconds, timeout_seconds
        self._on_lost = on_lost or _log_lost
        self._open = build_opener(_NoRedirects).open
        self._waiting: deque[str] = deque()  # encoded events, oldest first
        self._under_way = 0
        self._flushing = 0  # callers of flush
        self._is_closing = self._is_abandoned = False
        self._changed = Condition()
        self._sender = Thread(target=self._send_all, name="tieback client", daemon=True)
        self._sender.start()
        atexit.register(self.close)

    def track(self, name: str = "", *, kind: str = "track", event_id: str = "", **fields: Any) -> str:
        """Take an event in, to be sent soon; returns its id.

        fields: columns of the table `events` (user_id, email, url, value, currency, properties, occurred_at, …). It
        happens now unless occurred_at, a datetime with a zone or a text, says otherwise.
        Raises QueueFullError; ValueError when closed, or for a time without a zone; TypeError for what is no JSON.
        """
        event_id = event_id or str(uuid.uuid4())
        occurred_at = fields.pop("occurred_at", None) or datetime.now(UTC)
        event = {"event_id": event_id, "kind": kind, "occurred_at": occurred_at, **fields}
        encoded = json.dumps({**event, "name": name} if name else event, default=_plain, allow_nan=False)
        with self._changed:
            if self._is_closing:
                raise ValueError("This client is closed")
            if len(self._waiting) + self._under_way >= self._most_waiting:
                raise QueueFullError(f"{self._most_waiting:,} events wait for {self._url}")
            self._waiting.append(encoded)
            self._changed.notify_all()
        return event_id

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait until all that was tracked is on the collector's disk; False when that took too long."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting and not self._under_way, timeout_seconds)
            finally:
                self._flushing -= 1

    def close(self, timeout_seconds: float = 10.0) -> bool:
        """Send what waits and take no more; False when something was left after so long, and is lost."""
        atexit.unregister(self.close)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        is_all_sent = self.flush(timeout_seconds)
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()
        self._sender.join(timeout_seconds)
        return is_all_sent

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send_all(self) -> None:
        while batch := self._next_batch():
            self._send(batch)
            with self._changed:
                self._under_way = 0
                self._changed.notify_all()

    def _next_batch(self) -> list[str]:
        """The oldest events, once there are enough, or the first has waited; none when closed and all is sent."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._most_at_once or self._flushing or self._is_closing,
                self._linger_seconds,
            )
            batch: list[str] = []
            size = 0
            while self._waiting and len(batch) < self._most_at_once and not self._is_abandoned:
                size += len(self._waiting[0])
                if batch and size > _MOST_BYTES:
                    break
                batch.append(self._waiting.popleft())
            self._under_way = len(batch)
            return batch

    def _send(self, batch: list[str]) -> None:
        """Send `batch` until it is taken in, or never will be, or this client is given up."""
        tries = 0
        while not self._is_abandoned:
            again_after, why = self._try(batch)
            if again_after is None:
                if why.startswith("413") and len(batch) > 1:
                    half = len(batch) // 2
                    self._send(batch[:half])
                    self._send(batch[half:])
                elif why:
                    self._lose(batch, why)
                return
            pause = max(again_after, min(_LONGEST_PAUSE, 0.5 * 2 ** min(tries, 10)) * random.uniform(0.5, 1.0))
            _LOG.info("Not taken in (%s); sending again in %.1f s", why, pause)
            tries += 1
            with self._changed:
                self._changed.wait_for(lambda: self._is_abandoned, pause)

    def _try(self, batch: list[str]) -> tuple[float | None, str]:
        """Send `batch` once; seconds after which it is to be sent again, or None, and what is wrong, or ""."""
        body = f'{{"key": {json.dumps(self._key)}, "events": [{", ".join(batch)}]}}'.encode()
        request = Request(self._url, body, {"Content-Type": "application/json", "User-Agent": "tieback-python"})
        try:
            with self._open(request, timeout=self._timeout_seconds) as answer:
                told = json.loads(answer.read(10_000))
            if told["taken"] + told["refused"] != len(batch):
                return 0.0, "it was no collector that answered"
            if told["refused"]:
                _LOG.warning("%d of %d events are in the collector's quarantine", told["refused"], len(batch))
            return None, ""
        except HTTPError as error:
            with error:
                is_passing = error.code in (408, 425, 429) or error.code >= 500
                return (_seconds(error.headers.get("Retry-After")) if is_passing else None), f"{error.code}"
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            return 0.0, type(error).__name__

    def _lose(self, batch: list[str], why: str) -> None:
        try:
            self._on_lost([json.loads(each) for each in batch], why)
        except Exception:  # noqa: BLE001  # whatever a caller's own code does, the others are still to be sent
            _LOG.exception("on_lost failed")


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would turn what is sent into a question, whose answer says nothing of the events."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _log_lost(events: list[dict[str, Any]], why: str) -> None:
    _LOG.error("%d events were not taken in: %s", len(events), why)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("A time has a zone, as in datetime.now(UTC)")
        return value.isoformat()
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _seconds(retry_after: str | None) -> float:
    """How long a collector asks to wait, as far as it is told in seconds and not in hours."""
    with contextlib.suppress(TypeError, ValueError):
        return min(_LONGEST_PAUSE, max(0.0, float(retry_after or 0)))
    return 0.0
