"""Between HTTP and a protocol: a request is read whole, and what the door makes of it is sent.

Every event passes here, thousands of times a second, so it speaks ASGI itself: objects for headers, query and answer
cost more than all that is done with the event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from tieback.collect.door import refusal
from tieback.collect.requests import Answer, Request, TooLargeError, UnreadableError, unpacked

_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-max-age": "86400",
}
# The only cookie here is SameSite=Lax: browsers hand it over on pages of the collector's own site alone. Other clients
# than the tracker send along what cookies there are, and the browser asks whether they may.
_WITH_COOKIES = {"access-control-allow-credentials": "true", "vary": "origin"}
_BODILESS = (204, 304)


class GoneError(Exception):
    """The client went away before all that it sent was here."""


class Endpoint:
    """The ASGI application at a protocol's paths.

    answer: what to say to a request. most_bytes: of a body, packed or not. secret: what the request's ids are signed
    with.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Answer]], most_bytes: int, secret: bytes) -> None:
        self._answer = answer
        self._most_bytes = most_bytes
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _headers(scope["headers"])
        origin = headers.get("origin", "")
        allowed = {**_WITH_COOKIES, "access-control-allow-origin": origin} if origin else {}
        if scope["method"] == "OPTIONS":
            # Clients bring headers of their own, and others with the next version; none of them gets anybody in.
            asked = {"access-control-allow-headers": headers.get("access-control-request-headers", "")}
            await _send(send, Answer(204, content_type=""), {**_PREFLIGHT, **allowed, **asked})
            return
        try:
            given = await self._answer(await self._request(scope, headers, receive))
        except UnreadableError as error:
            given = refusal(400, error.reason)
        except TooLargeError:
            given = refusal(413, "The body holds more than this collector takes at once")
        except GoneError:
            given = refusal(400, "The client went away")
        await _send(send, given, allowed)

    async def _request(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Request:
        """The request, read whole. Raises TooLargeError before more is held, UnreadableError when packed badly."""
        received_at = datetime.now(UTC).replace(tzinfo=None)
        body = await _body(receive, self._most_bytes)
        query, client = scope["query_string"], scope.get("client")
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
            headers=headers,
            body=unpacked(body, headers.get("content-encoding", ""), self._most_bytes),
            received_at=received_at,
            client_ip=client[0] if client else "",
            secret=self._secret,
        )


def _headers(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case. Several with one name are one list: a proxy adds its line below what a client made up."""
    found: dict[str, str] = {}
    for raw, value in given:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        if name in found:
            text = f"{found[name]}{'; ' if name == 'cookie' else ', '}{text}"
        found[name] = text
    return found


async def _body(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLargeError
        if not message.get("more_body"):
            return bytes(body)


async def _send(send: Send, given: Answer, allowed: Mapping[str, str]) -> None:
    named = {**given.headers, **allowed}
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    if given.content_type:
        kind = given.content_type
        headers.append((b"content-type", (f"{kind}; charset=utf-8" if kind.startswith("text/") else kind).encode()))
    if given.status not in _BODILESS:
        headers.append((b"content-length", str(len(given.body)).encode()))
    await send({"type": "http.response.start", "status": given.status, "headers": headers})
    await send({"type": "http.response.body", "body": given.body})
