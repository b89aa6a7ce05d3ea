"""Finished runs: listed, compared, worked out as of an instant, read under their name, pruned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.cli.company import SETTINGS, stage, tieback, visit
from tests.facts import put
from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.errors import UsageError, WorkspaceError

EARLY, LATE = "2026-01-01T00:00:00", "2026-03-01T00:00:00"


def deliver(folder: Path, file: str, **facts: list[dict[str, Any]]) -> None:
    """Take `facts` in as one delivery of that file, received at LATE."""
    told = {"delivery_id": file, "file": file, "table_name": next(iter(facts)), "mapping": "", "received_at": LATE}
    counts = {"rows_read": 1, "facts_added": 1, "facts_known": 0, "rows_refused": 0}
    with opened(open_workspace(folder)) as store:
        put(store, "deliveries", [told | counts])
        for name, rows in facts.items():
            put(store, name, [{**row, "origin": file, "received_at": LATE} for row in rows])


@pytest.fixture
def grown(folder: Path, tmp_path: Path) -> Path:
    """The company after two runs: between them, a sale of 200.00 to Cid, and a visit of his."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    visits = [visit("e7", "2026-02-20T11:00:00", "cid", utm_source="news", utm_medium="email")]
    deliver(copy, "visits.csv", events=visits)
    deliver(copy, "deals.csv", deals=[stage("D3", "won", "2026-02-22T11:00:00", "cid", None, 200)])
    assert tieback(copy, "run").exception is None
    return copy


