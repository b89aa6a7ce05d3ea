"""One small world for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieback.simulate import World, write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A year of 1500 people."""
    folder: Path = tmp_path_factory.mktemp("world")
    return write_world(folder, people=1500, seed=3)
