"""The reference pages say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

GENERATOR = Path(__file__).parents[2] / "docs" / "reference" / "generate.py"
PAGES: dict[Path, str] = runpy.run_path(str(GENERATOR))["pages"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_is_what_the_code_says_now(page: Path) -> None:
    """A table, command or setting that changes takes its page along (`make docs` writes them anew)."""
    assert page.read_text(encoding="utf-8") == PAGES[page]
