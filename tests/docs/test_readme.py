"""What the README shows is what its commands print, and it shows nothing that another test or machine would change."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from tieback.cli import group

README = Path(__file__).parents[2] / "README.md"


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Each line shown under `make demo` comes from the demo, in that order; … stands for lines left out."""
    block = re.search(r"\$ make demo\n(.*?)\$ make test", README.read_text("utf-8"), re.DOTALL)
    assert block is not None
    shown = [line.rstrip() for line in block[1].splitlines() if line.strip() and line.strip() != "…"]
    assert len(shown) > 20
    result = CliRunner().invoke(group, ["demo", str(tmp_path / "demo")], catch_exceptions=False)
    assert result.exit_code == 0
    printed = iter([line.rstrip() for line in result.output.splitlines()])
    missing = [line for line in shown if line not in printed]
    assert missing == []


def test_no_count_of_tests_is_shown_as_printed() -> None:
    """What `make test` prints differs with every change and machine: the README says about how much it is instead."""
    after = re.search(r"\$ make test(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert after is not None
    said, *shown = after[1].strip().splitlines()
    assert said.startswith("# over ")
    assert shown == []
