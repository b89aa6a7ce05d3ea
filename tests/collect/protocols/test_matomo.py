from __future__ import annotations

import json

import pytest

from tests.collect.protocols.asking import FIREFOX, PAGE, get, only, post, recorded, refusals, told
from tieback.collect.protocols.matomo import wire
from tieback.collect.requests import UnreadableError

HIT = {"idsite": "3", "rec": "1", "_id": "0123456789abcdef", "url": PAGE}


def test_the_node_client_tells_a_visit_an_event_a_goal_and_an_order() -> None:
    """One request alone, the others in bulk; a login that is an address is an address."""
    visit, event, goal, order = told(wire, *recorded("matomo_node"))
    assert {"kind": "page", "url": PAGE, "referrer": "https://www.google.com/", "user_agent": FIREFOX}.items() <= (
        visit.row.items()
    )
    assert visit.row["anonymous_id"] == "0123456789abcdef"
    assert [(each.row["kind"], each.row["name"], each.row["value"]) for each in (event, goal, order)] == [
        ("track", "asked", 3),
        ("track", "goal 2", 20),
        ("track", "order", 49.5),
    ]
    assert (event.row["properties"]["e_c"], order.row["email"]) == ("demo", "ada@example.com")
    assert {wire.read(each).key for each in recorded("matomo_node")} == {"wk_test"}


def test_each_way_of_asking_has_its_answer() -> None:
    """An image, nothing where no image is wanted, and counts for many."""
    assert wire.accepted(wire.read(get("/matomo.php", HIT))).content_type == "image/gif"
    assert wire.accepted(wire.read(get("/matomo.php", HIT | {"send_image": "0"}))).status == 204
    bulk = {"requests": ["?idsite=3&rec=1", {"idsite": 3, "rec": 1}, 5, "?idsite=4&rec=1"], "token_auth": "secret"}
    batch = wire.read(post("/matomo.php", bulk, content_type="application/x-www-form-urlencoded"))
    assert json.loads(wire.accepted(batch).body) == {"status": "success", "tracked": 2, "invalid": 2}
    assert "secret" not in str(batch.collected)


def test_a_form_that_was_posted_is_a_request() -> None:
    """The script sends a long query as a body, and beacons as well."""
    request = post(
        "/matomo.php", b"url=https%3A%2F%2Fwww.example.com%2F&urlref=&link=https%3A%2F%2Fa.example", "idsite=3&rec=1"
    )
    row = only(wire, request)
    assert (row["kind"], row["name"], row["url"]) == ("track", "outlink", "https://www.example.com/")


@pytest.mark.parametrize(
    ("times", "happened"),
    [
        ({"cdt": "2026-11-26 10:00:00"}, "2026-11-26T10:00:00"),
        ({"cdt": "1795780799"}, "2026-11-27T11:59:59"),
        ({"cdo": "60"}, "2026-11-27T11:59:00"),
        ({}, "2026-11-27T12:00:00"),
    ],
)
def test_a_request_may_tell_of_the_past(times: dict[str, str], happened: str) -> None:
    """`cdt` is UTC; the site's clock has no say in it otherwise."""
    assert only(wire, get("/matomo.php", HIT | times))["occurred_at"] == happened + "+00:00"


@pytest.mark.parametrize("times", [{"cdt": "soon"}, {"cdt": "1795867201"}, {"cdo": "9" * 20}, {"cdo": "-"}])
def test_an_impossible_time_is_refused(times: dict[str, str]) -> None:
    """With a reason, once."""
    assert len(refusals(wire, get("/matomo.php", HIT | times))) == 1


@pytest.mark.parametrize("body", [b"", b"{", b'{"requests": 1}', b"[]", b"rec=1"])
def test_what_names_no_site_is_unreadable(body: bytes) -> None:
    """Nothing of it is taken."""
    with pytest.raises(UnreadableError):
        wire.read(post("/matomo.php", body))
