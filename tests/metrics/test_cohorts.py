"""Revenue per lead by age of cohort."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.metrics import hand
from tieback.errors import UsageError
from tieback.metrics.cohorts import cohorts
from tieback.metrics.dimensions import dimensions
from tieback.metrics.reports import Question


def test_cohorts_by_hand() -> None:
    """The two leads of January brought 130.00 within 30 days; the data end on 5 March, so 60 days are empty.

    The youngest lead of January may be of the 31st: 30 days later is 2 March, within the data; 60 days later is not.
    """
    with hand.company() as store:
        answer = cohorts(store.rows, Question((), ("linear",)))
    (january,) = answer.cohorts
    assert (january.month, january.leads, str(answer.as_of)) == ("2026-01", 2.0, "2026-03-05")
    assert january.by_age == (Decimal("65.00"), None, None, None, None)
    assert january.to_date == Decimal("80.00")
    assert january.is_few


def test_cohorts_mature_with_the_data() -> None:
    """When the data go on until April, the revenue of day 39 and the refund of day 43 are within 60 days."""
    later = hand.touch("t6", "2026-04-15", "Direct")
    with hand.company([*hand.TOUCHES, later]) as store:
        (january,) = cohorts(store.rows, Question((), ("linear",))).cohorts
    assert january.by_age == (Decimal("65.00"), Decimal("80.00"), None, None, None)


def test_cohorts_split_by_channel() -> None:
    """Leads and revenue are each counted by their own credit, and sum to the whole."""
    with hand.company() as store:
        answer = cohorts(store.rows, Question(dimensions(["channel"]), ("linear",)))
    leads = {one.key[0]: one.leads for one in answer.cohorts}
    assert leads == {"Paid Search": 0.5, "Email": 0.5, "Direct": 0.0, "Unattributed": 1.0}
    paid = next(one for one in answer.cohorts if one.key == ("Paid Search",))
    assert paid.to_date == Decimal("66.68")  # 33.34 ÷ 0.5
    direct = next(one for one in answer.cohorts if one.key == ("Direct",))
    assert direct.to_date is None


def test_revenue_without_a_lead_is_told() -> None:
    """What was bought by nobody who was ever a lead is in no cohort, and is said."""
    walk_in = hand.conversion("order:7", "2026-02-01", 700, subject_id="user:walk-in")
    with hand.company(
        conversions=[*hand.CONVERSIONS, walk_in],
        credits=[*hand.CREDITS, hand.credit("linear", "order:7", None, 1.0, 700)],
    ) as store:
        answer = cohorts(store.rows, Question((), ("linear",)))
    assert answer.without_lead == {"linear": Decimal("7.00")}
    assert answer.cohorts[0].to_date == Decimal("80.00")


def test_a_cohort_is_a_month_already() -> None:
    """Dimensions of time make no sense beside the cohort's own month."""
    with hand.company() as store, pytest.raises(UsageError, match="leave 'week' out"):
        cohorts(store.rows, Question(dimensions(["week"]), ("linear",)))
