"""Sessions: where a visit begins and ends, whose it is, and what is a touch of its own."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from tests.facts import put, warehouse
from tieback.attribution import staff
from tieback.attribution.sessions import logins_between, possible_touches, sessions, shared_devices, with_page_host
from tieback.config import Exclude, Identity, Settings, Touches, Traffic
from tieback.identity import junk_identifiers
from tieback.schema import FACTS, OPINIONS
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

NOON = datetime(2026, 3, 1, 12)
AT = relations((*FACTS, *OPINIONS))


def page(event_id: str, seconds: float = 0, **columns: Any) -> dict[str, Any]:
    """A page seen `seconds` after noon on the browser b1."""
    given = {"kind": "page", "anonymous_id": "b1", "url": "https://www.acme.com/"}
    return {"event_id": event_id, "occurred_at": NOON + timedelta(seconds=seconds), **given, **columns}


def person(id_kind: str, id_value: str, person_id: str = "", account_id: str | None = None) -> dict[str, Any]:
    """An identifier and whose it is; its own person unless told."""
    return {
        "id_kind": id_kind,
        "id_value": id_value,
        "person_id": person_id or f"{id_kind}:{id_value}",
        "account_id": account_id,
    }


@cache
def engine() -> DuckDB:
    """One warehouse for the whole file: making one takes longer than a test."""
    return warehouse(events=[], people=[])


def _sessions(settings: Settings) -> Any:
    junk = junk_identifiers(AT.events, settings.identity)
    found = possible_touches(AT.events, junk, settings)
    logins = logins_between(found, shared_devices(found))
    return sessions(found, logins, AT.events, AT.people, staff(AT, AT.people, settings.exclude), settings)


def found(
    events: list[dict[str, Any]],
    people: list[dict[str, Any]] | None = None,
    settings: Settings | None = None,
    **facts: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The touch candidates of `events`, by touch_id; without `people`, each browser is a person."""
    browsers = {event["anonymous_id"] for event in events if event.get("anonymous_id")}
    known = [person("anonymous", browser) for browser in sorted(browsers)] if people is None else people
    store = engine()
    store.execute("DELETE FROM events; DELETE FROM people; DELETE FROM contacts; DELETE FROM orders")
    put(store, "events", events)
    put(store, "people", known)
    for name, rows in facts.items():
        put(store, name, rows)
    touches = store.query(compiled(_sessions(settings or Settings()), "duckdb")).to_pylist()
    return sorted(touches, key=lambda row: str(row["touch_id"]))


def ids(*events: dict[str, Any], settings: Settings | None = None) -> list[str]:
    """The touch ids of `events`, browsers being people."""
    return [row["touch_id"] for row in found(list(events), settings=settings)]


def test_thirty_minutes_of_silence_are_still_the_same_visit() -> None:
    """Exactly the limit is in; one second more is a new visit."""
    assert ids(page("1"), page("2", 1800)) == ["1"]
    assert ids(page("1"), page("2", 1801)) == ["1", "2"]


def test_silence_is_measured_from_the_last_event() -> None:
    """A visit may last for hours while something happens every half hour."""
    assert ids(*(page(str(number), number * 1500) for number in range(8))) == ["0"]


def test_the_length_of_silence_is_a_setting() -> None:
    """[touches] session_minutes."""
    assert ids(page("1"), page("2", 601), settings=Settings(touches=Touches(session_minutes=10))) == ["1", "2"]


@pytest.mark.parametrize(
    "tag",
    [
        {"utm_source": "news"},
        {"utm_campaign": "spring"},
        {"utm_term": "shoes"},
        {"click_id_kind": "gclid", "click_id": "x"},
    ],
)
def test_a_new_campaign_begins_a_visit(tag: dict[str, str]) -> None:
    """Any tag or click id that was not the last given one, minutes into a visit."""
    first, second = found([page("1"), page("2", 60, **tag), page("3", 120)])
    assert (first["touch_id"], second["touch_id"]) == ("1", "2")
    assert {name: second[name] for name in tag} == tag


