"""What the rows of performance add up to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.metrics import hand
from tieback.errors import UsageError
from tieback.metrics.dimensions import DIMENSIONS, dimensions
from tieback.metrics.measures import METRICS
from tieback.metrics.reports import Question, Report, report
from tieback.store import DuckDB

LINEAR = ("linear",)


@pytest.fixture(scope="module")
def store() -> DuckDB:
    """The company worked by hand."""
    return hand.company()


def asked(by: str = "channel", models: tuple[str, ...] = LINEAR, **more: Any) -> Question:
    """A question, dimensions separated by commas."""
    return Question(dimensions(by.split(",") if by else []), models, **more)


def revenue(answer: Report, model: str = "linear") -> dict[Any, str]:
    """Revenue by key."""
    return {line.key: str(line.measures.revenue) for line in answer.lines if line.model == model}


def test_by_channel_unattributed_is_shown_and_all_adds_up(store: DuckDB) -> None:
    """The channels and Unattributed sum to revenue with refunds taken off, under every model."""
    answer = report(store.rows, asked(models=("linear", "last_touch")))
    assert revenue(answer) == {
        ("Paid Search",): "33.34",
        ("Email",): "33.33",
        ("Direct",): "63.33",
        ("Unattributed",): "30.00",
    }
    assert {model: total.revenue for model, total in answer.totals.items()} == {
        "linear": Decimal("160.00"),
        "last_touch": Decimal("160.00"),
    }


def test_unattributed_is_shown_even_when_it_is_nothing(store: DuckDB) -> None:
    """A window in which every conversion had a touch still shows Unattributed, at zero."""
    window = {"start": date(2026, 2, 11), "end": date(2026, 2, 11)}
    assert revenue(report(store.rows, asked(**window)))["Unattributed",] == "0.00"


@pytest.mark.parametrize(
    "by", ["", "channel", "channel,campaign", "month", "week,channel", "source", "day", "landing_page"]
)
@pytest.mark.parametrize("basis", ["conversion", "touch"])
def test_every_breakdown_has_the_same_total(store: DuckDB, by: str, basis: Any) -> None:
    """Law 1: whatever the dimensions, rows sum to the same cost and revenue."""
    answer = report(store.rows, asked(by, basis=basis))
    assert sum(line.measures.revenue for line in answer.lines) == Decimal("160.00")
    assert sum(line.measures.cost for line in answer.lines) == Decimal("55.00")
    assert answer.totals["linear"].revenue == Decimal("160.00")


@pytest.mark.parametrize("by", ["campaign", "ad", "keyword", "content", "landing_page", "channel,ad,keyword"])
def test_spend_that_is_known_by_campaign_alone_is_in_every_breakdown(store: DuckDB, by: str) -> None:
    """Platforms that hide ads and keywords (PMax) leave those empty: the cost stands there, and none is lost."""
    answer = report(store.rows, asked(by))
    assert sum(line.measures.cost for line in answer.lines) == answer.totals["linear"].cost == Decimal("55.00")


def test_unattributed_is_no_campaign_of_direct(store: DuckDB) -> None:
    """By campaign, what has none and what no touch earned stay apart."""
    assert revenue(report(store.rows, asked("campaign"))) == {
        ("brand",): "33.34",
        ("news",): "33.33",
        ("other",): "0.00",
        (None,): "63.33",
        ("Unattributed",): "30.00",
    }


def test_cost_and_revenue_of_a_ratio_share_their_window(store: DuckDB) -> None:
    """Law 9: in February, Paid Search cost 10.00 (not January's 40.00), and by touch it earned nothing there."""
    window = {"start": date(2026, 2, 1), "end": date(2026, 2, 28)}
    for basis, earned in (("conversion", Decimal("33.34")), ("touch", Decimal(0))):
        lines = report(store.rows, asked(basis=basis, **window)).lines
        paid = next(line.measures for line in lines if line.key == ("Paid Search",))
        assert (paid.cost, paid.revenue) == (Decimal("10.00"), earned)
        assert METRICS["roas"].of(paid) == earned / 10


def test_the_spend_basis_says_what_it_leaves_out(store: DuckDB) -> None:
    """Shown and left out together are all revenue of the window."""
    answer = report(store.rows, asked(basis="spend"))
    assert revenue(answer)["Paid Search",] == "33.34"
    assert answer.left_out == {"linear": Decimal("126.66")}
    assert answer.totals["linear"].revenue + answer.left_out["linear"] == Decimal("160.00")


def test_months_weeks_and_days(store: DuckDB) -> None:
    """Months are written 2026-02, weeks by their Monday, days as they are."""
    assert set(revenue(report(store.rows, asked("month")))) == {("2026-01",), ("2026-02",), ("2026-03",)}
    weeks = revenue(report(store.rows, asked("week", start=date(2026, 2, 11), end=date(2026, 2, 20))))
    assert weeks == {(date(2026, 2, 9),): "100.00", (date(2026, 2, 16),): "30.00"}
    assert revenue(report(store.rows, asked("day")))[date(2026, 3, 5),] == "-20.00"


def test_an_unknown_dimension_is_named_with_the_nearest() -> None:
    """A slip of the finger is answered with the name that was meant."""
    with pytest.raises(UsageError, match=r"no dimension 'chanel'. Did you mean 'channel'"):
        dimensions(["chanel"])


def sales(number: int, touches_each: int) -> DuckDB:
    """So many leads that all became customers, each with its own touches, all in one channel but the last touch."""
    touches, conversions, credits = [], [], []
    for one in range(number):
        for kind, value in (("lead", 0), ("customer", 1_000)):
            identity = {"subject_id": f"user:{one}", "is_new_customer": kind == "customer"}
            conversions.append({**hand.conversion(f"{kind}:{one}", "2026-01-20", value), **identity})
        for touch in range(touches_each):
            channel = "Email" if touch == touches_each - 1 else "Direct"
            touches.append(hand.touch(f"t{one}.{touch}", "2026-01-10", channel))
            share = 1 / touches_each
            for kind, value in (("lead", 0), ("customer", 1_000 // touches_each)):
                credits.append(hand.credit("linear", f"{kind}:{one}", f"t{one}.{touch}", share, value))
    return hand.company(touches, conversions, credits, [], [])


@pytest.mark.parametrize(("number", "is_few"), [(29, True), (30, False)])
@pytest.mark.parametrize("touches_each", [1, 4])
@pytest.mark.parametrize("basis", ["conversion", "touch"])
def test_few_conversions_are_too_few_to_say(number: int, touches_each: int, is_few: bool, basis: Any) -> None:
    """Law 10: distinct conversions decide, not touches and not credit: 30 sales with a quarter each are 30."""
    with sales(number, touches_each) as store:
        answer = report(store.rows, asked(basis=basis))
        verdicts = {line.key[0]: line.is_few for line in answer.lines if line.key != ("Unattributed",)}
        assert verdicts == dict.fromkeys(["Email"] if touches_each == 1 else ["Email", "Direct"], is_few)


def test_the_scarcer_of_leads_and_sales_decides() -> None:
    """A thousand leads do not make the revenue of two sales a number to go by; leads alone stand on their own."""
    leads = [hand.conversion(f"lead:{one}", "2026-01-20") for one in range(40)]
    credits = [hand.credit("linear", lead["conversion_id"], "t1", 1.0) for lead in leads]
    touches = [hand.touch("t1", "2026-01-10", "Email")]
    sale = hand.conversion("customer:1", "2026-01-21", 1_000)
    with hand.company(touches, leads, credits, [], []) as store:
        assert not next(line for line in report(store.rows, asked()).lines if line.key == ("Email",)).is_few
    credits = [*credits, hand.credit("linear", "customer:1", "t1", 1.0, 1_000)]
    with hand.company(touches, [*leads, sale], credits, [], []) as store:
        assert next(line for line in report(store.rows, asked()).lines if line.key == ("Email",)).is_few


def test_every_dimension_of_touch_and_time_can_be_asked_for(store: DuckDB) -> None:
    """Each named dimension is one that the table has."""
    for name, dimension in DIMENSIONS.items():
        if dimension.group != "account":
            assert report(store.rows, asked(name)).totals["linear"].revenue == Decimal("160.00")
