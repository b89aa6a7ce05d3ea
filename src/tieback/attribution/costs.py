"""What advertising cost: current spend, in the base currency, under the channel that its clicks would have."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.attribution.channels import SIGNALS, classified, plain
from tieback.attribution.rates import base_rates, minor_units
from tieback.attribution.rulebook import Rulebook, rulebook
from tieback.config import Settings
from tieback.schema.facts import SPEND
from tieback.schema.relations import current
from tieback.schema.remembered import remembered

_KEYS = ("spend_date", "platform", "ad_account", "campaign", "ad_group", "ad", "keyword")


@remembered
def costs(spend: ir.Table, fx_rates: ir.Table, settings: Settings) -> ir.Table:
    """The costs (COSTS) of the facts `spend` and `fx_rates`: the latest statement of each day and keys.

    Amounts are in whole minor units of the base currency, by the rate of the day; where that rate is missing there is
    no amount (`missing_rates` names such days). Source and medium are the spend's own, or else its platform's.
    Raises ConfigError when a [[channels]] rule of the settings is not right.
    """
    book = rulebook(settings)
    stated = _with_origin(_in_base_currency(current(spend, SPEND), fx_rates, settings), book)
    signals = stated.mutate(
        source_tag=stated.bought_source,
        medium_tag=stated.bought_medium,
        campaign_tag=plain(stated.campaign),
        **{name: ibis.literal("") for name in ("other_tags", "click_kind", "referrer", "page")},
        touch_kind=ibis.literal("visit"),
    )
    told = classified(signals.select(*SIGNALS).distinct(), book).select(*SIGNALS, "source", "medium", "channel")
    joined = signals.drop("source", "medium").inner_join(told, list(SIGNALS))
    return joined.select(
        *_KEYS,
        "landing_page",
        "content",
        "channel",
        "cost_minor",
        source=joined.source.nullif(""),
        medium=joined.medium.nullif(""),
        impressions=joined.impressions.fill_null(0),
        clicks=joined.clicks.fill_null(0),
    )


def _in_base_currency(spend: ir.Table, fx_rates: ir.Table, settings: Settings) -> ir.Table:
    """`spend` with cost_minor: half a minor unit is rounded away from zero."""
    base = settings.currency
    rates = base_rates(fx_rates, base)
    spend = spend.mutate(paid_in=spend.currency.nullif("").fill_null(base))
    joined = spend.left_join(rates, [spend.spend_date == rates.rate_day, spend.paid_in == rates.rate_currency])
    rate = (joined.paid_in == base).ifelse(1.0, joined.rate)
    return joined.mutate(cost_minor=minor_units(joined.cost, rate, settings.decimals))


def _with_origin(spend: ir.Table, book: Rulebook) -> ir.Table:
    """`spend` with the source and medium of the visits it buys: its own, its platform's or the platform's name."""
    platform = plain(spend.platform)
    known = [(platform.isin(each.names), each) for each in book.platforms]
    return spend.mutate(
        bought_source=plain(spend.source)
        .nullif("")
        .fill_null(ibis.cases(*((holds, each.source) for holds, each in known), else_=platform)),
        bought_medium=plain(spend.medium)
        .nullif("")
        .fill_null(ibis.cases(*((holds, each.medium) for holds, each in known), else_=platform)),
    )
