"""Journeys worked by hand: what each model gives, with the arithmetic beside it.

The journey of four: ada meets Paid Social on day 1 (a), Organic Search on day 11 (b), Email on day 21 (c) and comes
directly on day 31 (d). She became a lead on day 12 (mark: b) and an opportunity on day 22 (mark: c), and buys for
100.00 at that last visit: days before are 30, 20, 10 and 0.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.attribution.scene import credit, minor, sale, touch

A = touch("a", "2026-01-01T12:00:00", "Paid Social")
B = touch("b", "2026-01-11T12:00:00", "Organic Search")
C = touch("c", "2026-01-21T12:00:00", "Email")
D = touch("d", "2026-01-31T12:00:00", "Direct")
MARKS = {"lead_at": "2026-01-12T00:00:00", "opportunity_at": "2026-01-22T00:00:00"}
SALE = sale("customer:1", "2026-01-31T12:00:00", 100_00, **MARKS)

FOUR = {
    "first_touch": {"a": 100_00},
    "last_touch": {"d": 100_00},
    "last_non_direct": {"c": 100_00},  # d is Direct
    "last_paid": {"a": 100_00},  # the only paid one
    "linear": {"a": 25_00, "b": 25_00, "c": 25_00, "d": 25_00},
    "position_based": {"a": 40_00, "b": 10_00, "c": 10_00, "d": 40_00},  # 20 % over two
    "j_shaped": {"a": 20_00, "b": 10_00, "c": 10_00, "d": 60_00},
    "inverse_j": {"a": 60_00, "b": 10_00, "c": 10_00, "d": 20_00},
    # half-life 10 days: weights 2^-3, 2^-2, 2^-1, 1 = 1, 2, 4, 8 of 15: 666.67 1333.33 2666.67 5333.33 cents;
    # rounded down 666 + 1333 + 2666 + 5333 = 9998; the two units left go to the fractions .67: a and c
    "time_decay": {"a": 6_67, "b": 13_33, "c": 26_67, "d": 53_33},
    "u_shaped": {"a": 50_00, "b": 50_00},
    "w_shaped": {"a": 30_00, "b": 30_00, "c": 30_00, "d": 10_00},  # d is the only other
    "full_path": {"a": 25_00, "b": 25_00, "c": 25_00, "d": 25_00},  # no others: 22.5 % each of 90 %
    # first 2, others 1, lead adds 1, Direct times 0: 2 + 2 + 1 + 0 = 5
    "custom": {"a": 40_00, "b": 40_00, "c": 20_00},
}
PARAMETERS: dict[str, dict[str, Any]] = {"time_decay": {"half_life": 10.0}}


@pytest.mark.parametrize("model", FOUR)
def test_a_journey_of_four(model: str) -> None:
    """Each model shares out 100.00 as worked out above."""
    assert minor(credit([D, B, A, C], [SALE], model, **PARAMETERS.get(model, {})), "customer:1") == FOUR[model]


TWO = {
    "first_touch": {"a": 100_00},
    "last_touch": {"c": 100_00},
    "last_non_direct": {"c": 100_00},
    "last_paid": {"a": 100_00},
    "linear": {"a": 50_00, "c": 50_00},
    "position_based": {"a": 50_00, "c": 50_00},  # 40 : 40
    "j_shaped": {"a": 25_00, "c": 75_00},  # 20 : 60
    "inverse_j": {"a": 75_00, "c": 25_00},  # 60 : 20
    "time_decay": {"a": 20_00, "c": 80_00},  # two half-lives of 10 days apart: 1 : 4
    "u_shaped": {"a": 100_00},  # a made the lead too (c came later): 50 % + 50 %
    "w_shaped": {"a": 66_67, "c": 33_33},  # a: first and lead, c: opportunity; no others: 60 : 30
    "full_path": {"a": 50_00, "c": 50_00},  # a: first and lead; c: opportunity and close
    "custom": {"a": 75_00, "c": 25_00},  # 2 + 1 : 1
}


@pytest.mark.parametrize("model", TWO)
def test_a_journey_of_two(model: str) -> None:
    """Marks that fall on one touch add up, and shares of touches that are not there go to those that are."""
    assert minor(credit([A, C], [SALE], model, **PARAMETERS.get(model, {})), "customer:1") == TWO[model]


@pytest.mark.parametrize("model", TWO)
def test_a_journey_of_one(model: str) -> None:
    """The only touch takes everything, however long ago."""
    assert credit([A], [SALE], model, **PARAMETERS.get(model, {})) == {"customer:1": {"a": (1.0, 100_00)}}


@pytest.mark.parametrize("model", TWO)
def test_no_touch_at_all(model: str) -> None:
    """A conversion without touch is Unattributed, with all its value."""
    assert credit([], [SALE], model) == {"customer:1": {None: (1.0, 100_00)}}


def test_w_shaped_with_five_touches_and_a_missing_mark() -> None:
    """Without an opportunity its 30 % go to the rest in proportion: 30 + 30 + 10 become the whole.

    a (first) 3/7, b (lead) 3/7, c d e share 1/7: 4285.71 4285.71 476.19 × 3; rounded down 4285 + 4285 + 3 × 476 = 9998;
    the two units left go to the fractions .71: a and b.
    """
    touches = [A, B, C, D, touch("e", "2026-01-31T12:00:00")]
    found = credit(touches, [SALE | {"opportunity_at": None}], "w_shaped")
    assert minor(found, "customer:1") == {"a": 42_86, "b": 42_86, "c": 4_76, "d": 4_76, "e": 4_76}


def test_a_stage_before_the_first_touch_marks_nothing() -> None:
    """A lead that came before every touch was made by none: the first touch takes the lead's half too."""
    found = credit([A, B], [SALE | {"lead_at": "2025-12-31T00:00:00"}], "u_shaped")
    assert minor(found, "customer:1") == {"a": 100_00}


