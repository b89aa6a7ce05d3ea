"""Conversions: the moments that count, whose they are, and what they are worth in the base currency."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.attribution.calendar import local_date
from tieback.attribution.exclusions import INTERNAL
from tieback.attribution.moments import is_refund
from tieback.attribution.rates import base_rates, minor_units
from tieback.config import Settings
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.opinions import CONVERSIONS
from tieback.schema.remembered import remembered

_INHERITED = ("person_id", "account_id", "deal_id", "company_id")


@remembered
def owned(moments: ir.Table, people: ir.Table, staff: ir.Table) -> ir.Table:
    """`moments` with conversion_id and whose they are, those of the workspace's own people excluded.

    moments, staff: as `tieback.attribution` finds them. people: as declared.
    """
    return _without_staff(_owned(moments, people), staff)


@remembered
def conversions(owned: ir.Table, fx_rates: ir.Table, settings: Settings) -> ir.Table:
    """The table `conversions`: one row for each moment that [conversions] declares, excluded ones with the reason.

    owned: as above; it is read many times. fx_rates: as declared.
    A value in another currency takes the rate of its day in the workspace's time zone, and is rounded half up to a
    minor unit. A rate that is missing leaves value_minor empty, which the table refuses: ask `missing_rates` first.
    A renewal or expansion that continues a sale (sale_id) belongs to whoever bought, where it does not say itself;
    a refund has the person, account, deal, marks and journey of its sale.
    """
    gives_back = owned.kind.isin([kind for kind, each in settings.conversions.items() if is_refund(kind, each)])
    counted = owned.filter((owned.source == "deals") & owned.excluded_reason.isnull())
    dealing = counted.select(dealing_id="account_id").distinct()
    sales, refunds = owned.filter(~gives_back), owned.filter(gives_back)
    sales = _with_subject(_continuing(sales, _sales(sales, settings)), dealing)
    sales = _marked(sales, settings).mutate(journey_id=sales.conversion_id)
    refunds = _refunding(_with_subject(refunds, dealing), _sales(sales, settings))
    rows = _valued(sales.union(refunds.select(sales.columns)), fx_rates, settings)
    return _judged(rows, settings).select(*CONVERSIONS.names)


def _owned(rows: ir.Table, people: ir.Table) -> ir.Table:
    """`rows` with conversion_id, the person of the strongest identifier known, and the account if account-wide.

    company_id: the person's account, whether or not all of it counts.
    """
    for kind, column in IDENTIFIERS.items():
        known = people.filter(people.id_kind == kind).select(
            **{f"{kind}_value": "id_value", f"{kind}_person": "person_id", f"{kind}_account": "account_id"}
        )
        rows = rows.left_join(known, rows[column] == known[f"{kind}_value"])
    person = ibis.coalesce(*(rows[f"{kind}_person"] for kind in IDENTIFIERS))
    accounts = [(rows[f"{kind}_person"].notnull(), rows[f"{kind}_account"]) for kind in IDENTIFIERS]
    record = ibis.coalesce(rows.deal_id, rows.order_id, rows.event_id)
    owned = rows.select(
        *("kind", "source", "occurred_at", "deal_id", "order_id", "event_id", "sale_id", "value", "currency"),
        *("lead_at", "opportunity_at", "excluded_reason"),
        conversion_id=rows.kind + ":" + record,
        person_id=person,
        account_id=ibis.literal("crm:") + rows.crm_account_id.nullif(""),
        company_id=ibis.cases(*accounts),
    )
    of_deal = (owned.source == "deals").ifelse(owned.company_id, ibis.null("string"))
    return owned.mutate(account_id=ibis.coalesce(owned.account_id, of_deal))


def _without_staff(rows: ir.Table, staff: ir.Table) -> ir.Table:
    """`rows` of which those of the workspace's own people are left out."""
    joined = rows.left_join(staff, [("person_id", "staff_id")])
    reason = joined.staff_id.isnull().ifelse(joined.excluded_reason, INTERNAL)
    return joined.mutate(excluded_reason=ibis.coalesce(joined.excluded_reason, reason)).select(*rows.columns)


def _sales(rows: ir.Table, settings: Settings) -> ir.Table:
    """The sale that each order or deal id stands for, its columns named sale_…; one row for each id.

    Where an order and a deal have the same id it is the order; where a deal is several conversions, its first sale.
    """
    kinds = {kind: each for kind, each in settings.conversions.items() if each.is_revenue and each.source != "events"}
    sold = rows.filter(rows.kind.isin(list(kinds)))
    is_sale = sold.kind.isin([kind for kind, each in kinds.items() if each.is_sale])
    sold = sold.mutate(
        record_id=(sold.source == "orders").ifelse(sold.order_id, sold.deal_id),
        preference=(sold.source == "orders").ifelse(0, 2) + is_sale.ifelse(0, 1),
    )
    first = ibis.window(group_by="record_id", order_by=["preference", "conversion_id"])
    sold = sold.mutate(rank=ibis.row_number().over(first))
    return sold.filter(sold["rank"] == 0).rename("sale_{name}")


