"""What `tieback doctor` finds, and what it says to do about it."""

from __future__ import annotations

from typing import Any

from tests.facts import put, warehouse
from tests.metrics import hand
from tieback.config import Settings
from tieback.metrics.health import Finding, fact_findings, intake_findings, opinion_findings
from tieback.schema import TABLES
from tieback.schema.ddl import create_table
from tieback.store import DuckDB

Row = dict[str, Any]
LATER = "2026-06-01T00:00:00"  # facts of tests are received on 1 January 2026


def of_facts(check: str, settings: Settings | None = None, **tables: list[Row]) -> list[Finding]:
    """The findings of one check about these facts."""
    with warehouse(**tables) as store:
        found = [*fact_findings(store.rows, settings or Settings(currency="EUR")), *intake_findings(store.rows)]
    return [finding for finding in found if finding.check == check]


def of_opinions(
    check: str, facts: dict[str, list[Row]] | None = None, cuts: list[Row] | None = None, **opinions: list[Row]
) -> list[Finding]:
    """The findings of one check about the company by hand, or about it with other opinions."""
    with hand.company(store=warehouse(**(facts or {})), **opinions) as store:
        return opinions_in(store, check, cuts)


def opinions_in(store: DuckDB, check: str, cuts: list[Row] | None = None) -> list[Finding]:
    """The findings of one check about a warehouse's opinions."""
    store.execute(create_table(TABLES["link_cuts"]))
    put(store, "link_cuts", cuts or [])
    return [finding for finding in opinion_findings(store.rows) if finding.check == check]


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    """State and words of each finding."""
    return [(finding.state, finding.finding) for finding in findings]


def event(number: int, day: str, **more: Any) -> Row:
    """A visit on a day."""
    return {"event_id": f"e{number}", "kind": "page", "occurred_at": f"{day}T12:00:00", **more}


def deal(number: int, **more: Any) -> Row:
    """A deal that became a lead."""
    return {"deal_id": f"d{number}", "stage": "lead", "changed_at": "2025-12-01T00:00:00", **more}


def order(number: int, **more: Any) -> Row:
    """An order of 10.00."""
    day = "2025-12-01T00:00:00"
    return {"order_id": f"o{number}", "kind": "order", "amount": 10, "occurred_at": day, "changed_at": day, **more}


def spend(day: str, **more: Any) -> Row:
    """10.00 of spend on a day."""
    return {"spend_date": day, "platform": "google_ads", "cost": 10, "synced_at": "2026-01-01T00:00:00", **more}


def cut(number: int, reason: str) -> Row:
    """A tie of an e-mail address and a browser that was not believed."""
    return {
        "left_kind": "anonymous",
        "left_value": f"a{number:03}",
        "right_kind": "email",
        "right_value": "e",
        "reason": reason,
    }


def test_an_empty_workspace_lacks_events() -> None:
    """Nothing goes without events; contacts, deals and spend are missed, each with its remedy; the rest is optional."""
    found = of_facts("data")
    assert [(finding.finding, finding.state, bool(finding.remedy)) for finding in found] == [
        ("events: none", "fault", True),
        ("contacts: none", "warn", True),
        ("deals: none", "warn", True),
        ("orders: none", "note", False),
        ("spend: none", "warn", True),
        ("accounts: none", "note", False),
        ("links: none", "note", False),
        ("fx_rates: none", "note", False),
    ]


def test_data_is_told_with_its_latest_day() -> None:
    """Tables that hold facts are told with how many and until when."""
    found = of_facts(
        "data",
        events=[event(1, "2025-12-01"), event(2, "2025-12-02")],
        accounts=[{"account_id": "a", "changed_at": "2025-12-03T00:00:00"}],
        fx_rates=[{"rate_date": "2025-12-04", "currency": "USD", "base_currency": "EUR", "rate": 0.9}],
    )
    assert [words for state, words in told(found) if state == "ok"] == [
        "events: 2 facts, data to 2025-12-02",
        "accounts: 1 facts, data to 2025-12-03",
        "fx_rates: 1 facts, data to 2025-12-04",
    ]


def test_amounts_in_another_currency_need_rates() -> None:
    """Without any exchange rate, another currency than the base one is told; the base currency and none are not."""
    found = of_facts("data", orders=[order(1, currency="USD"), order(2, currency="EUR"), order(3)])
    assert found[-1] == Finding(
        "data",
        "warn",
        "fx_rates: none, but amounts in USD",
        "Import the rates to EUR with `tieback import fx_rates FILE`.",
    )


