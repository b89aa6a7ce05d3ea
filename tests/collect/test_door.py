"""The door by itself: limits, and the country of who stands before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.collect.doorstep import doorstep
from tieback.collect import Counts, Door, Guesses, Keys, Limits, wires
from tieback.collect.protocols import own
from tieback.collect.requests import Answer, Request
from tieback.config import Consent
from tieback.store.ledger import GroupCommit, Ledger, Source, open_ledger

VISIT = {"kind": "page", "url": "https://acme.example/", "anonymous_id": "a"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    found = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield found
    found.close()


def answers(ledger: Ledger, counts: Counts, *visits: tuple[str, dict[str, Any]], **more: Any) -> list[Answer]:
    """What a door answers to one request for each browser and what it adds to a visit. more: of the door."""
    key = ledger.add_source("web")

    async def asked() -> list[Answer]:
        inbox = GroupCommit(ledger)
        door = Door(inbox, ledger.source_of, counts, Consent(), **more)
        found = []
        for number, (agent, said) in enumerate(visits):
            body = json.dumps({"key": key, "events": [{"event_id": str(number), **VISIT, **said}]}).encode()
            headers, now = {"user-agent": agent}, datetime(2026, 3, 31)
            found.append(
                await door.answer(own.wire, Request("POST", "/v1/events", {}, headers, body, now, "203.0.113.7"))
            )
        await inbox.close()
        return found

    return asyncio.run(asked())


def test_a_source_that_sends_too_much_is_told_to_wait(ledger: Ledger) -> None:
    """With 429 and after how long; nothing of it is kept, and it counts as refused."""
    counts = Counts(ledger.backlog)
    found = answers(ledger, counts, *[("Mozilla/5.0", {})] * 12, limits=Limits(1, lambda: 100.0))
    assert [each.status for each in found] == [200] * 10 + [429] * 2
    assert int(found[-1].headers["retry-after"]) >= 1
    assert len(ledger.waiting(100)) == 10
    assert counts.refusals() == {("tieback", "too many"): 2}
    assert counts.refusals() == {}


def test_whoever_tries_keys_is_slowed_down(ledger: Ledger) -> None:
    """Beyond some of nobody's, no unknown key from that network is asked for; a known one goes on, as do others."""
    asked: list[str] = []
    key = ledger.add_source("web")

    def source_of(given: str) -> Source | None:
        asked.append(given)
        return ledger.source_of(given)

    keys = Keys(source_of)
    counts = Counts(ledger.backlog)

    async def story() -> None:
        inbox = GroupCommit(ledger)
        door = Door(inbox, keys.source_of, counts, Consent(), guesses=Guesses(3, keys.has_opened, lambda: 100.0))

        async def tried(given: str, ip: str) -> Answer:
            body = json.dumps({"key": given, "events": [VISIT]}).encode()
            return await door.answer(own.wire, Request("POST", "/v1/events", {}, {}, body, datetime(2026, 3, 31), ip))

        assert (await tried(key, "203.0.113.7")).status == 200
        found = [await tried(f"tb_{number}", "203.0.113.7") for number in range(5)]
        assert [each.status for each in found] == [401, 401, 401, 429, 429]
        assert int(found[-1].headers["retry-after"]) >= 1
        assert (await tried("tb_9", "203.0.113.99")).status == 429
        assert (await tried(key, "203.0.113.7")).status == 200
        assert (await tried("tb_8", "198.51.100.1")).status == 401
        await inbox.close()

    asyncio.run(story())
    assert asked == [key, "tb_0", "tb_1", "tb_2", "tb_8"]
    assert counts.refusals() == {("tieback", "unknown key"): 4, ("tieback", "too many unknown keys"): 3}


def test_events_of_bots_are_counted_by_sort(ledger: Ledger) -> None:
    """Once, beside all that was accepted; they are kept as others are."""
    counts = Counts(ledger.backlog)
    google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    said = {"user_agent": "Wget/1.21"}
    again = {"event_id": "0"}
    answers(
        ledger,
        counts,
        (google, {}),
        (google, {}),
        (google, again),
        ("Mozilla/5.0", {}),
        ("curl/8", said),
        ("curl/8", {"kind": ""}),
    )
    found = counts.exposition().decode()
    assert 'tieback_bot_events_total{reason="search engine",source="web"} 2.0' in found
    assert 'tieback_bot_events_total{reason="http library",source="web"} 1.0' in found
    assert found.count("tieback_bot_events_total{") == 2
    assert 'tieback_events_total{outcome="accepted",source="web"} 4.0' in found
    assert len(ledger.waiting(100)) == 5


