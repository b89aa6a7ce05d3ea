"""tieback source."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.output import emit, format_option, say
from tieback.errors import WorkspaceError


@click.group("source")
def command() -> None:
    """What may send to this workspace: each source has a write key of its own."""


@command.command("add")
@click.argument("name")
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="A site that may send with its key; all unless given."
)
@click.option(
    "--webhook",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="How a vendor's webhook is proved and read; kept as hooks/NAME.toml.",
)
@click.pass_obj
def add(folder: Path, name: str, origins: tuple[str, ...], webhook: Path | None) -> None:
    """Make the source NAME and print its write key, which is not shown again."""
    from tieback.cli.ledger import opened_ledger

    if webhook:
        from tieback.config.hooks import hook_in

        hook_in(webhook, name)
    with opened_ledger(folder) as ledger:
        key = ledger.add_source(name, origins)
    if webhook:
        _keep(webhook, folder, name)
    click.echo(key)
    say(f"The write key of {name}: kept here as a digest alone, so note it now. Next: `tieback serve`")


def _keep(webhook: Path, folder: Path, name: str) -> None:
    """Copy the file `webhook` to where `tieback serve` looks for it. Raises WorkspaceError."""
    from tieback.config.hooks import FOLDER_NAME

    kept = folder / FOLDER_NAME / f"{name}.toml"
    try:
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(webhook.read_bytes())
    except OSError as error:
        raise WorkspaceError(f"{kept} cannot be written ({error.strerror}). Mend the folder's permissions.") from None
    say(f"Kept {kept}. Once `tieback serve` is started anew, the vendor may call /hooks/{name}")


@command.command("list")
@format_option
@click.pass_obj
def list_sources(folder: Path, form: str) -> None:
    """The sources, and when each was made or revoked."""
    from tieback.cli.ledger import opened_ledger

    with opened_ledger(folder) as ledger:
        sources = ledger.sources()
    rows = [
        {
            "source": source.name,
            "key": f"…{source.key_ending}",
            "origins": ", ".join(source.origins),
            "made_at": source.made_at,
            "revoked_at": source.revoked_at,
        }
        for source in sources
    ]
    emit(rows, form, columns=("source", "key", "origins", "made_at", "revoked_at"))


@command.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke(folder: Path, name: str) -> None:
    """Refuse the write key of NAME from now on; what it sent stays."""
    from tieback.cli.ledger import opened_ledger

    with opened_ledger(folder) as ledger:
        ledger.revoke(name)
    say(f"The write key of {name} is refused within ten seconds, by every collector.")
