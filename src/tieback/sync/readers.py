"""Files as relations of text: CSV, TSV, JSON lines and Parquet, plain or gzip, whatever their names say."""

from __future__ import annotations

import csv
import glob
import io
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from tieback.errors import InputError
from tieback.store import DuckDB, StatementError
from tieback.sync.encodings import (
    Assumed,
    MixedEndsError,
    Opening,
    Plain,
    as_utf8,
    checked,
    damaged,
    opening,
    unpacked,
)

FORMATS = ("csv", "tsv", "jsonl", "parquet")
_DELIMITERS = ",;\t|"
# Merely told to ignore errors, the reader drops good rows behind a broken one too.
_REJECTS = "store_rejects=true, rejects_table='door_rejects', rejects_scan='door_scans'"
_LINE_END = re.compile(r"\r\n|\r|\n")
# Blank lines, and the line by which Excel is told the delimiter.
_BLANK_LINES = r"(?:[ \t]*(?:\r\n|\r|\n))*"
_BEFORE_HEADER = re.compile(rf"{_BLANK_LINES}(?:\"?sep=(?P<sign>.)\"?(?:\r\n|\r|\n){_BLANK_LINES})?", re.IGNORECASE)
_LONGEST_LINE = 32_000_000  # bytes; a JSON line may carry a whole page


@dataclass(frozen=True)
class Source:
    """A file as text columns c0, c1 … under its own column names.

    scan: a FROM clause with those columns; numbered: the same with `row_number`, in file order, from 1. Broken rows are
    left out and go to the temporary table door_rejects, if the format knows of any.
    line: SQL of the row as it stood, for JSON lines; empty where the row is its cells.
    lines: a FROM clause with each line of the file as `line`, NULL for a blank one, where the scan passes over those.
    header_rows: rows before the first one of data, as a spreadsheet counts.
    flaw, flaw_reason: SQL that is true for a row broken as a whole, and what to say of it.
    """

    file: str
    size: int
    columns: tuple[str, ...]
    scan: str
    numbered: str
    lines: str = ""
    header_rows: int = 0
    line: str = ""
    flaw: str = ""
    flaw_reason: str = ""
    notices: tuple[str, ...] = ()

    def json_cell(self, index: int) -> str:
        """SQL of a cell as JSON: nested values of JSON lines stay nested."""
        if not self.line:
            return f"c{index}"
        return f"CASE WHEN is_json THEN json_extract({self.line}, {sql_text(json_path(self.columns[index]))}) END"

    @property
    def row_json(self) -> str:
        """SQL of the whole row as a JSON object by the file's own column names."""
        if self.line:
            return f"CASE WHEN {self.flaw} THEN json_object('_line', {self.line})::VARCHAR ELSE {self.line} END"
        cells = ", ".join(f"{sql_text(name)}, c{index}" for index, name in enumerate(self.columns))
        return f"json_object({cells})::VARCHAR"


@contextmanager
def opened(store: DuckDB, path: Path, assumed: Assumed, *, format: str = "", delimiter: str = "") -> Iterator[Source]:
    """`path` as a Source, for as long as the block lasts.

    format: one of FORMATS when the content does not show it; delimiter: likewise.
    Raises InputError when the file is missing, a folder, unreadable, empty, binary or of an unknown kind, and
    OtherwiseError when it turns out, also within the block, to be written otherwise than assumed.
    """
    start = opening(path)
    if start.is_parquet or format == "parquet":
        with unpacked(path) if start.is_gzip else nullcontext(path) as readable:
            if format == "parquet" and not start.is_parquet:
                raise InputError(
                    f"{path.name} is not a Parquet file. Leave --read-as out: its content shows what it is."
                )
            yield _parquet(store, readable, path)
        return
    with as_utf8(path, start, assumed) as plain, _reading(path), _checked(path, start, plain):
        source = _text(store, plain.path, path, start, plain.sample, format, delimiter)
        if source.header_rows > 1 and not assumed.mixed_ends:
            raise MixedEndsError  # lines that are passed over mislead the engine about how the others end
        yield replace(source, notices=plain.notices)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except StatementError as error:
        if re.search("gzip (stream|block|header|footer)", str(error), re.IGNORECASE):
            raise damaged(path) from error
        if "CSV Parser state machine" in str(error):  # all that the engine says of mixed ends of lines
            raise MixedEndsError from error
        raise


