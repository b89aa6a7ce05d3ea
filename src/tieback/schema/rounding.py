"""Rounding that comes out alike everywhere: engines disagree on halves, and some lose digits on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibis.expr import types as ir


def nearest(number: ir.FloatingValue) -> ir.IntegerValue:
    """The whole number nearest to `number`; a half goes up."""
    return (number + 0.5).floor().cast("int64")


def to_six_digits(number: ir.FloatingValue) -> ir.FloatingValue:
    """`number` to six decimal places, by which the noise of binary fractions decides nothing; a half goes up."""
    whole = number.floor().cast("int64").cast("float64")
    return whole + nearest((number - whole) * 1e6).cast("float64") / 1e6
