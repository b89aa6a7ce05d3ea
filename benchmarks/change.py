"""Refreshes after small changes of a finished run, in one process: seconds of the first, which compiles, and of others."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tieback.cli.warehouse import opened_file
from tieback.config import open_workspace
from tieback.pipeline import refresh
from tieback.store import DuckDB

ROUNDS = 4


def visits(store: DuckDB, number: int) -> None:
    """A thousand visits of a thousand people, on one day after all others."""
    store.execute(
        f"INSERT INTO events (event_id, occurred_at, kind, anonymous_id, url, landing_page, utm_source, utm_medium, "
        f"utm_campaign, origin, received_at) SELECT 'new{number}-' || range, TIMESTAMP '2026-01-0{number}' + "
        f"INTERVAL (range) SECOND, 'page', 'a' || (hash(range + {number * 1000}) % (SELECT count(*) // 10 FROM events)), "
        f"'https://acme.example/', '/', 'google', 'cpc', 'campaign-1', 'bench', ? FROM range(1000)",
        [now()],
    )


def merge(store: DuckDB, number: int) -> None:
    """A tie that makes one person of two."""
    one, other = f"a{number * 16 + 3}", f"a{number * 16 + 5}"
    row = ["anonymous", one, "anonymous", other, now(), False, "bench", now()]
    store.execute("INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def now() -> datetime:
    """This instant, as facts carry it."""
    return datetime.now(UTC).replace(tzinfo=None)


CHANGES: dict[str, Callable[[DuckDB, int], None]] = {"one merge of two people": merge, "1,000 new events": visits}

workspace = open_workspace(Path(sys.argv[1]))
with opened_file(workspace) as store:
    for what, change in CHANGES.items():
        took = []
        for number in range(1, ROUNDS + 1):
            change(store, number)
            started = time.perf_counter()
            stages = refresh(store, workspace.settings)
            took.append(time.perf_counter() - started)
        rows = sum(stage.rows or 0 for stage in stages)
        print(f"{what}\t{took[0]:.3f}\t{min(took[1:]):.3f}\t{rows}")
