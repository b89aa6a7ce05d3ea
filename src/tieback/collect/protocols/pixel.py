"""An image of one pixel, for opened e-mails and for pages without script: what happened stands in its address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tieback.collect.cells import PIXEL, TAGS, RefusedError, batch, browser_of, number, rest, row, text
from tieback.collect.requests import Answer, Batch, Collected, Request, Route

_IDS = ("anonymous_id", "user_id", "contact_id", "group_id", "session_key", "email", "phone")
WORDS = ("name", "url", "referrer", *TAGS, "click_id_kind", "click_id", "ad", "keyword", "currency", *_IDS)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Pixel:
    """Reads `/px.gif?key=…&kind=email_open&…`: parameters are columns of events, others become properties.

    kind: `page` when not given. url: of a page, the address that asks for the image when not given.
    id: of the event, for one that may be told twice.
    """

    name = "pixel"
    routes = (Route("/px.gif", ("GET",)),)

    def read(self, request: Request) -> Batch:
        said = dict(request.query)
        return batch(text(said.get("key")), (said,), lambda each: _told(each, request))

    def accepted(self, batch: Batch) -> Answer:
        return PIXEL


wire = Pixel()


def _told(said: Mapping[str, Any], request: Request) -> Collected:
    kind = text(said.get("kind")).lower() or "page"
    if not _KIND.fullmatch(kind):
        raise RefusedError("The event's kind is no word of small letters, digits and _")
    words = {name: text(said.get(name)) for name in WORDS}
    if kind == "page" and not words["url"]:
        words["url"] = text(request.headers.get("referer"))
    cells = row(
        request.received_at,
        request.received_at,
        kind=kind,
        value=number(said.get("value")),
        user_agent=browser_of(request.headers),
        properties=rest(said, ("key", "kind", "id", "value", *WORDS)),
        **words,
    )
    return Collected(text(said.get("id")), cells)
