"""`tieback report`: what each channel cost and earned."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import pytest

from tests.cli.company import tieback, visit, workspace
from tests.facts import put
from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.errors import UsageError, WorkspaceError

ROW = [
    *("channel", "model", "currency", "cost", "impressions", "clicks", "leads", "customers", "revenue"),
    *("conversion_rate", "cac", "cost_per_lead", "roi", "roas", "revenue_per_lead", "note"),
]


def rows(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """A report as rows."""
    result = tieback(folder, "report", *arguments, "--format", "json")
    assert result.exception is None, result.exception
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_the_contract_of_a_row(folder: Path) -> None:
    """Others rely on these columns in this order, money as text, ratios that are undefined as null."""
    found = rows(folder, "--by", "channel", "--model", "linear,last_touch")
    assert all(list(row) == ROW for row in found)
    paid = next(row for row in found if (row["channel"], row["model"]) == ("Paid Search", "linear"))
    assert paid == {
        "channel": "Paid Search",
        "model": "linear",
        "currency": "EUR",
        "cost": "40.00",
        "impressions": 400,
        "clicks": 4,
        "leads": 0.5,
        "customers": 0.333333,
        "revenue": "333.34",
        "conversion_rate": 0.666667,
        "cac": "120.00",
        "cost_per_lead": "80.00",
        "roi": 7.3335,
        "roas": 8.3335,
        "revenue_per_lead": "666.68",
        "note": "too few to say",
    }
    direct = next(row for row in found if (row["channel"], row["model"]) == ("Direct", "linear"))
    assert (direct["roi"], direct["conversion_rate"], direct["revenue"]) == (None, None, "333.33")
    assert [row["model"] for row in found] == ["linear"] * 4 + ["last_touch"] * 4


def test_unattributed_stands_last_and_is_never_cut(folder: Path) -> None:
    """What no touch earned is no channel to be ranked, and no limit hides it."""
    assert [row["channel"] for row in rows(folder)] == ["Paid Search", "Direct", "Email", "Unattributed"]
    assert [row["channel"] for row in rows(folder, "--limit", "1")] == ["Paid Search", "Unattributed"]
    result = tieback(folder, "report", "--limit", "1")
    assert "2 more rows are not shown; the totals count them." in result.stderr
    assert "1,500.00" in next(line for line in result.stdout.splitlines() if line.startswith("Total"))


def test_the_table_says_what_it_is_of_and_fits(folder: Path) -> None:
    """Window, basis, model, currency and time zone in the heading; a total that is all revenue; 100 columns."""
    lines = tieback(folder, "report").stdout.splitlines()
    assert lines[0] == (
        "2026-01-05 to 2026-02-20 · credit on the day of the conversion · linear model · EUR · Europe/Berlin"
    )
    assert all(len(line) <= 100 for line in lines)
    assert lines[-1].split() == ["Total", "40.00", "2", "2", "1,500.00", "100.0%", "20.00", "3,650.0%"]


def test_spend_leaves_out_and_says_so(folder: Path) -> None:
    """By spend, only Paid Search of 5 January has a cost beside it."""
    result = tieback(folder, "report", "--basis", "spend", "--format", "json")
    assert {row["channel"]: row["revenue"] for row in json.loads(result.stdout)} == {
        "Paid Search": "333.34",
        "Direct": "0.00",
        "Email": "0.00",
        "Unattributed": "0.00",
    }
    assert "linear: 1,166.66 of 1,500.00 EUR is left out" in result.stderr


def test_the_window_holds_for_cost_and_revenue(folder: Path) -> None:
    """Law 9: February has the revenue by conversion and none of January's cost."""
    window = ("--from", "2026-02-01", "--to", "2026-02-28")
    paid = next(row for row in rows(folder, *window) if row["channel"] == "Paid Search")
    assert (paid["cost"], paid["revenue"], paid["roas"]) == ("0.00", "333.34", None)
    by_touch = {row["channel"]: row["revenue"] for row in rows(folder, *window, "--basis", "touch")}
    assert (by_touch["Paid Search"], by_touch["Direct"], by_touch["Unattributed"]) == ("0.00", "333.33", "500.00")


