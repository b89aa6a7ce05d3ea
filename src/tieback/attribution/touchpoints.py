"""From touch candidates to touchpoints: channel, payment, and why a touch is set aside."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.attribution.calendar import local_date
from tieback.attribution.channels import SIGNALS, WEB_KINDS, classified, plain
from tieback.attribution.exclusions import INTERNAL
from tieback.attribution.rulebook import rulebook
from tieback.attribution.sessions import with_page_host
from tieback.config import Settings
from tieback.schema.opinions import REFUSED
from tieback.schema.remembered import remembered

_CLICKS = ("ad_click", "email_click")
_LED_TO_A_VISIT = "the visit it led to is counted"
_TOLD = ("source", "medium", "channel", "channel_rule", "is_paid")
_GIVEN = tuple(f"given_{name}" for name in SIGNALS)


@remembered
def touchpoints(sessions: ir.Table, channels: ir.Table, led: ir.Table, settings: Settings) -> ir.Table:
    """The touchpoints (TOUCHPOINTS) of the touch candidates `sessions`, as `tieback.attribution.sessions` makes them.

    channels, led: as below, of these sessions. Touches set aside are kept, each with its excluded_reason.
    """
    given = sessions.mutate(**_given(sessions))
    touches = given.inner_join(channels, list(_GIVEN)).select(*sessions.columns, *_TOLD)
    touches = touches.left_join(led, touches.touch_id == led.led_id)
    return touches.select(
        "touch_id",
        "person_id",
        "account_id",
        "occurred_at",
        "kind",
        "channel",
        "channel_rule",
        "ad",
        "keyword",
        "landing_page",
        "is_paid",
        "is_measured",
        "origin",
        touch_date=local_date(touches.occurred_at, settings.time_zone),
        source=touches.source.nullif(""),
        medium=touches.medium.nullif(""),
        campaign=touches.utm_campaign,
        content=touches.utm_content,
        term=touches.utm_term,
        excluded_reason=_excluded_reason(touches, bots=settings.exclude.bots),
        rules_version=ibis.literal(rulebook(settings).version),
    )


def _given(sessions: ir.Table) -> dict[str, ir.StringColumn]:
    """What the channel rules read, as given but never null, so that it can be joined on."""
    tagged = (sessions.utm_content.fill_null("") != "") | (sessions.utm_term.fill_null("") != "")
    return {
        "given_source_tag": sessions.utm_source.fill_null(""),
        "given_medium_tag": sessions.utm_medium.fill_null(""),
        "given_campaign_tag": sessions.utm_campaign.fill_null(""),
        "given_other_tags": tagged.ifelse("given", ""),
        "given_click_kind": sessions.click_id_kind.fill_null(""),
        "given_referrer": sessions.referrer_domain.fill_null(""),
        "given_page": sessions.page_host.fill_null(""),
        "given_touch_kind": sessions.kind,
    }


def signals(events: ir.Table) -> ir.Table:
    """`events` (each taken for a touch of its own) with the columns SIGNALS, which the channel rules read."""
    opened = with_page_host(events)
    given = opened.mutate(**_given(opened))
    return given.mutate(**_plain(given))


def _plain(given: ir.Table) -> dict[str, ir.StringColumn]:
    return {name: plain(given[f"given_{name}"]) for name in SIGNALS}


@remembered
def channels_of(sessions: ir.Table, settings: Settings) -> ir.Table:
    """The channel of each combination of what is given on `sessions`: millions of touches share some thousands.

    given_… (never null), source, medium, channel, channel_rule, is_paid.
    Raises ConfigError when a [[channels]] rule of the settings is not right.
    """
    given = sessions.select(**_given(sessions)).distinct()
    return classified(given.mutate(**_plain(given)), rulebook(settings)).select(*_GIVEN, *_TOLD)


@remembered
def clicks(sessions: ir.Table, settings: Settings) -> ir.Table:
    """The touches that are a click alone, and name what it was on: touch_id, person, click, campaign, second."""
    return _named(sessions.filter(sessions.kind.isin(_CLICKS)), settings)


@remembered
def led_to_a_visit(clicks: ir.Table, sessions: ir.Table, settings: Settings) -> ir.Table:
    """The `clicks` that a visit of the same person carries on: same click id, or same campaign within a session's time.

    A visit of a bot carries nothing on. One row per click: led_id.
    """
    visits = _named(sessions.filter(sessions.kind.isin(WEB_KINDS) & sessions.bot_reason.isnull()), settings)
    visits = visits.select(**{f"visit_{name}": name for name in visits.columns})
    same_click = clicks.inner_join(visits, [clicks.person == visits.visit_person, clicks.click == visits.visit_click])
    wait = visits.visit_second - clicks.second
    within = (wait >= 0) & (wait <= settings.touches.session_minutes * 60)
    same_campaign = clicks.inner_join(
        visits, [clicks.person == visits.visit_person, clicks.campaign == visits.visit_campaign, within]
    )
    return ibis.union(*(each.select(led_id="touch_id") for each in (same_click, same_campaign)), distinct=True)


def _named(sessions: ir.Table, settings: Settings) -> ir.Table:
    """Those of `sessions` with a click id or a campaign, and what they are known by; ids of many clicks are none."""
    many = [click.kind for click in rulebook(settings).click_ids if not click.tells_clicks]
    is_of_many = sessions.click_id_kind.isin(many).fill_null(ibis.literal(value=False))
    click = sessions.click_id_kind.fill_null("").concat(":", sessions.click_id)
    return sessions.filter(sessions.click_id.notnull() | sessions.utm_campaign.notnull()).select(
        "touch_id",
        person=sessions.person_id,
        click=is_of_many.ifelse(ibis.null("string"), click),
        campaign=sessions.utm_campaign.lower(),
        second=sessions.occurred_at.epoch_seconds().floor(),
    )


def _excluded_reason(touches: ir.Table, *, bots: bool) -> ir.StringColumn:
    """Why a touch can earn no credit; null when it can."""
    reasons = [
        (touches.is_internal, ibis.literal(INTERNAL)),
        (touches.led_id.notnull(), ibis.literal(_LED_TO_A_VISIT)),
        (touches.is_refused, ibis.literal(REFUSED)),
    ]
    if bots:
        reasons.insert(0, (touches.bot_reason.notnull(), ibis.literal("bot: ").concat(touches.bot_reason)))
    return ibis.cases(*reasons)
