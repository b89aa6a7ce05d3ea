"""Arrow tables across a connection to Postgres, by COPY in CSV: parsed and written by Arrow, never row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tieback.schema.ddl import COLUMN_TYPES

if TYPE_CHECKING:
    import psycopg

_ROWS_A_BLOCK = 65_536
_MOST_DIGITS = 38
# Types by their OIDs, which are fixed in Postgres' own catalogue; whatever is not here is taken as text.
_NUMERIC = 1700
_ZONED = pa.timestamp("us", "UTC")  # what date_trunc makes of a date; the session's time zone is UTC
_ARROW: dict[int, Any] = {
    16: pa.bool_(),
    **dict.fromkeys((20, 21, 23), pa.int64()),
    **dict.fromkeys((700, 701), pa.float64()),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: _ZONED,
}


def as_csv(rows: pa.Table) -> Iterator[bytes]:
    """`rows` as COPY … (FORMAT csv) reads them, in blocks: an empty text is quoted, an empty cell is not."""
    options = csv.WriteOptions(include_header=False)
    for batch in rows.to_batches(max_chunksize=_ROWS_A_BLOCK):
        block = BytesIO()
        csv.write_csv(batch, block, options)
        yield block.getvalue()


def as_arrow(written: bytes, columns: Sequence[psycopg.Column]) -> pa.Table:
    """What COPY … (FORMAT csv) wrote of `columns`."""
    places = [str(place) for place in range(len(columns))]
    types = {place: _arrow_type(column) for place, column in zip(places, columns, strict=True)}
    if written:
        found = csv.read_csv(
            pa.BufferReader(written),
            csv.ReadOptions(column_names=places, block_size=len(written) + 1),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
    else:
        found = pa.schema(list(types.items())).empty_table()
    cells = [_settled(found[place], column) for place, column in zip(places, columns, strict=True)]
    return pa.Table.from_arrays(cells, names=[column.name for column in columns])


def column_type(kind: pa.DataType, collation: str) -> str:
    """The type of a column of Postgres that holds Arrow values of `kind`."""
    types = COLUMN_TYPES["postgres"]
    if pa.types.is_boolean(kind):
        return types["boolean"]
    if pa.types.is_integer(kind):
        return types["int"]
    if pa.types.is_floating(kind):
        return types["float"]
    if pa.types.is_decimal(kind):
        return f"NUMERIC({kind.precision}, {kind.scale})"
    if pa.types.is_date(kind):
        return types["date"]
    if pa.types.is_timestamp(kind):
        return types["timestamp"]
    return f"{types['string']} COLLATE {collation}"


def _arrow_type(column: psycopg.Column) -> Any:
    if column.type_code == _NUMERIC and not _is_open(column):
        return pa.decimal128(column.precision or _MOST_DIGITS, column.scale or 0)
    return _ARROW.get(column.type_code, pa.string())


def _settled(cells: pa.ChunkedArray, column: psycopg.Column) -> pa.ChunkedArray:
    """The cells of a column in tieback's types: instants in UTC without saying so, numbers as small as they are."""
    if cells.type == _ZONED:
        return pc.cast(cells, pa.timestamp("us"))
    return _number(cells) if _is_open(column) else cells


def _is_open(column: psycopg.Column) -> bool:
    """True for a number of any size, such as the sum of whole numbers."""
    return column.type_code == _NUMERIC and column.precision is None


def _number(written: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers written out as whole ones where none has decimal places, else as decimals."""
    places = [len(text.partition(".")[2]) for text in written.drop_null().to_pylist()]
    if any(places):
        return pc.cast(written, pa.decimal128(_MOST_DIGITS, max(places)))
    whole = pc.cast(written, pa.decimal128(_MOST_DIGITS, 0))
    return pc.cast(whole, pa.int64())
