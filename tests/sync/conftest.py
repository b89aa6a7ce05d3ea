"""What tests of imports share."""

from __future__ import annotations

import pytest

from tieback.store import DuckDB


@pytest.fixture
def store() -> DuckDB:
    """An empty warehouse in memory."""
    return DuckDB(None)
