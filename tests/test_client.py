"""The client for servers delivers each event once, or says that it cannot."""

from __future__ import annotations

import ast
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.cli.test_serve import made, serving
from tieback import client as module
from tieback.client import Client, QueueFullError
from tieback.store.ledger import open_ledger

WAIT = 60.0


class Collector:
    """A collector that first gives the answers it is told to, each with its headers, and then takes all in.

    batches: every one that came, also those turned away. taken: events by id, as often as they were acknowledged.
    """

    def __init__(self, *first: tuple[int, dict[str, str], bytes]) -> None:
        self.first = list(first)
        self.batches: list[list[dict[str, Any]]] = []
        self.taken: dict[str, int] = {}
        self.most_at_once = 1000
        self.url = ""

    def answer(self, events: list[dict[str, Any]]) -> tuple[int, dict[str, str], bytes]:
        self.batches.append(events)
        if self.first:
            return self.first.pop(0)
        if len(events) > self.most_at_once:
            return 413, {}, b"{}"
        for event in events:
            self.taken[event["event_id"]] = self.taken.get(event["event_id"], 0) + 1
        return 200, {}, json.dumps({"taken": len(events), "refused": 0}).encode()


@contextmanager
def listening(collector: Collector) -> Iterator[Collector]:
    """It, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, headers, content = collector.answer(body["events"])
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_tracked_is_in_the_inbox_once_flush_returns(tmp_path: Path) -> None:
    """Of a real collector, with its id, its time and its fields."""
    folder, key = made(tmp_path)
    at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    with serving(folder, key, "--no-load") as served, Client(served.url, key) as client:
        order = client.track("order", user_id="u1", value=Decimal("9.90"), currency="EUR", occurred_at=at)
        client.track(kind="form", event_id="f1", email="ann@acme.example", properties={"plan": "pro"})
        assert client.flush(WAIT)
        ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        rows = sorted((json.loads(row.payload) for row in ledger.waiting(10)), key=lambda row: row["kind"])
        ledger.close()
    assert [row.pop("occurred_at") for row in rows][1] == "2026-03-31T12:00:00Z"
    assert rows == [
        {"event_id": "web:f1", "kind": "form", "email": "ann@acme.example", "properties": {"plan": "pro"}},
        {
            "event_id": f"web:{order}",
            "kind": "track",
            "name": "order",
            "user_id": "u1",
            "value": "9.90",
            "currency": "EUR",
        },
    ]


def test_what_the_page_shows_works(tmp_path: Path) -> None:
    """The program and the call, as they stand, with the address and key of a collector that runs."""
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "send-from-a-server.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [body] = re.findall(r"-d '(.*?)'", page)
    folder, key = made(tmp_path)
    with serving(folder, key, "--no-load") as served:
        program = program.replace("https://collect.acme.example", served.url).replace("tb_…", key)
        subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT)
        called = httpx.post(f"{served.url}/v1/events", content=body, headers={"authorization": f"Bearer {key}"})
        assert called.json() == {"taken": 1, "refused": 0}
        counted = httpx.get(f"{served.url}/metrics").text
    assert 'tieback_events_total{outcome="accepted",source="web"} 2.0' in counted
    assert 'tieback_events_total{outcome="duplicate",source="web"} 1.0' in counted


def test_events_go_in_batches() -> None:
    """As many as are said at most, and none is left behind."""
    with listening(Collector()) as collector:
        with Client(collector.url, "k", most_at_once=10) as client:
            for number in range(25):
                client.track("x", event_id=str(number))
            assert client.flush(WAIT)
        assert sorted(collector.taken, key=int) == [str(number) for number in range(25)]
        assert max(map(len, collector.batches)) <= 10


@pytest.mark.parametrize(
    "first",
    [
        (503, {"retry-after": "0"}, b"{}"),
        (429, {}, b""),
        (502, {}, b"<html>"),
        (200, {}, b"<html>Please sign in to the hotel's network"),
        (200, {}, b'{"taken": 0, "refused": 0}'),
    ],
    ids=["busy", "too many", "a proxy", "a hotel", "not all"],
)
def test_what_was_not_taken_is_sent_again_under_the_same_id(first: tuple[int, dict[str, str], bytes]) -> None:
    """Until the collector says that all of it is safe."""
    with listening(Collector(first)) as collector, Client(collector.url, "k") as client:
        event_id = client.track("order")
        assert client.flush(WAIT)
        assert [batch[0]["event_id"] for batch in collector.batches] == [event_id, event_id]
        assert collector.taken == {event_id: 1}


def test_a_collector_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Its port refuses; when it is back, all arrives, once."""
    folder, key = made(tmp_path)
    with serving(folder, key, "--no-load") as served:
        url = served.url
    with Client(url, key) as client:
        for number in range(5):
            client.track("order", event_id=str(number))
        assert not client.flush(0.2)
        with serving(folder, key, "--no-load", "--port", url.rpartition(":")[2]):
            assert client.flush(WAIT)
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    assert sorted(row.message_id for row in ledger.waiting(100)) == list("01234")
    ledger.close()


