"""Who is taken for a bot by the user agent, and of what sort."""

from __future__ import annotations

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from tieback.schema.bots import UNNAMED, bot_reason, signs
from tieback.store import DuckDB

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
ANDROID = f"Mozilla/5.0 (Linux; Android 13; SM-G991B) {CHROME}"
PEOPLE = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME}",
    f"Mozilla/5.0 (Linux; Android 9; CUBOT_X19) {CHROME}",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    *(
        f"{PHONE} {app}"
        for app in ("Instagram 310.0.3", "[FBAN/FBIOS;FBAV/440.0]", "[Pinterest/iOS]", "WhatsApp/23.20")
    ),
    *(f"{PHONE} {app}" for app in ("GSA/290.0.1", "[LinkedInApp]/9.29", "Tumblr/33.5", "Snapchat/12.60")),
    *(f"{ANDROID} {app}" for app in ("SamsungBrowser/23.0", "SogouMobileBrowser/5.22", "KAKAOTALK 2410550")),
    "Amazon CloudFront",
]
# Its patterns mean them, and they fetch on behalf of whoever opens an e-mail, or stand before a whole site.
FOR_PEOPLE = ("GoogleImageProxy", "YahooMailProxy", "FastmailUA", "Amazon CloudFront")


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_no_bots(agent: str) -> None:
    """On phones whose maker's name ends in bot, within apps that fetch pages too, and as they open an e-mail."""
    assert bot_reason(agent) == ""


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "search engine: Googlebot"),
        (
            f"Mozilla/5.0 (X11; Linux x86_64) {CHROME.replace('Chrome', 'HeadlessChrome')}",
            "browser automation: Headless",
        ),
        ("Wget/1.21", "http library: Wget"),
        ("WhatsApp/2.23.20.0 A", "social preview: WhatsApp"),
        ("Mozilla/5.0 (compatible; a-crawler-nobody-knows/1.0)", UNNAMED),
        ("x" * 100_000, ""),
        ("", ""),
    ],
)
def test_a_bot_has_a_sort_and_a_name(agent: str, reason: str) -> None:
    """Those of nobody's list, that call themselves one, are told as well."""
    found = bot_reason(agent)
    assert found.startswith(reason) if reason else found == ""


def test_every_known_bot_is_told() -> None:
    """By the samples of the list itself, but for those who fetch on behalf of people."""
    known = [entry for entry in CRAWLER_USER_AGENTS_DATA if entry["pattern"] not in FOR_PEOPLE]
    assert [agent for entry in known for agent in entry["instances"] if not bot_reason(agent)] == []
    assert len(known) > 1000


def test_the_signs_miss_no_bot() -> None:
    """The embedded engine finds by them all that are then named."""
    agents = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
    likely = " OR ".join("regexp_matches(agent, ?)" for _ in signs())
    with DuckDB(None) as store:
        rows = store.query(
            f"SELECT agent FROM (SELECT unnest(?) AS agent) WHERE NOT ({likely})", [[*agents, *PEOPLE], *signs()]
        )
    missed = set(rows.column(0).to_pylist())
    assert missed
    assert [agent for agent in missed if bot_reason(str(agent))] == []
