"""The floor of the collector: a bare Starlette application with its durability, and nothing else that it does.

`python -m benchmarks.bare FILE` serves it over a ledger at FILE, by the same server. It decodes a body, takes each event's
own id for its id, keeps the event as it came, and answers once the group commit has put it on disk.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tieback.store.ledger import GroupCommit, Incoming, open_ledger

ledger = open_ledger(f"sqlite:///{sys.argv[1]}")
inbox = GroupCommit(ledger)


async def take(request: Request) -> Response:
    """Put the events into the inbox."""
    told = msgspec.json.decode(await request.body())
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [Incoming("web", event["event_id"], now, msgspec.json.encode(event)) for event in told["events"]]
    new = await inbox.put(rows)
    return Response(msgspec.json.encode({"taken": len(new)}), media_type="application/json")


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Drain the inbox at the end."""
    yield
    await inbox.close()


with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
    print(f"Collecting at http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    application = Starlette(routes=[Route("/v1/events", take, methods=["POST"])], lifespan=lifespan)
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", access_log=False, log_level="warning", server_header=False
    )
    uvicorn.Server(config).run(sockets=[listener])