def test_the_same_campaign_again_is_no_new_visit() -> None:
    """A reload carries the same tags; so does a step back to the landing page after pages without tags."""
    tagged = {"utm_source": "news", "utm_campaign": "spring"}
    assert ids(page("1", **tagged), page("2", 10, **tagged), page("3", 20), page("4", 30, **tagged)) == ["1"]
    assert ids(page("1", **tagged), page("2", 10, **tagged | {"utm_campaign": "summer"}), page("3", 20, **tagged)) == [
        "1",
        "2",
        "3",
    ]


def test_tags_split_at_their_borders() -> None:
    """source "a" with medium "b" is not source "ab"."""
    assert ids(page("1", utm_source="ab"), page("2", 10, utm_source="a", utm_medium="b")) == ["1", "2"]


def test_a_campaign_of_another_browser_changes_nothing() -> None:
    """Browsers are told apart, whatever happens between."""
    events = [
        page("1", utm_source="news"),
        page("2", 5, anonymous_id="b2", utm_source="fb"),
        page("3", 10, utm_source="news"),
    ]
    assert ids(*events) == ["1", "2"]


def test_a_new_session_key_begins_a_visit() -> None:
    """The source's own session id is believed; events without one change nothing."""
    assert ids(page("1", session_key="a"), page("2", 5, session_key="a"), page("3", 10, session_key="b")) == ["1", "3"]
    assert ids(page("1", session_key="a"), page("2", 5), page("3", 10)) == ["1"]


@pytest.mark.parametrize(
    "referrer", ["paypal.com", "checkout.stripe.com", "accounts.google.com", "pay.bank.test", "id.corp.test"]
)
def test_coming_back_from_paying_or_signing_in_goes_on_with_the_visit(referrer: str) -> None:
    """However long it took within a day, and even if the source made a new session of it."""
    settings = Settings(traffic=Traffic(payment_domains=("bank.test",), sign_in_domains=("corp.test",)))
    back = {"referrer_domain": referrer}
    assert ids(
        page("1", session_key="a"),
        page("2", 7200, session_key="b", **back),
        page("3", 7210, session_key="b"),
        settings=settings,
    ) == ["1"]
    assert ids(page("1"), page("2", 86_401, **back), settings=settings) == ["1", "2"]
    assert ids(page("1"), page("2", 7200, referrer_domain="notpaypal.com"), settings=settings) == ["1", "2"]


def test_a_referrer_alone_does_not_split_a_visit() -> None:
    """A single-page app that reports its own or another referrer stays one visit, from where its first page came."""
    only = found(
        [
            page("1", referrer_domain="google.com"),
            page("2", 5, referrer_domain="acme.com"),
            page("3", 9, referrer_domain="bing.com"),
        ]
    )
    assert [(row["touch_id"], row["referrer_domain"]) for row in only] == [("1", "google.com")]


def test_a_form_makes_the_visit_a_form() -> None:
    """Wherever in the visit it was filled in; the details stay those of the first page."""
    only = found([page("1", landing_page="/a", utm_source="news"), page("2", 60, kind="form", landing_page="/b")])
    assert [(row["touch_id"], row["kind"], row["landing_page"], row["utm_source"]) for row in only] == [
        ("1", "form", "/a", "news")
    ]


def test_calls_and_chats_join_the_visit_they_happen_in() -> None:
    """A call or chat with a browser id is part of the visit; alone it is a touch of its own kind."""
    assert [row["kind"] for row in found([page("1"), page("2", 60, kind="call", url=None)])] == ["visit"]
    assert [row["kind"] for row in found([page("1", kind="chat", url=None)])] == ["chat"]
    nobody = {"anonymous_id": None, "url": None, "email_hash": "h"}
    mail = [person("email", "h")]
    alone = [page(kind, 0, kind=kind, **nobody) for kind in ("call", "chat", "form")]
    assert [row["kind"] for row in found(alone, mail)] == ["call", "chat", "form"]


def test_a_server_event_makes_no_visit() -> None:
    """A `track` without a page is a goal, not a touch; with a page it belongs to the visit."""
    assert ids(page("1", kind="track", url=None), page("2", 9000, kind="track")) == ["2"]


