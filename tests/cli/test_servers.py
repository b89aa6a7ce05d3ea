"""`tieback serve` by uvicorn and by granian: whichever serves, a client, a proxy and who stops it meet the same."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.cli.test_killed_collector import Sender
from tests.cli.test_serve import WAIT, Served, comes, loaders, made, serving, visit
from tests.collect.mmdb import written

SERVERS = ("uvicorn", "granian")
# The collector as it is, but for a shorter patience when it is to stop, and a defect in /metrics.
IMPATIENT = """
import sys
from tieback.cli import main, serve
from tieback.collect import Counts
serve._DRAIN_SECONDS = 1
Counts.exposition = lambda self: 1 // 0
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace with a small limit to bodies, a proxy's networks and a database of countries, and its write key."""
    folder, key = made(tmp_path_factory.mktemp("servers"))
    (folder / "countries.mmdb").write_bytes(written({"203.0.113.0/24": "DE", "127.0.0.0/8": "US"}))
    with (folder / "tieback.toml").open("a") as file:
        file.write(
            '\n[collect]\nmost_kb = 100\ncountries = "countries.mmdb"\nproxies = ["127.0.0.1/32", "10.0.0.0/8"]\n'
        )
    return folder, key


@pytest.fixture(scope="module", params=SERVERS)
def served(shop: tuple[Path, str], request: pytest.FixtureRequest) -> Iterator[Served]:
    """A collector that runs, once with each server."""
    with serving(*shop, "--no-load", "--server", request.param) as running:
        yield running


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """The name of each server."""
    return str(request.param)


def held(folder: Path) -> dict[str, dict[str, Any]]:
    """What was taken in, loaded or not, by the id that its client gave."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        rows = [json.loads(row) for (row,) in ledger.execute("SELECT payload FROM inbox WHERE length(reason) = 0")]
    return {row["event_id"].removeprefix("web:"): row for row in rows}


def asked(served: Served, body: bytes, length: int) -> socket.socket:
    """A connection on which a request of `length` bytes has begun with `body`."""
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=WAIT)
    head = f"POST /v1/events HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_every_address_answers(served: Served) -> None:
    """Health, counts, description and script; HEAD as GET without a body, and whatever a browser asks beforehand."""
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/tb.js"):
        got, headed = httpx.get(served.url + path), httpx.head(served.url + path)
        assert (got.status_code, headed.status_code, headed.content) == (200, 200, b""), path
        assert headed.headers["content-type"] == got.headers["content-type"]
    told = httpx.options(f"{served.url}/v1/events", headers={"origin": "https://acme.example"})
    assert (told.status_code, told.headers["access-control-allow-origin"]) == (204, "https://acme.example")
    assert [httpx.get(served.url + path).status_code for path in ("/nowhere", "/v1/events")] == [404, 405]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_has_a_limit(served: Served, is_chunked: bool) -> None:
    """Told at once or in pieces: what is too large is refused in words, and what is not is on disk."""
    for name, size, status in (("small", 90_000, 200), ("large", 3_000_000, 413)):
        event = {**visit(0), "event_id": f"{name} {is_chunked} {served.url}"}
        body = json.dumps({"key": served.key, "events": [event]}).encode().ljust(size)
        pieces = (body[at : at + 10_000] for at in range(0, len(body), 10_000))
        told = httpx.post(f"{served.url}/v1/events", content=pieces if is_chunked else body, timeout=WAIT)
        assert told.status_code == status, told.text


def test_only_a_proxy_of_ours_says_who_comes(served: Served, shop: tuple[Path, str]) -> None:
    """By its network; of what it hands on, the last address counts that is no proxy's, with a port or without."""
    browser = {"user-agent": "Mozilla/5.0", "origin": "https://acme.example"}
    for peer, forwarded, country in (
        ("127.0.0.2", "203.0.113.7", "US"),
        ("127.0.0.1", "203.0.113.7", "DE"),
        ("127.0.0.1", "127.0.0.9, 203.0.113.7:4711, 10.1.2.3", "DE"),
    ):
        name = f"{peer} {forwarded} {served.url}"
        body = {"key": served.key, "events": [{**visit(0), "event_id": name}]}
        with httpx.Client(transport=httpx.HTTPTransport(local_address=peer)) as client:
            client.post(
                f"{served.url}/v1/events", json=body, headers={**browser, "x-forwarded-for": forwarded}
            ).raise_for_status()
        assert held(shop[0])[name]["country"] == country, name


def test_a_port_that_is_taken_is_told(served: Served, shop: tuple[Path, str]) -> None:
    """In a sentence, also where granian holds it and granian wants it: by itself it would share the port."""
    port = served.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "tieback", "-w", str(shop[0]), "serve", "--port", port, "--server", "granian"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )
    assert done.returncode == 3
    assert f"Nothing can listen on 127.0.0.1:{port}" in done.stderr


