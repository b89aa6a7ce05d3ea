"""Words and formats of a mapping mean what they say, and nothing by halves."""

from __future__ import annotations

import string
from pathlib import Path

import duckdb
import pytest

from tests.sync.files import csv_text, facts, taken
from tieback.store import DuckDB
from tieback.sync.cells import _DIRECTIVE

EVENT = {"event_id": "e", "occurred_at": "2025-01-01", "kind": "page"}


@pytest.mark.parametrize("column", ["value", "occurred_at", "kind", "email", "phone", "properties", "currency"])
def test_a_refused_word_is_told_as_such_whatever_its_column_holds(column: str, store: DuckDB, tmp_path: Path) -> None:
    """Once, as it stood, and not as a number, time or address that cannot be read."""
    mapping = f'[columns]\n{column} = {{ from = "given", values = {{ a = "A" }}, unmapped = "refuse" }}'
    taken(store, tmp_path, "events", csv_text([EVENT | {"given": "b"}]), mapping)
    assert facts(store, "quarantine", "reason") == ['"b" is not among the values of the mapping']


@pytest.mark.parametrize(
    "rule",
    [
        '{ const = "" }',
        '{ from = "name", values = { n = "" } }',
        '{ from = "none", default = " " }',
        '{ from = "none", values = { n = "N" }, unmapped = "refuse", default = "" }',
    ],
)
def test_an_empty_word_in_a_mapping_is_an_empty_cell(rule: str, store: DuckDB, tmp_path: Path) -> None:
    """It is no text of no letters, and where a value is needed the row waits."""
    text = csv_text([EVENT | {"name": "n", "none": ""}])
    taken(store, tmp_path, "events", text, f"[columns]\nname = {rule}")
    assert facts(store, "events", "name") == [None]
    taken(store, tmp_path, "events", text, f"[columns]\nevent_id = {{ const = 2 }}\nkind = {rule}")
    assert facts(store, "quarantine", "reason") == ["it is empty, and every row of events needs it"]


def test_just_the_directives_that_the_engine_reads_are_known() -> None:
    """A time format is refused before anything is read, and never one that would have been understood."""
    for directive in [f"%{dash}{sign}" for dash in ("", "-") for sign in string.ascii_letters + "%+"]:
        try:
            duckdb.execute("SELECT try_strptime('', ?)", [directive])
            is_read = True
        except duckdb.Error:
            is_read = False
        assert bool(_DIRECTIVE.fullmatch(directive)) == is_read, directive


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1.5", "is not a whole number"),
        ("1000000000000", "is too large"),
        ("9" * 40, "is too large"),
        ("many", "is not a number"),
        ("2540x00", "is not a number"),
        ("999999999999", ""),
    ],
)
def test_a_count_says_what_is_wrong_with_it(written: str, said: str, store: DuckDB, tmp_path: Path) -> None:
    """A count that is too large is not told as a broken one."""
    taken(store, tmp_path, "spend", f"spend_date,platform,cost,clicks\n2025-01-01,g,1,{written}\n")
    assert facts(store, "quarantine", "reason") == ([f'"{written}" {said}'] if said else [])
