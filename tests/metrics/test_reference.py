"""The reference page follows the code."""

from __future__ import annotations

from pathlib import Path

from tieback.metrics.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def test_the_page_is_what_the_metrics_say() -> None:
    """docs/reference/metrics.md is made from the docstrings: write `tieback.metrics.reference.page()` to it anew."""
    assert PAGE.read_text("utf-8") == page()
