"""The front door over its real ledger: what is answered, and what is then in the inbox."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tieback.collect import Counts, Door, Keys, application
from tieback.collect.protocols import own
from tieback.collect.requests import Request
from tieback.config import Consent
from tieback.store.ledger import GroupCommit, Ledger, open_ledger

MOST_BYTES = 100_000
VISIT = {"event_id": "1", "kind": "page", "url": "https://acme.example/?utm_source=news", "anonymous_id": "a"}


@dataclass
class Front:
    client: TestClient
    ledger: Ledger
    key: str
    file: Path

    def send(self, *events: Any, key: str = "", **headers: str) -> Any:
        body = {"key": key or self.key, "events": list(events)}
        return self.client.post("/v1/events", content=json.dumps(body), headers=headers)

    def rows(self) -> list[dict[str, Any]]:
        """What waits in the inbox, as facts will be made of it."""
        return [json.loads(row.payload) for row in self.ledger.waiting(1000) if not row.reason]


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """A door with one source, `web`."""
    file = tmp_path / "ledger.sqlite"
    ledger = open_ledger(f"sqlite:///{file}")
    key = ledger.add_source("web")
    with _client(ledger) as client:
        yield Front(client, ledger, key, file)
    ledger.close()


@contextlib.contextmanager
def _client(ledger: Ledger, seconds: float = 0.0) -> Iterator[TestClient]:
    inbox, counts = GroupCommit(ledger), Counts(ledger.backlog)

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        yield
        await inbox.close()

    door = Door(inbox, Keys(ledger.source_of, seconds).source_of, counts, Consent())
    with TestClient(application(door, [own.wire], counts, inbox, MOST_BYTES, running)) as client:
        yield client


def test_what_is_acknowledged_is_in_the_inbox(front: Front) -> None:
    """With its id, its time as given, and the browser that told it."""
    told = front.send({**VISIT, "occurred_at": "2026-03-31T14:00:00+02:00"}, **{"user-agent": "Mozilla/5.0"})
    assert (told.status_code, told.json()) == (200, {"taken": 1, "refused": 0})
    [row] = front.rows()
    assert row == {
        **VISIT,
        "event_id": "web:1",
        "occurred_at": "2026-03-31T12:00:00Z",
        "user_agent": "Mozilla/5.0",
    }


def test_what_a_visitor_agreed_to_stands_on_each_event(front: Front) -> None:
    """Signal by signal, with Global Privacy Control as the browser says it, and what that means for each purpose."""
    said = {"ad_storage": "granted", "ad_user_data": "granted", "analytics_storage": "denied"}
    assert front.send({**VISIT, "consent": said}, **{"sec-gpc": "1"}).status_code == 200
    [row] = front.rows()
    assert row["consent_signals"] == "ad_storage=granted ad_user_data=granted analytics_storage=denied gpc=1"
    assert {name: row.get(f"consent_{name}") for name in ("analytics", "attribution", "ads")} == {
        "analytics": False,
        "attribution": True,
        "ads": False,
    }


def test_an_event_sent_again_is_there_once(front: Front) -> None:
    """By its id; without one, by all that it says."""
    plain = {"kind": "call", "occurred_at": "2026-03-31T12:00:00Z", "anonymous_id": "a"}
    for _ in range(3):
        assert front.send(VISIT, plain).status_code == 200
    assert len(front.rows()) == 2
    counted = front.client.get("/metrics").text
    assert 'tieback_events_total{outcome="accepted",source="web"} 2.0' in counted
    assert 'tieback_events_total{outcome="duplicate",source="web"} 4.0' in counted
    assert "tieback_inbox_waiting 2.0" in counted


def test_two_sources_may_give_the_same_id(front: Front) -> None:
    """An id is its source's own."""
    other = front.ledger.add_source("shop")
    assert front.send(VISIT).status_code == front.send(VISIT, key=other).status_code == 200
    assert sorted(row["event_id"] for row in front.rows()) == ["shop:1", "web:1"]


@pytest.mark.parametrize("key", ["", "tb_nobody", "x" * 10_000, "ключ"])
def test_without_a_known_key_nothing_is_kept(front: Front, key: str) -> None:
    """The client must learn it."""
    body = {"key": key, "events": [VISIT]}
    assert front.client.post("/v1/events", json=body).status_code == 401
    assert not front.ledger.waiting(10)


def test_a_key_comes_in_the_body_the_header_or_the_address(front: Front) -> None:
    """As whoever sends can."""
    one = json.dumps({"kind": "page"})
    for number, given in enumerate(
        (
            {"headers": {"authorization": f"Bearer {front.key}"}},
            {"auth": (front.key, "")},
            {"params": {"key": front.key}},
        )
    ):
        event = {**json.loads(one), "event_id": str(number)}
        assert front.client.post("/v1/events", content=json.dumps(event), **given).status_code == 200
    assert len(front.rows()) == 3


def test_a_revoked_key_is_refused(front: Front) -> None:
    """What it sent before stays."""
    assert front.send(VISIT).status_code == 200
    front.ledger.revoke("web")
    assert front.send({**VISIT, "event_id": "2"}).status_code == 401
    assert len(front.rows()) == 1


def test_a_key_is_remembered_for_a_while() -> None:
    """So that not each request asks the ledger; whoever tries many keys is not remembered without end."""
    asked: list[str] = []
    instants = iter((0.0, 9.9, 10.0))
    keys = Keys(lambda key: asked.append(key), seconds=10.0, clock=lambda: next(instants, 10.0))
    for _ in range(3):
        assert keys.source_of("k") is None
    assert asked == ["k", "k"]
    for number in range(30_000):
        keys.source_of(str(number))
    assert len(keys._known) <= 10_000