def rows(folder: Path, *words: str) -> Any:
    """What a command prints as JSON."""
    result = tieback(folder, *words, "--format", "json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def revenue(folder: Path, *words: str) -> str:
    """The revenue of all conversions, as `reconcile` tells it."""
    return str(rows(folder, "reconcile", *words)[0]["revenue"])


def test_runs_are_listed_and_each_can_be_read(grown: Path) -> None:
    """The newest is the current one; an older one still shows its own numbers, and says that it is not the newest."""
    listed = rows(grown, "runs")
    assert [(row["run"], row["is_current"]) for row in listed] == [("1", False), ("2", True)]
    assert (revenue(grown, "--run", "1"), revenue(grown)) == ("1500.00", "1700.00")
    assert "These numbers are of run 1" in tieback(grown, "report", "--run", "1").stderr
    assert "D3" in tieback(grown, "explain", "D3").stdout
    assert isinstance(tieback(grown, "explain", "D3", "--run", "1").exception, UsageError)


def test_an_explanation_names_the_file_of_each_touch(grown: Path) -> None:
    """The delivery goes along with the touch: facts of the web are not published."""
    assert "from visits.csv" in tieback(grown, "explain", "D3").stdout


def test_a_run_that_is_not_there_is_told(grown: Path) -> None:
    """With those that are."""
    error = tieback(grown, "report", "--run", "7").exception
    assert isinstance(error, WorkspaceError)
    assert str(error) == "There is no run '7' (any more). Runs at hand: 1, 2. See `tieback runs`."


def test_diff_tells_what_changed_and_which_facts_caused_it(grown: Path) -> None:
    """200.00 more through e-mail, by one new customer, from the two files imported in between; nothing else."""
    found = rows(grown, "diff", "1", "2")
    outcome = {"model": "linear", "metric": "revenue", "before": "333.33", "after": "533.33", "change": "200.00"}
    assert [row for row in found["numbers"] if row["metric"] == "revenue"] == [{"channel": "Email", **outcome}]
    assert [row["change"] for row in found["totals"] if row["metric"] == "revenue"] == ["200.00"]
    assert [(row["conversion_id"], row["change"], row["files"]) for row in found["conversions"]] == [
        ("customer:D3", "new", "deals.csv, visits.csv")
    ]
    assert {row["file"] for row in found["facts"]} == {"deals.csv", "visits.csv"}
    assert found["settings"] == []
    text = tieback(grown, "diff", "1", "2")
    assert "customer:D3" in text.stdout
    back = rows(grown, "diff", "2", "1")
    assert [(row["conversion_id"], row["change"]) for row in back["conversions"]] == [("customer:D3", "gone")]


def test_diff_of_a_run_with_itself_is_empty(grown: Path) -> None:
    """Nothing differs, and it says so."""
    result = tieback(grown, "diff", "2", "2", "--format", "csv")
    assert result.stdout == "channel,model,metric,before,after,change\n"
    assert "No number differs." in result.stderr


def test_diff_names_changed_settings_and_refuses_other_currencies(grown: Path) -> None:
    """A window that changed moves credit with no new fact; amounts in two currencies are never set side by side."""
    (grown / "tieback.toml").write_text(SETTINGS + "[conversions.customer]\nlookback_days = 1\n")
    assert tieback(grown, "run").exception is None
    found = rows(grown, "diff", "2", "3")
    assert found["settings"] == ["conversions"]
    assert {(row["change"], row["files"]) for row in found["conversions"]} == {("credit", "")}
    (grown / "tieback.toml").write_text(SETTINGS.replace("EUR", "CHF"))
    put_rates(grown)
    assert tieback(grown, "run").exception is None
    assert "cannot be compared" in str(tieback(grown, "diff", "3", "4").exception)


def put_rates(folder: Path) -> None:
    """A rate from EUR to CHF for every day in question."""
    days = [f"2026-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    rates = [{"rate_date": day, "currency": "EUR", "base_currency": "CHF", "rate": 1} for day in days]
    deliver(folder, "rates.csv", fx_rates=rates)


def test_a_run_as_of_an_instant_is_what_a_run_then_had_shown(grown: Path) -> None:
    """It equals run 1 in every number, is never the current run, and leaves facts and later runs as they are."""
    before = tieback(grown, "report", "--by", "channel,day", "--format", "csv").stdout
    assert tieback(grown, "run", "--as-of", "2026-02-01T01:00:00+01:00").exception is None
    named = "2026-02-01T00:00:00Z"
    then = [tieback(grown, "report", "--by", "channel,day", "--format", "csv", "--run", run) for run in ("1", named)]
    assert then[0].stdout == then[1].stdout
    assert f"of the facts received until {named}" in then[1].stderr
    assert rows(grown, "diff", "1", named)["numbers"] == []
    assert tieback(grown, "report", "--by", "channel,day", "--format", "csv").stdout == before
    assert "Nothing has changed" in tieback(grown, "run").stderr
    assert [row["run"] for row in rows(grown, "runs")] == ["1", "2", named]


@pytest.mark.parametrize(
    ("text", "words"), [("yesterday", "is no instant"), ("2001-01-01", "Nothing had been imported")]
)
def test_an_instant_without_facts_is_told(grown: Path, text: str, words: str) -> None:
    """In a sentence, and nothing is published."""
    assert words in str(tieback(grown, "run", "--as-of", text).exception)
    assert len(rows(grown, "runs")) == 2


def test_old_runs_are_pruned_and_shared_parts_stay(grown: Path) -> None:
    """keep_runs newest ones are kept, with every file they need and no other."""
    (grown / "tieback.toml").write_text(SETTINGS + "[warehouse]\nkeep_runs = 2\n")
    for number in range(3):
        visits = [visit(f"f{number}", "2026-02-21T11:00:00", "cid")]
        deliver(grown, f"more-{number}.csv", events=visits)
        assert tieback(grown, "run").exception is None
    assert [row["run"] for row in rows(grown, "runs")] == ["4", "5"]
    assert revenue(grown, "--run", "4") == "1700.00"
    needed = {
        part
        for path in (grown / "runs").glob("0*.json")
        for table in json.loads(path.read_text())["tables"].values()
        for part in (table["base"], table["came"], *(gone["file"] for gone in table["gone"]))
        if part
    }
    assert {path.name for path in (grown / "runs" / "parts").iterdir()} == needed


def test_a_run_is_read_elsewhere_by_its_views(grown: Path) -> None:
    """Any DuckDB reads the tables of a run, from the SQL that `tieback runs --views` prints."""
    printed = tieback(grown, "runs", "--views", "--run", "1").stdout
    with duckdb.connect() as door:
        door.execute(printed)
        earned = door.execute("SELECT sum(value_minor) FROM credits WHERE model = 'linear'").fetchall()
    assert earned == [(150000,)]
