"""Journeys: the touches that may earn credit for a conversion, in order, and the paths that have not converted."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.attribution.parts import in_part
from tieback.config import Settings, Touches
from tieback.schema.remembered import remembered

VIEWS = ("ad_view", "email_open")
_DAY = 86_400

_TOUCH = ("touch_id", "occurred_at", "kind", "channel", "is_paid")
_JOURNEY = (
    *("path_id", "conversion_id", "touch_id", "position", "length", "days_before", "occurred_at", "converted_at"),
    *("kind", "channel", "is_paid", "is_lead_touch", "is_opportunity_touch"),
)


@remembered
def candidates(touchpoints: ir.Table, conversions: ir.Table, members: ir.Table, settings: Settings) -> ir.Table:
    """Every touch of a conversion's members, with the reason why it may earn no credit.

    touchpoints, conversions: as declared. members: conversion_id, person_id: whose touches count.
    Grain: conversion × touch. Columns: conversion_id, converted_at, journey_at, lead_at, opportunity_at,
    seconds_before, reason (empty when the touch may earn credit) and the touch's touch_id, person_id, occurred_at,
    kind, channel, is_paid.

    A refund has the touches of the sale whose journey it follows, judged as of the sale: journey_at and seconds_before
    are the sale's, converted_at is the refund's. Conversions without a journey of their own or a known sale have no
    rows.
    Times are compared to the second; a touch exactly as old as the lookback window is in.
    """
    paths = _paths(conversions, settings).join(members, "conversion_id").drop("conversion_id")
    touches = touchpoints.select("person_id", *_TOUCH, "excluded_reason")
    met = paths.join(touches, "person_id")
    seconds = met.journey_at.epoch_seconds().floor() - met.occurred_at.epoch_seconds().floor()
    met = met.mutate(seconds_before=seconds)
    return met.select(
        "person_id",
        *_TOUCH,
        "converted_at",
        "journey_at",
        "lead_at",
        "opportunity_at",
        "seconds_before",
        conversion_id=met.path_id,
        reason=_reason(met, settings.touches),
    )


@remembered
def converted_paths(touchpoints: ir.Table, conversions: ir.Table, members: ir.Table, settings: Settings) -> ir.Table:
    """The paths of all counted conversions, as the table `journeys` has them.

    Touches are in order of time, then of touch_id; days_before is in days of 86,400 seconds.
    """
    touches, conversions = _credited(touchpoints, settings.touches), _counted(conversions)
    met = candidates(touches, conversions, members, settings)
    met = met.filter(met.reason.isnull())
    places = ibis.window(group_by="conversion_id", order_by=["occurred_at", "touch_id"])
    placed = met.select(
        *_TOUCH,
        "conversion_id",
        "converted_at",
        "seconds_before",
        position=ibis.row_number().over(places) + 1,
        length=met.count().over(places),
        until_lead=_touches_until(met, met.lead_at).over(places),
        until_opportunity=_touches_until(met, met.opportunity_at).over(places),
    )
    return placed.mutate(
        path_id=placed.conversion_id,
        days_before=placed.seconds_before / float(_DAY),
        is_lead_touch=placed.position == placed.until_lead,
        is_opportunity_touch=placed.position == placed.until_opportunity,
    ).select(*_JOURNEY)


@remembered
def open_paths(touchpoints: ir.Table, conversions: ir.Table, members: ir.Table, settings: Settings) -> ir.Table:
    """The paths that have not converted, likewise: path_id is "open:" and an account, or else a person.

    They hold the touches since that person last converted.
    """
    touches, conversions = _credited(touchpoints, settings.touches), _counted(conversions)
    sales = conversions.filter(conversions.journey_id == conversions.conversion_id)
    closed = members.join(sales.select("conversion_id", closed_at=sales.occurred_at), "conversion_id")
    closed = closed.group_by("person_id").aggregate(closed_at=closed.closed_at.max())
    left = touches.left_join(closed, "person_id")
    left = left.filter(left.closed_at.isnull() | (left.occurred_at > left.closed_at))
    left = left.select(*_TOUCH, subject_id=_subject(left))
    places = ibis.window(group_by="subject_id", order_by=["occurred_at", "touch_id"])
    placed = left.mutate(
        position=ibis.row_number().over(places) + 1,
        length=left.count().over(places),
        ended_at=left.occurred_at.max().over(places),
    )
    seconds = placed.ended_at.epoch_seconds().floor() - placed.occurred_at.epoch_seconds().floor()
    return placed.mutate(
        path_id=ibis.literal("open:") + placed.subject_id,
        conversion_id=ibis.null("string"),
        converted_at=ibis.null("timestamp"),
        days_before=seconds / float(_DAY),
        is_lead_touch=ibis.literal(value=False),
        is_opportunity_touch=ibis.literal(value=False),
    ).select(*_JOURNEY)


@remembered
def of_subjects(touchpoints: ir.Table, part: int, parts: int) -> ir.Table:
    """The touchpoints of one of so many `parts` of all accounts, and persons without one; the first part is 0."""
    return touchpoints if parts == 1 else touchpoints.filter(in_part(_subject(touchpoints), part, parts))


def _subject(touches: ir.Table) -> ir.StringColumn:
    return ibis.coalesce(touches.account_id, touches.person_id)


def _credited(touchpoints: ir.Table, settings: Touches) -> ir.Table:
    """The touches that may earn credit of anything."""
    touches = touchpoints.filter(touchpoints.excluded_reason.isnull())
    return touches if settings.credit_views else touches.filter(touches.kind.notin(VIEWS))


def _counted(conversions: ir.Table) -> ir.Table:
    return conversions.filter(conversions.excluded_reason.isnull())


def _paths(conversions: ir.Table, settings: Settings) -> ir.Table:
    """Each conversion (path_id) with the one whose journey it has (conversion_id): itself, or a refund's sale."""
    lookback = {kind: round(conversion.lookback_days * _DAY) for kind, conversion in settings.conversions.items()}
    followed = conversions.select(
        "conversion_id",
        "lead_at",
        "opportunity_at",
        journey_at=conversions.occurred_at,
        conversion_kind=conversions.kind,
        lookback_seconds=conversions.kind.cases(*lookback.items(), else_=0),
    )
    own = conversions.select("journey_id", path_id=conversions.conversion_id, converted_at=conversions.occurred_at)
    return own.join(followed, own.journey_id == followed.conversion_id).drop("journey_id")