def test_which_kinds_are_touches() -> None:
    """Those of the settings, and views always, which the journeys then set aside; others are not."""
    events = [page(kind, kind=kind) for kind in ("webinar", "ad_click", "ad_view", "email_open", "podcast", "identify")]
    assert ids(*events) == ["ad_click", "ad_view", "email_open", "webinar"]
    assert ids(*events, settings=Settings(touches=Touches(kinds=("podcast",)))) == ["ad_view", "email_open", "podcast"]


def test_a_visit_belongs_to_the_strongest_identifier_seen_in_it() -> None:
    """Signing in on the last page tells whose the visit was from the first."""
    people = [person("anonymous", "b1"), person("user", "u1", "user:u1", "crm:1"), person("email", "h", "email:h")]
    events = [page("1"), page("2", 5, email_hash="h"), page("3", 9, user_id="u1")]
    assert [(row["person_id"], row["account_id"]) for row in found(events, people)] == [("user:u1", "crm:1")]
    assert [row["person_id"] for row in found(events[:2], people)] == ["email:h"]


def test_an_identifier_that_means_nobody_joins_nobody() -> None:
    """Junk is nobody's: strangers with the browser id "null" share neither visit nor person."""
    people = [person("email", "h")]
    events = [
        page("1", anonymous_id="null"),
        page("2", 5, anonymous_id="null"),
        page("3", 9, user_id="guest", anonymous_id=None, email_hash="h"),
    ]
    assert [(row["touch_id"], row["person_id"]) for row in found(events, people)] == [
        ("1", "event:1"),
        ("2", "event:2"),
        ("3", "email:h"),
    ]
    events = [page("1", anonymous_id="kiosk"), page("2", 5, anonymous_id="kiosk")]
    assert len(found(events)) == 1
    assert len(found(events, settings=Settings(identity=Identity(junk=("Kiosk",))))) == 2


def test_a_login_without_browser_is_a_device_of_its_own() -> None:
    """The login "b1" is not the browser "b1"."""
    people = [person("anonymous", "b1"), person("user", "b1")]
    assert [row["person_id"] for row in found([page("1"), page("2", 5, anonymous_id=None, user_id="b1")], people)] == [
        "anonymous:b1",
        "user:b1",
    ]


def test_a_bot_anywhere_in_the_visit_marks_it() -> None:
    """Touches of bots are kept, with the reason."""
    assert [row["bot_reason"] for row in found([page("1"), page("2", 5, bot_reason="headless"), page("3", 9000)])] == [
        "headless",
        None,
    ]


def test_staff_are_internal_in_all_their_visits() -> None:
    """By e-mail domain or login for the person, by browser for the device; patterns are globs, letter case ignored."""
    staff = "anonymous:b1"
    people = [
        person("anonymous", "b1"),
        person("email", "h", staff),
        person("user", "QA-7", staff),
        person("anonymous", "kiosk.1"),
        person("anonymous", "b9"),
    ]
    events = [
        page("1"),
        page("2", 9000, kind="form", email_hash="h", email_domain="Acme.com"),
        page("3", anonymous_id="kiosk.1"),
        page("4", anonymous_id="b9"),
    ]
    internal = {
        "email": Exclude(email_domains=("acme.*",)),
        "all below a domain": Exclude(email_domains=("*.acme.com",)),
        "login": Exclude(user_ids=("qa-*",)),
        "device": Exclude(anonymous_ids=("kiosk.?",)),
        "none": Exclude(email_domains=("other.com",)),
    }
    marked = {
        name: [row["touch_id"] for row in found(events, people, Settings(exclude=exclude)) if row["is_internal"]]
        for name, exclude in internal.items()
    }
    assert marked == {
        "email": ["1", "2"],
        "all below a domain": ["1", "2"],
        "login": ["1", "2"],
        "device": ["3"],
        "none": [],
    }


