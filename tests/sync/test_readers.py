"""Every kind of file has a clear outcome: facts, or one sentence that says what to do."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sync.files import MOMENT, PERSONAL, facts, taken
from tieback.errors import InputError
from tieback.store import DuckDB
from tieback.sync import import_file, mapping_for, mapping_from
from tieback.sync.encodings import Assumed, MixedEndsError, as_it_turns_out, opening

HEADER = "order_id,kind,amount,occurred_at,changed_at\n"
ROW = "Zoë,order,5,2025-01-01,2025-01-02\n"
PLAIN = HEADER + ROW


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", PLAIN.encode()),
        ("mark.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("latin.csv", PLAIN.encode("latin-1")),
        ("wide.csv", PLAIN.encode("utf-16")),
        ("wide_no_mark.csv", PLAIN.encode("utf-16-le")),
        ("windows.csv", PLAIN.replace("\n", "\r\n").encode()),
        ("packed.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)),
        ("packed_without_saying.csv", gzip.compress(PLAIN.encode(), mtime=0)),
        ("packed_latin.csv.gz", gzip.compress(PLAIN.encode("latin-1"), mtime=0)),
        ("tabs.tsv", PLAIN.replace(",", "\t").encode()),
        ("semicolons.csv", PLAIN.replace(",", ";").encode()),
        ("no_last_newline.csv", PLAIN.strip().encode()),
        ("mixed.csv", HEADER.replace("\n", "\r\n").encode() + ROW.encode()),
        ("mixed_other_way.csv", HEADER.encode() + ROW.replace("\n", "\r\n").encode()),
        ("mixed_latin.csv", HEADER.replace("\n", "\r\n").encode() + ROW.encode("latin-1")),
        ("mixed_packed.csv", gzip.compress(HEADER.replace("\n", "\r\n").encode() + ROW.encode(), mtime=0)),
        ("old_mac.csv", PLAIN.replace("\n", "\r").encode()),
        ("old_mac_semicolons.csv", PLAIN.replace("\n", "\r").replace(",", ";").encode()),
        ("blank_lines_first.csv", b"\xef\xbb\xbf\r\n \r\n" + PLAIN.replace("\n", "\r\n").encode()),
        ("told_to_excel.csv", b"\xef\xbb\xbfsep=;\r\n" + PLAIN.replace("\n", "\r\n").replace(",", ";").encode()),
        ("told_to_excel_in_one_line_end.csv", b"sep=,\n" + PLAIN.replace("\n", "\r\n").encode()),
        ("blank_in_one_line_end.csv", b"\n" + HEADER.replace("\n", "\r\n").encode() + ROW.encode()),
        ("told_to_excel_and_blank.csv", b"sep=,\r\n\r\n" + PLAIN.replace("\n", "\r\n").encode()),
        ("told_to_excel_in_utf16.csv", ('"sep=|"\n' + PLAIN.replace(",", "|")).encode("utf-16")),
    ],
)
def test_a_table_reads_the_same_however_it_is_written(store: DuckDB, tmp_path: Path, name: str, content: bytes) -> None:
    """Encoding, packing, delimiter, line ends and file name do not change what is read."""
    taken(store, tmp_path, "orders", content, name=name)
    assert facts(store, "orders", "order_id", "amount::INT") == [("Zoë", 5)]


def test_json_lines_and_parquet_give_the_same_facts(store: DuckDB, tmp_path: Path) -> None:
    """The three formats of one table give one set of facts."""
    row = {"order_id": "Zoë", "kind": "order", "amount": 5, "occurred_at": "2025-01-01", "changed_at": "2025-01-02"}
    taken(store, tmp_path, "orders", PLAIN)
    as_json = taken(store, tmp_path, "orders", json.dumps(row) + "\n\n", name="rows.jsonl")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "made.parquet")
    as_parquet = taken(store, tmp_path, "orders", (tmp_path / "made.parquet").read_bytes(), name="named_wrongly.csv")
    assert (as_json.facts_added, as_json.facts_known) == (0, 1)
    assert (as_parquet.facts_added, as_parquet.facts_known) == (0, 1)


def test_a_file_that_is_not_utf8_is_read_as_latin1_and_says_so(store: DuckDB, tmp_path: Path) -> None:
    """Wherever the first odd byte stands, also beyond the sample, the whole file is read as Latin-1."""
    late = HEADER + "".join(f"o{number:06},order,5,2025-01-01,2025-01-02\n" for number in range(40_000)) + ROW
    delivery = taken(store, tmp_path, "orders", late.encode("latin-1"))
    assert "Latin-1" in delivery.notices[0]
    assert (delivery.rows_read, delivery.rows_refused) == (40_001, 0)
    assert "Zoë" in facts(store, "orders", "order_id")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"PK\x03\x04rest", "Excel"),
        (b"\x00\x01\x02\x00\x05" * 50, "NUL"),
        (b'[{"order_id": 1}]', "JSON lines"),
        (b'{\n  "order_id": 1\n}\n', "JSON objects over several lines"),
        (b'{"order_id": 1,\r\n "kind": "order"}\r\n{"order_id": 2}', "JSON objects over several lines"),
        (b"<!DOCTYPE html><html>", "web page"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "damaged gzip"),
        (b"PAR1 and nothing else", "Parquet"),
        (b"a,a,b\n1,2,3\n", "more than one column named 'a'"),
        (b"order id,kind,amnt,occurred_at\n1,order,5,2025-01-01\n", "has no amount"),
        (b"order id,kind,amnt,occurred_at\n1,order,5,2025-01-01\n", "Did you mean 'amnt'?"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(store: DuckDB, tmp_path: Path, content: bytes, said: str) -> None:
    """A file that cannot be read as a table raises InputError that says why, and nothing is taken in."""
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        taken(store, tmp_path, "orders", content)
    assert not facts(store, "orders")
    assert not facts(store, "deliveries", "file")


@pytest.mark.parametrize("key", ["", "*", "a*b", "a.b", "a/b", "a~b", "a\\b", 'a"b', "$.x", "0", "é", "a\0b"])
def test_a_json_key_may_be_anything(key: str, store: DuckDB, tmp_path: Path) -> None:
    """It is no pattern and no path: what stands under it goes in, or into properties, as it stands."""
    row = {"order_id": "1", "kind": "order", "amount": 5, "occurred_at": "2025-01-01", key: "seven", "near": "other"}
    mapping = f"keep_rest = false\n[columns]\nuser_id = {json.dumps(key)}\n" if key else ""
    taken(store, tmp_path, "orders", json.dumps(row) + "\n", mapping, name="in.jsonl")
    assert facts(store, "orders", "user_id") == ["seven" if key else None]
    event = {"event_id": "1", "kind": "page", "occurred_at": "2025-01-01", key: "seven"}
    taken(store, tmp_path, "events", json.dumps(event) + "\n", name="in.jsonl")
    assert json.loads(facts(store, "events", "properties")[0]) == {key: "seven"}


def test_a_path_into_json_may_go_through_odd_keys(store: DuckDB, tmp_path: Path) -> None:
    """Also within a column."""
    row = {"event_id": "1", "kind": "page", "occurred_at": "2025-01-01", "in": {"*": {"a/b": "seven"}}}
    taken(store, tmp_path, "events", json.dumps(row) + "\n", '[columns]\nname = "in.*.a/b"', name="in.jsonl")
    assert facts(store, "events", "name") == ["seven"]


def test_a_csv_read_as_parquet_is_told(store: DuckDB, tmp_path: Path) -> None:
    """In one sentence, without the engine's own."""
    (tmp_path / "in.csv").write_text(PLAIN)
    with pytest.raises(InputError) as told:
        import_file(store, tmp_path / "in.csv", "orders", mapping_from("", "orders"), PERSONAL, MOMENT, "parquet")
    assert str(told.value) == "in.csv is not a Parquet file. Leave --read-as out: its content shows what it is."


