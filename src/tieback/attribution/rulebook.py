"""The channel rules as data: rules, known sites, click ids and platforms, from rules/*.toml and tieback.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tieback.config import CONDITIONS, ChannelRule, Settings
from tieback.errors import ConfigError

FAMILIES = ("ai", "mail", "shopping", "video", "social", "search")

# A country's ending, as in .com, .de, .co.uk, .com.br.
_ANY_COUNTRY = "[a-z]{2,3}([.][a-z]{2})?"


@dataclass(frozen=True)
class Rule:
    """One channel rule: every condition given must match its whole value, in lower case.

    source, medium, campaign, referrer, click_id, kind: regular expressions; empty ones hold always.
    family: kind of site that the source must be. web: only a seen visit with no trace of where it came from.
    """

    name: str
    channel: str
    is_paid: bool = False
    source: str = ""
    medium: str = ""
    campaign: str = ""
    referrer: str = ""
    click_id: str = ""
    kind: str = ""
    family: str = ""
    web: bool = False


@dataclass(frozen=True)
class Source:
    """A site that sends visitors: the name it is filed under, its family, all its names, a pattern for its hosts."""

    name: str
    family: str
    names: tuple[str, ...]
    host_pattern: str


@dataclass(frozen=True)
class ClickId:
    """What the click id of this kind stands for.

    proves: nothing but that medium carries it. tells_clicks: no two clicks have the same.
    """

    kind: str
    source: str
    medium: str
    proves: bool
    tells_clicks: bool = True


@dataclass(frozen=True)
class Platform:
    """An ad platform: the names it goes by, and the source and medium of the visits it sells."""

    names: tuple[str, ...]
    source: str
    medium: str


@dataclass(frozen=True)
class Rulebook:
    """Everything that decides a channel. `rules` in the order in which they are tried, the user's own first.

    own, payment, sign_in: patterns of hosts that are never a referral; empty when there are none. shared: of hosts
    under which strangers have their sites. ad_sources, paid_mediums: of tags that say that a visit was paid for.
    """

    version: str
    rules: tuple[Rule, ...]
    sources: tuple[Source, ...]
    click_ids: tuple[ClickId, ...]
    ad_sources: str
    paid_mediums: str
    platforms: tuple[Platform, ...]
    own: str
    payment: str
    sign_in: str
    shared: str

    def of_family(self, family: str) -> tuple[Source, ...]:
        """The known sites of one family."""
        return tuple(source for source in self.sources if source.family == family)

    def rule(self, name: str) -> Rule | None:
        """The rule of that name; none for what no rule decided."""
        return next((rule for rule in self.rules if rule.name == name), None)


def rulebook(settings: Settings) -> Rulebook:
    """The built-in rules of this release, with those of `settings` before them.

    Raises ConfigError that names the [[channels]] entry whose pattern is not one that every engine reads alike.
    """
    rules, clicks, lists = _read("channels"), _read("click_ids"), _read("not_referrals")
    own_rules = tuple(_own_rule(number, rule) for number, rule in enumerate(settings.channels, start=1))
    traffic = settings.traffic
    return Rulebook(
        version=rules["version"],
        rules=own_rules + tuple(Rule(**rule) for rule in rules["rules"]),
        sources=_sources(),
        click_ids=tuple(ClickId(**click_id) for click_id in clicks["click_ids"]),
        ad_sources=clicks["ad_sources"],
        paid_mediums=clicks["paid_mediums"],
        platforms=tuple(
            Platform(tuple(each["names"]), each["source"], each["medium"]) for each in _read("platforms")["platforms"]
        ),
        own=hosts_pattern(traffic.own_domains),
        payment=hosts_pattern((*lists["payment"], *traffic.payment_domains)),
        sign_in=hosts_pattern((*lists["sign_in"], *traffic.sign_in_domains)),
        shared=hosts_pattern(lists["shared"]),
    )


def hosts_pattern(domains: Iterable[str]) -> str:
    """A regular expression for these hosts and their subdomains; empty when there are none.

    "=host" stands for that host alone; a last label ".*" for every country's ending.
    """
    bare: list[str] = []
    exact: list[str] = []
    for domain in domains:
        host = re.sub(r"^=?(https?://)?(www\.)?", "", domain.strip().lower()).split("/")[0].split(":")[0]
        stem = host.removesuffix(".*")
        pattern = stem.replace(".", "[.]") + (f"[.]{_ANY_COUNTRY}" if stem != host else "")
        (exact if domain.startswith("=") else bare).append(pattern)
    with_subdomains = [f"(.*[.])?({'|'.join(bare)})"] if bare else []
    return "|".join(with_subdomains + exact)


def whole(pattern: str) -> str:
    """`pattern` made to match the whole value."""
    return f"^({pattern})$"


def _own_rule(number: int, rule: ChannelRule) -> Rule:
    """The user's rule; its name is its place in tieback.toml."""
    patterns = {name: getattr(rule, name) for name in CONDITIONS}
    place = f"tieback.toml: [[channels]] number {number} ({rule.channel})"
    if not any(patterns.values()):
        raise ConfigError(
            f"{place} has no condition and would take every touch. Give it one of {', '.join(CONDITIONS)}."
        )
    for name, pattern in patterns.items():
        _check_pattern(pattern, f"{place} {name} {pattern!r}")
    return Rule(name=f"[[channels]] {number}", channel=rule.channel, is_paid=rule.is_paid, **patterns)


# What RE2, Java, POSIX and Python do not all have, or read differently.
_UNPORTABLE = re.compile(r"\(\?|\\[1-9AbBGzZkKQEpPR]|[*+?}]\+|\[\[|&&")


def _check_pattern(pattern: str, place: str) -> None:
    found = _UNPORTABLE.search(pattern)
    if found:
        raise ConfigError(
            f"{place} uses {found[0]!r}, which warehouses read differently. Write it without lookaround, "
            "back-references, flags and nested sets: values are matched whole and in lower case anyway."
        )
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{place} is no regular expression: {error}. Mend it and try again.") from None
    if pattern != pattern.lower() and not re.search(r"\\[DSW]", pattern):
        raise ConfigError(f"{place} has capital letters, but values are compared in lower case: it would never match.")


@cache
def _sources() -> tuple[Source, ...]:
    """Every known site, in the order in which families are tried."""
    lists = _read("sources")
    return tuple(
        Source(name, family, tuple(dict.fromkeys((name, *site["names"]))), hosts_pattern(site["domains"]))
        for family in FAMILIES
        for name, site in lists[family].items()
    )


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("tieback.attribution") / "rules" / f"{name}.toml").read_text("utf-8"))