def _reason(met: ir.Table, settings: Touches) -> ir.StringColumn:
    """Why a touch that was met may earn no credit, in the order in which a reader would ask; NULL when it may."""
    rules: list[tuple[ir.BooleanColumn, ir.StringValue]] = [
        (met.excluded_reason.notnull(), met.excluded_reason),
        (met.occurred_at > met.journey_at, ibis.literal("after the conversion")),
        (
            met.seconds_before > met.lookback_seconds,
            ibis.literal("before the lookback window of conversions of kind ") + met.conversion_kind,
        ),
    ]
    if not settings.credit_views:
        rules.insert(1, (met.kind.isin(VIEWS), ibis.literal("views are not credited")))
    for kind, days in sorted(settings.lookback_days.items()):
        too_old = (met.kind == kind) & (met.seconds_before > round(days * _DAY))
        rules.append((too_old, ibis.literal(f"before the lookback window of {days:g} days for touches of kind {kind}")))
    return ibis.cases(*rules, else_=ibis.null("string"))


def _touches_until(met: ir.Table, stage_at: ir.TimestampColumn) -> ir.IntegerScalar:
    """How many touches came at or before `stage_at`: the place of the touch that earns its mark, 0 for none."""
    return (met.occurred_at <= stage_at).ifelse(1, 0).sum()