def test_by_account_the_credit_is_the_same(folder: Path) -> None:
    """Leads, customers and revenue by industry sum to the same; what no account can share is empty."""
    found = {row["account_industry"]: row for row in rows(folder, "--by", "account_industry")}
    assert {name: (row["leads"], row["customers"], row["revenue"]) for name, row in found.items()} == {
        "Software": (1.0, 1.0, "1000.00"),
        None: (1.0, 1.0, "500.00"),
    }
    assert (found["Software"]["cost"], found["Software"]["roi"]) == (None, None)
    both = rows(folder, "--by", "account_industry,channel", "--basis", "touch")
    assert {(row["account_industry"], row["channel"]): row["revenue"] for row in both} == {
        ("Software", "Paid Search"): "333.34",
        ("Software", "Email"): "333.33",
        ("Software", "Direct"): "333.33",
        (None, "Unattributed"): "500.00",
    }


def test_metrics_order_and_csv(folder: Path) -> None:
    """Only the metrics asked for, in that order; CSV carries the same as JSON."""
    chosen = ("--by", "month,channel", "--metrics", "visits,repeat_rate", "--sort", "-month", "--basis", "touch")
    table = list(csv.reader(io.StringIO(tieback(folder, "report", *chosen, "--format", "csv").stdout)))
    assert table[0] == ["month", "channel", "model", "currency", "visits", "repeat_rate", "note"]
    assert [line[0] for line in table[1:]] == ["2026-02"] * 4 + ["2026-01"] * 2
    cheapest = rows(folder, "--sort", "-revenue")
    assert [row["channel"] for row in cheapest] == ["Direct", "Email", "Paid Search", "Unattributed"]


def test_cohorts(folder: Path) -> None:
    """January's lead brought 1,000.00; the data end in February, so no age is complete yet."""
    found = {row["cohort"]: row for row in rows(folder, "--cohorts", "--by", "")}
    assert (found["2026-01"]["leads"], found["2026-01"]["revenue_per_lead"]) == (1.0, "1000.00")
    assert found["2026-01"]["revenue_per_lead_30_days"] is None


def test_a_limit_on_cohorts_holds_for_each_model_and_is_told(folder: Path) -> None:
    """As in the other report: no model is hidden by the rows of another, and what is hidden is counted."""
    result = tieback(folder, "report", "--cohorts", "--by", "", "--model", "all", "--limit", "1", "--format", "json")
    found = [(row["model"], row["cohort"]) for row in json.loads(result.stdout)]
    assert found == [("linear", "2026-01"), ("last_touch", "2026-01"), ("last_paid", "2026-01")]
    assert "3 models" in result.stderr
    assert "3 more rows are not shown." in result.stderr


def test_a_footnote_is_said_once_for_all_models(tmp_path: Path) -> None:
    """Revenue without a lead is the same for every model; what spend leaves out stands in one sentence."""
    order = {"order_id": "O1", "kind": "order", "contact_id": "ann", "amount": 70, "currency": "EUR"}
    when = dict.fromkeys(("occurred_at", "changed_at"), "2026-02-12T11:00:00")
    made = workspace(tmp_path, deals=[], orders=[order | when])
    told = tieback(made, "report", "--cohorts", "--model", "all").stderr.splitlines()
    assert [line for line in told if "no lead" in line] == [
        "70.00 EUR of revenue has no lead behind it: it is in no cohort."
    ]
    told = tieback(made, "report", "--basis", "spend", "--model", "all").stderr.splitlines()
    (line,) = [line for line in told if "left out" in line]
    assert line.startswith("linear: 46.66 of 70.00 EUR; last_touch: 70.00 of 70.00 EUR is left out: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "chanel"], "There is no dimension 'chanel'. Did you mean 'channel'?"),
        (["--model", "liner"], "There is no model 'liner' in this workspace. Did you mean 'linear'?"),
        (["--metrics", "roass"], "There is no metric 'roass'. Did you mean 'roas'?"),
        *(
            (
                ["--cohorts", *given],
                f"{given[0]} means nothing beside --cohorts, which shows revenue per lead by age, month after month. "
                "Leave one of the two out.",
            )
            for given in (["--sort", "leads"], ["--metrics", "roas"], ["--basis", "conversion"])
        ),
        (["--sort", "revenu"], "There is nothing called 'revenu' to sort by. Did you mean 'revenue'?"),
        (["--from", "1/2/2026"], "--from '1/2/2026' is not a day. Write it as year-month-day, such as 2026-01-31."),
        (
            ["--from", "2026-03-01", "--to", "2026-02-01"],
            "--from 2026-03-01 comes after --to 2026-02-01. Swap them, or widen the window.",
        ),
    ],
)
def test_slips_are_answered_in_a_sentence(folder: Path, arguments: list[str], says: str) -> None:
    """What does not exist is named with the nearest that does, and ends with the code for wrong usage."""
    error = tieback(folder, "report", *arguments).exception
    assert isinstance(error, UsageError)
    assert str(error) == says