def _checked(path: Path, start: Opening, plain: Plain) -> AbstractContextManager[None]:
    """Whoever made a copy of a gzip file has read it to its end already."""
    return checked(path) if start.is_gzip and plain.path == path else nullcontext()


def _text(
    store: DuckDB, readable: Path, path: Path, start: Opening, sample: str, format: str, delimiter: str
) -> Source:
    packed = "gzip" if start.is_gzip and readable == path else "none"
    if not sample.strip():
        raise InputError(f"{path.name} is empty. Export it again, with its header.")
    kind = format or _sniffed_format(path, sample.lstrip())
    if kind == "jsonl":
        _check_one_a_line(path, sample.lstrip())
        return _json_lines(store, readable, path, packed)
    return _csv(readable, path, packed, sample, delimiter or ("\t" if kind == "tsv" else ""))


def _sniffed_format(path: Path, first: str) -> str:
    if first.startswith(("[", "{")):
        return "jsonl"
    if first.lower().startswith(("<!doctype", "<html", "<?xml")):
        raise InputError(f"{path.name} is a web page or XML, not a table. Export it as CSV and import that.")
    return "csv"


def _check_one_a_line(path: Path, first: str) -> None:
    """Raises InputError for JSON that is not written as one object a line."""
    try:
        end = json.JSONDecoder().raw_decode(first)[1]
    except ValueError:
        end = 0
    is_array = first.startswith("[")
    if is_array or len(first[:end].splitlines()) > 1 or first.splitlines()[0].rstrip() == "{":
        what, how = ("one JSON array", ".[]") if is_array else ("JSON objects over several lines", ".")
        raise InputError(
            f"{path.name} holds {what}. Write it as JSON lines, one object a line "
            f"(`jq -c '{how}' {path.name} > rows.jsonl`), and import that."
        )


def _csv(readable: Path, path: Path, packed: str, sample: str, delimiter: str) -> Source:
    before = _BEFORE_HEADER.match(sample)
    assert before is not None  # it may be empty
    skipped, sample = len(_LINE_END.findall(before[0])), sample[before.end() :]
    delimiter = delimiter or before["sign"] or _sniffed_delimiter(sample)
    try:
        header = next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])
    except (csv.Error, TypeError) as error:
        raise InputError(
            f"The header of {path.name} cannot be read ({error}). Write it as one line of column names, parted by one "
            "sign, or name that sign with delimiter in a mapping."
        ) from None
    columns = tuple(name.strip() for name in header)
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path.name} has more than one column named {', '.join(map(repr, repeated))}. "
            "Rename all but one in the header and import it again."
        )
    columns = tuple(name or f"column {number}" for number, name in enumerate(columns, 1))
    types = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(columns)))
    place = f"{sql_text(literal_path(readable))}, compression={sql_text(packed)}, auto_detect=false"
    options = (
        f"{place}, header=true, delim={sql_text(delimiter)}, quote='\"', "
        f"escape='\"', columns={{{types}}}, nullstr=['', '\\N', 'NULL'], skip={skipped}"
    )
    lines = (
        f"read_csv({place}, header=false, delim=chr(1), quote='', escape='', columns={{'line': 'VARCHAR'}}, "
        "store_rejects=true, rejects_table='door_odd_lines', rejects_scan='door_odd_scans')"
    )
    return Source(
        file=path.name,
        size=path.stat().st_size,
        columns=columns,
        lines=lines if len(columns) > 1 else "",  # a blank line of one column is a row
        scan=f"read_csv({options}, {_REJECTS})",
        numbered=f"(SELECT row_number() OVER () AS row_number, * FROM read_csv({options}, {_REJECTS}))",
        header_rows=skipped + 1,
    )


