"""tieback serve."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieback.cli.ledger import opened_ledger
from tieback.cli.logs import Libraries, log
from tieback.errors import ConfigError

if TYPE_CHECKING:
    from tieback.collect import Counts, Wire
    from tieback.config import Workspace
    from tieback.store.ledger import GroupCommit, Ledger

_DRAIN_SECONDS = 20  # for requests under way, once told to stop
_BACKLOG = 2048  # connections that wait to be answered
_GUESSES_AT_ONCE = 60  # requests with unknown keys from one network; after that, one a second
_TOLD_EVERY = 1.0  # seconds
_REFUSALS_EVERY = 60.0
_OBJECTS_A_SEARCH = 20_000  # for garbage; Python's own 700 are a dozen requests
_AGAIN_SECONDS = 5.0  # after the loader has ended by itself


@click.command("serve")
@click.option("--host", default="", help="Where to listen, instead of [collect] host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=None, help="Instead of [collect] port; 0 for any that is free."
)
@click.option("--no-load", "only_collect", is_flag=True, help="Only collect: `tieback load` runs elsewhere.")
@click.pass_obj
def command(folder: Path, host: str, port: int | None, only_collect: bool) -> None:
    """Open the front door: collect events by HTTP, and make facts of them.

    An event is acknowledged once it is on disk. Stopped by SIGTERM or Ctrl-C, what was taken in is drained first.
    """
    from tieback.config import open_workspace

    workspace = open_workspace(folder)
    given = workspace.settings.collect
    with opened_ledger(folder) as ledger:
        if not any(source.revoked_at is None for source in ledger.sources()):
            log().warning("Nobody has a write key yet. Make one: `tieback source add web`")
        _serve(workspace, ledger, host or given.host, given.port if port is None else port, only_collect)


def _serve(workspace: Workspace, ledger: Ledger, host: str, port: int, only_collect: bool) -> None:
    import uvicorn

    from tieback.collect import Countries, Counts, Door, Guesses, Keys, Limits, application, wires
    from tieback.store.ledger import GroupCommit

    given = workspace.settings.collect
    inbox, counts, libraries = GroupCommit(ledger), Counts(ledger.backlog), Libraries()
    logging.getLogger().addHandler(libraries)

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        _look_seldom_for_garbage()
        beside = [asyncio.create_task(_tell(counts, inbox, libraries))]
        if not only_collect:
            beside.append(asyncio.create_task(_keep_loading(workspace.folder)))
        try:
            yield
        finally:
            await inbox.close()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            gc.unfreeze()

    keys = Keys(ledger.source_of)
    door = Door(
        inbox,
        keys.source_of,
        counts,
        workspace.settings.consent,
        Keys(ledger.source_named).source_of,
        limits=Limits(given.per_second),
        guesses=Guesses(_GUESSES_AT_ONCE, keys.has_opened),
        keep_masked_ip=given.keep_masked_ip,
        **({"country_of": Countries(workspace.folder / given.countries).of} if given.countries else {}),
    )
    spoken = [*wires(), *_own_wires(workspace)]
    app = application(door, spoken, counts, inbox, given.most_kb * 1000, running, _secret(workspace.salt))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=bool(given.proxies),
        forwarded_allow_ips=list(given.proxies),
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        server_header=False,
    )
    with _listening(host, port) as listener:
        address, number = listener.getsockname()[:2]
        place = f"http://{f'[{address}]' if ':' in address else address}:{number}"
        log().info(f"Collecting at {place} (Ctrl-C stops it)")
        for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when all is drained
            signal.signal(ending, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
    log().info("Stopped; all that was acknowledged is in the inbox.")


def _look_seldom_for_garbage() -> None:
    """Leave out what is loaded by now, which stays: to look through it holds up all answers for 45 ms each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_SEARCH)


async def _tell(counts: Counts, inbox: GroupCommit, libraries: Libraries) -> None:
    """Log once a minute and at the end what was refused, by reason; at once when the inbox begins or ceases to fail."""
    told, since = "", 0.0
    try:
        while True:
            await asyncio.sleep(_TOLD_EVERY)
            since += _TOLD_EVERY
            if inbox.trouble != told:
                told = inbox.trouble
                log().error("The inbox takes nothing in", why=told) if told else log().info(
                    "The inbox takes rows again"
                )
            if since >= _REFUSALS_EVERY:
                since = 0.0
                _tell_refusals(counts, libraries)
    finally:
        _tell_refusals(counts, libraries)


def _tell_refusals(counts: Counts, libraries: Libraries) -> None:
    for (protocol, reason), requests in sorted(counts.refusals().items()):
        log().warning("Requests refused", protocol=protocol, reason=reason, requests=requests)
    libraries.tell_again()


def _own_wires(workspace: Workspace) -> list[Wire]:
    """The protocols that need this workspace: its webhooks, and its links where there is a salt to prove them with.

    Raises ConfigError when a webhook file is not right.
    """
    from tieback.collect import Hooks, Links, secret_of
    from tieback.config.hooks import hooks_in

    hooks = Hooks(hooks_in(workspace.folder, os.environ, workspace.settings.collect.public_url))
    return [hooks, Links(secret_of(workspace.salt))] if workspace.salt else [hooks]


def _secret(salt: str) -> bytes:
    """What links and the ids of a day are signed with: the same in every collector of the workspace."""
    # Without a salt, what is signed is good for as long as the process runs.
    return hashlib.sha256(f"tieback visitors {salt or os.urandom(32).hex()}".encode()).digest()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigError when it cannot."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"Nothing can listen on {host}:{port} ({error.strerror}). Choose another --port, or stop what holds it."
        ) from None


async def _keep_loading(folder: Path) -> None:
    """Run `tieback load --follow` in a process of its own, again when it ends: its work must not hold up answers."""
    while True:
        loader = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tieback",
            "-w",
            str(folder),
            "load",
            "--follow",
            "--with-parent",
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            await loader.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                loader.terminate()
            await loader.wait()
            raise
        log().warning("The loader ended; it is started anew", code=loader.returncode)
        await asyncio.sleep(_AGAIN_SECONDS)
