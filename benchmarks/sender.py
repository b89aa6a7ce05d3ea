"""Load on a collector, from a process of its own: by the clock, or as fast as it answers.

`python -m benchmarks.sender URL KEY --seconds S --rate R` sends R requests a second whatever comes back, and latency
counts from the moment that a request was due: a collector that stalls is not spared those that would have come. Without
a rate each connection sends again as soon as it is answered. It prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import time
from collections import Counter, deque
from collections.abc import Callable
from urllib.parse import urlsplit

_PATIENCE = 10.0  # seconds for what is still to be answered at the end
_TICK = 0.001
_BROWSERS = 500  # user agents
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.{}.0 Safari/537.36"
)


class Bodies:
    """Requests as the tracker's, through a proxy: each from its own visitor, who has agreed to some, with new events."""

    def __init__(self, host: str, key: str, events: int, first: int) -> None:
        self._host, self._key, self._events = host, key, events
        self._next = first
        self._dice = random.Random(first)

    def one(self) -> bytes:
        """The next request, whole."""
        number, dice = self._next, self._dice
        self._next += self._events
        visitor = f"visitor-{number:010d}"
        told = ",".join(self._event(each, visitor) for each in range(number, number + self._events))
        body = (
            f'{{"key":"{self._key}","visitor":{{"id":"{visitor}","is_new":false,"keeps":"cookie"}},"events":[{told}]}}'
        )
        browser = dice.randrange(_BROWSERS)
        return (
            f"POST /v1/events HTTP/1.1\r\nhost: {self._host}\r\nconnection: keep-alive\r\n"
            f"content-length: {len(body)}\r\nuser-agent: {_AGENT.format(100 + browser % 40, browser)}\r\n"
            "accept: */*\r\naccept-encoding: gzip, deflate, br\r\naccept-language: en-GB,en;q=0.9\r\n"
            "content-type: text/plain;charset=UTF-8\r\norigin: https://acme.example\r\n"
            f"referer: https://acme.example/\r\nsec-fetch-site: same-origin\r\ncookie: tb_id={visitor}\r\n"
            f"x-forwarded-for: 85.{dice.randrange(256)}.{dice.randrange(64)}.7\r\n\r\n{body}"
        ).encode()

    def _event(self, number: int, visitor: str) -> str:
        return (
            f'{{"kind":"page","event_id":"{number:016x}","anonymous_id":"{visitor}","name":"Pricing",'
            f'"url":"https://acme.example/pricing?utm_source=google&utm_medium=cpc&utm_campaign=c{number % 40}'
            f'&gclid=Cj0KC{number}","referrer":"https://www.google.com/","session_key":"s{number}",'
            '"consent":{"ad_storage":"granted","analytics_storage":"granted","ad_user_data":"granted",'
            '"ad_personalization":"denied","functionality_storage":"granted"},'
            f'"properties":{{"language":"en-GB","screen":"1920x1080","title":"Pricing of what Acme sells","scroll":75,'
            f'"plan":{{"name":"team","seats":{number % 50}}},"tags":["pricing","team","2026"]}}}}'
        )


class Connection(asyncio.Protocol):
    """One that is kept alive: a request at a time. answered: called with its status; 0 when the connection is lost."""

    def __init__(self, answered: Callable[[Connection, int], None]) -> None:
        self.due = 0.0  # when the request under way was to be sent
        self.is_lost = False
        self._answered = answered
        self._is_asking = False
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it writes to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, due: float) -> None:
        """Send `request`, which was to be sent at `due`."""
        self.due, self._is_asking = due, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell of the answer once it is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._buffer, self._is_asking = b"", False
            self._answered(self, int(head[9:12]))

    def connection_lost(self, reason: Exception | None) -> None:
        """Whatever was asked is not answered any more."""
        self.is_lost = True
        if self._is_asking:
            self._is_asking = False
            self._answered(self, 0)


class Sender:
    """Sends from all connections, and remembers how long each answer took."""

    def __init__(self, bodies: Bodies, rate: float, most: int) -> None:
        self._bodies, self._rate, self._most = bodies, rate, most
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.sent = 0
        self._idle: deque[Connection] = deque()
        self._late: deque[float] = deque()  # due, and no connection free
        self._until = 0.0

    async def run(self, host: str, port: int, connections: int, seconds: float) -> float:
        """Send for so many seconds; how many it took until all were answered."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(lambda: Connection(self._answered), host, port)
            self._idle.append(made)
        began = time.perf_counter()
        self._until = began + seconds
        if self._rate:
            await self._by_the_clock(began)
        else:
            while self._idle:
                self._ask(self._idle.popleft(), time.perf_counter())
        given_up = self._until + _PATIENCE
        while self.sent > self.statuses.total() or self._goes_on():
            if time.perf_counter() > given_up:
                break
            await asyncio.sleep(_TICK)
        return time.perf_counter() - began

    async def _by_the_clock(self, began: float) -> None:
        number = 0
        while (due := began + number / self._rate) < self._until:
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            number += 1
            if self._idle:
                self._ask(self._idle.popleft(), due)
            else:
                self._late.append(due)
                await asyncio.sleep(0)

    def _goes_on(self) -> bool:
        return bool(self._late) or (not self._rate and time.perf_counter() < self._until and self.sent < self._most)

    def _ask(self, connection: Connection, due: float) -> None:
        self.sent += 1
        connection.ask(self._bodies.one(), due)

    def _answered(self, connection: Connection, status: int) -> None:
        now = time.perf_counter()
        self.statuses[status] += 1
        self.seconds.append(now - connection.due)
        if connection.is_lost or not status:
            return
        if self._late:
            self._ask(connection, self._late.popleft())
        elif not self._rate and now < self._until and self.sent < self._most:
            self._ask(connection, now)
        else:
            self._idle.append(connection)


def main() -> None:
    """Send as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sender", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as it answers")
    parser.add_argument("--events", type=int, default=1, help="in a request")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--first", type=int, default=0, help="the number of the first event: numbers make ids")
    parser.add_argument("--most", type=int, default=10**9, help="requests without a rate")
    given = parser.parse_args()
    place = urlsplit(given.url)
    sender = Sender(Bodies(place.netloc, given.key, given.events, given.first), given.rate, given.most)
    seconds = asyncio.run(sender.run(place.hostname or "", place.port or 80, given.connections, given.seconds))
    took = sorted(sender.seconds) or [0.0]
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "requests": sender.sent,
                "accepted": sender.statuses[200],
                "seconds": seconds,
                "p50_ms": 1000 * took[len(took) // 2],
                "p99_ms": 1000 * took[int(len(took) * 0.99)],
                "most_ms": 1000 * took[-1],
                "own_cpu_seconds": used.ru_utime + used.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main()
