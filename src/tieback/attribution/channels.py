"""Which channel a touch came through: one expression, for touches, for spend and for `tieback channels URL` alike.

Trust goes in this order: tags (utm_source, utm_medium), then the click id, then the referrer. What they agree on is the
touch's effective source and medium; the rules of the rulebook read those, and the first that fits decides. A medium tag
without a source tag takes its source from a click id or referrer only where it says that the touch was paid for: else a
click in an e-mail that reports a search engine as its referrer would be that search engine's.
"""

from __future__ import annotations

import re
from functools import reduce

import ibis
from ibis.expr import types as ir

from tieback.attribution.rulebook import FAMILIES, Rule, Rulebook, whole

UNASSIGNED = "Unassigned"
WEB_KINDS = ("visit", "form")

# What `classified` reads; each in lower case, trimmed, and empty rather than null.
SIGNALS = ("source_tag", "medium_tag", "campaign_tag", "other_tags", "click_kind", "referrer", "page", "touch_kind")

# Texts that stand for "no value", left in tags by templates that were not filled in and by other tools' exports.
_NO_VALUE = (
    "(not set)",
    "not set",
    "not_set",
    "(none)",
    "none",
    "null",
    "undefined",
    "nan",
    "n/a",
    "unknown",
    "(not provided)",
    "-",
)
_DIRECT = ("direct", "(direct)")
_OUTSIDE = "outside"
# A name and its ending: one label (.com), or two where a country sorts names by kind (.co.uk, .com.au).
_OWNED = "[^.]+[.]((ac|co|com|edu|gob|gov|go|mil|ne|net|nom|or|org|sch)[.][a-z]{2}|[a-z]{2,})$"
_ORIGIN_MEDIUM = {"search": "organic", "mail": "email"}
_KIND_MEDIUM = {"ad_click": "cpc", "ad_view": "cpm", "email_click": "email", "email_open": "email", "text": "sms"}


def plain(text: ir.StringColumn) -> ir.StringColumn:
    """`text` as signals are compared: lower case, trimmed, empty when null."""
    return text.fill_null("").strip().lower()


def classified(signals: ir.Table, book: Rulebook) -> ir.Table:
    """`signals` with the channel that the rules choose.

    In: any grain with the columns SIGNALS. Out: the same rows and columns, and

    source, medium: the effective ones, empty when not known; source_from, medium_from: the signal that gave each.
    channel, channel_rule, is_paid: the first rule that fits; Unassigned when none does.
    family: kind of site the source is; referrer_role: outside, own site, payment provider, sign-in redirect or empty.
    """
    read = _with_tags_and_referrer(signals, book)
    return _with_rule(_with_effective(_with_click(read, book), book), book)


def _with_tags_and_referrer(signals: ir.Table, book: Rulebook) -> ir.Table:
    """Adds what the tags and the referrer say, each by itself."""
    no_host = (*_NO_VALUE, *_DIRECT)
    signals = signals.mutate(referrer=signals.referrer.isin(no_host).ifelse("", signals.referrer))
    read = signals.mutate(
        stated_source=signals.source_tag.isin(_NO_VALUE).ifelse("", signals.source_tag),
        stated_medium=signals.medium_tag.isin(_NO_VALUE).ifelse("", signals.medium_tag),
        host_family=_first([(signals.referrer == "", ""), *_families_by_host(signals.referrer, book)], ""),
    )
    read = read.mutate(known_referrer=_site(read, book))
    host, page = read.referrer, read.page
    site = _registrable(host, book)
    own_page = (page != "") & (
        (page == host)
        | host.endswith(ibis.literal(".").concat(page))
        | ((read.known_referrer == "") & page.endswith(ibis.literal(".").concat(host)))
        | ((read.known_referrer == "") & (site != "") & (site == _registrable(page, book)))
    )
    read = read.mutate(
        referrer_role=_first(
            [
                (host == "", ""),
                (own_page | _matches(host, book.own), "own site"),
                (_matches(host, book.payment), "payment provider"),
                (_matches(host, book.sign_in), "sign-in redirect"),
            ],
            _OUTSIDE,
        )
    )
    outside = read.referrer_role == _OUTSIDE
    return read.mutate(
        referrer_source=outside.ifelse((read.known_referrer == "").ifelse(host, read.known_referrer), ""),
        referrer_family=outside.ifelse(read.host_family, ""),
    )


def _with_click(read: ir.Table, book: Rulebook) -> ir.Table:
    """Adds where the touch came from by its click id, or else by its referrer."""
    known = [(read.click_kind == click.kind, click) for click in book.click_ids]
    read = read.mutate(
        click_source=_first([(holds, click.source) for holds, click in known], ""),
        click_medium=_first([(holds, click.medium) for holds, click in known], ""),
        click_proves=read.click_kind.isin([click.kind for click in book.click_ids if click.proves]),
    )
    # fbclid and its like are on links of every app of the family: a referrer of that family says more closely which.
    by_click = (read.click_source != "") & (read.click_proves | (read.referrer_family != "social"))
    referral = _first(
        [(read.referrer_family == family, medium) for family, medium in _ORIGIN_MEDIUM.items()], "referral"
    )
    return read.mutate(
        origin_source=by_click.ifelse(read.click_source, read.referrer_source),
        origin_medium=(read.click_source != "").ifelse(
            read.click_medium, (read.referrer_source != "").ifelse(referral, "")
        ),
        origin=by_click.ifelse(read.click_kind, (read.referrer_source != "").ifelse("referrer", "")),
    )


