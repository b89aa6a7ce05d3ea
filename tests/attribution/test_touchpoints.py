"""Touchpoints: channel and payment of each touch, and why some are set aside."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import ibis
import pytest

from tests.facts import warehouse
from tieback.attribution import staff
from tieback.attribution.sessions import logins_between, possible_touches, sessions, shared_devices
from tieback.attribution.touchpoints import channels_of, clicks, led_to_a_visit, touchpoints
from tieback.config import Consent, Exclude, Settings, Touches
from tieback.identity import junk_identifiers
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import relations
from tieback.store.compiler import compiled

NOON = datetime(2026, 3, 1, 12)
AT = relations((*FACTS, *OPINIONS))
TOUCHPOINTS = TABLES["touchpoints"]


def event(event_id: str, kind: str, seconds: float = 0, **columns: Any) -> dict[str, Any]:
    """An event of the browser b1; pages have an address."""
    given = {"anonymous_id": "b1", "url": "https://acme.com/" if kind in ("page", "form") else None}
    return {"event_id": event_id, "kind": kind, "occurred_at": NOON + timedelta(seconds=seconds), **given, **columns}


def found(events: list[dict[str, Any]], settings: Settings | None = None) -> list[dict[str, Any]]:
    """The touchpoints of `events`, by touch_id, as a run builds them; every browser is a person."""
    chosen = settings or Settings()
    browsers = sorted({each["anonymous_id"] for each in events})
    people = [{"id_kind": "anonymous", "id_value": value, "person_id": f"anonymous:{value}"} for value in browsers]
    with warehouse(events=events, people=people) as store:
        candidates = store.scratch("sessions", _sessions(chosen))
        channels = channels_of(candidates, chosen)
        led = led_to_a_visit(clicks(candidates, chosen), candidates, chosen)
        store.save(TOUCHPOINTS, touchpoints(candidates, channels, led, chosen))
        return store.rows("SELECT * FROM touchpoints ORDER BY touch_id")


def _sessions(settings: Settings) -> ibis.Table:
    junk = junk_identifiers(AT.events, settings.identity)
    found = possible_touches(AT.events, junk, settings)
    logins = logins_between(found, shared_devices(found))
    return sessions(found, logins, AT.events, AT.people, staff(AT, AT.people, settings.exclude), settings)


def test_a_touch_shows_what_it_is() -> None:
    """Channel, rule and its version, effective source and medium, campaign as tagged, day in the workspace's zone."""
    tags = {
        "utm_source": "Google",
        "utm_medium": "CPC",
        "utm_campaign": "Spring Sale",
        "utm_content": "C",
        "utm_term": "Shoes",
    }
    late = {"occurred_at": datetime(2026, 3, 1, 23, 30), "ad": "A1", "keyword": "K", "landing_page": "/p"}
    (row,) = found([event("1", "page", **tags, **late)], Settings(time_zone="Europe/Berlin"))
    assert row == {
        "touch_id": "1",
        "person_id": "anonymous:b1",
        "account_id": None,
        "occurred_at": datetime(2026, 3, 1, 23, 30),
        "touch_date": date(2026, 3, 2),
        "kind": "visit",
        "channel": "Paid Search",
        "channel_rule": "Paid Search",
        "source": "google",
        "medium": "cpc",
        "campaign": "Spring Sale",
        "content": "C",
        "term": "Shoes",
        "ad": "A1",
        "keyword": "K",
        "landing_page": "/p",
        "is_paid": True,
        "is_measured": True,
        "excluded_reason": None,
        "rules_version": "2026-11",
        "origin": "test",
    }


def reasons(events: list[dict[str, Any]], settings: Settings | None = None) -> dict[str, str | None]:
    """Why each touch is set aside, if it is."""
    return {row["touch_id"]: row["excluded_reason"] for row in found(events, settings)}


LED = "the visit it led to is counted"


def test_a_click_is_set_aside_for_the_visit_that_it_led_to() -> None:
    """By the same click id at any time; by the same campaign within half an hour; for that person alone."""
    click_id = {"click_id_kind": "gclid", "click_id": "x"}
    spring = {"utm_campaign": "Spring"}
    assert reasons(
        [
            event("click id", "ad_click", **click_id),
            event("click id: visit", "page", 5000, **click_id),
            event("in time", "email_click", **spring, anonymous_id="b2"),
            event("in time: visit", "page", 1800, utm_campaign="spring", anonymous_id="b2"),
            event("late", "ad_click", **spring, anonymous_id="b3"),
            event("late: visit", "page", 1801, **spring, anonymous_id="b3"),
            event("before", "ad_click", 10, **spring, anonymous_id="b4"),
            event("before: visit", "page", 0, **spring, anonymous_id="b4"),
            event("another campaign", "ad_click", utm_campaign="fall", anonymous_id="b5"),
            event("another campaign: visit", "page", 5, **spring, anonymous_id="b5"),
            event("nothing known", "ad_click", anonymous_id="b6"),
            event("nothing known: visit", "page", 5, anonymous_id="b6"),
            event("of a bot", "ad_click", **spring, anonymous_id="b7"),
            event("of a bot: visit", "page", 5, **spring, anonymous_id="b7", bot_reason="spider"),
            event("another person", "ad_click", **spring, anonymous_id="b8"),
            event("shared id", "ad_click", click_id_kind="gad_source", click_id="1", anonymous_id="c1"),
            event("shared id: visit", "page", 5000, click_id_kind="gad_source", click_id="1", anonymous_id="c1"),
            event("other kind", "ad_click", click_id_kind="gclid", click_id="1", anonymous_id="c2"),
            event("other kind: visit", "page", 5000, click_id_kind="msclkid", click_id="1", anonymous_id="c2"),
            event("two visits", "ad_click", **spring, anonymous_id="b9"),
            event("two visits: a", "page", 5, **spring, anonymous_id="b9"),
            event("two visits: b", "page", 9, **spring | {"utm_term": "t"}, anonymous_id="b9"),
        ]
    ) == {
        "click id": LED,
        "in time": LED,
        "two visits": LED,
        "of a bot: visit": "bot: spider",
        **dict.fromkeys(["late", "before", "another campaign", "nothing known", "of a bot", "another person"]),
        **dict.fromkeys(["shared id", "shared id: visit", "other kind", "other kind: visit"]),
        **dict.fromkeys(
            f"{name}: visit" for name in ("click id", "in time", "late", "before", "another campaign", "nothing known")
        ),
        **dict.fromkeys(["two visits: a", "two visits: b"]),
    }


