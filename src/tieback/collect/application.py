"""The front door as an ASGI application: routes of all protocols, what browsers ask first, health and counts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tieback.collect import openapi
from tieback.collect.counts import Counts
from tieback.collect.door import Door
from tieback.collect.endpoint import Endpoint
from tieback.collect.requests import Wire
from tieback.collect.script import script_route

ENTRY_POINTS = "tieback.protocols"


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
) -> ASGIApp:
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
    known: dict[tuple[str, str], Endpoint] = {}
    for wire in spoken:
        endpoint = Endpoint(partial(door.answer, wire), most_bytes, secret)
        for route in wire.routes:
            routes.append(Route(route.path, endpoint, methods=[*route.methods, "OPTIONS"]))
            if "{" not in route.path:
                known |= {(method, route.path): endpoint for method in route.methods}
    return _Shortcut(known, Starlette(routes=routes, lifespan=lifespan))


class _Shortcut:
    """`rest`, past which `known` requests go to their endpoints: it would try one route after the other for each."""

    def __init__(self, known: Mapping[tuple[str, str], Endpoint], rest: ASGIApp) -> None:
        self._known, self._rest = known, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._known.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (endpoint or self._rest)(scope, receive, send)