def test_an_empty_window_is_no_error(folder: Path) -> None:
    """Nothing in a window is an answer: zeros, and a word on stderr."""
    result = tieback(folder, "report", "--from", "2030-01-01", "--format", "json")
    assert [row["channel"] for row in json.loads(result.stdout)] == ["Unattributed"]
    assert "There are no numbers in this window." in result.stderr


STEERING = "\x1b[31mred\r\nfake row\u202egnp"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company, whose campaigns are called what no campaign should be called."""
    long = "spring_sale_" + "x" * 300
    names = [STEERING, f"{long}_1", f"{long}_2", "春のセール" * 12, "Total"]
    events = [
        visit(
            f"e{number}",
            f"2026-01-{number + 1:02}T11:00:00",
            "ann",
            utm_source="news",
            utm_medium="cpc",
            utm_campaign=name,
        )
        for number, name in enumerate(names)
    ]
    return workspace(tmp_path_factory.mktemp("hostile"), events=events)


def columns(line: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("arguments", [[], ["--by", "campaign,channel"], ["--cohorts", "--by", "campaign"]])
def test_a_table_fits_its_terminal_whatever_stands_in_it(
    hostile: Path, monkeypatch: pytest.MonkeyPatch, width: int, arguments: list[str]
) -> None:
    """Names are shortened, then metrics left out; nothing in the data moves the cursor or breaks a row."""
    monkeypatch.setenv("COLUMNS", str(width))
    printed = tieback(hostile, "report", *arguments).stdout
    assert all(letter.isprintable() or letter == "\n" for letter in printed)
    lines = printed.split("\n")
    assert max(map(columns, lines)) <= width
    assert any(line.startswith("─") for line in lines)


def test_what_steers_a_terminal_is_shown_as_what_it_is(hostile: Path) -> None:
    """Escapes stand for it in the table, and names that are cut still differ; JSON keeps the names as they are."""
    lines = tieback(hostile, "report", "--by", "campaign", "--metrics", "visits").stdout.splitlines()
    assert r"\x1b[31mred\r\nfake row\u202egnp" in "\n".join(lines)
    assert len({line for line in lines if line.startswith("spring_sale_x")}) == 2
    assert lines[-1].startswith("Total")
    assert sum(line.startswith("─") for line in lines) == 1
    assert STEERING in {row["campaign"] for row in rows(hostile, "--by", "campaign")}


def test_the_doctor_s_table_is_as_safe(hostile: Path) -> None:
    """The tables of other commands are made elsewhere, and show campaigns too."""
    told = tieback(hostile, "doctor").stdout
    assert r"\x1b[31mred" in told
    assert all(letter.isprintable() or letter == "\n" for letter in told)


def test_before_the_first_run_there_is_nothing_to_report(tmp_path: Path) -> None:
    """Facts alone are no answer: the sentence names the command that is missing."""
    error = tieback(workspace(tmp_path, run=False), "report").exception
    assert isinstance(error, WorkspaceError)
    assert str(error) == "Nothing has been worked out yet: run `tieback run` first."


def test_facts_newer_than_the_run_are_told(folder: Path, tmp_path: Path) -> None:
    """The numbers shown are those of the last run, and a word on stderr says that there is more."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert "since the last run" not in tieback(copy, "report").stderr
    with opened(open_workspace(copy)) as store:
        put(store, "events", [visit("e9", "2026-03-01T11:00:00", "ann")])
    assert "Facts were imported or settings changed since the last run" in tieback(copy, "report").stderr


def test_a_report_loads_no_compiler(folder: Path) -> None:
    """A report answers at once: it loads the engine, and neither Ibis nor Arrow nor a library for tables."""
    code = (
        "import sys; sys.argv = ['tieback', '-w', sys.argv[1], 'report']\n"
        "from tieback.cli import main\n"
        "try: main()\n"
        "finally: print(*sorted({'ibis', 'pyarrow', 'sqlglot', 'pandas', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert "Total" in done.stdout
    assert done.stderr.splitlines()[-1] == ""