def test_a_site_that_is_not_named_may_not_send(front: Front) -> None:
    """Where a source names its sites; servers name none, and may."""
    key = front.ledger.add_source("site", ("https://acme.example",))
    refused = front.send(VISIT, key=key, origin="https://evil.example")
    assert refused.status_code == 403
    allowed = front.send(VISIT, key=key, origin="https://acme.example")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://acme.example")
    assert front.send({**VISIT, "event_id": "2"}, key=key).status_code == 200
    assert len(front.rows()) == 2


def test_browsers_ask_once_a_day(front: Front) -> None:
    """A header of its own makes a browser ask first."""
    asked = front.client.options(
        "/v1/events", headers={"origin": "https://acme.example", "access-control-request-headers": "authorization"}
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-max-age"] == "86400"
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert asked.headers["access-control-allow-credentials"] == "true"  # Snowplow's script sends cookies along


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("no object", "The event is no object"),
        ({}, "An event has no `kind`"),
        ({"kind": "page", "occurred_at": "yesterday"}, "`occurred_at` is no instant"),
        ({"kind": "page", "occurred_at": "2026-03-31T12:00:00"}, "`occurred_at` names no zone"),
        ({"kind": "page", "occurred_at": "9999-12-31T23:59:59-23:00"}, "`occurred_at`"),
        ({"kind": "page", "occurred_at": "2999-01-01T00:00:00Z"}, "`occurred_at` lies more than a day ahead"),
        ({"kind": "page", "colour": "red"}, "There is no field 'colour'"),
        ({"kind": "page", "email_hash": "0"}, "There is no field 'email_hash'"),
        ({"kind": "page", "url": ["x"]}, "`url` is no plain value"),
        ({"kind": "page", "properties": "x"}, "`properties` is no object"),
        ({"kind": "page", "name": "x" * 40_000}, "An event holds more than"),
    ],
)
def test_a_malformed_event_waits_in_quarantine_and_the_others_are_taken(front: Front, event: Any, reason: str) -> None:
    """With its reason; the client is told that all went well, or it would send the whole again for ever."""
    told = front.send(event, VISIT)
    assert (told.status_code, told.json()) == (200, {"taken": 1, "refused": 1})
    malformed = [row for row in front.ledger.waiting(10) if row.reason]
    assert [row.reason.startswith(reason) for row in malformed] == [True], malformed
    assert len(front.rows()) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"events": 3}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_refused(front: Front, body: bytes) -> None:
    """Nothing is kept of what names no key."""
    assert front.client.post("/v1/events", content=body).status_code in (400, 413)
    assert not front.ledger.waiting(10)


def test_a_packed_body_is_unpacked_whether_it_says_so_or_not(front: Front) -> None:
    """Some clients do not."""
    for number, headers in enumerate(({}, {"content-encoding": "gzip"})):
        body = {"key": front.key, "events": [{**VISIT, "event_id": str(number)}]}
        packed = gzip.compress(json.dumps(body).encode())
        assert front.client.post("/v1/events", content=packed, headers=headers).status_code == 200
    assert len(front.rows()) == 2


@pytest.mark.parametrize(
    "body", [b" " * (MOST_BYTES + 1), gzip.compress(b" " * (MOST_BYTES * 1000))], ids=["plain", "packed"]
)
def test_a_body_is_never_held_beyond_the_limit(front: Front, body: bytes) -> None:
    """Packed or not."""
    assert front.client.post("/v1/events", content=body).status_code == 413


def test_a_damaged_packing_is_refused(front: Front) -> None:
    """In a sentence."""
    told = front.client.post("/v1/events", content=gzip.compress(b"{}" * 50)[:20] + b"\0" * 40)
    assert (told.status_code, told.json()["error"]) == (400, "The body is packed, and damaged")


def test_while_the_store_cannot_take_it_nothing_is_acknowledged(front: Front) -> None:
    """503 and when to come again; later it is taken in."""
    holder = sqlite3.connect(front.file)
    holder.execute("BEGIN IMMEDIATE")
    refused = front.send(VISIT)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert front.client.get("/readyz").status_code == 503
    holder.rollback()
    holder.close()
    assert front.send(VISIT).status_code == 200
    assert front.client.get("/readyz").text == "ready"
    assert len(front.rows()) == 1


def test_health_is_told_without_a_key(front: Front) -> None:
    """To whoever watches the process."""
    assert front.client.get("/healthz").text == "ok"


def test_text_that_is_no_unicode_is_malformed(front: Front) -> None:
    """JSON can spell half of a pair of letters."""
    body = json.dumps({"key": front.key, "events": [{"kind": "page", "name": "\ud800"}]})
    assert front.client.post("/v1/events", content=body).status_code in (200, 400)
    assert not front.rows()


def test_closing_waits_for_what_was_taken_in(tmp_path: Path) -> None:
    """An answer that is under way is still given, and true."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    key = ledger.add_source("web")

    async def story() -> None:
        inbox = GroupCommit(ledger)
        door = Door(inbox, ledger.source_of, Counts(ledger.backlog), Consent())
        body = json.dumps({"key": key, "events": [VISIT]}).encode()
        request = Request("POST", "/v1/events", {}, {}, body, datetime(2026, 3, 31))
        under_way = asyncio.create_task(door.answer(own.wire, request))
        await asyncio.sleep(0)
        await inbox.close()
        assert (await under_way).status == 200

    asyncio.run(story())
    assert len(ledger.waiting(10)) == 1
    ledger.close()
