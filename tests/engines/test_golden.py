"""The journeys and models worked by hand, played on every engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attribution.scene import STAGE
from tests.golden.test_journeys import *  # noqa: F403  # the scenes are the same, the stage is another
from tests.golden.test_models import *  # noqa: F403  # likewise
from tieback.store import Engine


@pytest.fixture(autouse=True)
def stage(engine: Engine) -> Iterator[None]:
    """Play the scenes on this engine."""
    token = STAGE.set(engine)
    yield
    STAGE.reset(token)
