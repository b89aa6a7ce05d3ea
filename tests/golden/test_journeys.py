"""Which touches belong to a journey, worked by hand: windows, accounts, refunds, and paths that did not convert."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attribution.scene import AT, credit, journey_rows, minor, sale, scene, touch
from tieback import attribution
from tieback.config import Conversion, Settings, Touches

SALE = sale("order:1", "2026-04-01T00:00:00")
QUARTER = Settings(conversions={"order": Conversion(source="orders", is_revenue=True, lookback_days=90)})


def paths(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The touches of each path, in order."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["path_id"], []).append(row["touch_id"])
    return found


def reasons(touches: list[Any], sales: list[Any], settings: Settings) -> dict[str, str | None]:
    """The reason that `candidates` gives for each touch."""
    journey_rows(touches, sales, settings)
    members = attribution.members(AT.conversions, AT.people, AT.deal_contacts)
    rows = scene().read(attribution.candidates(AT.touchpoints, AT.conversions, members, settings)).to_pylist()
    return {row["touch_id"]: row["reason"] for row in rows}


def test_the_edge_of_the_lookback_window() -> None:
    """90 days before 1 April 00:00:00 is 1 January 00:00:00: in at that second, out one second earlier."""
    touches = [touch("in", "2026-01-01T00:00:00"), touch("out", "2025-12-31T23:59:59")]
    assert paths(journey_rows(touches, [SALE], QUARTER))["order:1"] == ["in"]
    assert reasons(touches, [SALE], QUARTER) == {
        "in": None,
        "out": "before the lookback window of conversions of kind order",
    }


def test_the_edge_of_the_conversion() -> None:
    """A touch at the second of the conversion is in; one a moment later, even in the same second, is not."""
    touches = [
        touch("at", "2026-04-01T00:00:00"),
        touch("moment", "2026-04-01T00:00:00.000001"),
        touch("after", "2026-04-01T00:00:01"),
    ]
    assert paths(journey_rows(touches, [SALE], QUARTER))["order:1"] == ["at"]
    late = "after the conversion"
    assert reasons(touches, [SALE], QUARTER) == {"at": None, "moment": late, "after": late}


def test_each_kind_of_touch_may_have_a_window_of_its_own() -> None:
    """Ad clicks count for 7 days, calls for 365, yet no touch for longer than the conversion's own 90."""
    settings = Settings(touches=Touches(lookback_days={"ad_click": 7, "call": 365}), conversions=QUARTER.conversions)
    touches = [
        touch("click_in", "2026-03-25T00:00:00", kind="ad_click"),
        touch("click_out", "2026-03-24T23:59:59", kind="ad_click"),
        touch("call_in", "2026-01-01T00:00:00", kind="call"),
        touch("call_out", "2025-12-31T23:59:59", kind="call"),
        touch("visit_in", "2026-03-01T00:00:00"),
    ]
    assert paths(journey_rows(touches, [SALE], settings))["order:1"] == ["call_in", "visit_in", "click_in"]
    assert reasons(touches, [SALE], settings)["click_out"] == (
        "before the lookback window of 7 days for touches of kind ad_click"
    )


@pytest.mark.parametrize("kind", ["ad_view", "email_open"])
def test_views_earn_nothing_unless_asked_for(kind: str) -> None:
    """A view is kept and explained; with credit_views it stands in the journey like any other touch."""
    touches = [touch("seen", "2026-03-01T00:00:00", kind=kind), touch("came", "2026-03-02T00:00:00")]
    assert paths(journey_rows(touches, [SALE], QUARTER))["order:1"] == ["came"]
    assert reasons(touches, [SALE], QUARTER)["seen"] == "views are not credited"
    asked = Settings(touches=Touches(credit_views=True), conversions=QUARTER.conversions)
    assert paths(journey_rows(touches, [SALE], asked))["order:1"] == ["seen", "came"]


def test_an_excluded_touch_keeps_its_reason() -> None:
    """A bot's visit is in no journey, and the reason it was set aside for is the one that is told."""
    touches = [touch("bot", "2026-03-01T00:00:00", excluded_reason="bot: crawler"), touch("x", "2026-03-02T00:00:00")]
    assert paths(journey_rows(touches, [SALE], QUARTER)) == {"order:1": ["x"]}
    assert reasons(touches, [SALE], QUARTER) == {"bot": "bot: crawler", "x": None}


PEOPLE = [
    {"id_kind": "contact", "id_value": contact_id, "person_id": person_id, "account_id": account_id}
    for contact_id, person_id, account_id in [
        ("c1", "ada", "crm:acme"),
        ("c2", "bob", "crm:acme"),
        ("c3", "cyd", None),  # a consultant: of no account, but of the deal's buying group
        ("c4", "dan", "crm:other"),
    ]
]
BUYING_GROUP = [
    {"deal_id": "7", "contact_id": "c3", "changed_at": "2026-01-01"},
    {"deal_id": "7", "contact_id": "c4", "changed_at": "2026-01-01"},
    {"deal_id": "7", "contact_id": "c4", "changed_at": "2026-01-02", "deleted": True},  # left the group
]
TEAM = [
    touch("ada", "2026-01-01T00:00:00"),
    touch("bob", "2026-01-11T00:00:00", person_id="bob", account_id="crm:acme"),
    touch("cyd", "2026-01-21T00:00:00", person_id="cyd"),
    touch("dan", "2026-01-22T00:00:00", person_id="dan", account_id="crm:other"),
]


