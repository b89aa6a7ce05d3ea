"""tieback vault."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.output import say


@click.group("vault")
def command() -> None:
    """The raw e-mail addresses and phone numbers behind the hashes."""


@command.command("wipe")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def wipe(folder: Path, yes: bool) -> None:
    """Delete the raw values for good, and empty the rows in quarantine, which may hold some.

    Facts keep their hashes, so no number in any report changes. The files that were imported are yours to delete.
    """
    from tieback.config import INTAKE_NAME, WAREHOUSE_NAME, open_workspace
    from tieback.errors import WorkspaceError
    from tieback.sync import vault

    workspace = open_workspace(folder)
    # Also what a move to another engine left behind.
    files = [folder / name for name in (WAREHOUSE_NAME, INTAKE_NAME) if (folder / name).exists()]
    if not files:
        raise WorkspaceError(f"{folder} holds no data yet: there is nothing to wipe.")
    if not yes and not click.confirm(
        "Delete every raw e-mail address and phone number, and empty the rows in quarantine, for good?", err=True
    ):
        say("Nothing was deleted.")
        return
    for file in files:
        gone = vault.wipe(file, workspace.settings.warehouse.memory)
        of = f"{file.name}: " if len(files) > 1 else ""
        say(f"{of}{gone.values:,} raw addresses and numbers deleted, {gone.refused:,} refused rows emptied.")
