"""A front door over its real ledger, asked as clients ask it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tieback.collect import Counts, Door, Keys, Limits, Wire, application
from tieback.config import Consent
from tieback.store.ledger import GroupCommit, Ledger, open_ledger


@dataclass
class Doorstep:
    """A client of the door, and the ledger behind it, whose file is `file`; keys: of its sources, by name."""

    client: TestClient
    ledger: Ledger
    file: Path
    keys: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """What waits in the inbox, as facts will be made of it."""
        return [json.loads(row.payload) for row in self.ledger.waiting(1000) if not row.reason]

    def quarantined(self) -> list[tuple[str, bytes]]:
        """What waits for the quarantine: why, and what came."""
        return [(row.reason, row.payload) for row in self.ledger.waiting(1000) if row.reason]

    def count(self, line: str) -> float:
        """The number behind `line` in /metrics; 0 where there is none."""
        found = [each for each in self.client.get("/metrics").text.splitlines() if each.startswith(line + " ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0


@contextlib.contextmanager
def doorstep(folder: Path, *spoken: Wire, per_second: int = 0, **more: Any) -> Iterator[Doorstep]:
    """A door in `folder` that speaks these protocols; keys and names are asked for each time.

    per_second: events that a source may send; 0 for any number. more: what else the door is to know.
    """
    file = folder / "ledger.sqlite"
    ledger = open_ledger(f"sqlite:///{file}")
    inbox, counts = GroupCommit(ledger), Counts(ledger.backlog)

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[None]:
        yield
        await inbox.close()

    keys, names = Keys(ledger.source_of, 0.0), Keys(ledger.source_named, 0.0)
    door = Door(inbox, keys.source_of, counts, Consent(), names.source_of, limits=Limits(per_second), **more)
    app = application(door, spoken, counts, inbox, 100_000, running)
    with TestClient(app, follow_redirects=False) as client:
        yield Doorstep(client, ledger, file)
    ledger.close()