def test_what_is_under_way_is_answered_at_the_end(shop: tuple[Path, str], server: str) -> None:
    """And on disk; a connection that nobody uses holds nothing up. The end is code 0, and all that is told is JSON."""
    folder, key = shop
    body = json.dumps({"key": key, "events": [{**visit(0), "event_id": f"under way {server}"}]}).encode()
    with serving(folder, key, "--no-load", "--server", server) as served:
        with asked(served, body[:20], len(body)) as begun, httpx.Client() as idle:
            assert idle.get(f"{served.url}/readyz").text == "ready"
            served.process.send_signal(signal.SIGTERM)
            comes(lambda: not listens(served))
            begun.sendall(body[20:])
            assert begun.recv(1000).startswith(b"HTTP/1.1 200")
            assert served.process.wait(timeout=WAIT) == 0
        assert served.process.stderr
        lines = [json.loads(line) for line in served.process.stderr]
    assert [line["event"] for line in lines] == ["Stopped; all that was acknowledged is in the inbox."]
    assert f"under way {server}" in held(folder)


def listens(served: Served) -> bool:
    """Whether it takes new connections."""
    try:
        httpx.get(f"{served.url}/healthz", timeout=1).close()
    except httpx.HTTPError:
        return False
    return True


def test_a_request_that_never_ends_does_not_hold_the_end_up(
    shop: tuple[Path, str], server: str, tmp_path: Path
) -> None:
    """It is let go, and nothing that was acknowledged with it. A defect is told with its place, and no more of it."""
    program = tmp_path / "impatient.py"
    program.write_text(IMPATIENT)
    with serving(*shop, "--no-load", "--server", server, program=(str(program),)) as served:
        assert served.send({**visit(0), "event_id": f"before {server}"}).status_code == 200
        assert httpx.get(f"{served.url}/metrics").status_code == 500
        with asked(served, b"{", 100):
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(timeout=WAIT) == 0
        assert served.process.stderr
        lines = [json.loads(line) for line in served.process.stderr]
    assert lines[-1]["event"].startswith("Stopped;")
    assert any(line.get("error", "").startswith("ZeroDivisionError at ") for line in lines)
    assert not any("1 // 0" in str(line) for line in lines)
    assert f"before {server}" in held(shop[0])


@pytest.fixture
def heeds_hangup() -> Iterator[None]:
    """What is started hears of a hangup, even where these tests were started by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeds_hangup")
@pytest.mark.parametrize("victim", ["worker", "parent", "parent hung up"])
def test_granian_killed_leaves_nothing_behind(tmp_path: Path, victim: str) -> None:
    """Whichever of its processes it hits: what was acknowledged is kept, the others end, and the port is free again."""
    folder, key = made(tmp_path)
    with (folder / "tieback.toml").open("a") as file:
        file.write('\n[collect]\nserver = "granian"\n')
    with serving(folder, key, *(() if victim == "parent" else ("--no-load",))) as served:
        senders = [Sender(served, f"{number}", list(range(number, 9_000, 3)), number) for number in range(3)]
        for sender in senders:
            sender.start()
        comes(lambda: all(sender.acknowledged for sender in senders) and (victim != "parent" or loaders(folder)))
        [worker] = workers(served.process.pid)
        os.kill(
            worker if victim == "worker" else served.process.pid,
            signal.SIGHUP if victim == "parent hung up" else signal.SIGKILL,
        )
        code = served.process.wait(timeout=WAIT)
        for sender in senders:
            sender.stopped.set()
            sender.join()
        try:
            comes(lambda: not is_running(worker))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        port = served.url.rsplit(":", 1)[1]
        with serving(folder, key, "--no-load", "--port", port) as again:  # the first one's loader may end later
            assert again.send(visit(9_999)).status_code == 200
        comes(lambda: not loaders(folder))
        assert served.process.stderr
        lines = served.process.stderr.read().splitlines()
    if victim == "worker":
        assert code == 1
        assert any('"library": "_granian"' in line for line in lines)
        assert any(line.startswith("Error: The process that collects ended by itself") for line in lines)
    acknowledged = {str(number) for sender in senders for number in sender.acknowledged}
    assert acknowledged | {"9999"} <= held(folder).keys()


def workers(parent: int) -> list[int]:
    """The processes that work for a parent."""
    listed = subprocess.run(["ps", "-ewwo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in listed.splitlines() if "spawn_main" in line]
    return [int(pid) for pid, its_parent, _ in lines if its_parent == str(parent)]


def is_running(process: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_granian_that_is_missing_is_told(tmp_path: Path) -> None:
    """With what to install."""
    folder, _ = made(tmp_path)
    without = "import sys; sys.modules['granian'] = None; from tieback.cli import main; main()"
    command = [sys.executable, "-c", without, "-w", str(folder), "serve", "--server", "granian", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert done.returncode == 3
    assert "pip install 'tieback[granian]'" in done.stderr
