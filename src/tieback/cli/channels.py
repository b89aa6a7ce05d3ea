"""`tieback channels`: which channel rule decides for a URL, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from tieback.cli.output import emit, emit_json, format_option, printable
from tieback.cli.warehouse import check_rules, settings_of
from tieback.errors import UsageError

if TYPE_CHECKING:
    from tieback.attribution.rulebook import Rule, Rulebook
    from tieback.store import DuckDB

# Each condition of a rule, and the value it is held against.
_READ = {
    "source": "source",
    "medium": "medium",
    "campaign": "campaign_tag",
    "referrer": "referrer",
    "click_id": "click_kind",
    "kind": "touch_kind",
}


@click.command("channels")
@click.argument("url", required=False)
@click.option("--referrer", default="", metavar="URL", help="The page that the visitor came from.")
@click.option(
    "--kind", default="visit", show_default=True, help="Kind of touch: visit, form, ad_click, call, webinar …"
)
@format_option
@click.pass_obj
def command(folder: Path, url: str | None, referrer: str, kind: str, form: str) -> None:
    """Say which channel a visit to URL belongs to, which rule decided and why. Without URL: list the rules in order.

    The rules of tieback.toml come first; outside a workspace the built-in ones are used alone.
    """
    from tieback.attribution.rulebook import rulebook

    settings = settings_of(folder)
    with _memory() as store:
        check_rules(store, settings)
    book = rulebook(settings)
    if url is None:
        if referrer:
            raise UsageError(
                "--referrer needs the URL of the page it led to, as in "
                "`tieback channels https://example.com/ --referrer https://www.google.com/`."
            )
        emit(
            [_listed(number, rule) for number, rule in enumerate(book.rules, start=1)],
            form,
            title=f"Channel rules {book.version}",
        )
        return
    verdict = verdict_on(observed(url, referrer, kind), book)
    answer = {
        "channel": verdict["channel"],
        "source": verdict["source"] or None,
        "medium": verdict["medium"] or None,
        "campaign": verdict["utm_campaign"],
        "rule": verdict["channel_rule"],
        "is_paid": verdict["is_paid"],
        "rules_version": book.version,
    }
    why = reasons(verdict, book)
    if form == "json":
        emit_json({**answer, "why": why})
    elif form == "table":
        for name, value in answer.items():
            click.echo(f"{name.replace('_', ' '):<14} {printable(_shown(value))}")
        click.echo("\nWhy")
        for line in why:
            click.echo(f"  {printable(line)}")
    else:
        emit([{**answer, "why": "; ".join(why)}], form)


def observed(url: str, referrer: str, kind: str) -> dict[str, Any]:
    """A visit to `url` from `referrer` as a row of the fact `events`: cut out as `tieback import` does it.

    Raises UsageError when `url` is no web address.
    """
    from tieback.sync.web import derived

    address = url if "://" in url else f"https://{url}"
    if not _has_host(address):
        raise UsageError(
            f"{url!r} is no web address. Give it whole, as in https://example.com/pricing?utm_source=newsletter."
        )
    layers, facts = derived({"url", "referrer"})
    source = "SELECT ? AS r_url, nullif(?, '') AS r_referrer"
    for layer in layers:
        source = f"SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in layer.items())} FROM ({source})"
    with _memory() as store:
        row = store.rows(
            f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in facts.items())} FROM ({source})",
            [address, referrer],
        )[0]
    return {"event_id": "visit", "url": address, "kind": kind, **row}


def _has_host(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # a bracket that is never closed, an IP address that is none
        return False
    return "." in host or ":" in host or host == "localhost"


def verdict_on(event: dict[str, Any], book: Rulebook) -> dict[str, Any]:
    """What the rules make of `event`, with everything they read: the same expression as in a run, over this one row."""
    import pyarrow as pa

    from tieback.attribution.channels import classified
    from tieback.attribution.touchpoints import signals

    names = (
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_content",
        "utm_term",
        "click_id_kind",
        "referrer_domain",
        "url",
        "kind",
    )
    with _memory() as store:
        rows = pa.table({name: pa.array([event.get(name)], pa.string()) for name in names})
        table = store.scratch_rows("visit", rows)
        return dict(store.read(classified(signals(table), book)).to_pylist()[0])


def reasons(verdict: dict[str, Any], book: Rulebook) -> list[str]:
    """Why the rule of `verdict` decided: the conditions with what met them, the origins, and what was ignored."""
    return [*_met(book.rule(verdict["channel_rule"]), verdict), *_origins(verdict), *_ignored(verdict)]


def _met(rule: Rule | None, verdict: dict[str, Any]) -> list[str]:
    """The conditions of the rule that decided, each with the value that met it."""
    if rule is None:
        return ["No rule fits, and what is not known is Unassigned, never Direct."]
    if rule.web:
        return ["The page was seen with no tag, no click id and no referrer from outside."]
    met = [
        f"{name} {verdict[column] or '(empty)'!r} matches {getattr(rule, name)!r}."
        for name, column in _READ.items()
        if getattr(rule, name)
    ]
    return [f"source {verdict['source']!r} is a known {rule.family} site.", *met] if rule.family else met


def _origins(verdict: dict[str, Any]) -> list[str]:
    """Where the effective source and medium come from."""
    told = {
        "utm_source": "the tag utm_source",
        "utm_medium": "the tag utm_medium",
        "referrer": f"the referrer {verdict['referrer']}",
        "kind": "the kind of touch",
    }
    return [
        f"{name} {verdict[name]!r} comes from {told.get(origin, f'the click id {origin}')}."
        for name in ("source", "medium")
        if (origin := verdict[f"{name}_from"])
    ]


def _ignored(verdict: dict[str, Any]) -> list[str]:
    """What was seen and not used."""
    used = {verdict["source_from"], verdict["medium_from"]}
    role, referrer, click = verdict["referrer_role"], verdict["referrer"], verdict["click_kind"]
    lines = []
    if role not in ("", "outside"):
        lines.append(
            f"Ignored: the referrer {referrer} is {'an' if role[0] in 'aeio' else 'a'} {role}, never a referral."
        )
    elif role and "referrer" not in used:
        lines.append(f"Ignored: the referrer {referrer}, as a tag or click id is trusted more.")
    if click and click not in used:
        proof = "as the tags are trusted more" if verdict["click_source"] else "as it is of no known platform"
        lines.append(f"Ignored: the click id {click}, {proof}.")
    return lines


def _listed(number: int, rule: Rule) -> dict[str, Any]:
    """A rule as a row of the listing."""
    conditions = [f"{name} matches {getattr(rule, name)}" for name in _READ if getattr(rule, name)]
    if rule.family:
        conditions.insert(0, f"source is a {rule.family} site")
    if rule.web:
        conditions.append("a page was seen without tag, click id and outside referrer")
    return {
        "order": number,
        "rule": rule.name,
        "channel": rule.channel,
        "is_paid": rule.is_paid,
        "when": " and ".join(conditions),
    }


def _shown(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else value or "-"


def _memory() -> DuckDB:
    from tieback.store import DuckDB

    return DuckDB(None)
