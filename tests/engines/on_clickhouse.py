"""ClickHouse, held by the kit within this process: chdb is the server's own engine."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from tempfile import TemporaryDirectory

from tieback.store import Engine
from tieback.store.clickhouse import opened

GAPS: dict[str, str] = {}
NEEDS = ("chdb",)
_numbers = count()


@contextmanager
def fresh() -> Iterator[Engine]:
    """An empty workspace of its own, in the one folder that chdb may open in a process."""
    with opened(url(f"test{next(_numbers)}")) as store:
        yield store


def url(database: str) -> str:
    """Where the workspace of that name is found."""
    return f"chdb://{folder()}?database={database}"


@cache
def folder() -> str:
    """The one folder that chdb may open here, kept open so that no test waits for the engine to start."""
    place = TemporaryDirectory()
    atexit.register(place.cleanup)
    path = f"{place.name}/chdb"
    atexit.register(opened(f"chdb://{path}?database=kept").close)
    return path