def test_staff_whose_address_no_event_carries_are_internal_too() -> None:
    """The CRM or an order may be the only one to know it; an old address in the CRM still tells whose it is."""
    people = [
        person("anonymous", "b1", "ada"),
        person("contact", "c1", "ada"),
        person("anonymous", "b2", "bob"),
        person("email", "h2", "bob"),
        person("anonymous", "b3"),
    ]
    contact = {"contact_id": "c1", "email_domain": "acme.com", "changed_at": "2026-01-01"}
    order = {"order_id": "o", "kind": "order", "email_hash": "h2", "email_domain": "acme.com"}
    touches = found(
        [page("1"), page("2", anonymous_id="b2"), page("3", anonymous_id="b3")],
        people,
        Settings(exclude=Exclude(email_domains=("acme.com",))),
        contacts=[contact],
        orders=[order | {"amount": 1, "occurred_at": "2026-01-01", "changed_at": "2026-01-01"}],
    )
    assert [row["is_internal"] for row in touches] == [True, True, False]


def test_the_order_of_rows_does_not_matter() -> None:
    """Shuffled facts give the same touches, also where instants tie."""
    rng = random.Random(7)
    events = [
        page(
            f"e{number:03}",
            rng.choice((0, 60, 1800, 1801, 4000)) * rng.randrange(6),
            anonymous_id=f"b{number % 5}",
            kind=rng.choice(("page", "page", "form", "track", "ad_click")),
            utm_source=rng.choice((None, None, "news", "fb")),
            session_key=rng.choice((None, "a", "b")),
            referrer_domain=rng.choice((None, "paypal.com")),
            user_id=rng.choice((None, None, "u1", "u2")),
        )
        for number in range(200)
    ]
    people = [person("anonymous", f"b{number}") for number in range(5)] + [person("user", "u1"), person("user", "u2")]
    expected = found(events, people)
    rng.shuffle(events)
    assert found(events, people) == expected
    assert len(expected) > 20


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Acme.com/a?b=https://x.com/", "acme.com"),
        ("HTTPS://ACME.com/a", "acme.com"),
        ("http://acme.com", "acme.com"),
        ("https://shop.acme.com:8443/", "shop.acme.com"),
        ("https://acme.com?utm_source=a", "acme.com"),
        ("https://acme.com#top", "acme.com"),
        ("acme.com/pricing", "acme.com"),
        ("/pricing", "-"),
        (None, None),
    ],
)
def test_the_host_of_a_page(url: str | None, host: str | None) -> None:
    """Lower case, without www., port and everything after it; "-" where the page was seen but not its host."""
    store = engine()
    store.execute("DELETE FROM events")
    put(store, "events", [page("1", url=url)])
    assert store.read(with_page_host(AT.events).select(host="page_host")).to_pylist() == [{"host": host}]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sessions_compile_for_every_dialect(dialect: str) -> None:
    """One expression, seven warehouses."""
    settings = Settings(exclude=Exclude(email_domains=("acme.com",), user_ids=("qa*",), anonymous_ids=("kiosk",)))
    assert "session_number" in compiled(_sessions(settings), dialect)


def test_a_device_that_two_share_is_split_by_their_logins() -> None:
    """Before the first login it is the first's, and after a login it is that one's until the next."""
    people = [person("anonymous", "b1", "user:ann"), person("user", "ann"), person("user", "bob")]
    visits = [
        page("1"),
        page("2", 10_000, user_id="ann"),
        page("3", 20_000),
        page("4", 30_000, user_id="bob"),
        page("5", 40_000),
        page("6", 50_000, user_id="ann"),
        page("7", 60_000),
    ]
    whose = [row["person_id"].removeprefix("user:") for row in found(visits, people)]
    assert whose == ["ann", "ann", "ann", "bob", "bob", "ann", "ann"]


def test_a_device_of_one_login_is_not_split() -> None:
    """Who is logged in says nothing of a device that nobody else uses: it stays with its person."""
    people = [person("anonymous", "b1"), person("user", "ann", "anonymous:b1")]
    whose = [row["person_id"] for row in found([page("1"), page("2", 9000, user_id="ann"), page("3", 20_000)], people)]
    assert whose == ["anonymous:b1"] * 3
