"""Signed links that count a click on its way: `GET /r/TOKEN` sends the visitor on to the address in the token.

A token is made by `tieback link` alone: whoever changes one gets a page that says so, and no redirect, so that nobody
can borrow the site's good name. A click that cannot be kept is lost rather than the visitor: a redirect is no
acknowledgement, and nobody would come again for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tieback.collect.cells import browser_of, row, text
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, TurnedAwayError
from tieback.collect.visitors import by_cookie
from tieback.schema.click_ids import CLICK_IDS

PATH = "/r/"
KINDS = ("click", "email_click", "ad_click")

_PURPOSE = b"tieback: signed redirect links, 1"
_MAC_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{30,4000}")
_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_CLICK_ID = re.compile(r"[\w.~-]{1,500}", re.ASCII)
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
_DAMAGED = Answer(
    400,
    b"<!doctype html><title>Damaged link</title><p>This link is damaged. Please go back and look for another one.",
    "text/html; charset=utf-8",
)


@dataclass(frozen=True)
class Link:
    """Where a click leads, tags included; whose it is, by the source's name; what it is called, and of what kind."""

    target: str
    source: str
    name: str
    kind: str = "click"


def secret_of(salt: str) -> bytes:
    """The key that links are signed with, which only a workspace with this salt can work out."""
    return hmac.digest(bytes.fromhex(salt), _PURPOSE, "sha256")


def token(link: Link, secret: bytes) -> str:
    """`link` as it stands in an address, signed."""
    said = msgspec.json.encode((link.target, link.source, link.name, link.kind))
    return base64.urlsafe_b64encode(_mac(said, secret) + said).decode().rstrip("=")


def opened(token: str, secret: bytes) -> Link | None:
    """The link that `token` is; None for one that was not signed with `secret`."""
    if not _TOKEN.fullmatch(token):
        return None
    try:
        whole = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return None
    mac, said = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
    # The last letter of a token may carry bits that mean nothing: only the one spelling is ours.
    is_ours = hmac.compare_digest(mac, _mac(said, secret))
    if not is_ours or base64.urlsafe_b64encode(whole).decode().rstrip("=") != token:
        return None
    return Link(*msgspec.json.decode(said, type=tuple[str, str, str, str]))


def is_address(url: str) -> bool:
    """True for an http or https address in ASCII, whose host and path a header can carry."""
    return bool(_ADDRESS.fullmatch(url))


def tagged(url: str, tags: Mapping[str, str]) -> str:
    """`url` with the parameters `tags`, already encoded, in place of those of the same names."""
    if not tags:
        return url
    address, mark, fragment = url.partition("#")
    address, _, query = address.partition("?")
    kept = [each for each in query.split("&") if each and each.partition("=")[0].lower() not in tags]
    return f"{address}?{'&'.join([*kept, *(f'{name}={value}' for name, value in tags.items())])}{mark}{fragment}"


class Links:
    """The protocol of links. HEAD, and whoever looks ahead, are sent on and not counted."""

    name = "link"
    routes: tuple[Route, ...] = (Route(PATH + "{token}", ("GET", "HEAD")),)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def read(self, request: Request) -> Batch:
        """The click. Raises TurnedAwayError with a page for a damaged link, and with the redirect for no click."""
        link = opened(request.path.rpartition("/")[2], self._secret)
        if link is None:
            raise TurnedAwayError(_DAMAGED, "damaged link")
        target = tagged(link.target, _handed_on(request.query))
        going = Answer(
            302,
            headers={"location": target, "cache-control": "no-store, private", "x-robots-tag": "noindex"},
            content_type="text/plain",
        )
        if request.method == "HEAD" or _looks_ahead(request.headers):
            raise TurnedAwayError(going, "no click")
        cells = row(
            request.received_at,
            request.received_at,
            kind=link.kind,
            name=link.name,
            url=target,
            anonymous_id=by_cookie(request),
            referrer=text(request.headers.get("referer")),
            user_agent=browser_of(request.headers),
        )
        return Batch("", (Collected("", cells),), source=link.source, otherwise=going)

    def accepted(self, batch: Batch) -> Answer:
        """On to where the link leads."""
        assert batch.otherwise is not None  # `read` gave it
        return batch.otherwise


def _mac(said: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, said, hashlib.sha256).digest()[:_MAC_BYTES]


def _handed_on(query: Mapping[str, str]) -> dict[str, str]:
    """Click ids that an ad platform or a mail tool has put on the link."""
    return {name: query[name] for name in CLICK_IDS if _CLICK_ID.fullmatch(query.get(name, ""))}


def _looks_ahead(headers: Mapping[str, str]) -> bool:
    return any(_AHEAD.search(headers.get(name, "")) for name in ("purpose", "sec-purpose", "x-purpose", "x-moz"))
