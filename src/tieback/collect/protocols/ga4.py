"""GA4's Measurement Protocol: events that servers send beside a site's tag, several of one device a request."""

from __future__ import annotations

from typing import Any

from tieback.collect.cells import RefusedError, batch, fields, is_digest, number, rest, row, since_epoch, text
from tieback.collect.consent import signals
from tieback.collect.requests import Answer, Batch, Collected, Request, Route, UnreadableError, decoded

_KINDS = {"page_view": "page", "screen_view": "page", "form_submit": "form"}
_CAMPAIGN = ("campaign", "source", "medium", "term", "content")
_CELLS = ("page_location", "page_referrer", "session_id", "value", "currency")


class GA4:
    """Reads `/mp/collect?measurement_id=…&api_secret=…`. The write key stands for the API secret.

    Google takes events of the last 72 hours; older ones are taken here too, for they happened.
    """

    name = "ga4"
    routes = (Route("/mp/collect"),)

    def read(self, request: Request) -> Batch:
        said = decoded(request.body)
        if not isinstance(said, dict) or not isinstance(said.get("events"), list):
            raise UnreadableError("The body has no list `events`")
        key = text(request.query.get("api_secret"))
        return batch(key, said["events"], lambda event: _told(event, said, request))

    def accepted(self, batch: Batch) -> Answer:
        return Answer(204)


wire = GA4()


def _told(event: dict[str, Any], said: dict[str, Any], request: Request) -> Collected:
    """What happened. The request's user agent is that of a server, so only the one that it tells of counts."""
    name, params = text(event.get("name")), fields(event.get("params"))
    if not name:
        raise RefusedError("The event has no name")
    micros = event.get("timestamp_micros", said.get("timestamp_micros"))
    at = request.received_at if micros is None else since_epoch(micros, 1_000_000)
    kind = _KINDS.get(name, "track")
    is_campaign = name == "campaign_details"  # elsewhere these parameters are anybody's
    tags = {f"utm_{tag}": text(params.get(tag)) for tag in _CAMPAIGN} if is_campaign else {}
    amount = number(params.get("value"))
    traits = {trait: fields(value).get("value", value) for trait, value in fields(said.get("user_properties")).items()}
    person = fields(said.get("user_data"))
    cells = row(
        at,
        request.received_at,
        kind=kind,
        name="" if kind == "page" else text(params.get("form_id")) or name if kind == "form" else name,
        anonymous_id=text(said.get("client_id")) or text(said.get("app_instance_id")),
        user_id=text(said.get("user_id")),
        email=_digest(person.get("sha256_email_address")),
        phone=_digest(person.get("sha256_phone_number")),
        session_key=text(params.get("session_id")),
        url=text(params.get("page_location")),
        referrer=text(params.get("page_referrer")),
        value=amount,
        currency=text(params.get("currency")) if amount is not None else "",
        consent=_consent(said),
        user_agent=text(said.get("user_agent")),
        ip=text(said.get("ip_override")),
        properties=rest(params, _CELLS + (_CAMPAIGN if is_campaign else ())) | rest({"user_properties": rest(traits)}),
        **tags,
    )
    return Collected("", cells)


def _consent(said: dict[str, Any]) -> dict[str, bool]:
    """What is told of advertising; `non_personalized_ads` is the older word for it."""
    told = list(fields(said.get("consent")).items())
    return signals([*told, ("ad_personalization", False)] if said.get("non_personalized_ads") is True else told)


def _digest(told: Any) -> str:
    """The first of the digests of a person's addresses or numbers; "" for none."""
    given = told if isinstance(told, list) else [told]
    return next((digest for each in given if is_digest(digest := text(each))), "")
