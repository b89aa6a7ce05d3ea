"""A demo shop on this machine that carries the tracker, with a collector behind it as if both were one host.

    python examples/site/serve.py tb_… [--collector http://127.0.0.1:8787] [--port 8000]

Pages come from this folder, the tracker's line put in; /tb.js and /v1/ go on to the collector, as a web server in front
of a shop would have it.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import http.client
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent
PLACE = b"<!-- tracker -->"
_PASSED_ON = ("/tb.js", "/v1/")
_OF_ONE_HOP = {"connection", "date", "server", "transfer-encoding"}


def shop(key: str, collector: str, port: int = 0, attributes: str = "") -> ThreadingHTTPServer:
    """A server of the shop on loopback, not yet started.

    attributes: more of the tracker's tag, such as `data-consent="wait"`, or in place of its own `src`.
    """
    # Browsers take the first of two attributes with one name.
    line = f'<script defer {attributes} src="/tb.js" data-key="{html.escape(key)}"></script>'
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Shop, line.encode(), urlsplit(collector).netloc))


class _Shop(SimpleHTTPRequestHandler):
    def __init__(self, line: bytes, collector: str, *given: object) -> None:
        self._line = line
        self._collector = collector
        super().__init__(*given, directory=str(FOLDER))  # type: ignore[arg-type]  # what the server hands on

    def do_GET(self) -> None:
        page = FOLDER / (urlsplit(self.path).path.lstrip("/") or "index.html")
        if self.path.startswith(_PASSED_ON):
            self._pass_on()
        elif page.suffix == ".html" and page.parent == FOLDER and page.is_file():
            self._answer(200, {"content-type": "text/html"}, page.read_bytes().replace(PLACE, self._line))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith(_PASSED_ON):
            self._pass_on(body)
        else:
            self._answer(303, {"location": self.path}, b"")

    def _pass_on(self, body: bytes = b"") -> None:
        """The collector's own answer to this request."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        with contextlib.closing(http.client.HTTPConnection(self._collector, timeout=60)) as connection:
            try:
                connection.request(self.command, self.path, body, headers)
                found = connection.getresponse()
                content = found.read()
            except OSError:
                return self._answer(502, {}, b"The collector does not answer")
        kept = {name: value for name, value in found.getheaders() if name.lower() not in _OF_ONE_HOP}
        return self._answer(found.status, kept, content)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        with contextlib.suppress(ConnectionError):  # a page that left waits for no answer
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: addresses may hold what visitors typed."""


def main() -> None:
    """Serve until Ctrl-C."""
    asked = argparse.ArgumentParser(description="A demo shop that carries tieback's tracker.")
    asked.add_argument("key", help="a write key, of `tieback source add shop`")
    asked.add_argument("--collector", default="http://127.0.0.1:8787", help="where `tieback serve` listens")
    asked.add_argument("--port", type=int, default=8000)
    given = asked.parse_args()
    with shop(given.key, given.collector, given.port) as server:
        print(f"The shop is open at http://127.0.0.1:{server.server_port}/")  # noqa: T201 - it is a program of its own
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
