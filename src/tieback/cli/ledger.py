"""How commands open the ledger of a workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.config import open_workspace

if TYPE_CHECKING:
    from tieback.store.ledger import Ledger


@contextmanager
def opened_ledger(folder: Path) -> Iterator[Ledger]:
    """The ledger of the workspace in `folder`, made where there is none; errors as of `open_ledger`."""
    from tieback.store import resolved
    from tieback.store.ledger import open_ledger

    ledger = open_ledger(resolved(open_workspace(folder).ledger, os.environ, "ledger under [collect]"))
    try:
        yield ledger
    finally:
        ledger.close()