@pytest.mark.parametrize("status", [400, 401, 403, 301])
def test_what_is_never_taken_is_told_and_let_go(status: int) -> None:
    """So that it does not hold up what comes after."""
    lost: list[tuple[list[dict[str, Any]], str]] = []
    answer = (status, {"location": "http://127.0.0.1:9/"}, b"{}")
    with listening(Collector(answer)) as collector:
        with Client(collector.url, "k", on_lost=lambda events, why: lost.append((events, why))) as client:
            first = client.track("a")
            assert client.flush(WAIT)
            second = client.track("b")
            assert client.flush(WAIT)
        assert collector.taken == {second: 1}
    assert [([event["event_id"] for event in events], why) for events, why in lost] == [([first], str(status))]


def test_a_batch_that_is_too_large_is_halved() -> None:
    """As often as it takes."""
    collector = Collector()
    collector.most_at_once = 3
    with listening(collector), Client(collector.url, "k") as client:
        for number in range(20):
            client.track("x", event_id=str(number))
        assert client.flush(WAIT)
        assert collector.taken == {str(number): 1 for number in range(20)}


def test_a_full_queue_tells() -> None:
    """Rather than to fill the memory; what was taken in before is still sent, and there is room again."""
    collector = Collector((503, {"retry-after": "0"}, b""))
    with listening(collector), Client(collector.url, "k", most_waiting=3, linger_seconds=WAIT) as client:
        for number in range(3):
            client.track("x", event_id=str(number))
        with pytest.raises(QueueFullError):
            client.track("x", event_id="3")
        assert client.flush(WAIT)
        client.track("x", event_id="4")
        assert client.flush(WAIT)
        assert sorted(collector.taken) == ["0", "1", "2", "4"]


def test_a_closed_client_says_what_it_lost() -> None:
    """And takes no more."""
    with listening(Collector()) as collector:
        client = Client(collector.url, "k", linger_seconds=WAIT)
        client.track("x")
        assert client.close(WAIT)
        assert len(collector.taken) == 1
    with pytest.raises(ValueError, match="closed"):
        client.track("y")
    nobody = Client("http://127.0.0.1:9", "k")
    nobody.track("x")
    assert not nobody.close(0.2)
    assert not nobody._sender.is_alive()


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"occurred_at": datetime(2026, 3, 31)}, ValueError), ({"properties": {"x": object()}}, TypeError)],
)
def test_what_cannot_be_told_is_told_at_once(fields: dict[str, Any], error: type[Exception]) -> None:
    """Where it is tracked, not in a log later."""
    client = Client("http://127.0.0.1:9", "k")
    with pytest.raises(error):
        client.track("x", **fields)
    assert client.close(WAIT)


def test_a_callers_own_mistake_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next batch goes out."""

    def mistaken(events: list[dict[str, Any]], why: str) -> None:
        raise RuntimeError

    with listening(Collector((401, {}, b"{}"))) as collector, caplog.at_level(logging.ERROR):
        with Client(collector.url, "k", on_lost=mistaken) as client:
            client.track("x")
            assert client.flush(WAIT)
            client.track("y")
            assert client.flush(WAIT)
        assert len(collector.taken) == 1
    assert "on_lost failed" in caplog.text


def test_it_can_be_copied() -> None:
    """The standard library alone, and nothing else of tieback."""
    tree = ast.parse(Path(module.__file__ or "").read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names}
