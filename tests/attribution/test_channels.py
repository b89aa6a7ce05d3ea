"""Channels: what each visit, click and touch is filed under."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ibis
import pyarrow as pa
import pytest

from tests.facts import warehouse
from tieback.attribution.channels import classified
from tieback.attribution.rulebook import FAMILIES, hosts_pattern, rulebook, whole
from tieback.attribution.touchpoints import signals
from tieback.config import CONDITIONS, ChannelRule, Settings, Traffic
from tieback.errors import ConfigError
from tieback.schema.ddl import DIALECTS
from tieback.store.compiler import compiled

SITE = "https://www.acme.com/pricing"
SETTINGS = Settings(
    traffic=Traffic(
        own_domains=("acme.com", "acme-help.io"), payment_domains=("pay.bank.test",), sign_in_domains=("sso.corp.test",)
    )
)
COLUMNS = (
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

# (query of the landing page, referring page, channel, source, medium)
GOLDEN = [
    # Direct, and nothing that only looks like it
    ("", "", "Direct", "(direct)", "(none)"),
    ("ref=abc", "", "Direct", "(direct)", "(none)"),
    ("utm_source=(direct)&utm_medium=(none)", "", "Direct", "(direct)", "(none)"),
    ("utm_medium=direct_traffic", "", "Direct", "(direct)", "direct_traffic"),
    ("", "https://www.acme.com/", "Direct", "(direct)", "(none)"),
    ("", "https://app.acme.com/settings", "Direct", "(direct)", "(none)"),
    ("", "https://docs.acme-help.io/", "Direct", "(direct)", "(none)"),
    ("utm_campaign=spring", "", "Unassigned", None, None),
    ("utm_content=footer", "", "Unassigned", None, None),
    ("utm_source=partner", "", "Unassigned", "partner", None),
    ("utm_source=null", "", "Unassigned", None, None),
    ("utm_source=acme&utm_medium=whatever", "", "Unassigned", "acme", "whatever"),
    ("utm_source=direct&utm_medium=email", "", "Email", "direct", "email"),
    # Payment providers and sign-in redirects steal nothing
    ("", "https://www.paypal.com/checkoutnow", "Direct", "(direct)", "(none)"),
    ("", "https://checkout.stripe.com/c/pay", "Direct", "(direct)", "(none)"),
    ("", "https://accounts.google.com/o/oauth2", "Direct", "(direct)", "(none)"),
    ("", "https://login.microsoftonline.com/common", "Direct", "(direct)", "(none)"),
    ("", "https://acme.okta.com/", "Direct", "(direct)", "(none)"),
    ("", "https://3ds.pay.bank.test/", "Direct", "(direct)", "(none)"),
    ("", "https://sso.corp.test/", "Direct", "(direct)", "(none)"),
    ("gclid=x", "https://www.paypal.com/", "Paid Search", "google", "cpc"),
    ("", "https://notpaypal.com/", "Referral", "notpaypal.com", "referral"),
    # Click ids: paid search is never Direct or organic because tags are missing
    ("gclid=x", "", "Paid Search", "google", "cpc"),
    ("gclid=x", "https://www.google.com/", "Paid Search", "google", "cpc"),
    ("gbraid=x", "", "Paid Search", "google", "cpc"),
    ("wbraid=x", "", "Paid Search", "google", "cpc"),
    ("gclid=x&utm_source=google&utm_medium=cpc", "", "Paid Search", "google", "cpc"),
    ("gclid=x&utm_source=google", "", "Paid Search", "google", "cpc"),
    ("gclid=x&utm_campaign=brand", "", "Paid Search", "google", "cpc"),
    ("gclid=x&utm_campaign=shopping_eu", "", "Paid Shopping", "google", "cpc"),
    ("gclid=x&utm_medium=email&utm_source=news", "", "Email", "news", "email"),
    ("msclkid=x", "", "Paid Search", "bing", "cpc"),
    ("yclid=x", "", "Paid Search", "yandex", "cpc"),
    ("dclid=x", "", "Display", "doubleclick", "display"),
    ("li_fat_id=x", "https://www.linkedin.com/", "Paid Social", "linkedin", "paid_social"),
    ("ttclid=x", "", "Paid Social", "tiktok", "paid_social"),
    ("twclid=x", "", "Paid Social", "x", "paid_social"),
    ("rdt_cid=x", "", "Paid Social", "reddit", "paid_social"),
    ("mc_cid=x", "", "Email", "mailchimp", "email"),
    ("_kx=x", "", "Email", "klaviyo", "email"),
    ("srsltid=x", "https://www.google.com/", "Organic Shopping", "google", "free_listing"),
    ("unknownclid=x", "https://www.google.com/", "Organic Search", "google", "organic"),
    # These ids are on unpaid links too
    ("fbclid=x", "https://l.facebook.com/", "Organic Social", "facebook", "social"),
    ("fbclid=x", "", "Organic Social", "facebook", "social"),
    ("fbclid=x", "https://l.instagram.com/", "Organic Social", "instagram", "social"),
    ("igshid=x", "", "Organic Social", "instagram", "social"),
    ("epik=x", "", "Organic Social", "pinterest", "social"),
    ("fbclid=x&utm_source=facebook&utm_medium=paid", "", "Paid Social", "facebook", "paid"),
    ("fbclid=x&utm_source=newsletter", "", "Email", "newsletter", None),
    # Tags, in GA4's order
    ("utm_source=google&utm_medium=cpc&utm_campaign=x_cross-network_y", "", "Cross-network", "google", "cpc"),
    ("utm_source=amazon&utm_medium=cpc", "", "Paid Shopping", "amazon", "cpc"),
    ("utm_source=partner&utm_medium=ppc&utm_campaign=summer-shop", "", "Paid Shopping", "partner", "ppc"),
    ("utm_source=google&utm_medium=cpc&utm_campaign=workshop", "", "Paid Search", "google", "cpc"),
    ("utm_source=Google&utm_medium=CPC", "", "Paid Search", "google", "cpc"),
    ("utm_source=google_ads", "", "Paid Search", "google_ads", "cpc"),
    ("utm_source=fb&utm_medium=cpm", "", "Paid Social", "fb", "cpm"),
    ("utm_source=agency&utm_medium=paid_social", "", "Paid Social", "agency", "paid_social"),
    ("utm_source=youtube&utm_medium=cpv", "", "Paid Video", "youtube", "cpv"),
    ("utm_source=youtube&utm_medium=paid", "", "Paid Video", "youtube", "paid"),
    ("utm_source=dsp&utm_medium=cpm", "", "Display", "dsp", "cpm"),
    ("utm_source=dsp&utm_medium=banner", "", "Display", "dsp", "banner"),
    ("utm_source=criteo&utm_medium=retargeting", "", "Paid Other", "criteo", "retargeting"),
    ("utm_source=etsy&utm_medium=link", "", "Organic Shopping", "etsy", "link"),
    ("utm_source=mailer&utm_medium=email&utm_campaign=shop-news", "", "Email", "mailer", "email"),
    ("utm_source=blog&utm_campaign=eshop", "", "Organic Shopping", "blog", None),
    ("utm_source=instagram", "", "Organic Social", "instagram", None),
    ("utm_source=agency&utm_medium=social-media", "", "Organic Social", "agency", "social-media"),
    ("utm_source=partner&utm_medium=video", "", "Organic Video", "partner", "video"),
    ("utm_source=partner&utm_medium=organic", "", "Organic Search", "partner", "organic"),
    ("utm_source=chatgpt.com", "", "AI Assistants", "chatgpt.com", None),
    ("utm_source=x-corp&utm_medium=affiliate", "", "Affiliates", "x-corp", "affiliate"),
    ("utm_source=x-corp&utm_medium=referral", "", "Referral", "x-corp", "referral"),
    ("utm_source=show&utm_medium=audio", "", "Audio", "show", "audio"),
    ("utm_source=twilio&utm_medium=sms", "", "SMS", "twilio", "sms"),
    ("utm_source=braze-app&utm_medium=push", "", "Mobile Push", "braze-app", "push"),
    ("utm_source=fair&utm_medium=trade-show", "", "Events", "fair", "trade-show"),
    ("utm_source=station&utm_medium=radio", "", "Offline", "station", "radio"),
    ("utm_source=newsletter&utm_medium=e-mail", "https://www.google.com/", "Email", "newsletter", "e-mail"),
    # A medium tag outranks the referrer and the click id: they name the source only of what was paid for
    ("utm_medium=email", "https://www.google.com/", "Email", None, "email"),
    ("utm_medium=affiliate", "https://www.google.com/", "Affiliates", None, "affiliate"),
    ("utm_medium=affiliate", "https://newsletter.partner.test/", "Affiliates", None, "affiliate"),
    ("utm_medium=email&gclid=x", "", "Email", None, "email"),
    ("utm_medium=social", "https://www.google.com/", "Organic Social", None, "social"),
    ("utm_medium=cpc", "https://www.google.com/", "Paid Search", "google", "cpc"),
    ("utm_medium=cpc&gclid=x", "", "Paid Search", "google", "cpc"),
    ("utm_medium=paid", "https://l.facebook.com/", "Paid Social", "facebook", "paid"),
    # Referrers
    ("", "https://www.google.co.uk/", "Organic Search", "google", "organic"),
    ("", "https://google.com.br/search?q=a", "Organic Search", "google", "organic"),
    ("", "android-app://com.google.android.googlequicksearchbox/", "Organic Search", "google", "organic"),
    ("", "https://uk.search.yahoo.com/", "Organic Search", "yahoo", "organic"),
    ("", "https://duckduckgo.com/", "Organic Search", "duckduckgo", "organic"),
    ("", "https://docs.google.com/document/d/1", "Referral", "docs.google.com", "referral"),
    ("", "https://mail.google.com/mail/u/0/", "Email", "gmail", "email"),
    ("", "https://gemini.google.com/", "AI Assistants", "gemini", "referral"),
    ("", "https://chatgpt.com/", "AI Assistants", "chatgpt", "referral"),
    ("", "https://www.perplexity.ai/", "AI Assistants", "perplexity", "referral"),
    ("", "https://lnkd.in/abc", "Organic Social", "linkedin", "referral"),
    ("", "https://t.co/abc", "Organic Social", "x", "referral"),
    ("", "https://m.facebook.com/", "Organic Social", "facebook", "referral"),
    ("", "https://www.netflix.com/", "Organic Video", "netflix", "referral"),
    ("", "https://youtu.be/", "Organic Video", "youtube", "referral"),
    ("", "https://www.amazon.de/dp/1", "Organic Shopping", "amazon", "referral"),
    ("", "https://blog.partner.test/post", "Referral", "blog.partner.test", "referral"),
    ("utm_campaign=spring", "https://blog.partner.test/", "Referral", "blog.partner.test", "referral"),
]

# (event, channel, medium): touches that are no visit
OTHER_TOUCHES = [
    ({"kind": "call"}, "Calls", None),
    ({"kind": "call", "utm_source": "google", "utm_medium": "cpc"}, "Paid Search", "cpc"),
    ({"kind": "chat"}, "Chat", None),
    ({"kind": "webinar"}, "Events", None),
    ({"kind": "meeting"}, "Meetings", None),
    ({"kind": "crm_campaign"}, "CRM Campaigns", None),
    ({"kind": "offline"}, "Offline", None),
    ({"kind": "ad_click", "utm_source": "facebook"}, "Paid Social", "cpc"),
    ({"kind": "ad_view", "utm_source": "dsp"}, "Display", "cpm"),
    ({"kind": "email_click"}, "Email", "email"),
    ({"kind": "text"}, "SMS", "sms"),
    ({"kind": "visit"}, "Unassigned", None),  # no page was seen
    ({"kind": "ad_click", "url": SITE}, "Paid Other", "cpc"),
    ({"kind": "podcast_mention", "url": SITE}, "Unassigned", None),
]


def visit(query: str, referrer: str) -> dict[str, Any]:
    """A visit as the door takes it in, read here in another way."""
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    kinds = [click.kind for click in rulebook(SETTINGS).click_ids] + ["unknownclid"]
    return {
        **{name: parameters.get(name) for name in COLUMNS if name.startswith("utm_")},
        "click_id_kind": next((kind for kind in kinds if kind in parameters), None),
        "referrer_domain": re.sub(r"^www\.", "", urlsplit(referrer).hostname or "") or None,
        "url": f"{SITE}?{query}",
        "kind": "visit",
    }


def judged(events: list[dict[str, Any]], settings: Settings = SETTINGS) -> list[dict[str, Any]]:
    """What the rules make of `events`, in their order."""
    with warehouse() as store:
        columns = {name: pa.array([event.get(name) for event in events], pa.string()) for name in COLUMNS}
        table = store.scratch_rows("events", pa.table(columns | {"number": pa.array(range(len(events)))}))
        found: list[dict[str, Any]] = store.read(
            classified(signals(table), rulebook(settings)).order_by("number")
        ).to_pylist()
    return found


def test_each_visit_belongs_where_the_golden_table_says() -> None:
    """Tags before click ids before referrers; detours and own pages refer nobody; the unknown is never Direct."""
    found = judged([visit(query, referrer) for query, referrer, *_ in GOLDEN])
    told = [(row["channel"], row["source"] or None, row["medium"] or None) for row in found]
    assert [
        (golden[:2], "expected", golden[2:], "got", got)
        for golden, got in zip(GOLDEN, told, strict=True)
        if golden[2:] != got
    ] == []


def test_touches_that_are_no_visit() -> None:
    """Kinds decide where no tag does; only a seen page can be Direct."""
    found = judged([event for event, *_ in OTHER_TOUCHES])
    told = [(row["channel"], row["medium"] or None) for row in found]
    assert [(case, got) for case, got in zip(OTHER_TOUCHES, told, strict=True) if case[1:] != got] == []


def test_paid_is_what_money_was_paid_for() -> None:
    """A paid click is paid; the same site without it is not."""
    paid, unpaid = judged([visit("gclid=x", ""), visit("fbclid=x", "https://l.facebook.com/")])
    assert paid["is_paid"] is True
    assert unpaid["is_paid"] is False


def test_a_page_on_a_known_site_is_not_taken_for_that_site() -> None:
    """A page at sites.google.com that google.com led to came from search: a known site is no "own" parent domain."""
    hosted = {"kind": "visit", "url": "https://sites.google.com/view/acme", "referrer_domain": "google.com"}
    parent = {"kind": "visit", "url": "https://shop.other.test/", "referrer_domain": "other.test"}
    assert [row["channel"] for row in judged([hosted, parent], Settings())] == ["Organic Search", "Direct"]


@pytest.mark.parametrize(
    ("page", "referrer", "channel"),
    [
        ("shop.other.test", "blog.other.test", "Direct"),
        ("shop.other.co.uk", "blog.other.co.uk", "Direct"),
        ("shop.other.co.uk", "blog.another.co.uk", "Referral"),
        ("a.github.io", "b.github.io", "Referral"),
        ("a.blogspot.com", "b.blogspot.com", "Referral"),
        ("10.0.0.1", "10.0.0.2", "Referral"),
        ("intranet", "extranet", "Referral"),
        ("docs.google.com", "google.com", "Organic Search"),
        ("shop.other.test", "null", "Direct"),
        ("shop.other.test", "(direct)", "Direct"),
    ],
)
def test_a_neighbour_on_the_same_domain_is_no_referral(page: str, referrer: str, channel: str) -> None:
    """One owner's names are one site, unless they lie where strangers have theirs; a referrer may be no host at all."""
    event = {"kind": "visit", "url": f"https://{page}/", "referrer_domain": referrer}
    assert [row["channel"] for row in judged([event], Settings())] == [channel]


