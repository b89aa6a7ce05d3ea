"""The SQL of ClickHouse where ibis' own compiler gives another answer than on other engines."""

# ruff: noqa: N802, N815 (the names of methods are ibis')

from __future__ import annotations

from typing import Any, ClassVar

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql import compilers
from ibis.backends.sql.datatypes import ClickHouseType


class Types(ClickHouseType):  # type: ignore[misc]  # ibis ships no types
    """Days as Date32: a Date holds none before 1970. Instants to the microsecond."""

    @classmethod
    def from_ibis(cls, dtype: dt.DataType) -> Any:
        """The type of a column."""
        if dtype.is_date():
            kind = sge.DataType(this=sge.DataType.Type.DATE32)
        elif dtype.is_timestamp():
            kind = sge.DataType(this=sge.DataType.Type.DATETIME64, expressions=[sge.convert(6)])
        else:
            return super().from_ibis(dtype)
        kind.set("nullable", dtype.nullable)
        return kind


class Compiler(compilers.ClickHouseCompiler):  # type: ignore[misc]  # ibis ships no types
    """Text by characters rather than bytes, NULL before the first row, and halves rounded away from zero."""

    __slots__ = ()

    type_mapper = Types

    SIMPLE_OPS: ClassVar[dict[type[ops.Node], str]] = {
        ops.Date: "toDate32",
        ops.Lowercase: "lowerUTF8",
        ops.Uppercase: "upperUTF8",
        ops.StringLength: "lengthUTF8",
        ops.StrRight: "rightUTF8",
    }

    @staticmethod
    def _minimize_spec(op: Any, spec: Any) -> Any:
        """No frame for ranks, which have none: with one, ClickHouse tells empty cells apart."""
        return None if isinstance(op.func, ops.RankBase | ops.NTile) else spec

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: dt.DataType) -> Any:
        """Days and instants in the types that tables have."""
        if dtype.is_date():
            return self.f.toDate32(value.isoformat())
        if dtype.is_timestamp():
            return self.f.toDateTime64(value.isoformat(sep=" ", timespec="microseconds")[:26], 6)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_CountStar(self, op: Any, *, arg: Any, where: Any) -> Any:
        """With a sign: what has none does not go with what has one, in UNION for instance."""
        return self.f.toInt64(super().visit_CountStar(op, arg=arg, where=where))

    def visit_Count(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Likewise."""
        return self.f.toInt64(self.agg.count(arg, where=where))

    def visit_CountDistinct(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Likewise, and exact."""
        return self.f.toInt64(self.agg.uniqExact(arg, where=where))

    def visit_Sum(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Likewise: a sum of literals would have none."""
        summed = self.agg.sum(arg, where=where)
        return self.f.toInt64(summed) if op.dtype.is_integer() else summed

    def visit_WindowFunction(self, op: Any, *, func: Any, **frame: Any) -> Any:
        """The sign comes after the window: `toInt64(count(*) OVER …)`."""
        is_whole_sum = isinstance(op.func, ops.Sum) and op.func.dtype.is_integer()
        if is_whole_sum or isinstance(op.func, ops.CountStar | ops.Count | ops.CountDistinct):
            return self.f.toInt64(super().visit_WindowFunction(op, func=func.expressions[0], **frame))
        return super().visit_WindowFunction(op, func=func, **frame)

    def visit_Substring(self, op: Any, *, arg: Any, start: Any, length: Any) -> Any:
        """By characters, from 0; a start below counts from the end."""
        first = self.if_(start >= 0, start + 1, start)
        return self.f.substringUTF8(arg, first) if length is None else self.f.substringUTF8(arg, first, length)

    def visit_StringFind(self, op: Any, *, arg: Any, substr: Any, start: Any, end: Any) -> Any:
        """By characters too, so that what is found here can be cut there."""
        assert start is None
        assert end is None
        return self.f.positionUTF8(arg, substr)

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:
        """With the fraction of the second, as DuckDB gives it."""
        return self.f.toUnixTimestamp64Micro(arg) / sge.Literal.number("1000000.0")

    def visit_LagLead(self, op: Any, *, arg: Any, offset: Any, default: Any) -> Any:
        """NULL where there is no such row: ClickHouse gives a column that is never NULL an empty text or a zero."""
        return super().visit_LagLead(op, arg=self.f.toNullable(arg), offset=offset, default=default)

    visit_Lag = visit_Lead = visit_LagLead

    def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:
        """Halves away from zero: on fractions ClickHouse's own round takes them to the even neighbour."""
        places = 0 if op.digits is None else op.digits.value
        scale = sge.Literal.number(f"{float(10**places)!r}")
        scaled = arg * scale if places else arg
        whole = self.f.trunc(scaled)
        rounded = whole + self.if_(self.f.abs(scaled - whole) >= 0.5, self.f.sign(scaled), 0)
        return rounded / scale if places else rounded
