"""The door by itself: limits, and the country of who stands before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tieback.collect import Counts, Door, Limits
from tieback.collect.protocols import own
from tieback.collect.requests import Answer, Request
from tieback.config import Consent
from tieback.store.ledger import GroupCommit, Ledger, open_ledger

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
            body = json.dumps({"key": key, "events": [{**VISIT, **said, "event_id": str(number)}]}).encode()
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
    found = answers(ledger, counts, *[("Mozilla/5.0", {})] * 12, limits=Limits(1))
    assert [each.status for each in found] == [200] * 10 + [429] * 2
    assert int(found[-1].headers["retry-after"]) >= 1
    assert len(ledger.waiting(100)) == 10
    assert counts.refusals() == {("tieback", "too many"): 2}
    assert counts.refusals() == {}


def test_the_country_of_a_browser_is_told_by_its_address(ledger: Ledger) -> None:
    """A server's address tells nothing of whom it speaks of, what an event says itself stays, and no address does."""
    asked: list[str] = []

    def country_of(address: str) -> str:
        asked.append(address)
        return "DE"

    visits = (("Mozilla/5.0", {}), ("Mozilla/5.0", {"country": "FR"}), ("curl/8", {}))
    answers(ledger, Counts(ledger.backlog), *visits, country_of=country_of)
    assert asked == ["203.0.113.7"] * 2
    payloads = [row.payload for row in ledger.waiting(100)]
    assert [json.loads(each).get("country") for each in payloads] == ["DE", "FR", None]
    assert not any(b"203.0.113" in each for each in payloads)
