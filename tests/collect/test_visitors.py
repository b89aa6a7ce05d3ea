"""Who the tracker's visitor is, as its requests and their answers tell."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tieback.collect.protocols.own import wire
from tieback.collect.requests import Request

NOW = datetime(2026, 3, 31, 23, 59)
OWN, KNOWN = "script-0123456789", "cookie-0123456789"
AGENT = "Mozilla/5.0 (one)"
HERE = {"user-agent": AGENT, "origin": "https://acme.example", "sec-fetch-site": "same-origin"}


def told(
    said: Any, *events: dict[str, Any], secret: bytes = b"s", at: datetime = NOW, ip: str = "", **headers: str
) -> tuple[list[str | None], str, str]:
    """The visitors of the events, the visitor that the tracker is told, and the cookie."""
    body = json.dumps({"key": "k", "visitor": said, "events": list(events) or [{"kind": "page", "anonymous_id": OWN}]})
    given = HERE | {name.replace("_", "-"): value for name, value in headers.items()}
    read = wire.read(Request("POST", "/v1/events", {}, given, body.encode(), at, ip, secret))
    answer = wire.accepted(read)
    ids = [each.row.get("anonymous_id") for each in read.collected]
    return ids, json.loads(answer.body).get("visitor"), answer.headers.get("set-cookie", "")


def token(cookie: str = "", asked: str = OWN, secret: bytes = b"s", agent: str = AGENT) -> str:
    """What a link carries."""
    headers = {"user-agent": agent, "cookie": cookie}
    read = wire.read(Request("GET", "/v1/link", {"key": "k", "id": asked}, headers, b"", NOW, "", secret))
    assert (read.key, read.collected) == ("k", ())
    answer = wire.accepted(read)
    assert answer.headers == {"cache-control": "no-store"}
    return json.loads(answer.body)["token"]


def keeps(**more: Any) -> dict[str, Any]:
    """What the script says of a visitor who may be known again."""
    return {"id": OWN, "keeps": "cookie", **more}


def test_a_new_visitor_keeps_the_id_that_the_script_made() -> None:
    """In a cookie that no script reads, for 400 days."""
    ids, visitor, cookie = told(keeps())
    assert (ids, visitor) == ([OWN], OWN)
    assert cookie == f"tb_id={OWN}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure"
    assert not told(keeps(), origin="http://acme.example")[2].endswith("Secure")


def test_the_cookie_is_believed_over_the_script() -> None:
    """For events of the browser that asks; those of who used it before keep theirs."""
    other = {"kind": "page", "anonymous_id": "somebody-before"}
    ids, visitor, cookie = told(
        keeps(), {"kind": "page", "anonymous_id": OWN}, other, cookie=f"a=1; tb_id={KNOWN}; b=2"
    )
    assert (ids, visitor) == ([KNOWN, "somebody-before"], KNOWN)
    assert cookie.startswith(f"tb_id={KNOWN};")


def test_somebody_new_on_the_browser_takes_its_cookie_over() -> None:
    """After a logout."""
    ids, visitor, cookie = told(keeps(is_new=True), cookie=f"tb_id={KNOWN}")
    assert (ids, visitor, cookie.partition(";")[0]) == ([OWN], OWN, f"tb_id={OWN}")


@pytest.mark.parametrize("site", ["cross-site", "none", ""])
def test_a_collector_of_another_site_sets_no_cookie(site: str) -> None:
    """Nor does one that is not told where it was called from."""
    assert told(keeps(), sec_fetch_site=site) == ([OWN], OWN, "")


@pytest.mark.parametrize("said", [{"id": OWN, "keeps": "no"}, {"id": OWN}, {}])
def test_without_consent_there_is_no_cookie_and_an_old_one_is_forgotten(said: dict[str, Any]) -> None:
    """Whatever else is said."""
    assert told(said) == ([OWN], "", "")
    assert "tb_id=; Path=/; Max-Age=0" in told(said, cookie=f"tb_id={KNOWN}")[2]


@pytest.mark.parametrize("said", [None, "x", [], {"id": 3, "keeps": "cookie"}, {"id": "a b;c", "keeps": "cookie"}])
def test_what_is_no_id_becomes_no_cookie(said: Any) -> None:
    """Or anyone could write headers."""
    ids, _, cookie = told(said)
    assert (ids, cookie) == ([OWN], "")


def test_others_than_the_tracker_get_no_cookie() -> None:
    """What they send is theirs."""
    read = wire.read(Request("POST", "/v1/events", {}, HERE, b'{"kind": "page"}', NOW))
    assert (wire.accepted(read).headers, json.loads(wire.accepted(read).body)) == ({}, {"taken": 1, "refused": 0})


def test_a_link_carries_the_visitor_to_another_site() -> None:
    """As the cookie knows it there, over what the other site knew."""
    ids, visitor, cookie = told(keeps(link=token(f"tb_id={KNOWN}")), cookie="tb_id=former-0123456789")
    assert (ids, visitor, cookie.partition(";")[0]) == ([KNOWN], KNOWN, f"tb_id={KNOWN}")
    assert told(keeps(id="elsewhere-012345", link=token()))[1] == OWN
    assert token(asked="no id") == ""


def test_a_link_lasts_two_minutes_in_one_browser_under_one_secret() -> None:
    """Nobody becomes somebody else by an old, foreign or altered one."""
    carried = keeps(id="elsewhere-012345", link=token())
    assert told(carried, at=NOW + timedelta(minutes=2))[1] == OWN
    altered = [carried["link"].replace("script", "victim"), carried["link"][:-1], "", 3, None, "a.b.c"]
    refused = [
        told(carried, at=NOW + timedelta(minutes=2, seconds=1)),
        told(carried, at=NOW - timedelta(minutes=1)),
        told(carried, user_agent="Mozilla/5.0 (two)"),
        told(carried, secret=b"another"),
        *(told({**carried, "link": each}) for each in altered),
    ]
    assert {visitor for _, visitor, _ in refused} == {"elsewhere-012345"}


def test_without_cookies_a_visitor_is_known_for_a_day() -> None:
    """By network, browser and site, and only with the secret; none of them can be read from it."""

    def visitor(ip: str = "192.0.2.7", **more: Any) -> str:
        ids, named, cookie = told({"keeps": "nothing"}, {"kind": "page"}, ip=ip, **more)
        assert (ids, cookie) == ([named], "")
        return named

    same = {
        visitor(),
        visitor(ip="192.0.2.200"),
        visitor(at=NOW - timedelta(hours=23)),
        visitor(cookie="tb_id=" + KNOWN),
    }
    others = {
        visitor(ip="192.0.3.7"),
        visitor(ip="2001:db8::1"),
        visitor(ip=""),
        visitor(at=NOW + timedelta(minutes=1)),
        visitor(user_agent="Mozilla/5.0 (two)"),
        visitor(origin="https://other.example"),
        visitor(secret=b"another"),
    }
    assert (len(same), len(others | same)) == (1, 8)
    assert visitor(ip="2001:db8:0:1::1") == visitor(ip="2001:db8:0:2::2")
