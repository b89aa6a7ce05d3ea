"""Clients that meet a 503 send again with the ids of before: all arrives, and nothing counts twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx

from tests.cli.test_serve import serving, tieback
from tests.clients.story import arrived, beside_packages, ended, fresh, keys, matched, needed, outcomes, started
from tests.clients.test_servers import STORIES

RETRYING = ("segment_python.py", "segment_node.mjs", "rudder_python.py", "posthog_python.py")


@contextmanager
def unreliable(collector: str) -> Iterator[str]:
    """A proxy that keeps the first request from the collector, hands on the second, and answers both with 503."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.path)
            number, status, content = len(seen), 503, b""
            if number > 1:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                given = httpx.post(collector + self.path, content=body, headers=headers, timeout=30)
                assert given.status_code == 200
                status, content = (503, b"") if number == 2 else (200, given.content)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_sent_again_is_known(tmp_path: Path) -> None:
    """Also what the collector had taken in before the client was told that it had not."""
    needed()
    folder, scripts = tmp_path / "shop", beside_packages(tmp_path / "scripts")
    tieback(folder, "init")
    key_of = keys(folder, [Path(script).stem for script in RETRYING])
    known = {}
    with serving(folder, "", "--no-load") as served, ExitStack() as proxies:
        running = {}
        for script in RETRYING:
            proxy = proxies.enter_context(unreliable(served.url))
            running[script] = started(script, scripts, proxy, key_of[Path(script).stem])
        for script, client in running.items():
            ended(client)
            known[script] = outcomes(served, Path(script).stem)
    facts = arrived(folder)
    for script in RETRYING:
        rows = facts[Path(script).stem]
        matched(rows, STORIES[script])
        fresh(rows)
        assert known[script]["accepted"] == len(rows)
        assert known[script]["duplicate"] > 0
