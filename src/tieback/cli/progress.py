"""Progress of long work on stderr: share done, rate and time left. Nothing at all off a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
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


@contextmanager
def building(expected: Mapping[str, float | None]) -> Iterator[Callable[[str], None]]:
    """Show which stage of a run is at work; what the block is given hears the name of each as it begins.

    expected: the stages to be built, in order, with the seconds that each took last; all known, so is the time left.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from tieback.cli.output import console

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
    total = sum(seconds or 0.0 for seconds in expected.values())
    is_known = all(expected.values())
    done, due, began = 0.0, 0.0, time.monotonic()
    ended = threading.Event()
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=total if is_known else None, left="")

        def begin(name: str) -> None:
            nonlocal done, due, began
            done, due, began = done + due, expected.get(name) or 0.0, time.monotonic()
            if name in expected:
                place = list(expected).index(name) + 1
                bar.update(task, description=f"Building {name} ({place} of {len(expected)})")

        def look() -> None:
            while not ended.wait(_LOOK):
                reached = done + min(time.monotonic() - began, due)
                left = f"about {total - reached:,.0f} s left" if is_known else ""
                bar.update(task, completed=reached, left=left)

        watch = threading.Thread(target=look, daemon=True)
        watch.start()
        try:
            yield begin
        finally:
            ended.set()
            watch.join()


@contextmanager
def moving(doing: str, sizes: Mapping[str, int]) -> Iterator[Callable[[str, int], None]]:
    """Show how far a move is; what the block is given hears of each table, and of rows of it that are done.

    sizes: the rows of each table.
    """
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from tieback.cli.output import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=sum(sizes.values()))

        def told(table: str, rows: int) -> None:
            bar.update(task, description=f"{doing} {table}", advance=rows)

        yield told