def test_a_deal_has_the_journey_of_its_whole_account() -> None:
    """Three people, one touch each: the contact, a colleague who is not in the CRM's deal, and one of the buying group.

    100.00 evenly over three: 33.34, 33.33, 33.33; the man who left the group has no part in it.
    """
    deal = sale("customer:7", "2026-02-01T00:00:00", account_id="crm:acme", deal_id="7")
    rows = journey_rows(TEAM, [deal], people=PEOPLE, deal_contacts=BUYING_GROUP)
    assert paths(rows) == {"customer:7": ["ada", "bob", "cyd"], "open:crm:other": ["dan"]}
    assert [row["days_before"] for row in rows[:3]] == [31.0, 21.0, 11.0]


def test_a_deal_without_account_has_the_journey_of_its_contacts() -> None:
    """Nobody's colleagues are known: the primary contact and the buying group count, bob does not."""
    deal = sale("customer:7", "2026-02-01T00:00:00", deal_id="7")
    rows = journey_rows(TEAM, [deal], people=PEOPLE, deal_contacts=BUYING_GROUP)
    assert paths(rows)["customer:7"] == ["ada", "cyd"]


def test_a_refund_walks_the_path_of_its_sale() -> None:
    """Same touches, positions, days and marks as the sale, long after the sale's window; its own time of conversion."""
    marks = {"lead_at": "2026-03-20T00:00:00", "opportunity_at": "2026-03-30T00:00:00"}
    refund = sale("refund:2", "2026-12-01T00:00:00", -5, journey_id="order:1")
    touches = [touch("a", "2026-03-12T00:00:00"), touch("b", "2026-03-22T00:00:00"), touch("z", "2026-11-30T00:00:00")]
    sold, given_back = [], []
    for row in journey_rows(touches, [SALE | marks, refund], QUARTER):
        if row["conversion_id"]:
            (sold if row["path_id"] == "order:1" else given_back).append(row)
    same = ("touch_id", "position", "length", "days_before", "is_lead_touch", "is_opportunity_touch")
    assert [[row[name] for name in same] for row in given_back] == [[row[name] for name in same] for row in sold]
    assert [[row[name] for name in same] for row in sold] == [
        ["a", 1, 2, 20.0, True, False],
        ["b", 2, 2, 10.0, False, True],
    ]
    assert {row["converted_at"].isoformat() for row in given_back} == {"2026-12-01T00:00:00"}
    assert {(row["path_id"], row["conversion_id"]) for row in given_back} == {("refund:2", "refund:2")}


def test_paths_that_did_not_convert_are_kept() -> None:
    """What came after the last sale is a path of its own, under the account where there is one; a refund ends none.

    eve has no account: open:eve. days_before count to the path's last touch, and nothing marks a stage.
    """
    refund = sale("refund:2", "2026-12-01T00:00:00", -5, journey_id="order:1")
    touches = [
        touch("a", "2026-03-12T00:00:00"),
        touch("b", "2026-04-01T00:00:01", account_id="crm:acme"),
        touch("c", "2026-04-03T00:00:01", person_id="bob", account_id="crm:acme"),
        touch("d", "2026-01-01T00:00:00", person_id="eve"),
        touch("e", "2026-01-02T00:00:00", person_id="eve", excluded_reason="internal traffic"),
        touch("f", "2026-01-02T00:00:00", person_id="eve", kind="ad_view"),
    ]
    rows = journey_rows(touches, [SALE, refund], QUARTER)
    found = paths(rows)
    assert {path: touched for path, touched in found.items() if path.startswith("open:")} == {
        "open:crm:acme": ["b", "c"],
        "open:eve": ["d"],
    }
    of_acme = [row for row in rows if row["path_id"] == "open:crm:acme"]
    assert [(row["position"], row["length"], row["days_before"]) for row in of_acme] == [(1, 2, 2.0), (2, 2, 0.0)]
    assert {(row["conversion_id"], row["converted_at"], row["is_lead_touch"]) for row in of_acme} == {
        (None, None, False)
    }


def test_open_paths_earn_nothing() -> None:
    """A path without conversion has no credit under any model, not even an unattributed row."""
    assert credit([touch("a", "2026-03-12T00:00:00")], [], "linear") == {}


def test_touches_of_a_lead_serve_its_sale_too() -> None:
    """Each conversion has its whole window: the same touch is in the journey of the lead and of the sale."""
    touches = [touch("a", "2026-01-01T00:00:00"), touch("b", "2026-01-20T00:00:00")]
    sales = [sale("lead:1", "2026-01-10T00:00:00", 0), sale("customer:1", "2026-02-01T00:00:00")]
    found = credit(touches, sales, "linear")
    assert found["lead:1"] == {"a": (1.0, 0)}
    assert minor(found, "customer:1") == {"a": 50_00, "b": 50_00}