def test_what_is_no_file_is_told_by_its_kind(tmp_path: Path) -> None:
    """A pipe is not waited for, and a name that is no text is no failure of the engine."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe or a device"):
        opening(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a folder, a pipe or a device"):
        mapping_for("orders", tmp_path / "pipe")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/in\xff.csv"))
    try:
        odd.write_text(PLAIN)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(InputError, match=r"The name of .*in\\udcff.csv is not UTF-8"):
        opening(odd)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    """Each has its own sentence."""

    with pytest.raises(InputError, match="is a folder"):
        opening(tmp_path)
    with pytest.raises(InputError, match="There is no file"):
        opening(tmp_path / "none.csv")


def test_a_header_alone_is_a_table_without_rows(store: DuckDB, tmp_path: Path) -> None:
    """It is taken in, with nothing in it."""
    delivery = taken(store, tmp_path, "orders", HEADER)
    assert (delivery.rows_read, delivery.facts_added, delivery.rows_refused) == (0, 0, 0)


def test_mixed_ends_of_lines_are_read_wherever_they_begin(store: DuckDB, tmp_path: Path) -> None:
    """Files put together from others read as one, also where an odd byte comes late; nothing is refused."""
    rows = "".join(f"o{number:06},order,5,2025-01-01,2025-01-02\n" for number in range(40_000))
    text = HEADER + rows + ROW.replace("\n", "\r\n") + "last,order,5,2025-01-01,2025-01-02\n"
    delivery = taken(store, tmp_path, "orders", text.encode("latin-1"))
    assert (delivery.rows_read, delivery.facts_added, delivery.rows_refused) == (40_002, 40_002, 0)
    assert "Latin-1" in " ".join(delivery.notices)
    assert "Zoë" in facts(store, "orders", "order_id")


def test_mixed_json_lines_are_read(store: DuckDB, tmp_path: Path) -> None:
    """JSON lines are no different."""
    line = '{"order_id": "%s", "kind": "order", "amount": 5, "occurred_at": "2025-01-01", "changed_at": "2025-01-02"}'
    taken(store, tmp_path, "orders", line % 1 + "\r\n" + line % 2 + "\n" + line % 3 + "\r\n", name="in.jsonl")
    assert facts(store, "orders", "order_id") == ["1", "2", "3"]


@pytest.mark.parametrize("before", ["", "\n\n", "sep=,\n", "\nsep=,\n"])
def test_rows_are_counted_from_the_top_of_the_file(before: str, store: DuckDB, tmp_path: Path) -> None:
    """Lines before the header count, as they do in a spreadsheet, for bad rows and broken ones."""
    taken(store, tmp_path, "orders", before + PLAIN + "2,order,x,2025-01-01,2025-01-02\n3\n")
    first = before.count("\n")
    assert sorted(facts(store, "quarantine", "row_number")) == [first + 3, first + 4]


@pytest.mark.parametrize("harm", ["cut in the middle", "cut before its check sum", "wrong check sum", "a byte changed"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_damaged_gzip_file_is_told_wherever_it_is_damaged(
    harm: str, ending: str, store: DuckDB, tmp_path: Path
) -> None:
    """Damage beyond the sample, and damage that only the check sum shows, let nothing of the file in."""
    names = HEADER.strip().split(",")
    cells = [(str(number), "order", "5", "2025-01-01", f"2025-01-{number % 28 + 1}") for number in range(40_000)]
    as_json = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in cells)
    text = as_json if ending == "jsonl" else HEADER + "".join(",".join(row) + "\n" for row in cells)
    packed = bytearray(gzip.compress(text.encode(), mtime=0))
    if harm == "a byte changed":
        packed[-30_000] ^= 0xFF
    elif harm == "wrong check sum":
        packed[-8:-4] = b"\0\0\0\0"
    else:
        del packed[-30_000 if harm == "cut in the middle" else -8 :]
    with pytest.raises(InputError, match="damaged gzip file: nothing of it was taken in"):
        taken(store, tmp_path, "orders", bytes(packed), name="in.gz")
    assert not facts(store, "orders")
    assert not facts(store, "deliveries", "file")


def test_a_gzip_file_of_several_parts_is_read_whole(store: DuckDB, tmp_path: Path) -> None:
    """Packed files put one behind the other are one file."""
    packed = gzip.compress(HEADER.encode(), mtime=0) + gzip.compress(ROW.encode(), mtime=0)
    assert taken(store, tmp_path, "orders", packed, name="in.gz").facts_added == 1


def test_a_file_that_is_never_as_assumed_ends_in_a_sentence() -> None:
    """Learning the same again must not read it for ever."""

    def read(assumed: Assumed) -> None:
        raise MixedEndsError

    with pytest.raises(InputError, match="cannot be read as a table, however it is taken"):
        as_it_turns_out(read, "")
