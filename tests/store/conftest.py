"""What the tests of the ledger share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.ledgers import KINDS, new_place
from tieback.store.ledger import Ledger, open_ledger


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger of each kind may be made."""
    return new_place(request.param, tmp_path)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty one there."""
    with closing(open_ledger(url)) as made:
        yield made
