"""What a user agent is taken for: a bot of a known name, one that calls itself a bot, or a person's browser.

The known ones are those of the list crawler-user-agents (MIT). Whatever matches is kept as a fact with its reason; the
settings say which reasons count nevertheless.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

UNNAMED = "calls itself a bot"

_WORDS = (
    r"bot\b|bot[/;_-]|crawl|spider|slurp|headless|phantomjs|lighthouse|pingdom"
    r"|uptime|monitor|scrap|preview|facebookexternalhit|python-requests|curl/|wget/|java/|go-http-client|okhttp"
)
# What stands in user agents of people, and is not looked at: a maker of phones, browsers and apps that bots share
# their names with, and what fetches a picture or page on behalf of who opens it.
_OF_PEOPLE = re.compile(
    r"cubot|sogoumobilebrowser|technology preview|(?<=mobile/.{6} )(?:tumblr|whatsapp)"
    r"|fastmailua|googleimageproxy|yahoomailproxy|^amazon cloudfront$",
    re.IGNORECASE,
)
_AT_ONCE = 25  # patterns in one: more are slower, as the machine that matches them outgrows its memory
_SIGNS_AT_ONCE = 400
_MOST = 1_000  # characters that are looked at
_REMEMBERED = 10_000  # user agents


class _Known(NamedTuple):
    pattern: str
    reason: str


@lru_cache(_REMEMBERED)
def bot_reason(user_agent: str) -> str:
    """Why `user_agent` is taken for a bot's, as its sort and name (`search engine: Googlebot`); "" for a browser's."""
    given = _OF_PEOPLE.sub("", user_agent[:_MOST])
    for whole, its in _groups():
        if whole.search(given):
            return next(each.reason for each in its if re.search(each.pattern, given))
    return UNNAMED if re.search(_WORDS, given.lower()) else ""


def signs() -> list[str]:
    """Regular expressions as RE2 reads them, of which at least one finds something in every bot's user agent."""
    known = [each.pattern for _, its in _groups() for each in its]
    some = ["|".join(known[at : at + _SIGNS_AT_ONCE]) for at in range(0, len(known), _SIGNS_AT_ONCE)]
    return [*some, f"(?i:{_WORDS})"]


@cache
def _groups() -> list[tuple[re.Pattern[str], list[_Known]]]:
    # It reads half a megabyte when it is imported.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    known = [_Known(each["pattern"], _reason(each)) for each in CRAWLER_USER_AGENTS_DATA]
    some = [known[at : at + _AT_ONCE] for at in range(0, len(known), _AT_ONCE)]
    return [(re.compile("|".join(each.pattern for each in its)), its) for its in some]


def _reason(entry: dict[str, Any]) -> str:
    """The sort of a bot and its name, read off its pattern: `http library: Wget` of [wW]get."""
    tags = entry.get("tags") or ["other"]
    name = re.sub(r"\[(\w)(\w)\]", lambda pair: max(pair[1], pair[2], key=str.isupper), entry["pattern"])
    name = name.replace(r"[\s\S]*", " … ").replace("\\", "").strip("^$/ ")
    return f"{tags[0].replace('-', ' ')}: {name}"
