"""An explanation as a story: what happened, and each model's arithmetic in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tieback.metrics.explanation import Credit, Explanation, Touch

_LARGEST_DENOMINATOR = 100


def story(of: Explanation, time_zone: str) -> list[str]:
    """The lines of the story; times are in `time_zone`."""
    zone = ZoneInfo(time_zone)
    numbers = {touch.touch_id: number for number, touch in enumerate(of.touches, start=1)}
    return [
        *_opening(of, zone, time_zone),
        "",
        "What happened",
        *(line for touch in of.touches for line in _scene(touch, numbers[touch.touch_id], zone)),
        *(["  No touch of the people behind it is known."] if not of.touches else []),
        "",
        *_arithmetic(of, numbers),
        *(f"Note: {note}" for note in of.notes),
    ]


def arithmetic(share: float, credited: Decimal, whole: Decimal) -> str:
    """How a share of the whole became the amount credited, in words: 1/3 of 100.00 = 33.33 + 0.01 rounding = 33.34."""
    if not whole:
        return f"{_share(share)} of it"
    if share == 1:
        return f"all of {whole:,}"
    unit = Decimal(1).scaleb(int(whole.as_tuple().exponent))
    simple = _simple(share)
    exact = whole * simple.numerator / simple.denominator if simple else whole * Decimal(repr(share))
    floor = exact.quantize(unit, ROUND_DOWN)
    rounding = credited - floor
    text = f"{_share(share)} of {whole:,} = {floor:,}"
    if not rounding:
        return text
    return f"{text} {'+' if rounding > 0 else '−'} {abs(rounding):,} rounding = {credited:,}"


def _opening(of: Explanation, zone: ZoneInfo, time_zone: str) -> Iterator[str]:
    conversion = of.conversion
    about = [f"deal {conversion['deal_id']}"] if conversion["deal_id"] else []
    about += [f"order {conversion['order_id']}"] if conversion["order_id"] else []
    amount = f"{of.value:,} {of.base_currency}" if of.value else "no value of its own"
    what = f"{conversion['kind']} of {', '.join(about)}" if about else conversion["kind"]
    yield f"{conversion['conversion_id']}: {what}, {amount}, on {_time(conversion['occurred_at'], zone)} ({time_zone})"
    who = [f"account {conversion['account_id']}"] if conversion["account_id"] else []
    who += [f"person {conversion['person_id']}"] if conversion["person_id"] else []
    yield f"Who: {', '.join(who)}" if who else "Who: not known"


def _scene(touch: Touch, number: int, zone: ZoneInfo) -> Iterator[str]:
    away = (
        f"{touch.days_before:,.1f} days before" if touch.days_before >= 0 else f"{-touch.days_before:,.1f} days after"
    )
    campaign = f" · {touch.campaign}" if touch.campaign else ""
    verdict = "in" if touch.included else f"out: {touch.reason}"
    yield f"  #{number:<3} {_time(touch.occurred_at, zone)}  {away:>18}  {touch.channel}{campaign}"
    source = f", from {touch.file}" if touch.file else ""
    yield f"       {verdict} · {touch.kind}, event {touch.touch_id}{source}"


def _arithmetic(of: Explanation, numbers: dict[str, int]) -> Iterator[str]:
    """Each model's credits, touches of the same credit in one line, and their sum."""
    given = [(touch, model, credit) for touch in of.touches for model, credit in touch.credits.items()]
    known = {model for _, model, _ in given} | set(of.unattributed)
    if not known:
        return
    yield "What each model makes of it"
    for model in (name for name in of.models if name in known):
        groups: dict[tuple[str, Decimal], list[str]] = {}
        total = Decimal(0)
        for touch, of_model, credit in given:
            if of_model == model:
                groups.setdefault(_words(credit, of), []).append(f"#{numbers[touch.touch_id]}")
                total += credit.value
        left = of.unattributed.get(model)
        if left:
            groups.setdefault(_words(left, of), []).append("Unattributed")
            total += left.value
        for place, ((words, _), touches) in enumerate(groups.items()):
            each = " each" if len(touches) > 1 else ""
            yield f"  {model if not place else '':<16} {' '.join(touches)}: {words}{each}"
        if of.value and len(groups) > 1:
            yield f"  {'':<16} together {total:,}"
    yield ""


def _words(credit: Credit, of: Explanation) -> tuple[str, Decimal]:
    return arithmetic(credit.share, credit.value, of.value), credit.value


def _share(share: float) -> str:
    """A share as a simple fraction where it is one, else in percent."""
    fraction = _simple(share)
    if share == 1:
        return "all"
    return f"{fraction.numerator}/{fraction.denominator}" if fraction else f"{share:.4%}"


def _simple(share: float) -> Fraction | None:
    fraction = Fraction(share).limit_denominator(_LARGEST_DENOMINATOR)
    return fraction if abs(float(fraction) - share) < 1e-9 else None


def _time(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"
