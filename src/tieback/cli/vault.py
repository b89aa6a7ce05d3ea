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
    from tieback.config import open_workspace
    from tieback.errors import WorkspaceError
    from tieback.sync import vault

    workspace = open_workspace(folder)
    if not workspace.warehouse.exists():
        raise WorkspaceError(f"{folder} holds no data yet: there is nothing to wipe.")
    if not yes and not click.confirm(
        "Delete every raw e-mail address and phone number, and empty the rows in quarantine, for good?", err=True
    ):
        say("Nothing was deleted.")
        return
    gone = vault.wipe(workspace.warehouse, workspace.settings.warehouse.memory)
    say(f"{gone.values:,} raw addresses and numbers deleted, {gone.refused:,} refused rows emptied.")
