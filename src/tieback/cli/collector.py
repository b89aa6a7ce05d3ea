"""The collector's application: the front door over a ledger, the loader beside it, and what is told of both."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tieback.cli.logs import Libraries, log

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tieback.collect import Counts, Wire
    from tieback.config import Workspace
    from tieback.store.ledger import GroupCommit, Ledger

_GUESSES_AT_ONCE = 60  # requests with unknown keys from one network; after that, one a second
_TOLD_EVERY = 1.0  # seconds
_REFUSALS_EVERY = 60.0
_OBJECTS_A_SEARCH = 20_000  # for garbage; Python's own 700 are a dozen requests
_AGAIN_SECONDS = 5.0  # after the loader has ended by itself


def collector(workspace: Workspace, ledger: Ledger, *, is_loading: bool) -> ASGIApp:
    """The application of this workspace, for one server in one process: it alone writes to the ledger's inbox.

    Its lifespan ends when all that was taken in is on disk. is_loading: a loader runs beside it.
    Raises ConfigError when the database of countries or a webhook file is not right.
    """
    from tieback.collect import Counts, Door, Guesses, Keys, Limits, application, wires
    from tieback.store.ledger import GroupCommit

    given = workspace.settings.collect
    country_of, spoken = _country_of(workspace), [*wires(), *_own_wires(workspace)]
    inbox, counts, libraries = GroupCommit(ledger), Counts(ledger.backlog), Libraries()
    logging.getLogger().addHandler(libraries)

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        _look_seldom_for_garbage()
        beside = [asyncio.create_task(_tell(counts, inbox, libraries))]
        if is_loading:
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
        country_of=country_of,
    )
    app = application(door, spoken, counts, inbox, given.most_kb * 1000, running, _secret(workspace.salt))
    return _believing(given.proxies, app)


def check(workspace: Workspace) -> None:
    """Raise what `collector` would raise of this workspace, for whoever has it made in another process."""
    _country_of(workspace)
    _own_wires(workspace)


def _believing(proxies: tuple[str, ...], app: ASGIApp) -> ASGIApp:
    """`app`, to which a request comes from whom one of these `proxies` says, whatever serves it."""
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    return cast("ASGIApp", ProxyHeadersMiddleware(cast(Any, app), list(proxies))) if proxies else app


def _country_of(workspace: Workspace) -> Callable[[str], str]:
    """The country of an internet address; "" for each without a database. Raises ConfigError when that is not right."""
    from tieback.collect import Countries

    file = workspace.settings.collect.countries
    return Countries(workspace.folder / file).of if file else lambda address: ""


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
            str(os.getpid()),
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
