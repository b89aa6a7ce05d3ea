"""tieback link."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from tieback.cli.output import say
from tieback.errors import UsageError, WorkspaceError, did_you_mean

_TAGS = ("source", "medium", "campaign", "content", "term")


@click.command("link")
@click.argument("url")
@click.option("--name", required=True, help="What the click is called in events.")
@click.option("--source", default="", metavar="NAME", help="Whose click it is; needed where there are several sources.")
@click.option(
    "--kind",
    type=click.Choice(("click", "email_click", "ad_click")),
    default="click",
    show_default=True,
    help="email_click and ad_click are touches of their own: for pages that do not send their visits here.",
)
@click.option("--utm-source", "utm_source", default="")
@click.option("--utm-medium", "utm_medium", default="")
@click.option("--utm-campaign", "utm_campaign", default="")
@click.option("--utm-content", "utm_content", default="")
@click.option("--utm-term", "utm_term", default="")
@click.pass_obj
def command(folder: Path, /, url: str, name: str, source: str, kind: str, **tags: str) -> None:
    """Print a signed link that counts the click and leads to URL, with its tags.

    Nobody can make it lead elsewhere: whoever changes it gets a page that says that it is damaged.
    """
    from tieback.collect import links
    from tieback.config import open_workspace

    workspace = open_workspace(folder)
    if not links.is_address(url):
        raise UsageError(f"{url!r} is no address to link to. Write it as https://…, other letters than a-z as %C3%A4.")
    if not workspace.salt:
        raise WorkspaceError(f"{folder / 'tieback.salt'} is lost, and links are signed with it. Restore it.")
    given = {tag: quote(tags[tag], safe="") for tag in (f"utm_{name}" for name in _TAGS) if tags[tag]}
    link = links.Link(links.tagged(url, given), _source(folder, source), name, kind)
    secret = links.secret_of(workspace.salt)
    made = links.token(link, secret)
    if links.opened(made, secret) is None:
        raise UsageError(
            f"A link of {len(made):,} letters is longer than mail programs keep whole. Shorten the address."
        )
    collect = workspace.settings.collect
    if not collect.public_url:
        say("It works on this machine. Set [collect] public_url in tieback.toml to the address that visitors reach.")
    base = collect.public_url.rstrip("/") or f"http://{collect.host}:{collect.port}"
    click.echo(f"{base}{links.PATH}{made}")


def _source(folder: Path, name: str) -> str:
    """The source `name`, or the only one. Raises UsageError when there is none, or none was chosen of several."""
    from tieback.cli.ledger import opened_ledger

    with opened_ledger(folder) as ledger:
        names = [source.name for source in ledger.sources() if source.revoked_at is None]
    if name and name not in names:
        raise UsageError(f"There is no source {name!r}. {did_you_mean(name, names)}" if names else _NOBODY)
    if not name and len(names) > 1:
        raise UsageError(f"Say whose click it is with --source, one of {', '.join(names)}.")
    if not names:
        raise UsageError(_NOBODY)
    return name or names[0]


_NOBODY = "There is no source yet whose click it could be. Make one: `tieback source add web`"
