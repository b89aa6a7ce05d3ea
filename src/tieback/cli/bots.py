"""tieback bots."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import as_text, emit, format_option, say
from tieback.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from tieback.config import Workspace

_COLUMNS = ("reason", "events", "sources", "last_at", "counts")


@click.group("bots")
def command() -> None:
    """Who was taken for a bot and why; and let it count, or not.

    What bots do is kept as everything else is: it is set aside when touches and conversions are worked out.
    """


@command.command("list")
@click.option("--days", type=click.IntRange(min=1), help="Only what occurred in the last so many days.")
@format_option
@click.pass_obj
def list_bots(folder: Path, days: int | None, form: str) -> None:
    """How many events each bot sent, to which sources, and whether they count.

    A reason is a bot's sort and name as its user agent tells them; the user agent itself is not kept.
    """
    from tieback.config import open_workspace

    rows = _seen(open_workspace(folder), days)
    emit(rows, form, columns=_COLUMNS, show=_shown)
    if rows:
        say("Let one count: tieback bots restore REASON. Take that back: tieback bots undo REASON")


@command.command("restore")
@click.argument("reason")
@click.pass_obj
def restore(folder: Path, reason: str) -> None:
    """Let events count that were set aside for REASON, as `list` shows it; a pattern such as "monitoring: *" works too.

    It is written into tieback.toml, as [exclude] bots_allowed.
    """
    from tieback.config import FILE_NAME, open_workspace

    workspace = open_workspace(folder)
    allowed = workspace.settings.exclude.bots_allowed
    seen = _seen(workspace, None, [reason])
    hits = [row for row in seen if row["counts"]]
    if not hits:
        known = [row["reason"] for row in seen]
        raise UsageError(f"No event was taken for a bot's for {reason!r}. {did_you_mean(reason, known)}")
    _allow(folder, allowed if reason in allowed else (*allowed, reason))
    events = sum(row["events"] for row in hits)
    say(f"{events:,} events of {len(hits):,} bots count from the next run on: it is in {folder / FILE_NAME}.")
    say("Next: tieback run")


@command.command("undo")
@click.argument("reason")
@click.pass_obj
def undo(folder: Path, reason: str) -> None:
    """Take back what `restore` REASON did: those events are set aside again."""
    from tieback.config import open_workspace

    allowed = open_workspace(folder).settings.exclude.bots_allowed
    if reason not in allowed:
        raise UsageError(f"[exclude] bots_allowed does not hold {reason!r}. {did_you_mean(reason, allowed)}")
    _allow(folder, [each for each in allowed if each != reason])
    say("They are set aside from the next run on. Next: tieback run")


def _seen(workspace: Workspace, days: int | None, allowed: list[str] | None = None) -> list[dict[str, Any]]:
    """One row a reason, the most events first. allowed: whether these patterns, not those of the settings, count it."""
    import msgspec

    from tieback.attribution import bots_seen
    from tieback.cli.warehouse import opened
    from tieback.schema import FACTS
    from tieback.schema.relations import relations
    from tieback.sync import now

    exclude = workspace.settings.exclude
    if allowed is not None:
        exclude = msgspec.structs.replace(exclude, bots_allowed=tuple(allowed))
    since = now() - timedelta(days=days) if days else None
    with opened(workspace, read_only=True) as store:
        found = store.read(bots_seen(relations(FACTS).events, since, exclude)).to_pylist()
    by_reason: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_reason[row["reason"]].append(row)
    rows = [
        {
            "reason": reason,
            "events": sum(row["events"] for row in its),
            "sources": ", ".join(sorted({_source(row["origin"]) for row in its})),
            "last_at": max(row["last_at"] for row in its),
            "counts": its[0]["counts"],
        }
        for reason, its in by_reason.items()
    ]
    return sorted(rows, key=lambda row: (-row["events"], row["reason"]))


def _source(origin: str) -> str:
    """The collector's source that a delivery came from; `files` for one that was imported."""
    kind, _, rest = origin.partition(":")
    return rest.rpartition(":")[0] if kind == "inbox" else "files"


def _allow(folder: Path, patterns: list[str] | tuple[str, ...]) -> None:
    from tieback.cli.setting import rewrite
    from tieback.config import FILE_NAME

    rewrite(folder / FILE_NAME, "exclude", "bots_allowed", patterns)


def _shown(name: str, value: Any) -> str:
    return ("yes" if value else "no") if name == "counts" else as_text(value)
