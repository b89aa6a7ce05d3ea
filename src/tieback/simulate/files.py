"""Tables as files that `tieback import` reads: CSV, JSON lines and Parquet, plain or gzip, always the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from tieback.simulate.events import months
from tieback.simulate.world import DAY, FIRST_DAY, rng

_SECONDS = pa.timestamp("s", "UTC")
_DEFLATE = 5


def write(path: Path, rows: pa.Table, refused: Sequence[Mapping[str, str]] = ()) -> Path:
    """Write `rows` in the format that the name of `path` says; returns `path`.

    refused: rows that no reader can take, put at the end of a CSV file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(rows, path, compression="zstd")
        return path
    content = _json_lines(rows) if kind == "jsonl" else _csv(rows) + _csv_lines(rows.column_names, refused)
    path.write_bytes(_gzip(content) if path.suffix == ".gz" else content)
    return path


def monthly(rows: pa.Table, seed: int) -> dict[str, pa.Table]:
    """`rows` (with occurred_at, in order of time) as the website exports them: a table for each month.

    Exports overlap by two days, some rows are in one twice, and some come a month late.
    """
    dice = rng(seed, "monthly")
    at = rows["occurred_at"].cast(pa.int64()).to_numpy() // 1_000_000
    month = months(at)
    late = (dice.random(len(at)) < 0.004) & (month < 11)
    filed = month + late
    next_month = months(at + 2 * DAY)
    again = np.nonzero((next_month > month) & (next_month < 12) & ~late)[0]
    twice = np.nonzero(dice.random(len(at)) < 0.002)[0]
    place = np.concatenate([np.arange(len(at)), again, twice])
    file = np.concatenate([filed, next_month[again], filed[twice]])
    found = {}
    for number in range(12):
        name = f"{FIRST_DAY.year + (FIRST_DAY.month + number - 1) // 12}-{(FIRST_DAY.month + number - 1) % 12 + 1:02d}"
        found[name] = rows.take(pa.array(np.sort(place[file == number])))
    return found


def _csv(rows: pa.Table) -> bytes:
    """A CSV with a header; instants to the second, nothing for what is not known."""
    for number, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            rows = rows.set_column(number, column.name, rows.column(number).cast(_SECONDS))
        elif pa.types.is_boolean(column.type):
            rows = rows.set_column(number, column.name, rows.column(number).cast(pa.string()))
    sink = io.BytesIO()
    pa.csv.write_csv(rows, sink)
    return sink.getvalue()


def _csv_lines(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue().encode()


def _json_lines(rows: pa.Table) -> bytes:
    """One object a line, without what is not known."""
    for number, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            text = pc.strftime(rows.column(number).cast(_SECONDS), format="%Y-%m-%dT%H:%M:%SZ")
            rows = rows.set_column(number, column.name, text)
    return "".join(_object(row) + "\n" for row in rows.to_pylist()).encode()


def _object(row: Mapping[str, Any]) -> str:
    known = {name: value for name, value in row.items() if value is not None}
    return json.dumps(known, separators=(",", ":"), ensure_ascii=False, default=str)


def _gzip(content: bytes) -> bytes:
    sink = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_DEFLATE, fileobj=sink, mtime=0) as packed:
        packed.write(content)
    return sink.getvalue()