@pytest.mark.parametrize("condition", ["source", "medium", "referrer", "kind"])
def test_a_rule_of_the_user_wins(condition: str) -> None:
    """Whatever the built-in rules say, a fitting rule of tieback.toml is tried first: for each value in the table."""
    events = [visit(query, referrer) for query, referrer, *_ in GOLDEN] + [event for event, *_ in OTHER_TOUCHES]
    column = {"source": "source", "medium": "medium", "referrer": "referrer", "kind": "touch_kind"}[condition]
    values = sorted({row[column] for row in judged(events)} - {"", "(direct)", "(none)"})
    rules = tuple(
        ChannelRule(f"Mine: {value}", is_paid=True, **{condition: value.replace(".", "[.]")}) for value in values
    )
    for row in judged(events, Settings(channels=rules, traffic=SETTINGS.traffic)):
        if row[column] in values:
            assert (row["channel"], row["is_paid"]) == (f"Mine: {row[column]}", True)
            assert row["channel_rule"] == f"[[channels]] {values.index(row[column]) + 1}"


def test_every_condition_of_a_rule_must_hold() -> None:
    """Two conditions are an "and", and a pattern must match the whole value."""
    rules = (ChannelRule(channel="Both", source="partner", medium="banner"), ChannelRule(channel="Part", source="part"))
    events = [visit("utm_source=partner&utm_medium=banner", ""), visit("utm_source=partner&utm_medium=link", "")]
    assert [row["channel"] for row in judged(events, Settings(channels=rules))] == ["Both", "Referral"]


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        "(?i)a",
        r"(a)\1",
        "a++",
        "[[:alpha:]]",
        r"\bads",
        "(",
        "Partner",
        "a{1,99999999999}",
    ],
)
def test_a_pattern_that_engines_read_differently_is_refused(pattern: str) -> None:
    """The error names the rule and the pattern."""
    with pytest.raises(ConfigError, match="number 1") as error:
        rulebook(Settings(channels=(ChannelRule(channel="Mine", source=pattern),)))
    assert repr(pattern) in str(error.value)


