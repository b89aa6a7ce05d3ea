"""tieback load."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from tieback.cli.ledger import opened_ledger
from tieback.cli.logs import log
from tieback.cli.output import say
from tieback.cli.warehouse import intake, opened

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store.ledger import Ledger

_ROWS = 20_000  # taken in at once
_KNOWN_FOR = timedelta(days=31)  # a message that comes again within is known for what it is
_PRUNED_EVERY = timedelta(hours=1)


@click.command("load")
@click.option("--follow", is_flag=True, help="Go on until stopped, every `load_seconds` of [collect].")
@click.option("--with-parent", type=int, hidden=True, help="Stop when the process of this number is not the parent.")
@click.pass_obj
def command(folder: Path, follow: bool, with_parent: int | None) -> None:
    """Take in what the collector has gathered, and bring the run up to date.

    Cut off anywhere, nothing is lost or counted twice: the same command goes on.
    """
    from tieback.config import open_workspace
    from tieback.sync import now

    workspace = open_workspace(folder)
    with opened_ledger(folder) as ledger:
        if follow:
            _follow(workspace, ledger, lambda: with_parent in (None, os.getppid()))
        else:
            say(load(workspace, ledger) or _why_nothing(ledger))
            ledger.prune(now() - _KNOWN_FOR)


def load(workspace: Workspace, ledger: Ledger, *, is_behind: bool = True) -> str:
    """Take in all that waited in the inbox and refresh; says what came of it, or nothing when nothing waited.

    is_behind: refresh also when nothing waited: whoever loaded last may not have come to it.
    """
    from tieback.pipeline import refresh
    from tieback.sync import Personal, now, take_in_inbox

    personal = Personal(workspace.salt, workspace.settings.identity.phone_region)
    added = known = refused = 0
    while rows := ledger.waiting(_ROWS):
        with intake(workspace) as store:
            loaded = take_in_inbox(store, rows, personal, now())
        ledger.settle([row.position for row in rows])
        added, known, refused = added + loaded.facts_added, known + loaded.facts_known, refused + loaded.rows_refused
        if len(rows) < _ROWS:  # what has come since waits for the next time, or a busy collector would never let us end
            break
    if added or (is_behind and (workspace.settings.warehouse.url or workspace.warehouse.exists())):
        with opened(workspace) as engine:
            refresh(engine, workspace.settings)
    if not (added or known or refused):
        return ""
    return f"Collected: {added:,} new, {known:,} already held, {refused:,} in quarantine."


def _why_nothing(ledger: Ledger) -> str:
    waits = ledger.backlog().rows
    return f"Another process loads: {waits:,} rows wait for it." if waits else "Nothing new has been collected."


def _follow(workspace: Workspace, ledger: Ledger, goes_on: Callable[[], bool]) -> None:
    """Load until SIGTERM or Ctrl-C, also where a command holds the workspace for a while.

    Settings that change meanwhile hold from the next round on: under the old ones it would undo what `tieback run` did.
    """
    from tieback.config import open_workspace
    from tieback.errors import TiebackError
    from tieback.sync import now

    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log().info("The loader begins")
    told, is_behind, prune_at = "", True, now()
    while not stopped.wait(workspace.settings.collect.load_seconds) and goes_on():
        try:
            before, workspace = workspace, open_workspace(workspace.folder)
            is_behind = is_behind or workspace.settings != before.settings
            told = _tell(load(workspace, ledger, is_behind=is_behind), told, log().info)
            is_behind = False
            if now() >= prune_at:
                ledger.prune(now() - _KNOWN_FOR)
                prune_at = now() + _PRUNED_EVERY
        except TiebackError as error:
            told, is_behind = _tell(str(error), told, log().warning), True
    log().info("The loader ends")


def _tell(text: str, told: str, out: Callable[[str], object]) -> str:
    """Log `text` by `out` unless it was told last; returns what was."""
    if text and text != told:
        out(text)
    return text or told
