"""Performance: everything a report adds up, by day, basis, model and dimension."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from tieback.metrics.dimensions import UNATTRIBUTED
from tieback.schema.opinions import REFUSED
from tieback.schema.remembered import remembered
from tieback.schema.rounding import nearest, to_six_digits

if TYPE_CHECKING:
    from ibis.expr import types as ir

    from tieback.schema.builder import Builder

KEYS = ("channel", "source", "medium", "campaign", "content", "ad", "keyword", "landing_page")
BASES = ("conversion", "touch", "spend")
_CREDITED = (
    "leads",
    "customers",
    "sales",
    "repeat_customers",
    "revenue_minor",
    "sales_minor",
    "lifetime_minor",
    "cycle_days",
    "cycles",
    "lead_credits",
    "sale_credits",
)
_OBSERVED = ("cost_minor", "impressions", "clicks", "visits")

# Counts by share are added up in whole parts, which have one sum in any order; shares are made of such parts.
PARTS = {
    **dict.fromkeys(("leads", "customers", "sales", "repeat_customers", "cycles"), 10**11),
    "cycle_days": 10**6,
}


@remembered
def earned(lines: ir.Table, cells: ir.Table, costs: ir.Table, basis: str, split: tuple[str, ...] = ()) -> ir.Table:
    """The rows of PERFORMANCE that come from credit, for one of BASES.

    basis `conversion` dates credit by the conversion's day, `touch` by the day of the touch that earned it
    (Unattributed: by the conversion's), `spend` likewise, where that day, channel and campaign has a cost.
    lines, split: as `credit_lines` gives and takes them. cells: as `cells` gives them. costs: as declared.
    """
    import ibis

    if basis == "spend":
        spent = cells_of_spend(costs)
        placed = cells.select("cell", "channel", cell_campaign=cells.campaign.fill_null(""))
        placed = lines.join(placed.semi_join(spent, ["channel", "cell_campaign"]), "cell")
        shown = placed.semi_join(spent, [("touch_date", "date"), "channel", "cell_campaign"])
        lines = shown.select(*lines.columns)
    day = lines.conversion_date if basis == "conversion" else ibis.coalesce(lines.touch_date, lines.conversion_date)
    named = _measured(lines, day, split).left_join(cells, "cell")
    named = named.mutate(channel=named.channel.fill_null(UNATTRIBUTED), basis=ibis.literal(basis))
    return named.select("date", "basis", "model", *KEYS, *split, *_CREDITED, **_zeros(_OBSERVED), records="records")


@remembered
def credit_lines(
    credits: ir.Table, touches: ir.Table, sales: ir.Table, marked: ir.Table, split: tuple[str, ...] = ()
) -> ir.Table:
    """Each credit that counts towards something: its model, its two days, the cell of its touch, and how much it is.

    touches: as `celled` gives them; sales, marked: as `first_sales` and `marked` do, with the same `split`.
    Columns: model, conversion_date, touch_date, cell, *split, `marks` (what it counts towards), value_minor, share and
    share_days in whole parts.
    """
    # Credit is many times larger than all else: it is read once, and what many lines have in common (the touch's
    # dimensions, what the conversion counts towards) goes along as one number each.
    lines = _lines(credits, marked, split).union(_repeat_revenue(credits, sales, split))
    dated = lines.left_join(touches.select("touch_id", "touch_date", "cell"), "touch_id")
    return dated.select(*(name for name in lines.columns if name != "touch_id"), "touch_date", "cell")


def is_sale(conversions: ir.Table) -> ir.BooleanValue:
    """True for revenue that is no refund, which has no journey of its own, and no other amount given back."""
    own = (conversions.journey_id == conversions.conversion_id).fill_null(False)
    return conversions.is_revenue & own & (conversions.value_minor >= 0)


@remembered
def cells(touches: ir.Table) -> ir.Table:
    """Each combination of the KEYS on `touches`, numbered: cell and the KEYS."""
    import ibis

    each = touches.select(*KEYS).distinct()
    return each.mutate(cell=ibis.row_number().over(order_by=[each[key] for key in KEYS]))


@remembered
def celled(touches: ir.Table, cells: ir.Table) -> ir.Table:
    """The `touches` by the cell that stands for the KEYS of them in `cells`: touch_id, touch_date, cell."""
    touches = touches.select("touch_id", "touch_date", *KEYS)
    ours, theirs = _comparable(touches), _comparable(cells)
    known = cells.select("cell", **theirs)
    named = touches.select("touch_id", "touch_date", **ours)
    return named.inner_join(known, list(theirs)).select("touch_id", "touch_date", "cell")


def _comparable(rows: ir.Table) -> dict[str, ir.Value]:
    """The KEYS of `rows` so that an empty one equals an empty one, and no other: texts, and which of them are empty."""
    import ibis

    texts = {f"cell_{key}": rows[key].fill_null("") for key in KEYS}
    empty = reduce(add, (ibis.ifelse(rows[key].isnull(), 2**place, 0) for place, key in enumerate(KEYS)))
    return {**texts, "cell_empty": empty.cast("int64")}


@remembered
def observed(touchpoints: ir.Table, costs: ir.Table) -> ir.Table:
    """The rows of PERFORMANCE that need no credit: cost, impressions, clicks and visits, model and basis empty."""
    import ibis

    counts = touchpoints.excluded_reason.isnull() | (touchpoints.excluded_reason == REFUSED)
    seen = touchpoints.filter(touchpoints.is_measured & counts & touchpoints.kind.isin(["visit", "form"]))
    visits = seen.group_by(date=seen.touch_date, **{key: seen[key] for key in KEYS}).aggregate(visits=seen.count())
    visits = visits.select("date", *KEYS, **(_zeros(_OBSERVED) | {"visits": visits.visits}), records=visits.visits)
    spent = costs.select(
        "cost_minor", "impressions", "clicks", date=costs.spend_date, **{key: costs[key] for key in KEYS}
    )
    no_visits = {"visits": ibis.literal(0, "int64"), "records": ibis.literal(1, "int64")}
    spent = spent.select("date", *KEYS, "cost_minor", "impressions", "clicks", **no_visits)
    both = visits.union(spent)
    summed = both.group_by("date", *KEYS).aggregate(**{name: both[name].sum() for name in (*_OBSERVED, "records")})
    return summed.select(
        "date",
        **{key: summed[key] for key in KEYS},
        basis=ibis.literal(""),
        model=ibis.literal(""),
        **{name: summed[name] for name in _OBSERVED},
        **_zeros(_CREDITED),
        records=summed.records,
    ).select("date", "basis", "model", *KEYS, *_CREDITED, *_OBSERVED, "records")


# What a conversion counts towards, as bits of one number.
_MARKS = {"lead": 1, "revenue": 2, "sale": 4, "customer": 8, "repeat": 16, "lifetime": 32, "cycle": 64}


@remembered
def marked(conversions: ir.Table, sales: ir.Table, split: tuple[str, ...] = ()) -> ir.Table:
    """The conversions that count towards something, `marks` says towards what: conversion_id, conversion_date, *split,
    marks, first_days.

    sales: as `first_sales` gives them.
    """
    import ibis

    known = conversions.left_join(sales, conversions.conversion_id == sales.sale_id)
    counts_towards = {
        "lead": known.kind == "lead",
        "revenue": known.is_revenue,
        "sale": is_sale(known),
        "customer": known.sale_id.notnull(),
        "repeat": known.sales_to_date.fill_null(0) > 1,
        "lifetime": (known.lifetime_minor == known.sale_minor).fill_null(ibis.literal(value=False)),
        "cycle": known.first_days.notnull(),
    }
    marks = reduce(add, (ibis.ifelse(counts_towards[name], bit, 0) for name, bit in _MARKS.items()))
    every = known.select(
        "conversion_id",
        "conversion_date",
        *split,
        marks=marks.cast("int16"),
        first_days=known.first_days.fill_null(0.0),
    )
    return every.filter(every.marks > 0)


def _lines(credits: ir.Table, marked: ir.Table, split: tuple[str, ...]) -> ir.Table:
    """Each credit that counts towards something."""
    line = credits.join(marked, "conversion_id")
    return line.select(
        "model",
        "touch_id",
        "conversion_date",
        *split,
        "marks",
        "value_minor",
        share=_parts(line.share, "leads"),
        share_days=_parts(line.share * line.first_days, "cycle_days"),
    )


def _measured(lines: ir.Table, day: ir.DateValue, split: tuple[str, ...]) -> ir.Table:
    """The measures of `lines` by day, model and cell."""
    import ibis

    def towards(mark: str, amount: ir.Value) -> ir.Value:
        return ibis.ifelse((lines.marks & _MARKS[mark]) > 0, amount, 0).sum()

    share, value, one = lines.share, lines.value_minor, ibis.literal(1, "int64")
    summed = lines.group_by("model", "cell", *split, date=day).aggregate(
        leads=towards("lead", share),
        customers=towards("customer", share),
        sales=towards("sale", share),
        repeat_customers=towards("repeat", share),
        revenue_minor=towards("revenue", value),
        sales_minor=towards("sale", value),
        lifetime_minor=towards("lifetime", value),
        cycle_days=towards("cycle", lines.share_days),
        cycles=towards("cycle", share),
        lead_credits=towards("lead", one),
        sale_credits=towards("sale", one),
        records=lines.count(),
    )
    return summed.mutate(**{name: _whole(summed[name], name) for name in PARTS})


def _parts(amount: ir.FloatingValue, name: str) -> ir.IntegerValue:
    """An amount of the measure `name` in its parts."""
    return nearest(amount * float(PARTS[name]))


def _whole(parts: ir.IntegerValue, name: str) -> ir.FloatingValue:
    """The amount that so many parts of the measure `name` are."""
    return parts.cast("float64") / float(PARTS[name])


def sold_by_steps(
    engine: Builder, conversions: ir.Table, journeys: ir.Table, split: tuple[str, ...] = ()
) -> tuple[ir.Table, ir.Table]:
    """`first_sales` and what is `marked` by them, both kept: what `credit_lines` needs to know of conversions."""
    sales = engine.scratch("first_sales", first_sales(conversions, journeys, split))
    return sales, engine.scratch("marked", marked(conversions, sales, split))


@remembered
def first_sales(conversions: ir.Table, journeys: ir.Table, split: tuple[str, ...] = ()) -> ir.Table:
    """The sale that made each customer: its value, the subject's sales and revenue to date, days from first touch.

    conversions, journeys: as declared. split: columns of `conversions`, beyond its own, to keep apart and to carry
    along; account attributes, say. Columns: sale_id, sale_date, sale_minor, first_days, sale_… of `split`,
    lifetime_minor, sales_to_date.
    """
    import ibis

    counted = conversions.filter(conversions.excluded_reason.isnull())
    revenue = counted.filter(counted.is_revenue)
    subjects = revenue.group_by(buyer_id="subject_id").aggregate(
        lifetime_minor=revenue.value_minor.sum(),
        sales_to_date=ibis.ifelse(is_sale(revenue), 1, 0).sum(),
    )
    opening = journeys.filter(journeys.conversion_id.notnull() & (journeys.position == 1)).select(
        opened_id="conversion_id", first_days="days_before"
    )
    first = counted.filter(counted.is_new_customer)
    first = first.select(
        "subject_id", *split, sale_id="conversion_id", sale_date="conversion_date", sale_minor="value_minor"
    )
    joined = first.left_join(subjects, first.subject_id == subjects.buyer_id)
    joined = joined.left_join(opening, joined.sale_id == opening.opened_id)
    return joined.select(
        "sale_id",
        "sale_date",
        "sale_minor",
        "first_days",
        **{f"sale_{column}": joined[column] for column in split},
        lifetime_minor=joined.lifetime_minor.fill_null(0),
        sales_to_date=joined.sales_to_date.fill_null(0),
    )


def _repeat_revenue(credits: ir.Table, sales: ir.Table, split: tuple[str, ...]) -> ir.Table:
    """Lifetime revenue of those who bought more (or gave back) than once, split like the credit of their first sale.

    Rounding what has been given out so far, touch by touch, makes the parts add up to the whole, to the cent.
    """
    import ibis

    more = sales.filter(sales.lifetime_minor != sales.sale_minor)
    line = credits.join(more, credits.conversion_id == more.sale_id)
    keys, order = [line.model, line.conversion_id], line.touch_id
    line = line.mutate(given=line.share.sum().over(ibis.cumulative_window(group_by=keys, order_by=order)))
    line = line.mutate(until=nearest(to_six_digits(line.lifetime_minor * line.given)))
    before = line.until.lag().over(ibis.window(group_by=["model", "conversion_id"], order_by="touch_id")).fill_null(0)
    return line.select(
        "model",
        "touch_id",
        conversion_date="sale_date",
        **{column: line[f"sale_{column}"] for column in split},
        marks=ibis.literal(_MARKS["lifetime"], "int16"),
        share=ibis.literal(0, "int64"),
        value_minor=line.until - before,
        share_days=ibis.literal(0, "int64"),
    )


@remembered
def on_spend(rows: ir.Table, costs: ir.Table) -> ir.Table:
    """The rows of basis `spend`: those of `rows` with basis `touch` whose day, channel and campaign has a cost."""
    import ibis

    spent = cells_of_spend(costs)
    dated = rows.filter(rows.basis == "touch").mutate(cell_campaign=ibis._.campaign.fill_null(""))
    shown = dated.semi_join(spent, ["date", "channel", "cell_campaign"])
    return shown.mutate(basis=ibis.literal("spend")).select(*rows.columns)


@remembered
def cells_of_spend(costs: ir.Table) -> ir.Table:
    """The days, channels and campaigns (empty rather than null) that have a cost: date, channel, cell_campaign."""
    return costs.select(
        date=costs.spend_date, channel=costs.channel, cell_campaign=costs.campaign.fill_null("")
    ).distinct()


def _zeros(names: tuple[str, ...]) -> dict[str, ir.Value]:
    """A zero of the right type for each measure."""
    import ibis

    return {name: ibis.literal(0.0, "float64") if name in PARTS else ibis.literal(0, "int64") for name in names}
