"""Who the tracker's visitor is: by the server's cookie, by a signed link from another site, or by the day alone.

The tracker's requests carry an object `visitor` beside their events. Its fields: `id`, what the browser calls itself;
`is_new`, true when somebody else began on it, so that the cookie is not believed; `keeps`, which is `cookie` when the
visitor may be known again, `nothing` on sites without cookies and `no` where it was refused; `link`, the token of the
link that led here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tieback.collect.addresses import masked
from tieback.collect.requests import Request

COOKIE = "tb_id"

_MOST_AGE = timedelta(days=400)  # what browsers allow
_LINK_LASTS = timedelta(minutes=2)
_AHEAD = timedelta(seconds=10)  # machines that collect together differ in their clocks
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_COOKIE = re.compile(rf"(?:^|;)\s*{COOKIE}=({_ID.pattern})\s*(?:;|$)")
_TOKEN = re.compile(rf"({_ID.pattern})\.(\d{{1,12}})\.([A-Za-z0-9_-]{{32}})")


@dataclass(frozen=True)
class Visitor:
    """A visitor as the server knows them. id: empty when nothing tells. headers: what the answer says of the cookie."""

    id: str
    headers: Mapping[str, str]


def visitor(said: Mapping[str, Any], request: Request) -> Visitor:
    """Who `said`, the tracker's object `visitor`, is about."""
    keeps = said.get("keeps")
    if keeps == "nothing":
        return Visitor(_of_the_day(request), {})
    if keeps != "cookie":
        return Visitor("", _cookie("", request) if by_cookie(request) else {})
    own = _fit(said.get("id"))
    known = "" if said.get("is_new") is True else by_cookie(request)
    found = _by_link(said.get("link"), request) or known or own
    # To a collector of another site a cookie would be a third party's; there the script remembers.
    is_same_site = request.headers.get("sec-fetch-site") in ("same-origin", "same-site")
    return Visitor(found, _cookie(found, request) if found and is_same_site else {})


def link_token(request: Request) -> str:
    """What a link to another site of ours carries: who follows it, until when, signed; empty for nobody."""
    found = by_cookie(request) or _fit(request.query.get("id"))
    return _token(found, int(request.received_at.replace(tzinfo=UTC).timestamp()), request) if found else ""


def by_cookie(request: Request) -> str:
    """Who the server's cookie says that a visitor is; empty for nobody."""
    found = _COOKIE.search(request.headers.get("cookie", ""))
    return found[1] if found else ""


def _by_link(given: Any, request: Request) -> str:
    """Whom a link's token names; "" when it is forged, older than two minutes, or of another browser."""
    found = _TOKEN.fullmatch(given) if isinstance(given, str) else None
    if not found:
        return ""
    who, made_at = found[1], int(found[2])
    age = request.received_at - datetime.fromtimestamp(made_at, UTC).replace(tzinfo=None)
    is_signed = hmac.compare_digest(given, _token(who, made_at, request))
    return who if is_signed and -_AHEAD <= age <= _LINK_LASTS else ""


def _token(who: str, made_at: int, request: Request) -> str:
    agent = request.headers.get("user-agent", "")
    return f"{who}.{made_at}.{_signed(request, 'link', who, str(made_at), agent)}"


def _of_the_day(request: Request) -> str:
    """An id that is the same for one browser on one site on one day (UTC), and tells nothing to who lacks the salt."""
    site = urlsplit(request.headers.get("origin") or request.headers.get("referer") or "").hostname or ""
    agent = request.headers.get("user-agent", "")
    return _signed(request, "day", request.received_at.date().isoformat(), masked(request.client_ip), agent, site)


def _signed(request: Request, *parts: str) -> str:
    message = "\0".join(parts).encode("utf-8", "replace")
    return urlsafe_b64encode(hmac.digest(request.secret, message, hashlib.sha256)[:24]).decode()


def _cookie(found: str, request: Request) -> dict[str, str]:
    """The header that keeps `found` in the browser, out of reach of scripts; empty to forget it."""
    age = int(_MOST_AGE.total_seconds()) if found else 0
    # Secure by the page's scheme: the connection that reaches us may come from a proxy on this machine.
    secure = "; Secure" if request.headers.get("origin", "").startswith("https:") else ""
    return {"set-cookie": f"{COOKIE}={found}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"}


def _fit(given: Any) -> str:
    return given if isinstance(given, str) and _ID.fullmatch(given) else ""
