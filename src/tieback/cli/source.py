"""tieback source."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.output import emit, format_option, say


@click.group("source")
def command() -> None:
    """What may send to this workspace: each source has a write key of its own."""


@command.command("add")
@click.argument("name")
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="A site that may send with its key; all unless given."
)
@click.pass_obj
def add(folder: Path, name: str, origins: tuple[str, ...]) -> None:
    """Make the source NAME and print its write key, which is not shown again."""
    from tieback.cli.ledger import opened_ledger

    with opened_ledger(folder) as ledger:
        key = ledger.add_source(name, origins)
    click.echo(key)
    say(f"The write key of {name}: kept here as a digest alone, so note it now. Next: `tieback serve`")


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
