"""tieback serve."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import click

from tieback.cli.ledger import opened_ledger
from tieback.cli.logs import log
from tieback.config import SERVERS, Workspace, open_workspace
from tieback.errors import ConfigError

_BACKLOG = 2048  # connections that wait to be answered
_DRAIN_SECONDS = 20  # for requests under way, once told to stop


@click.command("serve")
@click.option("--host", default="", help="Where to listen, instead of [collect] host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=None, help="Instead of [collect] port; 0 for any that is free."
)
@click.option("--server", type=click.Choice(SERVERS), help="Instead of [collect] server.")
@click.option("--no-load", "only_collect", is_flag=True, help="Only collect: `tieback load` runs elsewhere.")
@click.pass_obj
def command(folder: Path, host: str, port: int | None, server: str | None, only_collect: bool) -> None:
    """Open the front door: collect events by HTTP, and make facts of them.

    An event is acknowledged once it is on disk. Stopped by SIGTERM or Ctrl-C, what was taken in is drained first.
    """
    workspace = open_workspace(folder)
    given = workspace.settings.collect
    serve = _server(server or given.server)
    with opened_ledger(folder) as ledger:
        if not any(source.revoked_at is None for source in ledger.sources()):
            log().warning("Nobody has a write key yet. Make one: `tieback source add web`")
    with _listening(host or given.host, given.port if port is None else port) as listener:
        serve(
            workspace,
            listener,
            is_loading=not only_collect,
            drain_seconds=_DRAIN_SECONDS,
            begun=lambda: log().info(f"Collecting at {_place(listener)} (Ctrl-C stops it)"),
        )
    log().info("Stopped; all that was acknowledged is in the inbox.")


class _Serve(Protocol):
    def __call__(
        self,
        workspace: Workspace,
        listener: socket.socket,
        *,
        is_loading: bool,
        drain_seconds: int,
        begun: Callable[[], object],
    ) -> None: ...


def _server(name: str) -> _Serve:
    """What serves the collector. Raises ConfigError when it is not installed."""
    if name == "uvicorn":
        from tieback.cli import by_uvicorn

        return by_uvicorn.serve
    try:
        from tieback.cli import by_granian
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "granian":
            raise
        raise ConfigError(
            "granian is not installed here. Install it with: pip install 'tieback[granian]', or choose --server uvicorn"
        ) from None
    return by_granian.serve


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigError when it cannot."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen on {host}:{port} ({error.strerror}). Choose another --port, or stop what holds it."
        ) from None


def _place(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
