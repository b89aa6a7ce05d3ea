"""tieback load."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from tieback.cli.ledger import opened_ledger
from tieback.cli.output import say
from tieback.cli.warehouse import intake, opened

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.store.ledger import Ledger

_ROWS = 20_000  # taken in at once


@click.command("load")
@click.option("--follow", is_flag=True, help="Go on until stopped, every `load_seconds` of [collect].")
@click.pass_obj
def command(folder: Path, follow: bool) -> None:
    """Take in what the collector has gathered, and bring the run up to date.

    Cut off anywhere, nothing is lost or counted twice: the same command goes on.
    """
    from tieback.config import open_workspace

    workspace = open_workspace(folder)
    with opened_ledger(folder) as ledger:
        if follow:
            _follow(workspace, ledger)
        else:
            say(load(workspace, ledger) or "Nothing new has been collected.")


def load(workspace: Workspace, ledger: Ledger) -> str:
    """Take in all that waits in the inbox and refresh; says what came of it, or nothing when there was nothing."""
    from tieback.pipeline import refresh
    from tieback.sync import Personal, now, take_in_inbox

    personal = Personal(workspace.salt, workspace.settings.identity.phone_region)
    added = known = refused = 0
    while rows := ledger.waiting(_ROWS):
        with intake(workspace) as store:
            loaded = take_in_inbox(store, rows, personal, now())
        ledger.settle([row.position for row in rows])
        added, known, refused = added + loaded.facts_added, known + loaded.facts_known, refused + loaded.rows_refused
    if not (added or known or refused):
        return ""
    if added:
        with opened(workspace) as engine:
            refresh(engine, workspace.settings)
    return f"{added:,} events new, {known:,} already held, {refused:,} in quarantine."


def _follow(workspace: Workspace, ledger: Ledger) -> None:
    """Load until SIGTERM or Ctrl-C, also where a command holds the workspace for a while."""
    from tieback.errors import TiebackError

    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    told = ""
    while not stopped.wait(workspace.settings.collect.load_seconds):
        try:
            told = _tell(load(workspace, ledger), told)
        except TiebackError as error:
            told = _tell(str(error), told)


def _tell(text: str, told: str, say: Callable[[str], None] = say) -> str:
    """Say `text` unless it was said last; returns what was."""
    if text and text != told:
        say(text)
    return text or told
