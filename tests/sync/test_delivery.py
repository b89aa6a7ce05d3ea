"""An import is all or nothing, refuses bad rows with their number, and never depends on order or repetition."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.sync.files import MOMENT, PERSONAL, csv_text, facts, taken
from tieback.errors import ConfigError, InputError
from tieback.store import DuckDB
from tieback.sync import delivery as delivery_module
from tieback.sync import import_file, mapping_for, mapping_from, preview
from tieback.sync.quarantine import discard, retry


def refusals(store: DuckDB) -> list[Any]:
    """Row, column and reason of what waits in quarantine."""
    return store.execute("SELECT row_number, column_name, reason FROM quarantine ORDER BY ALL").fetchall()


BAD = """deal_id,stage,amount,changed_at
1,won,5,2025-01-01
2,"two
lines","12,5O0",2025-01-01
3,short
4,won,5,yesterday
5,won,5,2025-01-01,too,many
6,won,5,
7,won,5,2025-01-01
"""


def test_bad_rows_wait_with_their_number_and_reason_and_the_rest_goes_in(store: DuckDB, tmp_path: Path) -> None:
    """Rows are counted as a spreadsheet counts them: the header is row 1, a cell with two lines is one row."""
    delivery = taken(store, tmp_path, "deals", BAD)
    assert facts(store, "deals", "deal_id") == ["1", "7"]
    assert (delivery.rows_read, delivery.facts_added, delivery.rows_refused) == (7, 2, 5)
    found = refusals(store)
    assert [(row, column) for row, column, _ in found] == [
        (3, "amount"),
        (4, ""),
        (5, "changed_at"),
        (6, ""),
        (7, "changed_at"),
    ]
    reasons = {row: reason for row, _, reason in found}
    assert reasons[3] == '"12,5O0" is not a number'
    assert reasons[4] == "it has fewer cells than the header, which has 4"
    assert reasons[7] == "it is empty, and every row of deals needs it"


@pytest.mark.parametrize("marked", ["", '5" screen'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_count_as_rows(marked: str, end: str, store: DuckDB, tmp_path: Path) -> None:
    """As in a spreadsheet; blank lines within a cell do not, and a lone quotation mark does not disturb the count."""
    cell = "" if marked else '"two\n\nlines"'
    lines = ["deal_id,stage,amount,changed_at", "", "1,,5x,2025-01-01", "", f"2,{cell},5x,2025-01-01", "", "", "3"]
    lines += [f"4,{marked},5,2025-01-01", "", "5,,5x,2025-01-01", "6", "", "7,,5,"]
    taken(store, tmp_path, "deals", end.join(lines) + end)
    assert [row for row, *_ in refusals(store)] == [3, 5, 8, 11, 12, 14]
    assert json.loads(store.rows("SELECT raw FROM quarantine WHERE row_number = 8")[0]["raw"])["_line"].strip() == "3"


def test_blank_lines_alone_move_the_count_too(store: DuckDB, tmp_path: Path) -> None:
    """Also where no row is broken, and only below them."""
    text = "deal_id,stage,amount,changed_at\n1,,5x,2025-01-01\n\n\n2,,5x,2025-01-01\n\n"
    taken(store, tmp_path, "deals", text)
    assert [row for row, *_ in refusals(store)] == [2, 5]


def test_json_lines_that_are_no_objects_are_refused_by_line(store: DuckDB, tmp_path: Path) -> None:
    """Row numbers of JSON lines are line numbers."""
    lines = '{"deal_id": 1, "changed_at": "2025-01-01", "more": 1}\n \t\nnot json\n[1]\n{"deal_id": 2}\n'
    delivery = taken(store, tmp_path, "deals", lines)
    assert [(row, column) for row, column, _ in refusals(store)] == [(3, ""), (4, ""), (5, "changed_at")]
    assert (delivery.rows_read, delivery.facts_added) == (4, 1)


def test_refusing_the_same_rows_again_holds_them_once(store: DuckDB, tmp_path: Path) -> None:
    """Importing a file twice changes nothing in the quarantine either."""
    taken(store, tmp_path, "deals", BAD)
    once = refusals(store)
    again = taken(store, tmp_path, "deals", BAD)
    assert refusals(store) == once
    assert again.rows_refused == 5


def test_a_retry_takes_in_what_a_better_mapping_can_read(store: DuckDB, tmp_path: Path) -> None:
    """Rows that pass leave the quarantine, once; the others stay."""
    taken(store, tmp_path, "deals", BAD)
    better = mapping_from(
        '[columns]\nchanged_at = { from = "changed_at", values = { yesterday = "2025-02-01" } }', "deals"
    )
    done = retry(store, PERSONAL, lambda table: better)
    assert (done.passed, done.refused, done.hopeless) == (1, 2, 2)
    assert facts(store, "deals", "deal_id") == ["1", "4", "7"]
    assert [row for row, _, _ in refusals(store)] == [3, 4, 6, 7]


def test_a_retried_row_without_version_does_not_outdo_a_newer_one(store: DuckDB, tmp_path: Path) -> None:
    """A row goes in as of the delivery that refused it."""
    header = "deal_id,stage,amount\n"
    taken(store, tmp_path, "deals", header + "1,old,5x\n", at=MOMENT)
    taken(store, tmp_path, "deals", header + "1,new,6\n", at=MOMENT + timedelta(days=1))
    better = mapping_from('[columns]\namount = { from = "amount", values = { 5x = "5" } }', "deals")
    retry(store, PERSONAL, lambda table: better)
    newest = store.execute("SELECT stage FROM deals ORDER BY changed_at DESC LIMIT 1").fetchall()
    assert newest == [("new",)]


def test_old_files_without_version_cannot_bring_an_old_value_back(store: DuckDB, tmp_path: Path) -> None:
    """Where a file has no version, what is already held for the subject is not taken in again."""
    header = "spend_date,platform,campaign,cost\n"
    first, second = header + "2025-01-01,meta_ads,a,5\n", header + "2025-01-01,meta_ads,a,7\n"
    for day, text in enumerate((first, second, first)):
        taken(store, tmp_path, "spend", text, at=MOMENT + timedelta(days=day))
    newest = store.execute("SELECT cost::INT FROM spend ORDER BY synced_at DESC LIMIT 1").fetchall()
    assert newest == [(7,)]
    assert len(facts(store, "spend")) == 2


def test_an_import_cut_off_in_the_middle_leaves_nothing(
    store: DuckDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts, vault, quarantine and delivery go in together or not at all."""

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(delivery_module, "refuse", cut)
    with pytest.raises(KeyboardInterrupt):
        taken(store, tmp_path, "contacts", "contact_id,email,changed_at\n1,a@b.com,2025-01-01\n")
    for table in ("contacts", "vault", "deliveries"):
        assert not store.execute(f"FROM {table}").fetchall()


