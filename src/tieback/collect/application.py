"""The front door as an ASGI application: routes of all protocols, what browsers ask first, health and counts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import entry_points
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tieback.collect import openapi
from tieback.collect.counts import Counts
from tieback.collect.door import Door, refusal
from tieback.collect.requests import Answer, Request, TooLargeError, UnreadableError, Wire, unpacked
from tieback.collect.script import script_route

ENTRY_POINTS = "tieback.protocols"
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-max-age": "86400",
}
# The only cookie here is SameSite=Lax: browsers hand it over on pages of the collector's own site alone. Other clients
# than the tracker send along what cookies there are, and the browser asks whether they may.
_WITH_COOKIES = {"access-control-allow-credentials": "true", "vary": "origin"}


class Health(Protocol):
    """What tells whether the inbox takes rows: `trouble` is a sentence, empty when all is well."""

    @property
    def trouble(self) -> str: ...


def wires() -> list[Wire]:
    """Every protocol that this installation speaks, built in or brought by others, by name."""
    return [point.load() for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)]


def application(
    door: Door,
    spoken: Iterable[Wire],
    counts: Counts,
    health: Health,
    most_bytes: int,
    running: Callable[[], contextlib.AbstractAsyncContextManager[None]],
    secret: bytes = b"",
) -> Starlette:
    """The application.

    most_bytes: of a body, packed or not. running: entered at the start, left when drained. secret: what tokens and
    the ids of a day are signed with.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with running():
            yield

    async def metrics(_: HttpRequest) -> Response:
        return Response(await run_in_threadpool(counts.exposition), media_type="text/plain; version=0.0.4")

    async def ready(_: HttpRequest) -> Response:
        return PlainTextResponse(health.trouble or "ready", 503 if health.trouble else 200)

    async def alive(_: HttpRequest) -> Response:
        return PlainTextResponse("ok")

    told = msgspec.json.encode(openapi.document())

    async def described(_: HttpRequest) -> Response:
        return Response(told, media_type="application/json", headers={"access-control-allow-origin": "*"})

    routes = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics), script_route()]
    routes.append(Route("/openapi.json", described))
    for wire in spoken:
        answer = _answering(partial(door.answer, wire), partial(_read, most_bytes=most_bytes, secret=secret))
        routes += [Route(route.path, answer, methods=[*route.methods, "OPTIONS"]) for route in wire.routes]
    return Starlette(routes=routes, lifespan=lifespan)


def _answering(
    answer: Callable[[Request], Awaitable[Answer]], read: Callable[[HttpRequest], Awaitable[Request]]
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def endpoint(http: HttpRequest) -> Response:
        origin = http.headers.get("origin")
        allowed = {**_WITH_COOKIES, "access-control-allow-origin": origin} if origin else {}
        if http.method == "OPTIONS":
            # Clients bring headers of their own, and others with the next version; none of them gets anybody in.
            asked = http.headers.get("access-control-request-headers", "")
            return Response(status_code=204, headers={**_PREFLIGHT, **allowed, "access-control-allow-headers": asked})
        try:
            given = await answer(await read(http))
        except UnreadableError as error:
            given = refusal(400, error.reason)
        except TooLargeError:
            given = refusal(413, "The body holds more than this collector takes at once")
        except ClientDisconnect:
            given = refusal(400, "The client went away")
        return _response(given, allowed)

    return endpoint


async def _read(http: HttpRequest, most_bytes: int, secret: bytes) -> Request:
    """The request, read whole. Raises TooLargeError before more is held, UnreadableError when it is packed badly."""
    received_at = datetime.now(UTC).replace(tzinfo=None)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > most_bytes:
            raise TooLargeError
    return Request(
        method=http.method,
        path=http.url.path,
        query=dict(http.query_params),
        headers=dict(http.headers),
        body=unpacked(bytes(body), http.headers.get("content-encoding", ""), most_bytes),
        received_at=received_at,
        client_ip=http.client.host if http.client else "",
        secret=secret,
    )


def _response(given: Answer, allowed: Mapping[str, str]) -> Response:
    headers = {**given.headers, **allowed}
    return Response(given.body, given.status, headers=headers, media_type=given.content_type)
