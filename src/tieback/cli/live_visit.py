"""A visit to a running site as a browser with the tracker would make it, by HTTP alone."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from tieback.errors import UsageError

# Whoever reads the site's numbers must not find us in them: this is a robot, and says so.
_AGENT = "Mozilla/5.0 (compatible; tieback-doctor; bot)"
_SECONDS = 10
_MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class Tracker:
    """The tracker's tag on a page: where the script lies, and its write key."""

    address: str
    key: str

    @property
    def collector(self) -> str:
        """Where events go."""
        return urljoin(self.address, "v1/events")


@dataclass(frozen=True)
class Page:
    """What came of asking for a page. address: where redirects led. status: 0 when nobody answered."""

    address: str
    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """Of its address."""
        return dict(parse_qsl(urlsplit(self.address).query))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin_of(self.address)

    def tracker(self) -> Tracker | None:
        """The tracker that it carries."""
        for tag in _tags(self.text, "script"):
            lies = urlsplit(urljoin(self.address, tag.get("src", "")))
            if tag.get("data-key") and lies.path.rpartition("/")[2] == "tb.js" and lies.scheme in ("http", "https"):
                return Tracker(lies.geturl(), tag["data-key"])
        return None

    def next_page(self) -> str:
        """The first link to another page of the same site; itself when there is none."""
        for tag in _tags(self.text, "a"):
            leads = urljoin(self.address, tag.get("href", ""))
            if origin_of(leads) == self.origin and urlsplit(leads).path != urlsplit(self.address).path:
                return leads
        return self.address

    def forbids(self, directive: str, address: str) -> bool:
        """True when its Content-Security-Policy keeps a browser from `address`, by `directive` or by default-src."""
        policy = {}
        for part in self.headers.get("content-security-policy", "").split(";"):
            name, *sources = part.lower().split() or [""]
            policy[name] = sources
        allowed = policy.get(directive, policy.get("default-src"))
        if allowed is None or "*" in allowed or ("'self'" in allowed and origin_of(address) == self.origin):
            return False
        named = {origin_of(address), urlsplit(address).netloc, f"{urlsplit(address).scheme}:"}
        return not any(source.rstrip("/") in named for source in allowed)


@dataclass(frozen=True)
class Told:
    """What the collector answered. cookie_days: how long its cookie lasts; 0 without one."""

    status: int
    visitor: str
    reason: str
    cookie: str = ""
    cookie_days: float = 0.0


def asked(address: str) -> Page:
    """The page at `address`, redirects followed. Raises UsageError for what is no address of the web."""
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise UsageError(f"{address!r} is no address of a page, such as https://acme.example/")
    return _answered(urllib.request.Request(address, headers={"User-Agent": _AGENT}))


def told(tracker: Tracker, page: Page, visitor: str, cookie: str, event: Mapping[str, Any]) -> Told:
    """Send `event` as the tracker on `page` would, with the cookie of an earlier answer."""
    is_same = urlsplit(tracker.address).hostname == urlsplit(page.address).hostname
    said = {"key": tracker.key, "visitor": {"id": visitor, "keeps": "cookie"}, "events": [event]}
    headers = {
        "User-Agent": _AGENT,
        "Content-Type": "text/plain",
        "Origin": page.origin,
        "Sec-Fetch-Site": "same-origin" if is_same else "cross-site",
        **({"Cookie": cookie} if cookie else {}),
    }
    answer = _answered(urllib.request.Request(tracker.collector, msgspec.json.encode(said), headers, method="POST"))
    try:
        content = msgspec.json.decode(answer.text)
    except msgspec.DecodeError:
        content = {}
    content = content if isinstance(content, dict) else {}
    given = answer.headers.get("set-cookie", "")
    lasts = re.search(r"max-age=(\d{1,12})", given.lower())
    return Told(
        status=answer.status,
        visitor=str(content.get("visitor", "")),
        reason=str(content.get("error", "")) or answer.text[:200],
        cookie=given.partition(";")[0],
        cookie_days=int(lasts[1]) / 86_400 if lasts else 0.0,
    )


def origin_of(address: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _answered(request: urllib.request.Request) -> Page:
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return _page(answer.url, answer.status, answer)
    except urllib.error.HTTPError as error:
        with error:
            return _page(error.url or request.full_url, error.code, error)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return Page(request.full_url, 0, str(getattr(error, "reason", error)))


def _page(address: str, status: int, answer: Any) -> Page:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Page(address, status, answer.read(_MOST_BYTES).decode("utf-8", "replace"), headers)


def _tags(text: str, name: str) -> list[dict[str, str]]:
    """The attributes of each tag of that name."""
    found: list[dict[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            if tag == name:
                found.append({key: value or "" for key, value in attributes})

    Reader().feed(text)
    return found
