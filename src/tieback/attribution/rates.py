"""Exchange rates: which are needed, and which of those are missing."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tieback.attribution.calendar import local_date
from tieback.config import Settings
from tieback.errors import InputError
from tieback.schema.facts import SPEND
from tieback.schema.relations import current
from tieback.schema.remembered import remembered
from tieback.schema.rounding import nearest, to_six_digits


def base_rates(fx_rates: ir.Table, base: str) -> ir.Table:
    """The rates into the base currency: rate_day, rate_currency, rate."""
    into_base = fx_rates.filter(fx_rates.base_currency == base)
    return into_base.select("rate", rate_day="rate_date", rate_currency="currency")


def minor_units(amount: ir.DecimalColumn, rate: ir.FloatingColumn, decimals: int) -> ir.IntegerColumn:
    """`amount` times `rate` in whole minor units: half a unit is rounded away from zero, on every engine alike.

    Rounding to six digits first keeps the noise of binary fractions from deciding.
    """
    exact = to_six_digits(amount.cast("float64").abs() * rate * float(10**decimals))
    unsigned = nearest(exact)
    return (amount < 0).ifelse(-unsigned, unsigned)


@remembered
def missing_rates(needed: ir.Table, fx_rates: ir.Table, settings: Settings) -> ir.Table:
    """Those of the rates `needed` that fx_rates lacks: day, currency, used_by (in words)."""
    foreign = needed.filter((needed.currency != settings.currency) & (needed.currency != ""))
    rates = base_rates(fx_rates, settings.currency)
    held = [foreign.day == rates.rate_day, foreign.currency == rates.rate_currency]
    return foreign.anti_join(rates, held).distinct()


@remembered
def rates_of_moments(moments: ir.Table, settings: Settings) -> ir.Table:
    """The rates that counted moments with a value need: day (in the workspace's time zone), currency, used_by."""
    valued = moments.filter(moments.excluded_reason.isnull() & (moments.value != 0))
    return valued.select(
        "currency",
        day=local_date(valued.occurred_at, settings.time_zone),
        used_by=ibis.literal("the conversion ") + valued.kind,
    )


@remembered
def rates_of_spend(spend: ir.Table) -> ir.Table:
    """The rates that current spend needs: day, currency, used_by."""
    paid = current(spend, SPEND)
    paid = paid.filter((paid.cost != 0) & paid.currency.notnull())
    return paid.select("currency", day="spend_date", used_by=ibis.literal("spend"))


def refuse_missing(
    read: Callable[[ir.Table], pa.Table], needed: ir.Table, fx_rates: ir.Table, settings: Settings
) -> None:
    """Raise InputError that names the first day without a rate that is `needed`. read: gives an expression's rows."""
    rows = read(missing_rates(needed, fx_rates, settings)).to_pylist()
    if rows:
        first = min(rows, key=lambda row: (row["day"], row["currency"]))
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        raise InputError(
            f"There is no exchange rate from {first['currency']} to {settings.currency} for {first['day']}{more}, "
            f"which {first['used_by']} needs. Import it with `tieback import fx_rates FILE` and run again."
        )
