"""The HTTP interface of a ClickHouse server in front of chdb, for what speaks to it: sessions, settings, errors."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

chdb = pytest.importorskip("chdb", reason="chdb (make engines)")
pytest.importorskip("clickhouse_connect", reason="clickhouse-connect (make engines)")

USER, PASSWORD = "tieback", "a secret"
_NOT_SETTINGS = {
    "query",
    "session_id",
    "database",
    "session_timeout",
    "default_format",
    "wait_end_of_query",
    "query_id",
}


@contextmanager
def front(folder: str) -> Iterator[int]:
    """A server on loopback over the chdb folder; gives its port. Its one user is USER with PASSWORD."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Interface)
    server.daemon_threads = True
    server.folder, server.sessions, server.lock = folder, {}, threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        for session in server.sessions.values():
            session.close()


class _Interface(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if given != f"{USER}:{PASSWORD}":
            self._refuse(516, "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        try:
            with self.server.lock:
                self._run(asked, body)
        except RuntimeError as error:
            code = re.search(r"Code: (\d+)", str(error))
            self._refuse(int(code[1]) if code else 0, str(error))

    def _run(self, asked: dict[str, str], body: bytes) -> None:
        door = self._session(asked.get("session_id", ""))
        door.query(f"USE {asked.get('database', 'default')}")
        for name, value in asked.items():
            if name not in _NOT_SETTINGS:
                door.query(f"SET {name} = '{value}'")
        if "query" in asked:
            into, form = re.fullmatch(r"(?s)(.*)\bFORMAT (\w+)\s*", asked["query"]).groups()
            with door.send_insert(into.strip(), form) as taker:
                taker.append(body)
                written, content = taker.finish().rows_written, b""
        else:
            answer = door.query(body.decode(), asked.get("default_format", "TabSeparated"))
            written, content = answer.rows_written(), bytes(answer.bytes())
        self._answer(200, content, {"X-ClickHouse-Summary": json.dumps({"written_rows": str(written)})})

    def _session(self, name: str) -> Any:
        sessions = self.server.sessions
        if name not in sessions:
            sessions[name] = chdb.connect(self.server.folder)
        return sessions[name]

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _refuse(self, code: int, text: str) -> None:
        self._answer(403 if code == 516 else 500, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