def test_one_row_can_become_several_facts(store: DuckDB, tmp_path: Path) -> None:
    """[[facts]] makes rows of other tables; `when` says of which rows."""
    mapping = """
[columns]
deal_id = "lead"
stage = { const = "lead" }
changed_at = "first"
[[facts]]
table = "deals"
when = { column = "won", empty = false }
columns = { deal_id = "lead", stage = { const = "customer" }, changed_at = "won" }
[[facts]]
table = "events"
columns = { event_id = { template = "lead-{lead}" }, kind = { const = "form" }, occurred_at = "first" }
"""
    taken(store, tmp_path, "deals", "lead,first,won\n1,2025-01-01,\n2,2025-01-02,2025-02-02\n", mapping)
    assert facts(store, "deals", "deal_id", "stage") == [("1", "lead"), ("2", "customer"), ("2", "lead")]
    assert facts(store, "events", "event_id") == ["lead-1", "lead-2"]


def test_a_preview_changes_nothing_and_shows_every_kind_of_problem(store: DuckDB, tmp_path: Path) -> None:
    """Previews are made with a store of their own; the facts are those an import would take in."""
    (tmp_path / "bad.csv").write_text(BAD)
    seen = preview(store, tmp_path / "bad.csv", mapping_for("deals"), PERSONAL, MOMENT)
    assert seen.rows_read == 7
    assert [row["deal_id"] for row in seen.facts["deals"]] == ["1", "7"]
    assert {(each["column_name"], each["first_row"]) for each in seen.problems} == {
        ("amount", 3),
        ("", 4),
        ("changed_at", 5),
        ("", 6),
        ("changed_at", 7),
    }
    assert not facts(store, "deals")


