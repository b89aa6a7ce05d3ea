"""A DuckDB file outside of the workspace, as a warehouse with a URL: duckdb:///srv/marketing/warehouse.duckdb."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tieback.errors import ConfigError
from tieback.store.duckdb import DuckDB
from tieback.store.engine import Engine


def opened(url: str, *, read_only: bool = False) -> Engine:
    """The warehouse in the file that `url` names, made when it is missing; `?memory=8GB` raises its memory limit.

    Raises ConfigError for a path that is not absolute, or of a folder that is not there; else what DuckDB raises.
    """
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute() or path.name == "":
        raise ConfigError(
            f"{url!r} names no file. Write its whole path behind three strokes: duckdb:///srv/file.duckdb"
        )
    if not path.parent.is_dir():
        raise ConfigError(f"There is no folder {path.parent} for the warehouse {path.name}. Make it and try again.")
    asked = parse_qs(parts.query)
    memory = asked.pop("memory", ["1.5GB"])[-1]
    if asked:
        raise ConfigError(f"{url!r}: a DuckDB file takes no {sorted(asked)[0]!r}, only memory, as in ?memory=8GB.")
    return DuckDB(path, memory=memory, read_only=read_only)
