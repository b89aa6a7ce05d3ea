"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.company import workspace


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small company, run once; who changes it works on a copy."""
    return workspace(tmp_path_factory.mktemp("company"))
