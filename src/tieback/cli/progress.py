"""Progress of long work on stderr: share done, rate and time left. Nothing at all off a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieback.store import DuckDB

_LOOK = 0.2  # seconds between looks at the engine


@contextmanager
def reading(store: DuckDB, name: str, size: int) -> Iterator[None]:
    """Show how far the engine is with the file `name` of `size` bytes, while the block runs."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from tieback.cli.output import console

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    store.execute("SET enable_progress_bar = true")
    ended = threading.Event()
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=size)

        def look() -> None:
            reached = 0.0
            while not ended.wait(_LOOK):
                share = max(store.door.query_progress(), 0.0) / 100
                if share < reached:  # the next pass over the file has begun
                    bar.reset(task)
                reached = share
                bar.update(task, completed=share * size)

        watch = threading.Thread(target=look, daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()
