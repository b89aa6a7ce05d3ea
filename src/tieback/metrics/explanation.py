"""Explanations: why each touch of a conversion got its credit or none, and how it adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tieback.config import currency_decimals
from tieback.metrics.measures import money

Row = Mapping[str, Any]

_SHOWN = (
    *("conversion_id", "kind", "occurred_at", "person_id", "account_id", "deal_id", "order_id", "event_id"),
    *("value", "currency", "excluded_reason"),
)


@dataclass(frozen=True)
class Credit:
    """A share of the conversion in [0, 1], and its value in the base currency."""

    share: float
    value: Decimal


@dataclass(frozen=True)
class Touch:
    """One touch of the people behind the conversion: in or out, why, and what each model gave it.

    days_before: from the touch to the conversion (of a refund: to its sale); below 0 when it came later.
    file: the file that brought the event it is made of, whose event_id is the touch_id.
    """

    touch_id: str
    occurred_at: datetime
    kind: str
    channel: str
    campaign: str | None
    person_id: str
    days_before: float
    included: bool
    reason: str | None
    credits: dict[str, Credit]
    file: str | None


@dataclass(frozen=True)
class Explanation:
    """A conversion, every touch in order of time, what stayed unattributed by model, and what else a reader must know.

    value: of the conversion in the base currency, by the rate of its day.
    models: in the order in which to tell of them.
    """

    conversion: dict[str, Any]
    value: Decimal
    base_currency: str
    models: tuple[str, ...]
    touches: list[Touch]
    unattributed: dict[str, Credit]
    notes: list[str]


def explanation(
    conversion: Row,
    touches: Sequence[Row],
    credits: Sequence[Row],
    *,
    models: tuple[str, ...],
    base_currency: str,
    decimals: int,
    others: Sequence[str] = (),
) -> Explanation:
    """The explanation of one row of `conversions`.

    touches: its candidates (with reason, seconds_before and the touch's columns), in order of time. credits: its rows
    of `credits`, of `models` alone. others: ids of further conversions of the same deal or order.
    """
    given: dict[Any, dict[str, Credit]] = {}
    for row in sorted(credits, key=lambda row: models.index(row["model"])):
        credit = Credit(round(row["share"], 12), money(row["value_minor"], decimals))
        given.setdefault(row["touch_id"], {})[row["model"]] = credit
    left_out = conversion["excluded_reason"]
    listed = [_touch(row, given.get(row["touch_id"], {}), left_out) for row in touches]
    found = Explanation(
        {name: conversion[name] for name in _SHOWN},
        money(conversion["value_minor"], decimals),
        base_currency,
        models,
        listed,
        given.get(None, {}),
        [],
    )
    return Explanation(**(vars(found) | {"notes": _notes(found, conversion, others)}))


def document(of: Explanation) -> dict[str, Any]:
    """The explanation for machines; money as Decimal in the base currency, instants in UTC."""
    value = {"value_base": of.value, "base_currency": of.base_currency}
    return {
        "conversion": of.conversion | value,
        "touches": [
            {
                "touch_id": touch.touch_id,
                "occurred_at": touch.occurred_at,
                "channel": touch.channel,
                "campaign": touch.campaign,
                "included": touch.included,
                "reason": touch.reason,
                "credits": {model: vars(credit) for model, credit in touch.credits.items()},
            }
            for touch in of.touches
        ],
        "unattributed": {model: vars(credit) for model, credit in of.unattributed.items()},
        "notes": of.notes,
    }


def _touch(row: Row, credits: dict[str, Credit], left_out: str | None) -> Touch:
    reason = row["reason"] or (f"the conversion is left out: {left_out}" if left_out else None)
    return Touch(
        row["touch_id"],
        row["occurred_at"],
        row["kind"],
        row["channel"],
        row["campaign"],
        row["person_id"],
        row["seconds_before"] / 86_400,
        reason is None,
        reason,
        credits,
        row.get("file"),
    )


def _notes(of: Explanation, conversion: Row, others: Sequence[str]) -> list[str]:
    notes = []
    if conversion["excluded_reason"]:
        notes.append(f"It is left out of all numbers: {conversion['excluded_reason']}.")
    else:
        notes += _why_unattributed(of, conversion)
    own = conversion["journey_id"]
    if own and own != conversion["conversion_id"]:
        notes.append(f"It gives back what {own} earned, so it follows the credit of that sale.")
    if conversion["account_id"] and of.touches:
        people = len({touch.person_id for touch in of.touches})
        whose = "1 person" if people == 1 else f"{people} people"
        notes.append(f"The journey is that of the whole account {conversion['account_id']}: touches of {whose}.")
    if not of.value and not conversion["excluded_reason"]:
        notes.append("It has no value of its own: its shares count conversions, not money.")
    elif conversion["currency"] and conversion["currency"] != of.base_currency:
        amount = f"{conversion['value']:,.{currency_decimals(conversion['currency'])}f}"
        notes.append(f"{amount} {conversion['currency']} are {of.value:,} {of.base_currency} by the rate of its day.")
    if others:
        notes.append(f"The same deal or order also has {', '.join(others)}; each can be explained by its id.")
    return notes


def _why_unattributed(of: Explanation, conversion: Row) -> list[str]:
    """Why no touch, or under some models none, was credited."""
    if not of.unattributed:
        return []
    included = [touch for touch in of.touches if touch.included]
    if included:
        models = ", ".join(of.unattributed)
        return [f"Unattributed under {models}: to no touch that is in does that model give weight."]
    start = "All of it is Unattributed: "
    if not conversion["journey_id"]:
        return [start + "it gives back a sale that is not known."]
    if not of.touches:
        return [start + "no touch of the people behind it is known."]
    if all(touch.days_before < 0 for touch in of.touches):
        first = min(-touch.days_before for touch in of.touches)
        later = f"the first one {_length(first)} later; what comes later cannot have led to it."
        return [f"{start}every touch comes after it, {later}"]
    reasons = Counter(touch.reason for touch in of.touches)
    listed = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
    return [start + f"none of its touches may earn credit ({listed})."]


def _length(days: float) -> str:
    """A stretch of time in words."""
    if days < 1:
        hours = max(1, round(days * 24))
        return f"{hours} hour{'s' if hours != 1 else ''}"
    whole = round(days)
    return f"{whole:,} day{'s' if whole != 1 else ''}"
