"""Moments: what the facts say happened of each declared kind of conversion, before it is known who was behind it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback.attribution.exclusions import INTERNAL, NOT_MEASURED, agreed, barred, is_staff_domain, matches_glob
from tieback.config import STAGES, Conversion, Exclude, Settings
from tieback.schema.facts import ACCOUNTS, CONTACTS, DEALS, EVENTS, ORDERS
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.relations import current
from tieback.schema.remembered import remembered

_COLUMNS = {
    **dict.fromkeys(("kind", "source", "deal_id", "order_id", "event_id", "sale_id", "crm_account_id"), "string"),
    **dict.fromkeys(IDENTIFIERS.values(), "string"),
    **dict.fromkeys(("occurred_at", "lead_at", "opportunity_at"), "timestamp"),
    **{"value": "decimal(18, 6)", "currency": "string", "excluded_reason": "string"},
}

_NEVER = ibis.timestamp("1900-01-01")  # before every fact: some engines let one empty value make the greatest empty


@remembered
def moments(facts: Any, settings: Settings) -> ir.Table:
    """Every moment that [conversions] declares, with the identifiers that the fact itself holds.

    Grain: kind × deal, order or event. value is in currency (the base currency where none is given), never above 0 for
    a refund. A deal that has gone back from a stage that counts as revenue or a sale did not keep it: it is left out.
    lead_at, opportunity_at: when the deal reached those stages; empty for orders and events.
    """
    deals, orders = _deals(facts, settings), _orders(facts, settings.exclude)
    found = []
    for kind, conversion in sorted(settings.conversions.items()):
        rows = {"deals": deals, "orders": orders, "events": facts.events}[conversion.source]
        select = {"deals": _reached, "orders": _ordered, "events": _seen}[conversion.source]
        found.append(_completed(select(rows, kind, conversion, settings), kind, conversion, settings.currency))
    return reduce(lambda above, below: above.union(below), found)


def _completed(rows: ir.Table, kind: str, conversion: Conversion, base: str) -> ir.Table:
    """`rows` with all columns of a moment, those that they lack empty."""
    rows = rows.mutate(kind=ibis.literal(kind), source=ibis.literal(conversion.source))
    if _is_fixed(conversion.value):
        rows = rows.mutate(value=ibis.literal(conversion.value).cast("decimal(18, 6)"), currency=ibis.literal(base))
    elif conversion.value == "none":
        rows = rows.mutate(value=ibis.null("decimal(18, 6)"), currency=ibis.null("string"))
    else:
        rows = rows.mutate(currency=rows.currency.nullif("").fill_null(base))
    if is_refund(kind, conversion):
        rows = rows.mutate(value=-rows.value.abs())
    lacking = {name: ibis.null(kind) for name, kind in _COLUMNS.items() if name not in rows.columns}
    return rows.mutate(**lacking).select(*_COLUMNS)


def is_refund(kind: str, conversion: Conversion) -> bool:
    """True for a kind of conversion that gives back what a sale earned."""
    return conversion.source == "orders" and (conversion.order_kind or kind) == "refund"


def _is_fixed(value: str) -> bool:
    return value[:1].isdigit()


def _deals(facts: Any, settings: Settings) -> ir.Table:
    """Each deal as it is now, with when it first had each stage, its latest amount and stage, and why it is out."""
    present = current(facts.deals, DEALS)
    contacts, accounts = _contacts(facts), _accounts(facts, settings.exclude)
    deals = present.select("deal_id", "contact_id", "name", crm_account_id=present.account_id.nullif(""))
    deals = deals.left_join(_stages(facts.deals, settings.stages), "deal_id").drop("deal_id_right")
    deals = deals.left_join(_amounts(facts.deals), "deal_id").drop("deal_id_right")
    deals = deals.left_join(contacts, "contact_id").drop("contact_id_right")
    deals = deals.left_join(accounts, _account(deals) == accounts.account_id)
    exclude = settings.exclude
    named = matches_glob(deals.name, exclude.deals) | matches_glob(deals.deal_id, exclude.deals)
    reason = _reason(
        (named, ibis.literal("test deal (its name or id is in [exclude] deals)")),
        (deals.is_excluded_account.notnull(), ibis.literal("excluded account")),
    )
    return deals.mutate(excluded_reason=reason)


def _stages(deals: ir.Table, names: Mapping[str, tuple[str, ...]]) -> ir.Table:
    """When each deal first had each stage, and last: deal_id, lead_at, last_lead_at, mql_at … (empty when never).

    standing: the stage that it has now, of those known; empty when it never had one.
    """
    there = deals.filter(~deals.deleted.fill_null(ibis.literal(value=False)))
    word = there.stage.strip().lower()
    known = {stage: [name.strip().lower() for name in names.get(stage, ())] for stage in STAGES}
    times: dict[str, ir.TimestampValue] = {}
    lacking: dict[str, ir.Value] = {}
    for stage, words in known.items():
        if words:
            at = word.isin(words).ifelse(there.changed_at, ibis.null("timestamp"))
            times |= {f"{stage}_at": at.min(), f"last_{stage}_at": at.max()}
        else:
            lacking |= dict.fromkeys((f"{stage}_at", f"last_{stage}_at"), ibis.null("timestamp"))
    stages = there.group_by("deal_id").aggregate(**times).mutate(**lacking)
    lasts = {stage: stages[f"last_{stage}_at"] for stage in STAGES}
    newest = ibis.greatest(*(last.fill_null(_NEVER) for last in lasts.values()))
    standing = ibis.cases(*((last == newest, stage) for stage, last in lasts.items()), else_=ibis.null("string"))
    return stages.mutate(standing=standing)


def _amounts(deals: ir.Table) -> ir.Table:
    """The latest known amount of each deal: deal_id, amount, currency."""
    known = deals.filter(deals.amount.notnull() & ~deals.deleted.fill_null(ibis.literal(value=False)))
    latest = ibis.window(group_by="deal_id", order_by=known.changed_at.desc())
    ranked = known.mutate(rank=ibis.row_number().over(latest))
    return ranked.filter(ranked["rank"] == 0).select("deal_id", "amount", "currency")


def _reached(deals: ir.Table, kind: str, conversion: Conversion, settings: Settings) -> ir.Table:
    reached = deals[f"{conversion.stage}_at"]
    reason = deals.excluded_reason
    if (conversion.is_revenue or conversion.is_sale) and conversion.stage != "lost":
        # A stage first seen after the win is news that came late; only one that it had before is a way back.
        place = STAGES.index(conversion.stage)
        earlier, kept = STAGES[:place], STAGES[place : STAGES.index("lost")]
        back = [(deals.standing == stage) & (deals[f"{stage}_at"] < reached) for stage in earlier]
        last_had = ibis.greatest(reached, *(deals[f"last_{stage}_at"].fill_null(reached) for stage in kept))
        taken_back = ibis.or_((deals.last_lost_at > last_had).fill_null(ibis.literal(value=False)), *back)
        told = ibis.literal("taken back: the deal is now at stage ") + deals.standing
        reason = ibis.coalesce(reason, taken_back.ifelse(told, ibis.null("string")))
    return deals.filter(reached.notnull()).select(
        *("deal_id", "contact_id", "crm_account_id", "lead_at", "opportunity_at", "currency"),
        occurred_at=reached,
        value=deals.amount,
        excluded_reason=reason,
    )


def _orders(facts: Any, exclude: Exclude) -> ir.Table:
    """Each order as it is now, with why it is left out."""
    contacts, accounts = _contacts(facts), _accounts(facts, exclude)
    orders = current(facts.orders, ORDERS).rename(crm_account_id="account_id")
    orders = orders.left_join(contacts, "contact_id").drop("contact_id_right")
    orders = orders.left_join(accounts, _account(orders) == accounts.account_id)
    internal = _internal(orders.email_domain, orders.user_id, exclude)
    reason = _reason(
        (orders.is_excluded_account.notnull(), ibis.literal("excluded account")), (internal, ibis.literal(INTERNAL))
    )
    return orders.mutate(excluded_reason=reason)


def _ordered(orders: ir.Table, kind: str, conversion: Conversion, settings: Settings) -> ir.Table:
    value = orders.margin if conversion.value == "margin" else orders.amount
    identifiers = [name for name in IDENTIFIERS.values() if name in ORDERS.names]
    return orders.filter(orders.kind == (conversion.order_kind or kind)).select(
        *("order_id", "sale_id", "crm_account_id", *identifiers, "occurred_at", "currency", "excluded_reason"),
        value=value,
    )


def _seen(events: ir.Table, kind: str, conversion: Conversion, settings: Settings) -> ir.Table:
    exclude, word = settings.exclude, conversion.event.strip().lower()
    seen = events.filter((events.name.strip().lower() == word) | (events.kind == word))
    internal = _internal(seen.email_domain, seen.user_id, exclude) | matches_glob(
        seen.anonymous_id, exclude.anonymous_ids
    )
    reasons = [
        (~agreed(seen.consent_analytics, settings), ibis.literal(NOT_MEASURED)),
        (internal, ibis.literal(INTERNAL)),
    ]
    if exclude.bots:
        bot = barred(seen.bot_reason, exclude)
        reasons.insert(0, (bot.notnull(), ibis.literal("bot: ") + bot))
    identifiers = [name for name in IDENTIFIERS.values() if name in EVENTS.names]
    return seen.select(
        *("event_id", *identifiers, "occurred_at", "value", "currency"), excluded_reason=_reason(*reasons)
    )


def _contacts(facts: Any) -> ir.Table:
    contacts = current(facts.contacts, CONTACTS)
    return contacts.select(
        "contact_id",
        contact_account_id=contacts.account_id.nullif(""),
    )


def _account(rows: ir.Table) -> ir.StringColumn:
    """The CRM account that a deal or order names, or else its contact's."""
    return ibis.coalesce(rows.crm_account_id.nullif(""), rows.contact_account_id)


def _accounts(facts: Any, exclude: Exclude) -> ir.Table:
    """The accounts that [exclude] names by id or name."""
    accounts = current(facts.accounts, ACCOUNTS)
    named = matches_glob(accounts.account_id, exclude.accounts) | matches_glob(accounts.name, exclude.accounts)
    return accounts.filter(named).select("account_id", is_excluded_account=ibis.literal(value=True))


def _internal(domain: ir.StringColumn, user_id: ir.StringColumn, exclude: Exclude) -> ir.BooleanValue:
    return is_staff_domain(domain, exclude) | matches_glob(user_id, exclude.user_ids)


def _reason(*rules: tuple[ir.BooleanValue, ir.StringValue]) -> ir.StringValue:
    return ibis.cases(*rules, else_=ibis.null("string"))
