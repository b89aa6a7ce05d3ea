"""granian serves the collector, in a process of its own: this one listens to signals, and waits for it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import MPServer

from tieback.cli.collector import check, collector
from tieback.cli.ledger import opened_ledger
from tieback.cli.logs import Libraries, log
from tieback.config import Workspace, open_workspace
from tieback.errors import TiebackError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_CONNECTIONS = 2048  # that are answered, and as many that wait to be


def serve(
    workspace: Workspace, listener: socket.socket, *, is_loading: bool, drain_seconds: int, begun: Callable[[], object]
) -> None:
    """Answer on `listener` until this process is told to stop, and all is drained. Errors as of `collector`.

    drain_seconds: until the worker is killed. begun: called once nothing stands in the way. The worker opens
    the ledger; whether it can is for the caller to see first. Raises TiebackError when the worker ends untold.
    """
    check(workspace)
    multiprocessing.set_start_method("spawn", force=True)  # the same on every system, and nothing of here is held there
    server = _Server(listener, drain_seconds)
    logging.getLogger().addHandler(Libraries())
    hangup = signal.getsignal(signal.SIGHUP)
    server.on_startup(lambda: signal.signal(signal.SIGHUP, hangup))  # else a second worker would come beside the first
    server.on_startup(begun)
    try:
        application = partial(_application, workspace.folder, is_loading, listener.fileno())
        server.serve(target_loader=application, wrap_loader=False)
    except SystemExit:
        if not server.interrupt_signal:
            raise TiebackError(
                "The process that collects ended by itself; what it logged may say why. Nothing that was acknowledged "
                "is lost: start it again."
            ) from None


class _Server(MPServer):
    """granian with one worker, which accepts from `listener`.

    By itself it would bind the port anew in its worker, beside any other that does so too: whoever starts a second one
    on the same port would hear of nothing, and a port that is any free one could not be told.
    """

    def __init__(self, listener: socket.socket, drain_seconds: int) -> None:
        address, port = listener.getsockname()[:2]
        super().__init__(
            "tieback",
            address=address,
            port=port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_CONNECTIONS,
            log_level=LogLevels.warning,
            log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {}},  # they reach those of the root
            workers_kill_timeout=drain_seconds,
        )
        self._listener = listener

    def _stop_workers(self) -> None:
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]  # granian tells no types
            # By itself granian asks what its other thread may not have noted yet: an end in time is then told as late.
            if not wait([worker.inner.sentinel], self.workers_kill_timeout):
                log().warning("What was under way took too long, and is cut off", seconds=self.workers_kill_timeout)
                worker.inner.kill()
            worker.inner.join()
        self.wrks.clear()

    def _init_shared_socket(self) -> None:
        given = (self.backlog,) if sys.platform == "linux" else ()
        self._ssp, self._sso = None, self._listener
        self._shd = SocketHolder(self._listener.fileno(), False, *given)  # type: ignore[call-arg, assignment]  # no stubs


def _application(folder: Path, is_loading: bool, listener: int) -> ASGIApp:
    """What the worker serves. listener: its file descriptor, there as here."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.set_inheritable(listener, False)  # a loader that outlives the worker would go on holding the port
    held = contextlib.ExitStack()
    atexit.register(held.close)
    app = collector(open_workspace(folder), held.enter_context(opened_ledger(folder)), is_loading=is_loading)

    async def telling(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception:
            logging.getLogger("tieback").exception("A request failed")  # granian tells no place
            raise

    return telling


def _end_with_parent() -> None:
    """End when whoever started this process is gone, as nobody else would stop it, and it holds the port."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
