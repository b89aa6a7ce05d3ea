"""Behaviour as the website, the newsletter tool and the webinar tool would export it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieback.simulate.behaviour import Outcome
from tieback.simulate.people import People, emails, joined, numbered, phones
from tieback.simulate.visits import DEVICES, LEAVES, Touches, Visits
from tieback.simulate.world import DAYS, FIRST_DAY, OWN_DOMAIN, START, Ints, Leaf, day_of, rng

SITE = f"https://www.{OWN_DOMAIN}"
_PAGES = ("/pricing", "/features", "/customers", "/docs")
_PAGE, _LOGIN, _FORM = 0, 1, 2
_KINDS = pa.array(["page", "track", "form"])
_NAMES = pa.array([None, "login", "demo request"], pa.string())
_MONTHS = tuple(
    f"{FIRST_DAY.year + (FIRST_DAY.month + k - 1) // 12}-{(FIRST_DAY.month + k - 1) % 12 + 1:02d}" for k in range(12)
)
_NOTHING = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class Website:
    """The website's events in order of time, as a table, and the event that opened each visit."""

    rows: pa.Table
    opened_by: pa.Array


def website(world: People, seen: Touches, outcome: Outcome, seed: int) -> Website:
    """Pages, logins and forms, with raw addresses and numbers in place of their hashes."""
    visits = seen.visits
    visit, at, kind, page = _steps(visits, outcome)
    order = np.lexsort((page, visit, at))
    visit, at, kind, page = visit[order], at[order], kind[order], page[order]
    event_id = numbered("e", np.arange(len(visit)), 8)
    opening = np.nonzero((kind == _PAGE) & (page == 0))[0]
    opened_by = np.empty(len(visits.person), np.int64)
    opened_by[visit[opening]] = opening
    person, is_form, is_first = visits.person[visit], pa.array(kind == _FORM), pa.array((kind == _PAGE) & (page == 0))
    url, referrer, is_tagged = _addresses(visits, seed)
    is_named = pc.and_(is_first, is_tagged.take(pa.array(visit)))
    inner = joined(SITE, pa.array(_PAGES).take(pa.array((visit + page) % len(_PAGES))))
    rows = {
        "event_id": event_id,
        "occurred_at": instants(at),
        "kind": _KINDS.take(pa.array(kind)),
        "name": _NAMES.take(pa.array(kind)),
        "anonymous_id": devices(visits.slot[visit]),
        "user_id": _logins(person, kind, visit),
        "email": pc.if_else(is_form, _typed(emails(world, person), person), _NOTHING),
        "phone": pc.if_else(is_form, phones(person), _NOTHING),
        "url": pc.if_else(is_first, url.take(pa.array(visit)), inner),
        "referrer": pc.if_else(is_first, referrer.take(pa.array(visit)), SITE + "/"),
        "ad": pc.if_else(is_named, _of_leaves("ad").take(pa.array(visits.leaf[visit])), _NOTHING),
        "keyword": pc.if_else(is_named, _of_leaves("keyword").take(pa.array(visits.leaf[visit])), _NOTHING),
        "device": pa.array(["desktop", "mobile", "tablet"]).take(pa.array(visits.slot[visit] % DEVICES)),
        "country": pa.array(["US", "DE"]).take(pa.array(world.is_european[world.buyer[person]].astype(np.int64))),
        "bot_reason": pa.nulls(len(visit), pa.string()),
    }
    return Website(pa.table(rows), event_id.take(pa.array(opened_by)))


def newsletter(world: People, seen: Touches) -> tuple[pa.Table, pa.Array]:
    """Opens and clicks of newsletters, and the id of each click's event by mail (empty for an open)."""
    person, at = seen.mail
    is_click = pa.array(seen.mail_visit >= 0)
    event_id = numbered("m", np.arange(len(person)), 8)
    rows = {
        "event_id": event_id,
        "occurred_at": instants(at),
        "kind": pc.if_else(is_click, "email_click", "email_open"),
        "email": emails(world, person),
        "utm_source": pa.repeat("newsletter", len(person)),
        "utm_medium": pa.repeat("email", len(person)),
        "utm_campaign": joined("newsletter-", pa.array(_MONTHS).take(pa.array(months(at)))),
    }
    return pa.table(rows), pc.if_else(is_click, event_id, _NOTHING)


def webinars(world: People, seen: Touches) -> tuple[pa.Table, pa.Array]:
    """Who attended which monthly webinar, and the ids of those events."""
    person, at = seen.webinar
    event_id = numbered("w", np.arange(len(person)), 7)
    campaign = joined("webinar-", pa.array(_MONTHS).take(pa.array(months(at))))
    rows = {
        "event_id": event_id,
        "occurred_at": instants(at),
        "kind": pa.repeat("webinar", len(person)),
        "name": campaign,
        "email": emails(world, person),
        "utm_source": pa.repeat("webinar", len(person)),
        "utm_medium": pa.repeat("webinar", len(person)),
        "utm_campaign": campaign,
    }
    return pa.table(rows), event_id


