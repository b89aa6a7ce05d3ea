"""uvicorn serves the collector, within this process."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn

from tieback.cli.collector import collector
from tieback.cli.ledger import opened_ledger
from tieback.config import Workspace


def serve(
    workspace: Workspace, listener: socket.socket, *, is_loading: bool, drain_seconds: int, begun: Callable[[], object]
) -> None:
    """Answer on `listener` until this process is told to stop, and all is drained. Errors as of `collector`.

    drain_seconds: for requests under way. begun: called once nothing stands in the way.
    """
    with opened_ledger(workspace.folder) as ledger:
        config = uvicorn.Config(
            collector(workspace, ledger, is_loading=is_loading),
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            timeout_graceful_shutdown=drain_seconds,
            server_header=False,
        )
        begun()
        for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when all is drained
            signal.signal(ending, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
