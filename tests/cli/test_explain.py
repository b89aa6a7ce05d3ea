"""`tieback explain`: why each touch got its credit."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from tests.cli.company import tamper, tieback
from tieback.errors import UsageError


def explained(folder: Path, wanted: str) -> dict[str, Any]:
    """An explanation as a document."""
    result = tieback(folder, "explain", wanted, "--format", "json")
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_every_touch_is_in_or_out_with_its_reason(folder: Path) -> None:
    """Law 7: three touches share the sale under linear; the one after it is out, and says so."""
    found = explained(folder, "D1")
    assert found["conversion"]["conversion_id"] == "customer:D1"
    assert [(touch["touch_id"], touch["included"], touch["reason"]) for touch in found["touches"]] == [
        ("e1", True, None),
        ("e2", True, None),
        ("e3", True, None),
        ("e4", False, "after the conversion"),
    ]
    assert found["touches"][0]["occurred_at"] == "2026-01-05T11:00:00Z"
    assert [touch["credits"].get("linear", {}).get("value") for touch in found["touches"]] == [
        "333.34",
        "333.33",
        "333.33",
        None,
    ]
    assert found["touches"][0]["credits"]["last_paid"] == {"share": 1.0, "value": "1000.00"}
    assert found["unattributed"] == {}
    assert any("also has lead:D1" in note for note in found["notes"])


def test_a_win_before_its_first_contact_is_unattributed_and_says_so(folder: Path) -> None:
    """Bob's only visit comes after he bought: no model may credit it."""
    found = explained(folder, "D2")
    assert found["unattributed"] == {
        model: {"share": 1.0, "value": "500.00"} for model in ("linear", "last_touch", "last_paid")
    }
    assert [touch["reason"] for touch in found["touches"]] == ["after the conversion"]
    assert "every touch comes after it, the first one 5 days later" in found["notes"][0]


def test_the_story(folder: Path) -> None:
    """A person reads what happened, where the raw fact is, and the arithmetic."""
    text = tieback(folder, "explain", "D1").stdout
    assert "customer:D1: customer of deal D1, 1,000.00 EUR, on 2026-02-11 12:00 (Europe/Berlin)" in text
    assert "in · visit, event e1, from events.csv" in text
    assert "linear           #1: 1/3 of 1,000.00 = 333.33 + 0.01 rounding = 333.34" in text
    assert "together 1,000.00" in text


def test_one_model_as_rows(folder: Path) -> None:
    """For a spreadsheet: one row for each touch and model, and they sum to the sale."""
    found = csv.DictReader(io.StringIO(tieback(folder, "explain", "D1", "--model", "linear", "--format", "csv").stdout))
    assert [(row["touch_id"], row["value"]) for row in found] == [
        ("e1", "333.34"),
        ("e2", "333.33"),
        ("e3", "333.33"),
        ("e4", ""),
    ]


def test_an_unknown_id_is_answered_in_a_sentence(folder: Path) -> None:
    """With the nearest id, and the code for wrong usage."""
    error = tieback(folder, "explain", "customer:D3").exception
    assert isinstance(error, UsageError)
    assert "Did you mean 'customer:D" in str(error)


def test_the_story_steers_no_terminal(folder: Path, tmp_path: Path) -> None:
    """Words of the data that a terminal would obey are shown, not sent."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    tamper(folder, "UPDATE touchpoints SET campaign = chr(27) || '[2Jgone'")
    text = tieback(folder, "explain", "D1").stdout
    assert "\x1b" not in text
    assert "\\x1b[2Jgone" in text