def test_a_rule_without_condition_is_refused() -> None:
    """It would take every touch."""
    with pytest.raises(ConfigError, match="no condition"):
        rulebook(Settings(channels=(ChannelRule(channel="Mine"),)))


def test_built_in_patterns_mean_the_same_in_python_and_re2() -> None:
    """Every pattern of every rule and list gives Python's answer in the engine (RE2), and none needs a backslash."""
    book = rulebook(Settings())
    patterns = {getattr(rule, name) for rule in book.rules for name in CONDITIONS} | {
        site.host_pattern for site in book.sources
    }
    patterns = sorted((patterns | {book.payment, book.sign_in, book.ad_sources}) - {""})
    texts = [
        "",
        "cpc",
        "paid",
        "shop",
        "eshop",
        "workshop",
        "google.co.uk",
        "x.com",
        "netflix.com",
        "a.paypal.com",
        "direct",
        "my-ads",
    ]
    texts += [query for query, *_ in GOLDEN]
    assert [pattern for pattern in patterns if "\\" in pattern or "(?" in pattern] == []
    with warehouse() as store:
        table = store.scratch_rows("texts", pa.table({"text": texts}))
        found = store.read(
            table.select(**{f"p{i}": table.text.re_search(whole(p)) for i, p in enumerate(patterns)})
        ).to_pylist()
    for text, row in zip(texts, found, strict=True):
        assert [row[f"p{i}"] for i in range(len(patterns))] == [bool(re.fullmatch(p, text)) for p in patterns], text