def strangers(count: int, seed: int) -> pa.Table:
    """Traffic that must not count, `count` rows of each: crawlers, colleagues in the office, `guest` logins."""
    dice = rng(seed, "strangers")
    number = np.arange(3 * count)
    at = START + np.sort(dice.integers(0, DAYS * 86_400, 3 * count))
    sort = pa.array(number % 3)
    rows = {
        "event_id": numbered("x", number, 7),
        "occurred_at": instants(at),
        "kind": pa.repeat("page", 3 * count),
        "name": pa.nulls(3 * count, pa.string()),
        "anonymous_id": pc.choose(
            sort, numbered("bot-", number, 5), numbered("office-", number % 7, 1), numbered("s", number, 7)
        ),
        "user_id": pc.choose(sort, _NOTHING, _NOTHING, "guest"),
        "email": pc.choose(sort, _NOTHING, f"team@{OWN_DOMAIN}", _NOTHING),
        "phone": pa.nulls(3 * count, pa.string()),
        "url": pa.repeat(SITE + "/pricing", 3 * count),
        "referrer": pa.nulls(3 * count, pa.string()),
        "ad": pa.nulls(3 * count, pa.string()),
        "keyword": pa.nulls(3 * count, pa.string()),
        "device": pa.repeat("desktop", 3 * count),
        "country": pa.repeat("US", 3 * count),
        "bot_reason": pc.choose(sort, "crawler user agent", _NOTHING, _NOTHING),
    }
    return pa.table(rows)


def instants(seconds: Ints) -> pa.Array:
    """UTC instants."""
    return pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))


def months(seconds: Ints) -> Ints:
    """The month of each instant, 0 for the world's first."""
    days = np.datetime64(FIRST_DAY) + day_of(seconds)
    first = np.datetime64(FIRST_DAY).astype("datetime64[M]")
    result: Ints = (days.astype("datetime64[M]") - first).astype(np.int64)
    return result


def devices(slot: Ints) -> pa.Array:
    """Browser ids, which say nothing of their owner."""
    return numbered("d", slot * 1_000_003 % 2_147_483_647, 10)


def user_ids(person: Ints) -> pa.Array:
    """Login ids."""
    return numbered("u", person, 6)


def _steps(visits: Visits, outcome: Outcome) -> tuple[Ints, Ints, Ints, Ints]:
    """Every event of every visit: index of the visit, second, kind, and number of the page within the visit."""
    number = np.arange(len(visits.person))
    visit = np.repeat(number, visits.pages)
    page = np.arange(len(visit)) - np.repeat(np.cumsum(visits.pages) - visits.pages, visits.pages)
    asks, logs_in = np.nonzero(visits.asks)[0], np.nonzero(visits.logs_in)[0]
    lead_at = outcome.lead_at[visits.person]
    login_at = np.where(visits.asks, lead_at + 35, visits.at + 25)[logs_in]
    return (
        np.concatenate([visit, asks, logs_in]),
        np.concatenate([visits.at[visit] + 60 * page, lead_at[asks], login_at]),
        np.repeat([_PAGE, _FORM, _LOGIN], [len(visit), len(asks), len(logs_in)]),
        np.concatenate([page, np.zeros(len(asks) + len(logs_in), np.int64)]),
    )


def _logins(person: Ints, kind: Ints, visit: Ints) -> pa.Array:
    """The login id where one is seen; now and then a site that knows nobody writes `undefined`."""
    nobody = pc.if_else(pa.array((kind == _PAGE) & (visit % 97 == 0)), "undefined", _NOTHING)
    return pc.if_else(pa.array(kind == _LOGIN), user_ids(person), nobody)


def _typed(address: pa.Array, person: Ints) -> pa.Array:
    """Addresses as people type them: some in capitals, some with a space at the end."""
    return pc.choose(pa.array(person % 5 % 3), address, pc.utf8_upper(address), joined(address, " "))


def _addresses(visits: Visits, seed: int) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The address of each visit's first page, with its tags and click id; where it came from; whether it has tags."""
    dice = rng(seed, "addresses")
    tagged = pa.array([_tagged(leaf, month) for _, leaf in LEAVES for month in _MONTHS])
    plain = pa.array([SITE + leaf.landing_page + "?" for _, leaf in LEAVES for _ in _MONTHS])
    row = visits.leaf * 12 + months(visits.at)
    click_kind = _of_leaves("click_id").take(pa.array(visits.leaf))
    carries = pc.is_valid(click_kind)
    click = joined(pc.coalesce(click_kind, ""), "=", numbered("Cj", np.arange(len(row)), 9))
    is_google = pc.fill_null(pc.equal(click_kind, "gclid"), False)  # whose ads tag themselves, by the click id alone
    only_click = pc.and_(is_google, pa.array(dice.random(len(row)) < 0.1))
    both = joined(tagged.take(pa.array(row)), pc.if_else(carries, joined("&", click), ""))
    url = pc.if_else(only_click, joined(plain.take(pa.array(row)), click), both)
    referrer = _of_leaves("referrer").take(pa.array(visits.leaf))
    return url, referrer, pc.invert(only_click)


def _of_leaves(name: str) -> pa.Array:
    """One text of each ad; empty where it has none."""
    return pa.array([getattr(leaf, name) or None for _, leaf in LEAVES], pa.string())


def _tagged(leaf: Leaf, month: str) -> str:
    """The address that an ad or link leads to. What nobody tags (search engines, other sites) carries no tags."""
    if leaf.medium in ("", "organic", "referral"):
        return SITE + leaf.landing_page
    campaign = f"{leaf.campaign}-{month}" if leaf.medium == "email" else leaf.campaign
    tags = {
        "source": leaf.source,
        "medium": leaf.medium,
        "campaign": campaign,
        "content": leaf.ad,
        "term": leaf.keyword,
    }
    return f"{SITE}{leaf.landing_page}?" + urlencode({f"utm_{name}": value for name, value in tags.items() if value})