def test_a_preview_shows_each_fact_also_two_of_one_table(store: DuckDB, tmp_path: Path) -> None:
    """What a row becomes twice is shown twice."""
    (tmp_path / "in.csv").write_text("lead,first,won\n1,2025-01-01,2025-02-02\n")
    both = "".join(
        '[[facts]]\ntable = "deals"\n[facts.columns]\ndeal_id = "lead"\n'
        f'stage = {{ const = "{at}" }}\nchanged_at = "{at}"\n'
        for at in ("first", "won")
    )
    seen = preview(store, tmp_path / "in.csv", mapping_from(both, "deals"), PERSONAL, MOMENT)
    assert [row["stage"] for row in seen.facts["deals"]] == ["first", "won"]


EVENTS = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from("abc"),
        "occurred_at": st.sampled_from(["2025-01-01T00:00:00Z", "2025-01-02", "nonsense"]),
        "kind": st.just("page"),
        "url": st.sampled_from(["https://x.example/?utm_source=a", "", "https://x.example/b"]),
    }
)
SPEND = st.fixed_dictionaries(
    {
        "spend_date": st.just("2025-01-01"),
        "platform": st.just("meta_ads"),
        "campaign": st.sampled_from(["a", ""]),
        "cost": st.sampled_from(["1", "2", "x"]),
        "synced_at": st.sampled_from(["2025-01-02", "2025-01-03"]),
    }
)


@pytest.mark.parametrize(("table", "kind"), [("events", EVENTS), ("spend", SPEND)])
def test_order_repetition_and_splitting_change_nothing(table: str, kind: st.SearchStrategy[dict[str, str]]) -> None:
    """Laws 3 and 6: shuffled, repeated, split or overlapping files give the same facts and the same refusals."""

    @settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
    @given(rows=st.lists(kind, min_size=1, max_size=8), data=st.data())
    def holds(rows: list[dict[str, str]], data: st.DataObject) -> None:
        shuffled = data.draw(st.permutations(rows))
        cut = data.draw(st.integers(0, len(rows)))
        overlap = data.draw(st.integers(0, len(rows)))
        with TemporaryDirectory() as folder, DuckDB(None) as whole, DuckDB(None) as parts:
            taken(whole, Path(folder), table, csv_text(rows))
            for part in (shuffled[:cut], shuffled[min(cut, overlap) :], shuffled):
                if part:
                    taken(parts, Path(folder), table, csv_text(part))
            assert facts(parts, table) == facts(whole, table)
            refused = "SELECT DISTINCT column_name, reason, raw FROM quarantine ORDER BY ALL"
            assert parts.execute(refused).fetchall() == whole.execute(refused).fetchall()

    holds()


def test_events_without_id_get_one_from_their_content(store: DuckDB, tmp_path: Path) -> None:
    """The same event in another file, order of columns or format is the same event; another one is not."""
    row = {"occurred_at": "2025-01-01", "kind": "page", "url": "https://x.example/", "plan": "pro"}
    taken(store, tmp_path, "events", csv_text([row, row]))
    taken(store, tmp_path, "events", json.dumps(dict(reversed(row.items()))) + "\n", name="in.jsonl")
    assert len(facts(store, "events")) == 1
    taken(store, tmp_path, "events", csv_text([row | {"plan": "free"}]))
    assert facts(store, "events", "properties") == ['{"plan":"free"}', '{"plan":"pro"}']


def test_a_delivery_records_what_came_of_the_file(store: DuckDB, tmp_path: Path) -> None:
    """One row for each import, with its mapping; facts name it as their origin."""
    taken(store, tmp_path, "deals", BAD)
    rows = store.rows("FROM deliveries")
    assert rows[0] | {"received_at": None} == {
        "delivery_id": "d1",
        "file": "in.csv",
        "table_name": "deals",
        "mapping": None,
        "received_at": None,
        "rows_read": 7,
        "facts_added": 2,
        "facts_known": 0,
        "rows_refused": 5,
    }
    assert facts(store, "deals", "DISTINCT origin") == ["d1"]
    assert rows[0]["received_at"] == datetime(2026, 3, 1, 12)