def test_events_without_consent_are_counted_by_purpose(ledger: Ledger) -> None:
    """Each new one for every purpose that it refuses; none for what says nothing."""
    counts = Counts(ledger.backlog)
    refusing = {"consent": {"ad_storage": "denied", "analytics_storage": "granted", "ad_user_data": "denied"}}
    answers(ledger, counts, ("A", refusing), ("A", {**refusing, "event_id": "0"}), ("A", {"gpc": True}), ("A", {}))
    found = counts.exposition().decode()
    assert 'tieback_no_consent_events_total{purpose="attribution",source="web"} 1.0' in found
    assert 'tieback_no_consent_events_total{purpose="ads",source="web"} 2.0' in found
    assert found.count("tieback_no_consent_events_total{") == 2


BROWSER = {"user-agent": "Mozilla/5.0", "origin": "https://acme.example"}


@pytest.mark.parametrize(
    ("headers", "said", "country"),
    [
        (BROWSER, {}, "DE"),
        ({"user-agent": "Mozilla/5.0", "sec-fetch-site": "same-origin"}, {}, "DE"),
        (BROWSER, {"country": "FR"}, "FR"),
        ({"user-agent": "curl/8"}, {}, None),
        ({"user-agent": "Mozilla/5.0", "x-forwarded-for": "203.0.113.7"}, {}, None),
        ({"user-agent": "curl/8", "origin": "https://acme.example"}, {}, None),
    ],
)
def test_the_country_of_a_browser_is_told_by_its_address(
    tmp_path: Path, headers: dict[str, str], said: dict[str, Any], country: str | None
) -> None:
    """A server's address tells nothing of whom it speaks of, though it may copy a visitor's user agent.

    What an event says itself stays, and the address does not.
    """
    asked: list[str] = []

    def country_of(address: str) -> str:
        asked.append(address)
        return "DE"

    with doorstep(tmp_path, own.wire, country_of=country_of) as step:
        key = step.ledger.add_source("web")
        told = step.client.post("/v1/events", json={"key": key, "events": [VISIT | said]}, headers=headers)
        assert told.status_code == 200
        [row] = step.rows()
    assert row.get("country") == country
    assert asked == (["testclient"] if country == "DE" else [])
    assert "testclient" not in json.dumps(row)


CLIENTS: list[tuple[str, str, Any]] = [
    (
        "segment",
        "/v1/track",
        {"writeKey": "KEY", "event": "x", "userId": "u", "context": {"ip": "IP"}, "properties": {"ip": "IP"}},
    ),
    (
        "jitsu",
        "/api/s/track",
        {"writeKey": "KEY", "type": "track", "event": "x", "userId": "u", "context": {"ip": "IP"}},
    ),
    ("snowplow", "/com.snowplowanalytics.snowplow/tp2", {"data": [{"e": "pv", "aid": "KEY", "ip": "IP", "duid": "d"}]}),
    ("matomo", "/matomo.php?idsite=KEY&rec=1&url=https://acme.example/&cip=IP&dimension1=IP", None),
    (
        "umami",
        "/api/send",
        {"type": "event", "payload": {"website": "KEY", "url": "/", "ip": "IP", "data": {"at": "IP"}}},
    ),
    (
        "posthog",
        "/e/",
        {"api_key": "KEY", "event": "$pageview", "distinct_id": "d", "properties": {"$ip": "IP", "seen": ["x", "IP"]}},
    ),
    (
        "ga4",
        "/mp/collect?api_secret=KEY",
        {"client_id": "c", "ip_override": "IP", "events": [{"name": "page_view", "params": {"from": "by IP today"}}]},
    ),
]


@pytest.mark.parametrize(("name", "path", "body"), CLIENTS, ids=[name for name, *_ in CLIENTS])
@pytest.mark.parametrize(("ip", "network"), [("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2::77", "2001:db8:1::")])
@pytest.mark.parametrize("kept", [True, False])
def test_the_address_that_a_server_tells_of_is_looked_up_and_masked(
    tmp_path: Path, name: str, path: str, body: Any, ip: str, network: str, kept: bool
) -> None:
    """Of any protocol that knows one; its network stays where it was asked for, and no whole address anywhere."""
    spoken = [wire for wire in wires() if wire.name == name]
    countries = {ip: "DE"}
    with doorstep(tmp_path, *spoken, country_of=lambda each: countries.get(each, ""), keep_masked_ip=kept) as step:
        key = step.ledger.add_source("web")
        written = json.dumps(body).replace("IP", ip).replace("KEY", key) if body else None
        told = step.client.post(path.replace("IP", ip).replace("KEY", key), content=written)
        assert told.status_code in (200, 202, 204)
        [row] = step.rows()
    assert row["country"] == "DE"
    assert "ip" not in row
    assert ip not in json.dumps(row)
    if kept:
        assert row["properties"]["ip"] == network
    elif name != "segment":  # which has it among its own properties, where the network stays
        assert "ip" not in row.get("properties", {})
