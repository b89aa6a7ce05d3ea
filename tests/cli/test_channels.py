"""`tieback channels`: the verdict on a URL, and its reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tieback.cli.channels import command
from tieback.errors import ConfigError, UsageError, WorkspaceError


def run(folder: Path, *arguments: str) -> Result:
    """The command, run in the workspace `folder`."""
    return CliRunner().invoke(command, list(arguments), obj=folder)


def verdict(folder: Path, *arguments: str) -> dict[str, Any]:
    """Its answer as JSON."""
    result = run(folder, *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace that owns acme.com and has a rule of its own."""
    (tmp_path / "tieback.toml").write_text(
        '[traffic]\nown_domains = ["acme.com"]\n\n[[channels]]\nchannel = "Partners"\nsource = "partner.*"\n'
    )
    return tmp_path


def test_the_verdict_names_the_rule_and_its_conditions(workspace: Path) -> None:
    """Each condition with the value that met it, where that value comes from, and what was ignored."""
    url = "https://www.acme.com/pricing?utm_campaign=Spring%20Sale&gclid=abc"
    assert verdict(workspace, url, "--referrer", "https://www.paypal.com/webapps") == {
        "channel": "Paid Search",
        "source": "google",
        "medium": "cpc",
        "campaign": "Spring Sale",
        "rule": "Paid Search",
        "is_paid": True,
        "rules_version": "2026-11",
        "why": [
            "source 'google' is a known search site.",
            "medium 'cpc' matches '.*cp.*|ppc|retargeting|paid.*'.",
            "source 'google' comes from the click id gclid.",
            "medium 'cpc' comes from the click id gclid.",
            "Ignored: the referrer paypal.com is a payment provider, never a referral.",
        ],
    }


def test_a_rule_of_the_workspace_wins_and_is_named(workspace: Path) -> None:
    """By its place in tieback.toml."""
    told = verdict(
        workspace, "https://acme.com/?utm_source=partner7&utm_medium=cpc", "--referrer", "https://www.google.com/"
    )
    assert (told["channel"], told["rule"]) == ("Partners", "[[channels]] 1")
    assert "Ignored: the referrer google.com, as a tag or click id is trusted more." in told["why"]


def test_direct_and_unassigned_say_why(workspace: Path) -> None:
    """Nothing seen is Direct; a trace that no rule knows is Unassigned."""
    assert verdict(workspace, "acme.com", "--referrer", "https://blog.acme.com/")["why"] == [
        "The page was seen with no tag, no click id and no referrer from outside.",
        "Ignored: the referrer blog.acme.com is an own site, never a referral.",
    ]
    assert verdict(workspace, "https://acme.com/?utm_campaign=x")["why"] == [
        "No rule fits, and what is not known is Unassigned, never Direct."
    ]


def test_as_a_table_it_reads_from_top_to_bottom(workspace: Path) -> None:
    """Verdict first, reasons below."""
    lines = run(workspace, "https://acme.com/?utm_source=news&utm_medium=email").stdout.splitlines()
    assert lines[0].split() == ["channel", "Email"]
    assert (
        lines[lines.index("Why") + 1] == "  medium 'email' matches 'e[-_ ]?mail|e[-_ ]?mail[-_ ]marketing|newsletter'."
    )


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_url_steers_no_terminal(workspace: Path, form: str) -> None:
    """What stands in the address is shown in the table as what it is; other formats keep it."""
    told = run(workspace, "https://acme.com/?utm_campaign=a%1B%5B31mb%0D&utm_medium=x%1B", "--format", form).stdout
    assert ("\x1b" in told) == (form == "csv")
    assert (r"a\x1b[31mb" in told) == (form == "table")


def test_without_a_url_it_lists_the_rules_in_order(workspace: Path) -> None:
    """The workspace's own first, then GA4's order."""
    result = run(workspace, "--format", "json")
    rules = json.loads(result.stdout)
    assert rules[0]["channel"] == "Partners"
    assert rules[0]["when"] == "source matches partner.*"
    order = list(dict.fromkeys(rule["channel"] for rule in rules))
    assert order[2:] == [
        "Cross-network",
        "Paid Shopping",
        "Paid Search",
        "Paid Social",
        "Paid Video",
        "Display",
        "Paid Other",
        "Organic Shopping",
        "Organic Social",
        "Organic Video",
        "Organic Search",
        "AI Assistants",
        "Email",
        "Affiliates",
        "Referral",
        "Audio",
        "SMS",
        "Mobile Push",
        "Events",
        "Offline",
        "Calls",
        "Chat",
        "Meetings",
        "CRM Campaigns",
    ]
    assert rules[-1]["channel"] == "Direct"


def test_outside_a_workspace_the_built_in_rules_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it says so on stderr; nothing is written. A workspace that is named must be there."""
    monkeypatch.chdir(tmp_path)
    result = run(Path(), "https://acme.com/?gclid=x")
    assert result.stdout.splitlines()[0].split() == ["channel", "Paid", "Search"]
    assert "built-in rules" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert isinstance(run(tmp_path / "nowhere", "https://acme.com/").exception, WorkspaceError)


@pytest.mark.parametrize("arguments", [["not a url"], ["--referrer", "https://google.com/"], ["foo"], ["https://[::1"]])
def test_what_is_no_address_is_refused(workspace: Path, arguments: list[str]) -> None:
    """With a sentence that says what to give instead."""
    result = run(workspace, *arguments)
    assert isinstance(result.exception, UsageError)
    assert "https://example.com/" in str(result.exception)


def test_a_broken_rule_is_named(workspace: Path) -> None:
    """The place in the file, the pattern and the reason."""
    for pattern in ("(?i)news", "a{1,2000}"):
        (workspace / "tieback.toml").write_text(f'[[channels]]\nchannel = "Mine"\nsource = "{pattern}"\n')
        error = run(workspace, "https://acme.com/").exception
        assert isinstance(error, ConfigError)
        assert "[[channels]] number 1 (Mine) source" in str(error)
