"""Every metric, worked out by hand."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tieback.metrics.measures import METRICS, Measures

QUARTER = Measures(
    cost=Decimal("500.00"),
    impressions=20_000,
    clicks=400,
    visits=380,
    leads=20.0,
    customers=4.0,
    sales=5.0,
    repeat_customers=1.0,
    revenue=Decimal("2000.00"),
    sales_value=Decimal("2250.00"),
    lifetime_value=Decimal("3000.00"),
    cycle_days=90.0,
    cycles=3.0,
)


@pytest.mark.parametrize(
    ("metric", "by_hand"),
    [
        ("cost", Decimal(500)),
        ("impressions", 20_000),
        ("clicks", 400),
        ("visits", 380),
        ("leads", 20.0),
        ("customers", 4.0),
        ("revenue", Decimal(2000)),
        ("conversion_rate", 0.2),  # 4 ÷ 20
        ("cac", Decimal(125)),  # 500 ÷ 4
        ("cost_per_lead", Decimal(25)),  # 500 ÷ 20
        ("roi", Decimal(3)),  # (2000 − 500) ÷ 500
        ("roas", Decimal(4)),  # 2000 ÷ 500
        ("revenue_per_lead", Decimal(100)),  # 2000 ÷ 20
        ("average_deal_size", Decimal(450)),  # 2250 ÷ 5
        ("sales_cycle_days", 30.0),  # 90 ÷ 3
        ("repeat_rate", 0.25),  # 1 ÷ 4
        ("lifetime_revenue", Decimal(750)),  # 3000 ÷ 4
    ],
)
def test_a_metric_by_hand(metric: str, by_hand: object) -> None:
    """Each formula gives what a pencil gives."""
    assert METRICS[metric].of(QUARTER) == by_hand


def test_every_metric_is_worked_by_hand() -> None:
    """A metric without an example worked by hand does not pass."""
    marks = test_a_metric_by_hand.pytestmark[0].args[1]
    assert [name for name, _ in marks] == list(METRICS)


def test_a_ratio_over_nothing_is_undefined() -> None:
    """Where the divisor is nothing, a ratio is None: not zero, not infinite; what prints as 0 is nothing too."""
    ratios = ["conversion_rate", "cac", "cost_per_lead", "roi", "roas", "revenue_per_lead"]
    ratios += ["average_deal_size", "sales_cycle_days", "repeat_rate", "lifetime_revenue"]
    assert {name: METRICS[name].of(Measures()) for name in ratios} == dict.fromkeys(ratios)
    almost = Measures(cost=Decimal(5), leads=4e-7, customers=-1e-13)
    assert (METRICS["cac"].of(almost), METRICS["cost_per_lead"].of(almost)) == (None, None)


def test_loss_is_a_negative_return() -> None:
    """Spend without revenue has lost all of it."""
    assert METRICS["roi"].of(Measures(cost=Decimal(80))) == -1


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_its_formula_and_what_it_misleads_about(name: str) -> None:
    """The documentation of a metric is made of its docstring: meaning, formula, what it misleads about."""
    assert re.fullmatch(r"[A-Z].+\.\n\n.*Formula: .+\n\s+Misleads: .+\.\s*", METRICS[name].of.__doc__ or "", re.DOTALL)
