"""Matomo's Tracking HTTP API: one action a request, or many as queries within JSON; no id of an action."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tieback.collect.cells import (
    PIXEL,
    Asked,
    batch,
    browser_of,
    form,
    lasting,
    number,
    rest,
    row,
    since_epoch,
    text,
    written_at,
)
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

# In the order in which Matomo asks what a request is about.
_KINDS_OF_TRACK = {
    "e_a": "",
    "download": "download",
    "link": "outlink",
    "search": "search",
    "c_i": "content interaction",
    "c_n": "content impression",
    "ping": "ping",
}
_ABOUT_THE_REQUEST = ("rec", "rand", "apiv", "send_image", "queuedtracking", "token_auth", "h", "m", "s")
_CELLS = ("idsite", "_id", "cid", "uid", "cip", "url", "urlref", "ua", "cdt", "cdo", "revenue", *_ABOUT_THE_REQUEST)


class Matomo:
    """Reads `/matomo.php`. The write key is the site's id; `token_auth` is neither needed nor kept."""

    name = "matomo"
    routes = (Route("/matomo.php", ("GET", "POST")), Route("/piwik.php", ("GET", "POST")))

    def read(self, request: Request) -> Batch:
        # The script calls even its JSON a form, so the first sign tells what a body is.
        if request.method == "POST" and request.body.lstrip()[:1] in (b"{", b"["):
            return self._bulk(request)
        said = dict(request.query)
        if request.method == "POST":
            said |= form(request.body)
        if not text(said.get("idsite")):
            raise UnreadableError("The request has no `idsite`")
        answer = Answer(204) if said.get("send_image") == "0" else PIXEL
        found = batch("", (said,), lambda each: _told(each, request), _site)
        return Asked(found.key, found.collected, found.malformed, answer)

    def accepted(self, batch: Batch) -> Answer:
        return batch.answer if isinstance(batch, Asked) else PIXEL

    def _bulk(self, request: Request) -> Batch:
        said = decoded(request.body)
        requests = said.get("requests") if isinstance(said, dict) else None
        if not isinstance(requests, list):
            raise UnreadableError("The body has no list `requests`")
        events = [
            form(each.rpartition("?")[2] if each[:1] == "?" else each) if isinstance(each, str) else each
            for each in requests
        ]
        found = batch("", events, lambda each: _told(each, request), _site)
        told = {"status": "success", "tracked": len(found.collected), "invalid": len(found.malformed)}
        return Asked(found.key, found.collected, found.malformed, Answer(body=msgspec.json.encode(told)))


wire = Matomo()


def _site(said: dict[str, Any]) -> str:
    return text(said.get("idsite"))


def _told(said: dict[str, Any], request: Request) -> Collected:
    kind, name = _kind(said)
    value = number(said.get("revenue"))
    cells = row(
        _happened_at(said, request.received_at),
        request.received_at,
        kind=kind,
        name=name,
        anonymous_id=text(said.get("cid")) or text(said.get("_id")),
        user_id=text(said.get("uid")),
        url=text(said.get("url")),
        referrer=text(said.get("urlref")),
        value=number(said.get("e_v")) if value is None else value,
        user_agent=text(said.get("ua")) or browser_of(request.headers),
        ip=text(said.get("cip")),
        properties=rest(said, _CELLS),
    )
    return Collected("", cells)


def _kind(said: dict[str, Any]) -> tuple[str, str]:
    goal = text(said.get("idgoal"))
    if goal == "0":
        return "track", "order" if text(said.get("ec_id")) else "cart"
    if goal:
        return "track", f"goal {goal}"
    for field, name in _KINDS_OF_TRACK.items():
        if text(said.get(field)):
            return "track", name or text(said[field])
    return "page", ""


def _happened_at(said: dict[str, Any], received_at: datetime) -> datetime:
    """`cdt`, in UTC as `2025-03-04 10:00:00` or in seconds, less the seconds of `cdo`. Raises RefusedError."""
    given = text(said.get("cdt"))
    if not given:
        at = received_at
    elif given.replace(".", "").isdecimal():
        at = since_epoch(given, 1)
    else:
        at = written_at(given)
    return at - lasting(said["cdo"], 1) if text(said.get("cdo")) else at