def _with_effective(read: ir.Table, book: Rulebook) -> ir.Table:
    """Adds the effective source and medium, which signal gave each, and the source's family."""
    named, given = read.stated_source != "", read.stated_medium != ""
    proven = named & read.click_proves
    named_ad = named & _matches(read.stated_source, book.ad_sources)
    by_kind = _first([(read.touch_kind == kind, medium) for kind, medium in _KIND_MEDIUM.items()], "")
    fills = ~given | _matches(read.stated_medium, book.paid_mediums)
    read = read.mutate(
        source=named.ifelse(read.stated_source, fills.ifelse(read.origin_source, "")),
        source_from=named.ifelse("utm_source", fills.ifelse(read.origin, "")),
        medium=_first(
            [
                (given, read.stated_medium),
                (proven, read.click_medium),
                (named_ad, "cpc"),
                (~named & (read.origin_medium != ""), read.origin_medium),
            ],
            by_kind,
        ),
        medium_from=_first(
            [
                (given, "utm_medium"),
                (proven, read.click_kind),
                (named_ad, "utm_source"),
                (~named & (read.origin_medium != ""), (read.click_source != "").ifelse(read.click_kind, "referrer")),
                (by_kind != "", "kind"),
            ],
            "",
        ),
    )
    return read.mutate(family=_family(read.source, book))


def _with_rule(read: ir.Table, book: Rulebook) -> ir.Table:
    """Adds the channel: that of the first rule whose every condition holds."""
    chosen = _first([(_holds(rule, read), rule.name) for rule in book.rules], UNASSIGNED)
    read = read.mutate(channel_rule=chosen)
    rule = read.channel_rule
    read = read.mutate(
        channel=_first([(rule == each.name, each.channel) for each in book.rules], UNASSIGNED),
        is_paid=rule.isin([each.name for each in book.rules if each.is_paid]),
    )
    is_direct = (read.channel == "Direct") & read.source.isin(("", *_DIRECT))
    return read.mutate(
        source=is_direct.ifelse("(direct)", read.source),
        medium=(is_direct & (read.medium == "")).ifelse("(none)", read.medium),
    )


def _holds(rule: Rule, read: ir.Table) -> ir.BooleanColumn:
    """True where every condition of `rule` holds."""
    columns = {
        "source": read.source,
        "medium": read.medium,
        "campaign": read.campaign_tag,
        "referrer": read.referrer,
        "click_id": read.click_kind,
        "kind": read.touch_kind,
    }
    conditions = [_matches(column, getattr(rule, name)) for name, column in columns.items() if getattr(rule, name)]
    if rule.family:
        conditions.append(read.family == rule.family)
    if rule.web:
        tags = (read.source_tag, read.medium_tag, read.campaign_tag, read.other_tags, read.click_kind)
        conditions += [tag == "" for tag in tags]
        conditions += [read.referrer_role != _OUTSIDE, read.page != "", read.touch_kind.isin(WEB_KINDS)]
    return reduce(lambda left, right: left & right, conditions)


def _family(source: ir.StringColumn, book: Rulebook) -> ir.StringColumn:
    """The family of a source by its names, or else by its host; empty when it is no known site."""
    by_name = [
        (source.isin([name for site in book.of_family(family) for name in site.names]), family) for family in FAMILIES
    ]
    return _first([(source == "", ""), *by_name, *_families_by_host(source, book)], "")


def _families_by_host(host: ir.StringColumn, book: Rulebook) -> list[tuple[ir.BooleanValue, str]]:
    """Each family with the condition that `host` is one of its sites."""
    patterns = {
        family: "|".join(site.host_pattern for site in book.of_family(family) if site.host_pattern)
        for family in FAMILIES
    }
    return [(_matches(host, pattern), family) for family, pattern in patterns.items()]


def _site(read: ir.Table, book: Rulebook) -> ir.StringColumn:
    """The known site that the referrer is, empty if none; looked for within its family alone, to spare comparisons."""
    host = read.referrer
    within = [
        (
            read.host_family == family,
            _first([(_matches(host, site.host_pattern), site.name) for site in book.of_family(family)], ""),
        )
        for family in FAMILIES
    ]
    return _first(within, "")


def _registrable(host: ir.StringColumn, book: Rulebook) -> ir.StringColumn:
    """The part of `host` that one owner has registered; empty for a number, and where strangers share a domain.

    By the shape of names (acme.com, acme.co.uk): the public-suffix list has no expression that every engine reads.
    """
    is_shared = _matches(host, book.shared)
    return is_shared.ifelse("", host.re_extract(_OWNED, 0).fill_null(""))


def _first(
    branches: list[tuple[ir.BooleanValue, ir.StringValue | str]], otherwise: ir.StringValue | str
) -> ir.StringColumn:
    """The value of the first branch that holds."""
    return ibis.cases(*branches, else_=otherwise)


def _matches(column: ir.StringColumn, pattern: str) -> ir.BooleanValue:
    """True where the whole of `column` matches; never, for an empty pattern."""
    if not pattern:
        return ibis.literal(value=False)
    if re.fullmatch(r"[a-z0-9 _|-]+", pattern):  # plain words: comparing is many times faster than matching
        return column.isin(pattern.split("|"))
    return column.re_search(whole(pattern))