def test_refused_rows_wait_for_a_correction() -> None:
    """Rows in quarantine are counted, with their files."""
    at = {"delivery_id": "1", "file": "x.csv", "table_name": "events", "column_name": "occurred_at"}
    refused: Row = {**at, "reason": "no time", "raw": "{}"}
    found = of_facts("quarantine", quarantine=[{**refused, "row_number": number} for number in (2, 3)])
    assert told(found) == [("warn", "2 refused rows of 1 files wait for a correction")]
    assert told(of_facts("quarantine")) == [("ok", "no refused rows")]


def test_days_without_events_are_gaps() -> None:
    """More than two days without any event are a gap; the first three are named, the others counted."""
    assert told(of_facts("gaps", events=[event(1, "2025-12-01"), event(2, "2025-12-04")])) == [
        ("ok", "no gaps in events or spend")
    ]
    found = of_facts("gaps", events=[event(day, f"2025-12-{day:02}") for day in (1, 5, 9, 13, 17, 21)])
    assert told(found) == [
        ("warn", "no events between 2025-12-01 and 2025-12-05"),
        ("warn", "no events between 2025-12-05 and 2025-12-09"),
        ("warn", "no events between 2025-12-09 and 2025-12-13"),
        ("warn", "and 2 more gaps in events"),
    ]


def test_days_without_spend_are_gaps() -> None:
    """A platform with spend on fewer than nine in ten of its days is told."""
    found = of_facts("gaps", spend=[spend("2025-12-01"), spend("2025-12-03")])
    assert told(found) == [("warn", "google_ads: spend on 2 of 3 days")]


def test_facts_from_the_future_are_told() -> None:
    """Events, deals, orders and spend dated more than a day after they were taken in are each told."""
    found = of_facts(
        "clocks",
        events=[event(1, "2026-06-01")],
        deals=[deal(1, changed_at=LATER)],
        orders=[order(1, occurred_at=LATER), order(2)],
        spend=[spend("2062-01-01"), spend("2026-01-02")],
    )
    assert told(found) == [
        ("warn", "1 events lie in the future (up to 2026-06-01 12:00:00)"),
        ("warn", "1 deal changes lie in the future (up to 2026-06-01 00:00:00)"),
        ("warn", "1 orders lie in the future (up to 2026-06-01 00:00:00)"),
        ("warn", "1 rows of spend lie in the future (up to 2062-01-01)"),
    ]
    assert all(finding.remedy for finding in found)
    assert told(of_facts("clocks")) == [("ok", "no events, deals, orders or spend from the future")]


def test_unknown_stages_are_told() -> None:
    """A stage in the CRM's words that [stages] does not know is told, with its deals; a known one is not."""
    found = of_facts("stages", deals=[deal(1), deal(2, stage="Limbo "), deal(3, stage="limbo")])
    assert told(found) == [("warn", "CRM stages that mean nothing yet: 'limbo' (2 deals)")]


def test_the_loop_is_closed() -> None:
    """Touches, people, leads and customers are all there."""
    assert told(of_opinions("loop")) == [("ok", "5 touches → 2 people → 2 leads → 2 customers")]


def test_the_loop_is_open() -> None:
    """A step that counts nothing is a fault: leads where there are deals that could make them, and customers always."""
    sold = [one for one in hand.CONVERSIONS if one["kind"] != "lead"]
    assert told(of_opinions("loop", {"deals": [deal(1)]}, conversions=sold)) == [
        ("fault", "5 touches → 2 people → 0 leads → 2 customers")
    ]
    unsold = [one for one in hand.CONVERSIONS if one["kind"] == "lead"]
    assert told(of_opinions("loop", conversions=unsold)) == [("fault", "5 touches → 2 people → 2 leads → 0 customers")]


def test_a_shop_needs_no_leads() -> None:
    """Without deals nothing makes leads, so that there are none is no fault."""
    sold = [one for one in hand.CONVERSIONS if one["kind"] != "lead"]
    assert told(of_opinions("loop", {"orders": [order(1)]}, conversions=sold)) == [
        ("note", "5 touches → 2 people → 0 leads → 2 customers; there are no deals that could make leads")
    ]


def test_match_rates() -> None:
    """How many people are known by more than a browser, and how many counted sales and refunds have a journey."""
    with hand.company() as store:
        put(store, "people", [{"id_kind": "user", "id_value": "ann", "person_id": "user:ann"}])
        found = opinions_in(store, "match")
    assert told(found) == [
        ("note", "1 of 2 (50%) of people with touches are known by more than a browser"),
        ("ok", "3 of 4 (75%) of revenue conversions have a journey"),
    ]


def test_few_matches_are_told() -> None:
    """Fewer than half of the revenue conversions with a journey deserve a look."""
    found = of_opinions("match", journeys=hand.JOURNEYS[2:5])
    assert told(found)[1:] == [("warn", "1 of 4 (25%) of revenue conversions have a journey")]


