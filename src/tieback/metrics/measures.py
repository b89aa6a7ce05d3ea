"""What is added up, and the metrics worked out from it: one function each, registered with its unit.

Every ratio divides two sums of the same rows, so that numerator and denominator share window and date basis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Unit = Literal["money", "count", "ratio", "days"]
Number = Decimal | float | int


def money(minor: int, decimals: int) -> Decimal:
    """Whole minor units as an amount of a currency with so many decimals."""
    return Decimal(int(minor)).scaleb(-decimals)


@dataclass(frozen=True)
class Measures:
    """The sums of some rows of `performance`, under one model and date basis.

    Money is in the base currency (Decimal); counts are by share of credit, so they need not be whole.
    """

    cost: Decimal = Decimal(0)
    impressions: int = 0
    clicks: int = 0
    visits: int = 0
    leads: float = 0.0
    customers: float = 0.0
    sales: float = 0.0
    repeat_customers: float = 0.0
    revenue: Decimal = Decimal(0)
    sales_value: Decimal = Decimal(0)
    lifetime_value: Decimal = Decimal(0)
    cycle_days: float = 0.0
    cycles: float = 0.0


@dataclass(frozen=True)
class Metric:
    """One metric: its name, its unit, what works it out, and whether the accounts that bought can share it out.

    Cost and visits come before anyone has bought, so what needs them is not known by account.
    """

    name: str
    unit: Unit
    of: Callable[[Measures], Number | None]
    by_account: bool = True


METRICS: dict[str, Metric] = {}


def _metric(
    unit: Unit, *, by_account: bool = True
) -> Callable[[Callable[[Measures], Number | None]], Callable[[Measures], Number | None]]:
    def register(of: Callable[[Measures], Number | None]) -> Callable[[Measures], Number | None]:
        METRICS[of.__name__] = Metric(of.__name__, unit, of, by_account)
        return of

    return register


@_metric("money", by_account=False)
def cost(of: Measures) -> Number | None:
    """What advertising cost, as last stated by the platforms, by the rate of the day.

    Formula: sum of spend in the base currency
    Misleads: it holds only what was imported as spend; salaries, agencies and tools are in it only if you import them.
    """
    return of.cost


@_metric("count", by_account=False)
def impressions(of: Measures) -> Number | None:
    """How often ads were shown, as the platforms count it.

    Formula: sum of impressions
    Misleads: platforms count differently, and shown does not mean seen.
    """
    return of.impressions


@_metric("count", by_account=False)
def clicks(of: Measures) -> Number | None:
    """How often ads were clicked, as the platforms count it.

    Formula: sum of clicks
    Misleads: clicks outnumber visits where pages load slowly, consent is refused or bots click.
    """
    return of.clicks


@_metric("count", by_account=False)
def visits(of: Measures) -> Number | None:
    """Sessions seen on your own pages, without bots and internal traffic.

    Formula: touches of kind visit or form, by the day they began, whatever the model
    Misleads: a person with three devices visits three times; who refuses measurement is not seen at all.
    """
    return of.visits


@_metric("count")
def leads(of: Measures) -> Number | None:
    """Leads, by share of credit: a lead earned half by each of two channels is 0.5 in both.

    Formula: sum of shares of conversions of kind lead
    Misleads: it says how many, not how good; set it beside conversion_rate and revenue_per_lead.
    """
    return of.leads


@_metric("count")
def customers(of: Measures) -> Number | None:
    """New customers, by share of credit: subjects whose first sale this is.

    Formula: sum of shares of first sales
    Misleads: who bought before your data begins looks new.
    """
    return of.customers


@_metric("money")
def revenue(of: Measures) -> Number | None:
    """Revenue credited, refunds taken off; over all rows it is all revenue, Unattributed included.

    Formula: sum of credited value of revenue conversions, to the cent
    Misleads: attributed revenue is not caused revenue: part of it would have come without the marketing.
    """
    return of.revenue


@_metric("ratio")
def conversion_rate(of: Measures) -> Number | None:
    """New customers for each lead.

    Formula: customers ÷ leads
    Misleads: customers of this window were often leads of an earlier one, so a short window can show more than 1.
    """
    return _ratio(of.customers, of.leads)


@_metric("money", by_account=False)
def cac(of: Measures) -> Number | None:
    """Customer acquisition cost: what a new customer cost in advertising.

    Formula: cost ÷ customers
    Misleads: it is 0 where no cost was imported, and spend comes weeks before the customers that it wins.
    """
    return _ratio(of.cost, of.customers)


@_metric("money", by_account=False)
def cost_per_lead(of: Measures) -> Number | None:
    """What a lead cost in advertising.

    Formula: cost ÷ leads
    Misleads: the cheapest leads are seldom those that buy.
    """
    return _ratio(of.cost, of.leads)


@_metric("ratio", by_account=False)
def roi(of: Measures) -> Number | None:
    """Return on investment: what came back over what was spent, for each unit spent.

    Formula: (revenue − cost) ÷ cost
    Misleads: it counts revenue, not profit, and attributed revenue, not incremental revenue.
    """
    return _ratio(of.revenue - of.cost, of.cost)


@_metric("ratio", by_account=False)
def roas(of: Measures) -> Number | None:
    """Return on ad spend: revenue for each unit spent.

    Formula: revenue ÷ cost
    Misleads: under the basis `conversion`, spend of this window is set against touches of earlier ones; use `touch`
    or `spend` to compare campaigns.
    """
    return _ratio(of.revenue, of.cost)


@_metric("money")
def revenue_per_lead(of: Measures) -> Number | None:
    """Revenue for each lead.

    Formula: revenue ÷ leads
    Misleads: young leads have not had time to buy; `tieback report --cohorts` compares leads of the same age.
    """
    return _ratio(of.revenue, of.leads)


@_metric("money")
def average_deal_size(of: Measures) -> Number | None:
    """Value of a sale before refunds; renewals and expansions are sales too.

    Formula: value of sales ÷ sales
    Misleads: one very large deal moves it; look at the deals behind it when there are few.
    """
    return _ratio(of.sales_value, of.sales)


@_metric("days")
def sales_cycle_days(of: Measures) -> Number | None:
    """Days from a customer's first touch to the first sale, on average.

    Formula: sum of (days × share) ÷ sum of shares, over first sales with a journey
    Misleads: the lookback window caps it, and customers still on their way are not in it.
    """
    return _ratio(of.cycle_days, of.cycles)


@_metric("ratio")
def repeat_rate(of: Measures) -> Number | None:
    """Share of the new customers that have bought again since, at any time to date.

    Formula: customers with a second sale ÷ customers
    Misleads: recent customers have had less time to come back.
    """
    return _ratio(of.repeat_customers, of.customers)


@_metric("money")
def lifetime_revenue(of: Measures) -> Number | None:
    """All revenue to date of each new customer, refunds taken off, under the credit of the first sale.

    Formula: revenue to date of the new customers ÷ customers
    Misleads: it is what has come so far, not a forecast, so recent customers look small.
    """
    return _ratio(of.lifetime_value, of.customers)


def _ratio(above: Number, below: Number) -> Number | None:
    """The one over the other; None where the other is nothing: shares below a millionth are printed as 0 as well."""
    divisor = round(below, 6) if isinstance(below, float) else below
    if not divisor:
        return None
    if isinstance(above, Decimal) or isinstance(divisor, Decimal):
        return Decimal(str(above)) / Decimal(str(divisor))
    return above / divisor