def test_a_stray_quotation_mark_costs_its_own_row_alone(store: DuckDB, tmp_path: Path) -> None:
    """What comes behind a broken row goes in, however long the file is."""
    rows = "".join(f"D{number},lead,{number},2025-01-01\n" for number in range(60_000))
    text = "deal_id,stage,amount,changed_at\n" + rows[:400_000] + "\n" + 'X,"un"closed,1,2025-01-01\n' + rows
    delivery = taken(store, tmp_path, "deals", text)
    assert delivery.facts_added == 60_000
    assert [reason for *_, reason in refusals(store) if "quotation" in reason] != []


@pytest.mark.parametrize("bad", [b'{"deal_id": "2\x01", "changed_at": "2025-01-01"}', b"{" + b" " * 33_000_000 + b"}"])
def test_a_json_line_that_cannot_be_read_waits_in_quarantine(bad: bytes, store: DuckDB, tmp_path: Path) -> None:
    """A control character or an endless line is refused and told, never dropped."""
    good = b'{"deal_id": "1", "stage": "won", "changed_at": "2025-01-01"}'
    delivery = taken(
        store, tmp_path, "deals", b"\n".join([good, bad, good.replace(b'"1"', b'"3"'), b""]), name="a.jsonl"
    )
    assert (delivery.rows_read, delivery.facts_added, delivery.rows_refused) == (3, 2, 1)
    assert [row for row, *_ in refusals(store)] == [2]


def test_json_lines_in_latin_1_are_read_wherever_it_shows(store: DuckDB, tmp_path: Path) -> None:
    """A byte beyond the first megabyte that is no UTF-8 makes the file Latin-1, as in a CSV."""
    lines = [f'{{"deal_id": "{number}", "name": "x", "changed_at": "2025-01-01"}}' for number in range(20_000)]
    text = "\n".join([*lines, '{"deal_id": "last", "name": "Zürich", "changed_at": "2025-01-01"}'])
    delivery = taken(store, tmp_path, "deals", text.encode("latin-1"), name="a.jsonl")
    assert (delivery.facts_added, delivery.rows_refused) == (20_001, 0)
    assert store.rows("SELECT name FROM deals WHERE deal_id = 'last'") == [{"name": "Zürich"}]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "parquet.gz"])
def test_a_name_means_just_that_file(ending: str, store: DuckDB, tmp_path: Path) -> None:
    """Signs of a pattern in a file's name stand for themselves, and folders named like columns say nothing."""
    folder = tmp_path / "amount=999"
    folder.mkdir()
    for name, deal in (("[ab]", "right"), ("a", "wrong"), ("b", "wrong")):
        rows = f"SELECT '{deal}' AS deal_id, 'won' AS stage, '10.5' AS amount, '2025-01-01' AS changed_at"
        plain = str(tmp_path / "plain")
        kind = {"csv": "CSV", "jsonl": "JSON"}.get(ending, "PARQUET")
        store.execute(f"COPY ({rows}) TO '{plain}' (FORMAT {kind})")
        content = Path(plain).read_bytes()
        (folder / f"{name}.{ending}").write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    import_file(store, folder / f"[ab].{ending}", "deals", mapping_from("", "deals"), PERSONAL, MOMENT)
    assert [(deal, float(amount)) for deal, amount in facts(store, "deals", "deal_id", "amount")] == [("right", 10.5)]


@pytest.mark.parametrize("costs", [("5", "7"), ("7", "5")])
def test_two_rows_of_one_day_in_a_file_without_version_end_alike_each_time(
    costs: tuple[str, str], store: DuckDB, tmp_path: Path
) -> None:
    """Which of them counts is decided by what they say: importing the file again, later, changes nothing."""
    text = csv_text({"spend_date": "2025-01-01", "platform": "g", "campaign": "c", "cost": cost} for cost in costs)
    taken(store, tmp_path, "spend", text)
    held = facts(store, "spend")
    for days in range(1, 6):
        assert taken(store, tmp_path, "spend", text, at=MOMENT + timedelta(days=days)).facts_added == 0
    assert facts(store, "spend") == held