def test_bots_and_staff_are_kept_with_their_reason() -> None:
    """And counted again when [exclude] says so."""
    events = [
        event("bot", "page", bot_reason="headless"),
        event("staff", "page", anonymous_id="kiosk"),
        event("visitor", "page", anonymous_id="b2"),
    ]
    assert reasons(events, Settings(exclude=Exclude(anonymous_ids=("kiosk",)))) == {
        "bot": "bot: headless",
        "staff": "internal traffic",
        "visitor": None,
    }
    assert reasons(events, Settings(exclude=Exclude(bots=False))) == {"bot": None, "staff": None, "visitor": None}


def test_bots_that_may_count_are_as_people_are() -> None:
    """By the whole reason, whatever a regular expression would make of it; any other bot in a visit still marks it."""
    odd, monitor = "advertising: AdsBot-Google([^-]|$)", "monitoring: UptimeRobot"
    events = [
        event("ads", "page", bot_reason=odd),
        event("monitor", "page", anonymous_id="b2", bot_reason=monitor),
        event("both", "page", anonymous_id="b3", bot_reason=odd),
        event("both too", "page", 5, anonymous_id="b3", bot_reason=monitor),
    ]

    def barred(*allowed: str) -> dict[str, str | None]:
        return reasons(events, Settings(exclude=Exclude(bots_allowed=allowed)))

    assert barred("monitoring", "bot") == {"ads": f"bot: {odd}", "monitor": f"bot: {monitor}", "both": f"bot: {odd}"}
    assert barred(odd) == {"ads": None, "monitor": f"bot: {monitor}", "both": f"bot: {monitor}"}
    assert barred("ADVERTISING: *", "*robot") == dict.fromkeys(("ads", "monitor", "both"))


def test_a_payment_return_neither_splits_nor_steals() -> None:
    """Ad click, an hour at the bank, thank-you page: one touch, paid search."""
    rows = found(
        [
            event("1", "page", click_id_kind="gclid", click_id="x"),
            event("2", "page", 60),
            event("3", "page", 3700, referrer_domain="checkout.stripe.com", url="https://acme.com/thanks"),
        ]
    )
    assert [(row["touch_id"], row["channel"]) for row in rows] == [("1", "Paid Search")]


def test_a_later_campaign_does_not_rewrite_an_earlier_touch() -> None:
    """Each touch keeps the tags it came with."""
    events = [
        event("1", "page", utm_source="facebook", utm_medium="cpc"),
        event("2", "page", 60, utm_source="news", utm_medium="email"),
    ]
    assert [row["channel"] for row in found(events)] == ["Paid Social", "Email"]
    assert found(events)[0] == found(events[:1])[0]


def test_kinds_of_the_users_own_are_unassigned_until_a_rule_knows_them() -> None:
    """What is not known is Unassigned, never Direct."""
    touches = Touches(kinds=("podcast",))
    assert [row["channel"] for row in found([event("1", "podcast")], Settings(touches=touches))] == ["Unassigned"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_touchpoints_compile_for_every_dialect(dialect: str) -> None:
    """One expression, seven warehouses."""
    candidates = ibis.table(_sessions(Settings()).schema(), name="sessions")
    settings = Settings(time_zone="America/New_York")
    channels = channels_of(candidates, settings)
    led = led_to_a_visit(clicks(candidates, settings), candidates, settings)
    kept = [ibis.table(each.schema(), name=name) for each, name in ((channels, "channels"), (led, "led"))]
    assert all(compiled(each, dialect) for each in (channels, led))
    assert LED in compiled(touchpoints(candidates, *kept, settings), dialect)


def test_what_a_visitor_refused_earns_nothing() -> None:
    """One refusal in a visit refuses the visit, also a later one; what says nothing is taken as the settings say."""
    visits = [
        event("1", "page", consent_attribution=True),
        event("2", "page", 5, consent_attribution=False),
        event("3", "page", 9000, consent_attribution=True),
        event("4", "page", 18000),
        event("5", "call", 30000, anonymous_id="b2", url=None, consent_attribution=False),
    ]
    reasons = {row["touch_id"]: row["excluded_reason"] for row in found(visits)}
    assert reasons == {"1": "no consent to attribution", "3": None, "4": None, "5": "no consent to attribution"}
    strict = {
        row["touch_id"]: row["excluded_reason"] for row in found(visits, Settings(consent=Consent(assumed=False)))
    }
    assert strict == {**reasons, "4": "no consent to attribution"}


def test_measurement_is_a_purpose_of_its_own() -> None:
    """A visit that refuses to be counted may still earn credit, and the other way round."""
    visits = [
        event("1", "page", consent_analytics=False, consent_attribution=True),
        event("2", "page", 9000, consent_analytics=True, consent_attribution=False),
    ]
    told = [(row["is_measured"], row["excluded_reason"]) for row in found(visits)]
    assert told == [(False, None), (True, "no consent to attribution")]
