"""`tieback quarantine` and `tieback vault`: see, export, mend, retry, discard, wipe."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tieback.cli import group

BAD = "Deal ID,amount,changed_at\n1,5,2025-01-01\n2,5x,2025-01-01\n3\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace and a file of deals."""
    (tmp_path / "tieback.toml").write_text('name = "test"\n')
    (tmp_path / "deals.csv").write_text(BAD)
    assert called(tmp_path, "import", "deals", str(tmp_path / "deals.csv")).exit_code == 0
    return tmp_path


def called(folder: Path, *words: str) -> Result:
    """What came of a command in `folder`."""
    return CliRunner().invoke(group, ["-w", str(folder), *words])


def test_list_tells_each_kind_of_refusal_or_each_row(folder: Path) -> None:
    """Kinds with count and first row number; with --rows the rows as they stood."""
    kinds = json.loads(called(folder, "quarantine", "list", "--format", "json").stdout)
    assert {(each["column_name"], each["rows"], each["first_row"]) for each in kinds} == {("amount", 1, 3), ("", 1, 4)}
    rows = json.loads(called(folder, "quarantine", "list", "--rows", "--format", "json").stdout)
    assert json.loads(rows[0]["raw"]) == {"Deal ID": "2", "amount": "5x", "changed_at": "2025-01-01"}


def test_exported_rows_can_be_mended_and_imported(folder: Path) -> None:
    """An export holds the file's own columns and the reason, and imports like the file itself."""
    assert called(folder, "quarantine", "export", str(folder / "out.csv")).exit_code == 0
    text = (folder / "out.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert (rows[0]["_row"], rows[0]["_reason"], rows[0]["Deal ID"]) == ("3", '"5x" is not a number', "2")
    (folder / "out.csv").write_text(text.replace(",5x,", ",5,"))
    told = called(folder, "import", "deals", str(folder / "out.csv"), "--format", "json")
    assert json.loads(told.stdout)[0]["facts_added"] == 1
    lines = called(folder, "quarantine", "export", "--format", "jsonl").stdout.splitlines()
    assert json.loads(lines[0])["_column"] == "amount"
    again = called(folder, "quarantine", "export", str(folder / "out.csv"))
    assert "is there already, and may hold what you have mended" in str(again.exception)
    assert ",5," in (folder / "out.csv").read_text()


def test_a_retry_with_a_better_mapping_empties_the_quarantine(folder: Path) -> None:
    """What passes leaves; broken lines stay, and it says so."""
    (folder / "map.toml").write_text('[columns]\namount = { from = "amount", values = { "5x" = 5 } }\n')
    told = called(folder, "quarantine", "retry", "--map", str(folder / "map.toml"))
    assert "1 rows taken in, 0 refused again" in told.stderr
    assert "1 rows cannot be retried" in told.stderr
    assert len(json.loads(called(folder, "quarantine", "list", "--format", "json").stdout)) == 1
    called(folder, "quarantine", "discard", "--yes")
    assert "No refused rows" in called(folder, "quarantine", "list").stderr


def test_no_to_the_question_is_an_answer(folder: Path) -> None:
    """Nothing was interrupted, and nothing is gone."""
    answered = CliRunner().invoke(group, ["-w", str(folder), "quarantine", "discard"], input="n\n")
    assert (answered.exit_code, answered.stdout) == (0, "")
    assert "Nothing was discarded." in answered.stderr
    assert len(json.loads(called(folder, "quarantine", "list", "--format", "json").stdout)) == 2
    CliRunner().invoke(group, ["-w", str(folder), "quarantine", "discard"], input="y\n")
    assert "No refused rows" in called(folder, "quarantine", "list").stderr


def test_no_to_wiping_the_vault_deletes_nothing(folder: Path) -> None:
    """An answer, too: only a yes wipes."""
    for word, said in (("n", "Nothing was deleted."), ("y", "2 refused rows emptied")):
        answered = CliRunner().invoke(group, ["-w", str(folder), "vault", "wipe"], input=f"{word}\n")
        assert (answered.exit_code, answered.stdout) == (0, "")
        assert said in answered.stderr


def test_wiping_the_vault_empties_refused_rows(folder: Path) -> None:
    """Row numbers and reasons stay, contents go; a wiped row can no longer be retried."""
    assert called(folder, "vault", "wipe", "--yes").exit_code == 0
    rows = json.loads(called(folder, "quarantine", "list", "--rows", "--format", "json").stdout)
    assert (rows[0]["row_number"], rows[0]["raw"], rows[0]["reason"]) == (3, "{}", "it is not a number")
    assert "2 rows cannot be retried" in called(folder, "quarantine", "retry").stderr


def test_a_delivery_that_does_not_exist_is_told(folder: Path) -> None:
    """The nearest one is offered."""
    result = called(folder, "quarantine", "list", "--delivery", "d11")
    assert "Did you mean 'd1'" in str(result.exception)