def test_without_revenue_there_is_nothing_to_match() -> None:
    """No conversion is no success of matching."""
    found = told(of_opinions("match", conversions=[], credits=[], journeys=[]))
    assert ("note", "no conversion earned revenue") in found


def test_refunds_of_unknown_sales_are_told() -> None:
    """A refund whose sale is not known stays unattributed."""
    lonely = [hand.conversion("refund:7", "2026-03-05", -100, journey_id=None)]
    assert told(of_opinions("match", conversions=[*hand.CONVERSIONS, *lonely]))[-1] == (
        "warn",
        "1 refunds name no sale that is known; they stay unattributed",
    )


def test_cuts_are_told_by_rule() -> None:
    """Ties that broke one rule are one finding with an example, whichever names their reasons hold."""
    logins = [
        cut(number, f"It would have made one person of two logins: u000 and u{number:03}.") for number in range(1, 300)
    ]
    emails = [cut(300, "It would have given one person more than 10 e-mail addresses.")]
    assert told(of_opinions("identity", cuts=logins + emails)) == [
        (
            "note",
            "299 ties not believed, such as anonymous:a001 and email:e: It would have made one person of two logins",
        ),
        (
            "note",
            "1 tie not believed, such as anonymous:a300 and email:e: "
            "It would have given one person more than 10 e-mail addresses",
        ),
    ]
    assert of_opinions("identity") == []


def test_unassigned_touches_are_told() -> None:
    """Touches that no channel rule fits are told with their commonest sources and mediums."""
    strange = hand.touch("t6", "2026-02-01", "Unassigned", source="fax", medium=None)
    assert told(of_opinions("channels", touches=[*hand.TOUCHES, strange])) == [
        ("warn", "1 of 6 (17%) of touches are Unassigned: source fax, medium none (1)")
    ]
    assert told(of_opinions("channels")) == [("ok", "every touch has a channel")]


def test_spend_of_a_campaign_without_touches() -> None:
    """A campaign that costs and has no touch is told."""
    assert told(of_opinions("campaigns")) == [("warn", "spend without touches: other")]
    assert told(of_opinions("campaigns", costs=hand.COSTS[:2])) == [
        ("ok", "all spend has touches, and every paid campaign has spend")
    ]


def test_spend_without_campaign_is_judged_by_channel() -> None:
    """Spend that names no campaign is told when its channel has no touches, and only then."""
    nameless = [
        hand.spent("2026-01-05", "Print", None, 100),
        hand.spent("2026-01-06", "Radio", "", 200),
        hand.spent("2026-01-05", "Email", None, 300),
    ]
    assert told(of_opinions("campaigns", costs=[*hand.COSTS[:2], *nameless])) == [
        ("warn", "spend without touches, and without a campaign: Radio, Print")
    ]


def test_paid_touches_without_spend() -> None:
    """A campaign with paid touches and no spend is told; unpaid touches cost nothing."""
    assert told(of_opinions("campaigns", costs=[])) == [("warn", "paid touches without spend: brand")]


def test_paid_touches_without_campaign() -> None:
    """Paid touches that name no campaign are counted, whether it is absent or empty."""
    nameless = [hand.touch("t6", "2026-02-01", "Paid Social"), hand.touch("t7", "2026-02-01", "Paid Social", "")]
    assert told(of_opinions("campaigns", touches=[*hand.TOUCHES, *nameless], costs=hand.COSTS[:2])) == [
        ("warn", "2 paid touches name no campaign")
    ]


def test_campaigns_spelled_in_two_ways() -> None:
    """Campaigns that differ only in letter case are rows of their own in reports: that is told, with what to do."""
    found = of_opinions("campaigns", costs=[*hand.COSTS[:2], hand.spent("2026-01-07", "Paid Search", "Brand", 100)])
    assert told(found) == [
        ("warn", "spend without touches: Brand"),
        ("warn", "campaigns that differ only in letter case: 'Brand' and 'brand'"),
    ]
    assert "one spelling" in found[1].remedy


def test_long_lists_are_cut() -> None:
    """Three campaigns are named, the others counted."""
    many = [hand.spent("2026-01-05", "Paid Search", f"c{number}", 1_000 - number) for number in range(5)]
    assert ("warn", "spend without touches: c0, c1, c2 and 2 more") in told(of_opinions("campaigns", costs=many))


def test_what_is_left_out_is_told() -> None:
    """Touches and conversions that a rule sets aside are counted by reason."""
    assert told(of_opinions("left out")) == [
        ("note", "1 touchpoints: bot: crawler"),
        ("note", "1 conversions: test deal"),
    ]