def test_a_stage_at_the_second_of_a_touch_is_marked_by_it() -> None:
    """The last touch at or before the stage: b at 12:00:00 marks a lead of 12:00:00."""
    found = credit([A, B, C], [SALE | {"lead_at": "2026-01-11T12:00:00"}], "u_shaped")
    assert minor(found, "customer:1") == {"a": 50_00, "b": 50_00}


def test_ties_in_time_go_by_the_id_of_the_touch() -> None:
    """Of two touches at the same instant the smaller id comes first, whichever was written first."""
    at = "2026-01-05T00:00:00"
    for touches in ([touch("x", at), touch("y", at)], [touch("y", at), touch("x", at)]):
        assert minor(credit(touches, [SALE], "first_touch"), "customer:1") == {"x": 100_00}
        assert minor(credit(touches, [SALE], "last_touch"), "customer:1") == {"y": 100_00}


def test_left_over_units_go_to_the_earlier_touch_when_fractions_tie() -> None:
    """100.00 over three is 33.33 each and one unit left; all fractions tie, so the first touch gets it."""
    assert minor(credit([A, B, C], [SALE], "linear"), "customer:1") == {"a": 33_34, "b": 33_33, "c": 33_33}


def test_a_value_of_nothing_still_has_shares() -> None:
    """A lead is worth no money, yet it is shared: half a lead each."""
    found = credit([A, B], [sale("lead:1", "2026-01-31T00:00:00", 0)], "linear")
    assert found == {"lead:1": {"a": (0.5, 0), "b": (0.5, 0)}}


def test_fewer_units_than_touches() -> None:
    """One cent over four is not divisible: the first touch gets it, all keep their quarter."""
    found = credit([A, B, C, D], [SALE | {"value_minor": 1}], "linear")
    assert found["customer:1"] == {"a": (0.25, 1), "b": (0.25, 0), "c": (0.25, 0), "d": (0.25, 0)}


def test_last_non_direct_falls_back_on_direct() -> None:
    """When every touch is Direct, the last of them takes it."""
    touches = [touch("a", "2026-01-01T00:00:00", "Direct"), touch("b", "2026-01-02T00:00:00", "Direct")]
    for model in ("last_non_direct", "last_paid"):
        assert minor(credit(touches, [SALE], model), "customer:1") == {"b": 100_00}


def test_last_paid_falls_back_on_the_last_that_is_not_direct() -> None:
    """Nobody paid for b, c or d: c is the last that is not Direct."""
    assert minor(credit([B, C, D], [SALE], "last_paid"), "customer:1") == {"c": 100_00}


def test_weights_of_nothing_leave_a_conversion_unattributed() -> None:
    """When your own factors take all weight from a journey, nobody gets the credit by the back door."""
    assert credit([D], [SALE], "custom", kinds={"visit": 0}) == {"customer:1": {None: (1.0, 100_00)}}


def test_an_old_lone_touch_survives_a_tiny_half_life() -> None:
    """2^-30000 is not a number above 0 on any machine; the only touch takes everything all the same."""
    assert minor(credit([A], [SALE], "time_decay", half_life=0.001), "customer:1") == {"a": 100_00}


def test_a_full_refund_takes_back_what_each_touch_was_given() -> None:
    """-100.00 over the three touches of the sale: each touch ends at 0, though one of them got the odd cent."""
    refund = sale("refund:9", "2026-03-01T00:00:00", -100_00, journey_id="customer:1")
    later = touch("z", "2026-02-15T00:00:00")  # after the sale: no business of the refund's
    for model in FOUR:
        found = credit([A, B, C, later], [SALE, refund], model)
        given, taken = minor(found, "customer:1"), minor(found, "refund:9")
        assert {touch_id: -value for touch_id, value in taken.items()} == given, model
    (first, *_) = credit([A, B, C], [SALE, refund], "linear")["refund:9"].items()
    assert first == ("a", (pytest.approx(1 / 3, abs=1e-9), -33_34))


def test_a_partial_refund_follows_the_shares_of_its_sale() -> None:
    """-10.00 over a 40/20/40 journey of three: -4.00, -2.00, -4.00."""
    refund = sale("refund:9", "2026-03-01T00:00:00", -10_00, journey_id="customer:1")
    found = credit([A, B, C], [SALE, refund], "position_based")
    assert minor(found, "refund:9") == {"a": -4_00, "b": -2_00, "c": -4_00}


def test_a_refund_of_an_unknown_sale_is_unattributed() -> None:
    """It lowers revenue, but no touch pays for a sale that nobody knows."""
    refund = sale("refund:9", "2026-03-01T00:00:00", -10_00, journey_id=None)
    assert credit([A], [refund], "linear") == {"refund:9": {None: (1.0, -10_00)}}


def test_a_conversion_that_is_left_out_earns_nobody_anything() -> None:
    """An excluded conversion has no journey, no credit and no unattributed row."""
    assert credit([A], [SALE | {"excluded_reason": "internal traffic"}], "linear") == {}
