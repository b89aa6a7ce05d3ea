"""The proof of an erasure: every file and every table searched for what names a person."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.cli.output import say
from tieback.cli.warehouse import intake, limits, opened
from tieback.errors import CheckError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.sync.person import Person

_CHUNK = 8 * 2**20
_SQLITE = "sqlite:///"


def prove(workspace: Workspace, found: Person) -> None:
    """Search files, tables and the published run for the person, and say what was searched, and what cannot be.

    Raises CheckError naming what still holds something. Nobody may have a file open in this process meanwhile: reading
    it would end the locks that the process holds on it.
    """
    held, places, beyond = _search_tables(workspace, found)
    words = tuple(word.lower().encode() for word in found.words)
    ledger = _ledger(workspace)
    searched = size = 0
    for path in _files([workspace.folder, *places, *_sqlite_files(ledger)]):
        try:
            size += path.stat().st_size
            is_held = _holds(path, words)
        except FileNotFoundError:  # a collector goes on, and its files come and go
            continue
        searched += 1
        if is_held:
            held.append(_shown(path, workspace.folder))
    if held:
        raise CheckError(
            f"Traces are left in {', '.join(held)}. Files that you put there are yours to delete; call again after."
        )
    tables = "every table" if workspace.settings.warehouse.url else "every table, also as published,"
    short = len(found.names) - len(words)
    say(
        f"Searched {searched} files ({size:,} bytes) and {tables} for {len(words)} words: "
        f"no trace.{f' {short} were too short to be searched for.' if short else ''}"
    )
    beyond += [] if ledger.startswith(_SQLITE) else ["the server of the ledger"]
    if beyond:
        say(f"Not to be searched from here: {'; '.join(beyond)}.")


def _search_tables(workspace: Workspace, found: Person) -> tuple[list[str], list[Path], list[str]]:
    """What holds the person, as to be told; where the engine keeps its files; what is out of reach of any search."""
    from tieback.store import DuckDB, Published
    from tieback.store.manifest import runs_folder
    from tieback.sync.person import hits

    with opened(workspace, read_only=True) as engine:
        held = [f"table {name}" for name in hits(engine, found.words)]
        places, beyond = engine.places, [engine.beyond_reach] if engine.beyond_reach else []
        path = engine.path if isinstance(engine, DuckDB) else None
    if workspace.settings.warehouse.url:
        with intake(workspace, read_only=True) as door:
            held += [f"table {name} of {workspace.intake.name}" for name in hits(door, found.words)]
    if path:
        with Published(runs_folder(path), **limits(workspace)) as run:
            held += [f"published {name}" for name in hits(run, found.words)]
    return held, places, beyond


def _ledger(workspace: Workspace) -> str:
    from tieback.store import resolved

    return resolved(workspace.ledger, os.environ, "ledger under [collect]")


def _sqlite_files(ledger: str) -> list[Path]:
    if not ledger.startswith(_SQLITE):
        return []
    path = Path(ledger.removeprefix(_SQLITE))
    return [path, path.with_name(f"{path.name}-wal")]


def _files(places: Iterable[Path]) -> Iterator[Path]:
    """Every file in `places`, each once."""
    found = set()
    for place in places:
        if place.is_dir():
            found |= {path.resolve() for path in place.rglob("*") if path.is_file()}
        elif place.exists():
            found.add(place.resolve())
    yield from sorted(found)


def _shown(path: Path, folder: Path) -> str:
    """A file as it is named in the workspace, or else whole."""
    return str(path.relative_to(folder.resolve()) if path.is_relative_to(folder.resolve()) else path)


def _holds(path: Path, words: tuple[bytes, ...]) -> bool:
    """True when the file holds any of `words`, letter case ignored."""
    longest = max(map(len, words), default=1)
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            text = (before + chunk).lower()
            if any(word in text for word in words):
                return True
            before = text[-longest:]
    return False