def test_the_lists_are_consistent() -> None:
    """No name or host in two places, no rule name twice, and every family that a rule asks for exists."""
    book = rulebook(Settings())
    names = [name for site in book.sources for name in site.names]
    assert len(names) == len(set(names))
    assert len({rule.name for rule in book.rules}) == len(book.rules)
    assert {rule.family for rule in book.rules} - {""} <= set(FAMILIES)
    assert len(book.sources) >= 150
    assert {rule.medium for rule in book.rules if rule.is_paid and rule.family} == {book.paid_mediums}


@pytest.mark.parametrize(
    ("domain", "host", "fits"),
    [
        ("paypal.com", "paypal.com", True),
        ("paypal.com", "www.sandbox.paypal.com", True),
        ("paypal.com", "notpaypal.com", False),
        ("https://WWW.Acme.com:8080/shop", "acme.com", True),
        ("=google.*", "google.co.uk", True),
        ("=google.*", "docs.google.com", False),
        ("amazon.*", "smile.amazon.com.br", True),
        ("amazon.*", "amazonite.com", False),
    ],
)
def test_a_host_stands_for_its_subdomains(domain: str, host: str, fits: bool) -> None:
    """And "=host" for itself alone; ".*" for every country."""
    assert bool(re.fullmatch(hosts_pattern([domain]), host)) is fits


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_rules_compile_for_every_dialect(dialect: str) -> None:
    """One expression, seven warehouses."""
    events = ibis.table(dict.fromkeys(COLUMNS, "string"), name="events")
    assert "Unassigned" in compiled(classified(signals(events), rulebook(SETTINGS)), dialect)


def test_the_reference_page_lists_every_rule() -> None:
    """Rules, click ids, platforms and sites on the page are those of the code, in their order; so is the version."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "channels.md").read_text("utf-8")
    book = rulebook(Settings())
    assert f"**{book.version}**" in page
    assert re.findall(r"^\| ([^|`]+) \| [A-Z][^|]* \| (?:yes)? \| .+ \|$", page, flags=re.M) == [
        rule.name for rule in book.rules
    ]
    assert [
        condition
        for rule in book.rules
        for name in CONDITIONS
        if (condition := getattr(rule, name)) and f"`{condition}`" not in page.replace("\\|", "|")
    ] == []
    assert re.findall(r"^\| `(\w+)` \| [\w-]+ \| \w+ \| .*\|$", page, flags=re.M) == [
        click.kind for click in book.click_ids
    ]
    assert [
        each.names
        for each in book.platforms
        if f"| {', '.join(f'`{name}`' for name in each.names)} | {each.source} | {each.medium} |" not in page
    ] == []
    assert [
        family
        for family in FAMILIES
        if f"| {family} | {', '.join(site.name for site in book.of_family(family))} |" not in page
    ] == []
