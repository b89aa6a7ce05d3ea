"""The laws that credit keeps, tried on journeys that chance makes: conservation, causality, symmetry."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attribution.scene import MODELS, Earned, credit, sale, touch

CHANNELS = st.sampled_from(["Direct", "Email", "Paid Search", "Organic Search", "Paid Social"])
DAY = st.integers(1, 28).map(lambda day: f"2026-01-{day:02}T00:00:00")  # few days, so that ties are common
PERSON = st.sampled_from(["ada", "bob"])
VALUE = st.one_of(st.integers(-5, 5), st.integers(-(10**6), 10**6), st.integers(-(10**15), 10**15))
MODEL = st.sampled_from(sorted(MODELS))


@st.composite
def touches(draw: st.DrawFn, ids: str = "t") -> list[dict[str, Any]]:
    """Up to twelve touches of two people in January."""
    count = draw(st.integers(0, 12))
    return [
        touch(
            f"{ids}{n:02}",
            draw(DAY),
            draw(CHANNELS),
            person_id=draw(PERSON),
            kind=draw(st.sampled_from(["visit", "form"])),
        )
        for n in range(count)
    ]


@st.composite
def sales(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to four sales of those people, some with stages, and a refund of the first."""
    stage = st.one_of(st.none(), DAY)
    made = [
        sale(
            f"customer:{n}",
            draw(DAY),
            draw(VALUE),
            person_id=draw(PERSON),
            lead_at=draw(stage),
            opportunity_at=draw(stage),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    refund = sale(
        "refund:1", "2026-02-01T00:00:00", draw(VALUE), journey_id=draw(st.sampled_from(["customer:0", None]))
    )
    return [*made, refund]


def told(found: Earned) -> dict[str, dict[str, tuple[float, int]]]:
    """What was found, under the touches' first names; shares to 12 digits, for sums of floats depend on their order."""
    return {
        name: {str(touch).removeprefix("x-"): (round(share, 12), value) for touch, (share, value) in rows.items()}
        for name, rows in found.items()
    }


@given(touches(), sales(), MODEL)
@settings(max_examples=40)
def test_conservation(met: list[Any], made: list[Any], model: str) -> None:
    """Under every model the credit of a conversion sums to its value, to the unit, and its shares to 1."""
    found = credit(met, made, model)
    assert set(found) == {each["conversion_id"] for each in made}
    for each in made:
        rows = found[each["conversion_id"]].values()
        assert sum(value for _, value in rows) == each["value_minor"]
        assert abs(sum(share for share, _ in rows) - 1) <= 1e-12


@given(touches(), touches("later"), sales(), MODEL)
@settings(max_examples=25)
def test_causality(met: list[Any], later: list[Any], made: list[Any], model: str) -> None:
    """Touches that come after a conversion change nothing of its credit."""
    before = credit(met, made, model)
    after = credit(met + [each | {"occurred_at": "2026-01-29T00:00:00"} for each in later], made, model)
    assert told(after) == told(before)


@given(touches(), sales(), MODEL, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_symmetry(met: list[Any], made: list[Any], model: str, chance: random.Random) -> None:
    """The order of rows is of no account, nor are the ids, as long as they sort the same."""
    first = credit(met, made, model)
    renamed = [each | {"touch_id": f"x-{each['touch_id']}"} for each in met]
    chance.shuffle(renamed)
    again = credit(renamed, chance.sample(made, len(made)), model)
    assert told(again) == told(first)


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("value_minor", [10**17 + 7, -(10**17) + 1, 2**53 + 1])
def test_values_beyond_exact_floats_are_conserved(value_minor: int, count: int) -> None:
    """Even where shares of floats cannot tell single units any more (16 apart at 10^17), the units sum to the value."""
    met = [touch(f"t{n:03}", f"2026-01-01T00:{n // 60:02}:{n % 60:02}") for n in range(count)]
    found = credit(met, [sale("customer:1", "2026-01-02T00:00:00", value_minor)], "time_decay", half_life=0.01)
    assert sum(value for _, value in found["customer:1"].values()) == value_minor