def _continuing(rows: ir.Table, sales: ir.Table) -> ir.Table:
    """`rows` with the person, account and deal of the sale they continue, where they have none of their own."""
    joined = rows.left_join(sales, rows.sale_id == sales.sale_record_id)
    own = {name: ibis.coalesce(joined[name], joined[f"sale_{name}"]) for name in _INHERITED}
    return joined.mutate(**own).select(*rows.columns)


def _with_subject(rows: ir.Table, dealing: ir.Table) -> ir.Table:
    """`rows` with subject_id, who the customer is: the account, or else the person, or else the record itself.

    What does not count account-wide is bought by the person's company all the same where the CRM or a group knows
    it, or it has a deal. An e-mail domain alone would make one customer of all who shop with an address at work.
    """
    rows = rows.left_join(dealing, [("company_id", "dealing_id")])
    is_company = rows.company_id.startswith("crm:") | rows.company_id.startswith("group:") | rows.dealing_id.notnull()
    company = is_company.ifelse(rows.company_id, ibis.null("string"))
    nobody = ibis.coalesce(
        ibis.literal("deal:") + rows.deal_id,
        ibis.literal("order:") + rows.order_id,
        ibis.literal("event:") + rows.event_id,
    )
    return rows.mutate(subject_id=ibis.coalesce(rows.account_id, company, rows.person_id, nobody)).drop("dealing_id")


def _marked(rows: ir.Table, settings: Settings) -> ir.Table:
    """`rows` with the first lead and opportunity of their subject until then, where a deal does not have its own."""
    for stage in ("lead", "opportunity"):
        kinds = [kind for kind, each in settings.conversions.items() if stage in (kind, each.stage)]
        reached = rows.filter(rows.kind.isin(kinds) & rows.excluded_reason.isnull())
        first = reached.group_by(first_subject="subject_id").aggregate(first_at=reached.occurred_at.min())
        joined = rows.left_join(first, rows.subject_id == first.first_subject)
        earlier = (joined.first_at <= joined.occurred_at).ifelse(joined.first_at, ibis.null("timestamp"))
        mark = ibis.coalesce(joined[f"{stage}_at"], earlier)
        rows = joined.mutate(**{f"{stage}_at": mark}).select(*rows.columns)
    return rows


def _refunding(refunds: ir.Table, sales: ir.Table) -> ir.Table:
    """`refunds` with everything that is their sale's; journey_id is empty where the sale is not known."""
    joined = refunds.left_join(sales, refunds.sale_id == sales.sale_record_id)
    inherited = {name: ibis.coalesce(joined[f"sale_{name}"], joined[name]) for name in (*_INHERITED, "subject_id")}
    marks = {name: joined[f"sale_{name}"] for name in ("lead_at", "opportunity_at")}
    return joined.mutate(
        **inherited,
        **marks,
        journey_id=joined.sale_conversion_id,
        excluded_reason=ibis.coalesce(joined.excluded_reason, joined.sale_excluded_reason),
    ).select(*refunds.columns, "journey_id")


def _valued(rows: ir.Table, fx_rates: ir.Table, settings: Settings) -> ir.Table:
    """`rows` with conversion_date and value_minor; what does not count is worth nothing where its rate is missing."""
    rows = rows.mutate(conversion_date=local_date(rows.occurred_at, settings.time_zone))
    rates = base_rates(fx_rates, settings.currency)
    joined = rows.left_join(rates, [rows.conversion_date == rates.rate_day, rows.currency == rates.rate_currency])
    rate = (joined.currency == settings.currency).ifelse(1.0, joined.rate)
    needless = joined.value.isnull() | (joined.value == 0) | (joined.excluded_reason.notnull() & rate.isnull())
    minor = needless.ifelse(0, minor_units(joined.value, rate, settings.decimals))
    return joined.mutate(value_minor=minor).select(*rows.columns, "value_minor")


def _judged(rows: ir.Table, settings: Settings) -> ir.Table:
    """`rows` with is_revenue, and is_new_customer for the first counted sale of each subject."""
    kinds = settings.conversions
    is_sale = rows.kind.isin([kind for kind, each in kinds.items() if each.is_sale])
    is_sale = is_sale & rows.excluded_reason.isnull() & (rows.value_minor >= 0)
    rows = rows.mutate(
        is_revenue=rows.kind.isin([kind for kind, each in kinds.items() if each.is_revenue]),
        is_counted_sale=is_sale,
    )
    places = ibis.window(group_by=["subject_id", "is_counted_sale"], order_by=["occurred_at", "conversion_id"])
    rows = rows.mutate(rank=ibis.row_number().over(places))
    return rows.mutate(is_new_customer=rows.is_counted_sale & (rows["rank"] == 0))
