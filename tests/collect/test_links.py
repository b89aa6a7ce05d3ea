"""A signed link sends the visitor on, whatever becomes of the click, and never anywhere else."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import string
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collect.doorstep import Doorstep, doorstep
from tieback.collect import Counts, Door
from tieback.collect.links import Link, Links, is_address, opened, secret_of, tagged, token
from tieback.collect.requests import Request
from tieback.config import Consent
from tieback.store.ledger import Incoming

SECRET = secret_of("5" * 64)
LINK = Link("https://acme.example/spring?utm_source=news&utm_campaign=may#top", "web", "newsletter-may")
TOKEN = token(LINK, SECRET)
AGENT = {"user-agent": "Mozilla/5.0", "referer": "https://mail.example/inbox"}


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Doorstep]:
    """A door with links and one source, `web`."""
    with doorstep(tmp_path, Links(SECRET)) as made:
        made.ledger.add_source("web")
        yield made


def test_a_click_is_in_the_inbox_before_the_visitor_goes_on(front: Doorstep) -> None:
    """With its name and kind, the page it leads to and the browser it came from."""
    told = front.client.get(f"/r/{TOKEN}", headers=AGENT)
    assert (told.status_code, told.headers["location"]) == (302, LINK.target)
    assert "no-store" in told.headers["cache-control"]
    [row] = front.rows()
    assert row["event_id"].startswith("web:")
    given = {name: row[name] for name in row if name not in ("event_id", "occurred_at")}
    assert given == {
        "kind": "click",
        "name": "newsletter-may",
        "url": LINK.target,
        "referrer": "https://mail.example/inbox",
        "user_agent": "Mozilla/5.0",
    }


def test_the_click_of_a_known_visitor_is_theirs(front: Doorstep) -> None:
    """By the cookie of the collector's own site, so that the visit it leads to is seen to be the same person's."""
    front.client.get(f"/r/{TOKEN}", headers={**AGENT, "cookie": "theme=dark; tb_id=abcdefgh12345678"})
    assert front.rows()[0]["anonymous_id"] == "abcdefgh12345678"


def test_a_link_leads_on_from_any_site(front: Doorstep) -> None:
    """The sites that a source names guard its write key, and not its links."""
    front.ledger.add_source("shop", ("https://acme.example",))
    made = token(Link(LINK.target, "shop", "x"), SECRET)
    assert front.client.get(f"/r/{made}", headers={"origin": "https://other.example"}).status_code == 302
    assert len(front.rows()) == 1


def test_each_click_counts(front: Doorstep) -> None:
    """Two of one link are two."""
    for _ in range(2):
        front.client.get(f"/r/{TOKEN}", headers=AGENT)
    assert len(front.rows()) == 2


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_a_changed_link_leads_nowhere(place: int) -> None:
    """Whichever letter of it was changed, and the last one too."""
    for other in "AQgw_-":
        if other != TOKEN[place]:
            assert opened(TOKEN[:place] + other + TOKEN[place + 1 :], SECRET) is None


@pytest.mark.parametrize("name", ["x", "xy", "xyz"])
def test_a_link_has_one_spelling(name: str) -> None:
    """The bits of its last letter that mean nothing are those that it was made with."""
    made = token(Link("https://acme.example", "web", name), SECRET)
    letters = string.ascii_letters + string.digits + "-_"
    assert [last for last in letters if opened(made[:-1] + last, SECRET)] == [made[-1]]


@pytest.mark.parametrize(
    "given",
    [
        "x",
        "",
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN + "=",
        token(LINK, secret_of("6" * 64)),
        base64.urlsafe_b64encode(bytes(16) + b'["https://evil.example","web","x","click"]').decode().rstrip("="),
    ],
)
def test_a_damaged_link_is_a_page_and_no_redirect(front: Doorstep, given: str) -> None:
    """Nothing is kept of it, and nothing of it is repeated."""
    told = front.client.get(f"/r/{given}")
    assert told.status_code in (400, 404)
    assert "location" not in told.headers
    assert given in ("", "x") or given not in told.text
    assert front.rows() == []


@given(st.tuples(*[st.text(max_size=40)] * 4))
def test_a_link_is_opened_as_it_was_made(parts: tuple[str, str, str, str]) -> None:
    """By the same workspace, and by no other."""
    link = Link(*parts)
    assert opened(token(link, SECRET), SECRET) == link
    assert opened(token(link, SECRET), secret_of("7" * 64)) is None


@pytest.mark.parametrize(
    "ahead", [{"purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"x-moz": "prefetch"}]
)
def test_who_looks_ahead_is_sent_on_and_not_counted(front: Doorstep, ahead: dict[str, str]) -> None:
    """Browsers that load pages before anybody clicks, and scanners that ask for the head alone."""
    assert front.client.get(f"/r/{TOKEN}", headers=ahead).status_code == 302
    told = front.client.head(f"/r/{TOKEN}")
    assert (told.status_code, told.headers["location"]) == (302, LINK.target)
    assert front.rows() == []


def test_while_the_ledger_is_held_the_visitor_goes_on_and_the_click_is_lost(front: Doorstep) -> None:
    """And the loss is counted."""
    holder = sqlite3.connect(front.file)
    holder.execute("BEGIN IMMEDIATE")
    told = front.client.get(f"/r/{TOKEN}")
    assert (told.status_code, told.headers["location"]) == (302, LINK.target)
    assert front.count('tieback_refused_requests_total{protocol="link",reason="busy"}') == 1
    holder.rollback()
    holder.close()


def test_a_visitor_does_not_wait_for_a_disk_that_hangs(front: Doorstep) -> None:
    """The click is then lost, and counted as such."""

    class Hanging:
        async def put(self, rows: Sequence[Incoming]) -> list[bool]:
            await asyncio.Event().wait()
            raise AssertionError

    counts = Counts(front.ledger.backlog)
    door = Door(Hanging(), front.ledger.source_of, counts, Consent(), front.ledger.source_named)
    request = Request("GET", f"/r/{TOKEN}", {}, {}, b"", datetime(2026, 3, 31))
    told = asyncio.run(asyncio.wait_for(door.answer(Links(SECRET), request), 60))
    assert told.status == 302
    assert b'tieback_refused_requests_total{protocol="link",reason="busy"} 1.0' in counts.exposition()


def test_beyond_what_a_source_may_send_visitors_still_go_on(tmp_path: Path) -> None:
    """The clicks beyond are lost, and counted as such."""
    with doorstep(tmp_path, Links(SECRET), per_second=1) as front:
        front.ledger.add_source("web")
        assert {front.client.get(f"/r/{TOKEN}").status_code for _ in range(40)} == {302}
        lost = front.count('tieback_refused_requests_total{protocol="link",reason="too many"}')
        assert lost > 0
        assert len(front.rows()) == 40 - lost


def test_the_link_of_a_revoked_source_still_leads_on(front: Doorstep) -> None:
    """It hangs in mails that were sent; its clicks are not kept any more."""
    front.ledger.revoke("web")
    assert front.client.get(f"/r/{TOKEN}").status_code == 302
    assert front.rows() == []


def test_click_ids_that_a_platform_adds_are_handed_on(front: Doorstep) -> None:
    """They alone: anything else would be an address of somebody else's making."""
    told = front.client.get(f"/r/{TOKEN}?gclid=a.b-C_1&next=https://evil.example&fbclid=%0d%0ax")
    expected = "https://acme.example/spring?utm_source=news&utm_campaign=may&gclid=a.b-C_1#top"
    assert told.headers["location"] == expected
    assert front.rows()[0]["url"] == expected


def test_tags_take_the_place_of_those_that_are_there() -> None:
    """And leave everything else as it was."""
    assert tagged("https://a.example/?x=1&utm_source=old&y=%20#f", {"utm_source": "new"}) == (
        "https://a.example/?x=1&y=%20&utm_source=new#f"
    )
    assert tagged("https://a.example", {"utm_source": "new"}) == "https://a.example?utm_source=new"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "https://", "https://a b", "https://ä.de", ""]
)
def test_what_is_no_address_is_told_apart(url: str) -> None:
    """So that no header has to carry it."""
    assert not is_address(url)