def _sniffed_delimiter(sample: str) -> str:
    """The delimiter that the header uses most outside quotes; a comma when it uses none."""
    bare = "".join(_LINE_END.split(sample, maxsplit=1)[0].split('"')[::2])
    return max(_DELIMITERS, key=lambda sign: (bare.count(sign), -_DELIMITERS.index(sign)))


def _json_lines(store: DuckDB, readable: Path, path: Path, packed: str) -> Source:
    lines = (
        f"read_csv({sql_text(literal_path(readable))}, auto_detect=false, header=false, delim=chr(1), quote='', "
        f"escape='', columns={{'line': 'VARCHAR'}}, max_line_size={_LONGEST_LINE}, buffer_size={4 * _LONGEST_LINE}, "
        f"compression={sql_text(packed)}, {_REJECTS})"
    )
    return json_source(store, path.name, path.stat().st_size, f"SELECT line FROM {lines}")


def json_source(
    store: DuckDB, file: str, size: int, lines: str, numbered: str = "", known: tuple[str, ...] = ()
) -> Source:
    """JSON objects as a Source. `lines`: a SELECT of `line`; `numbered`: of `row_number, line`, if known.

    known: columns that there are though none of the lines may have them.
    """
    keys = (
        "SELECT DISTINCT unnest(keys) FROM ("
        f"SELECT DISTINCT CASE WHEN json_valid(line) THEN json_keys(line) END AS keys FROM ({lines})) ORDER BY 1"
    )
    columns = tuple(dict.fromkeys((*known, *(str(row[0]) for row in store.execute(keys).fetchall()))))
    paths = ", ".join(sql_text(json_path(name)) for name in columns) or "'$'"
    cells = "".join(f", cells[{index + 1}] AS c{index}" for index in range(len(columns)))
    flaw = "(CASE WHEN is_json THEN json_type(line) <> 'OBJECT' ELSE true END)"
    read = f"CASE WHEN json_valid(line) THEN json_extract_string(line, [{paths}]) END AS cells"
    numbered = numbered or f"SELECT row_number() OVER () AS row_number, line FROM ({lines})"
    chosen = f"line, cells IS NOT NULL AS is_json{cells}"
    there_is = "WHERE starts_with(line, '{') OR trim(line, E' \\t\\r') <> ''"
    scan = f"(SELECT {chosen} FROM (SELECT line, {read} FROM ({lines}) {there_is}))"
    return Source(
        file=file,
        size=size,
        columns=columns,
        scan=scan,
        numbered=f"(SELECT row_number, {chosen} FROM (SELECT row_number, line, {read} FROM ({numbered}) {there_is}))",
        line="line",
        flaw=flaw,
        flaw_reason="it is not a JSON object",
    )


def _parquet(store: DuckDB, readable: Path, path: Path) -> Source:
    table = f"read_parquet({sql_text(literal_path(readable))}, hive_partitioning=false)"
    try:
        described = store.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    except Exception as error:
        raise InputError(
            f"{path.name} is not a readable Parquet file ({str(error).splitlines()[0]}). Write it again."
        ) from error
    cells = []
    for index, (name, kind, *_) in enumerate(described):
        cell = sql_name(name)
        nested = any(sign in kind for sign in ("STRUCT", "MAP", "[", "UNION"))
        cells.append(f"{f'to_json({cell})' if nested else cell}::VARCHAR AS c{index}")
    chosen = f"SELECT {', '.join(cells)} FROM {table}"
    return Source(
        file=path.name,
        size=path.stat().st_size,
        columns=tuple(str(row[0]) for row in described),
        scan=f"({chosen})",
        numbered=f"(SELECT row_number() OVER () AS row_number, * FROM ({chosen}))",
    )


def literal_path(path: Path) -> str:
    """A path that means just that file, whatever signs its name holds."""
    return glob.escape(str(path.resolve()))


def json_path(name: str) -> str:
    """The way to a key in JSON, whatever signs it holds: a JSON pointer, which another can follow."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def sql_text(value: str) -> str:
    """`value` as a SQL string."""
    return "'" + value.replace("'", "''") + "'"


def sql_name(value: str) -> str:
    """`value` as a SQL identifier."""
    return '"' + value.replace('"', '""') + '"'
