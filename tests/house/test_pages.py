"""The pages in docs/ hold together. That their links lead somewhere, `make docs` checks too, for what it publishes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE = re.compile(r"^(```|~~~).*?^\1", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
DECISION_PARTS = ["Context", "Choice", "Rejected", "To undo"]


def prose(page: Path) -> str:
    """The text of a page without its code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_title_and_no_dead_link(page: Path) -> None:
    """A page opens with its only title, and its links to other files lead somewhere."""
    text = prose(page)
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    targets = [unquote(target.partition("#")[0]) for target in LINK.findall(text) if ":" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_a_decision_can_be_undone() -> None:
    """Each tells context, choice, what was rejected and how to undo it, and is listed by its own number."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    decisions = sorted(folder.glob("[0-9]*.md"))
    assert len({path.name[:4] for path in decisions}) == len(decisions), "two decisions share a number"
    for path in decisions:
        assert f"({path.name})" in listed, f"{path.name} is not in docs/decisions/README.md"
        parts = re.findall(r"^(?:## |\*\*)(Context|Choice|Rejected|To undo)\b", path.read_text(), flags=re.MULTILINE)
        assert parts == DECISION_PARTS, path.name