def test_the_order_of_columns_makes_no_other_event(store: DuckDB, tmp_path: Path) -> None:
    """What nobody wants is kept in an order of its own, so that an event without id is the same event again."""
    taken(store, tmp_path, "events", "occurred_at,kind,plan,n\n2025-01-01,page,pro,5\n")
    assert taken(store, tmp_path, "events", "n,occurred_at,plan,kind\n5,2025-01-01,pro,page\n").facts_added == 0


def test_a_row_that_a_mapping_leaves_out_leaves_no_address(store: DuckDB, tmp_path: Path) -> None:
    """The vault holds the addresses of what went in alone."""
    mapping = 'when = { column = "state", is = ["in"] }\n[columns]\nemail = "email"\n'
    text = "contact_id,email,state,changed_at\n1,in@acme.com,in,2025-01-01\n2,out@acme.com,out,2025-01-01\n"
    taken(store, tmp_path, "contacts", text, mapping)
    assert [row["raw_value"] for row in store.rows("FROM vault")] == ["in@acme.com"]


def test_a_file_without_header_shows_nobody_s_address(store: DuckDB, tmp_path: Path) -> None:
    """The row that stands where names should be is not repeated in the message."""
    with pytest.raises(InputError) as told:
        taken(store, tmp_path, "contacts", "jane@acme.com,+1 415 555 0123,x\n")
    assert "jane" not in str(told.value)
    assert "0123" not in str(told.value)


def test_a_retry_knows_the_columns_that_refused_lines_lack(store: DuckDB, tmp_path: Path) -> None:
    """What JSON lines leave out is empty in a retry as it was in the import: no mistake, and no other meaning."""
    mapping = '[columns]\ndeal_id = "id"\nowner = { from = "by", default = "nobody" }\n'
    lines = '{"id": "1", "by": "Ann", "amount": 5, "changed_at": "2025-01-01"}\n{"id": "2", "amount": "5x"}\n'
    taken(store, tmp_path, "deals", lines, mapping, name="in.jsonl")
    better = mapping_from(mapping + 'amount = { from = "amount", values = { 5x = 5 } }\n', "deals")
    done = retry(store, PERSONAL, lambda table: better)
    assert (done.passed, done.refused) == (0, 1)
    assert [(column, reason) for _, column, reason in refusals(store)] == [
        ("changed_at", "it is empty, and every row of deals needs it")
    ]
    dated = mapping_from(better.text + 'changed_at = { from = "changed_at", default = "2025-01-03" }\n', "deals")
    assert retry(store, PERSONAL, lambda table: dated).passed == 1
    assert facts(store, "deals", "deal_id", "owner") == [("1", "Ann"), ("2", "nobody")]
    assert not store.rows("FROM workspace WHERE starts_with(name, 'columns_')")


def test_discarding_refused_lines_forgets_their_columns(store: DuckDB, tmp_path: Path) -> None:
    """Only as long as a line waits are the columns of its file of use."""
    taken(store, tmp_path, "deals", '{"deal_id": "1"}\n{"changed_at": "2025-01-01"}\n', name="in.jsonl")
    assert store.rows("FROM workspace WHERE starts_with(name, 'columns_')")
    discard(store)
    assert not store.rows("FROM workspace WHERE starts_with(name, 'columns_')")


def test_a_mapping_that_names_people_is_not_kept_as_it_is(store: DuckDB, tmp_path: Path) -> None:
    """Addresses in it are blotted out; a retry then asks for it, and with it goes on."""
    mapping = "[columns]\nowner = { from = 'owner', values = { 'jane@acme.com' = 'Jane' } }\n"
    taken(
        store, tmp_path, "deals", "deal_id,owner,changed_at\n1,jane@acme.com,2025-01-01\n2,jane@acme.com,x\n", mapping
    )
    assert facts(store, "deals", "owner") == ["Jane"]
    assert "jane" not in str(store.rows("FROM deliveries"))
    with pytest.raises(ConfigError, match=r"tieback quarantine retry --delivery d1 --map MAP\.toml"):
        retry(store, PERSONAL)
    dated = mapping + "changed_at = { from = 'changed_at', values = { x = '2025-01-02' } }\n"
    assert retry(store, PERSONAL, lambda table: mapping_from(dated, table)).passed == 1
