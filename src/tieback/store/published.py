"""Finished runs, as readers see them: tables over the Parquet parts of a run, while others write the next one."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tieback.errors import WorkspaceError
from tieback.store.duckdb import DuckDB
from tieback.store.manifest import Manifest, current, manifests, read
from tieback.store.parts import views

if TYPE_CHECKING:
    from datetime import datetime

STATES_FILE = "facts.json"
_ATTEMPTS = 20  # each fails only when a whole run was pruned in the instant between listing and opening it


class Published(DuckDB):
    """A finished run, open to read: its tables by name, as they were when it ended, whatever is written meanwhile.

    folder: where runs are published. run: its name; the newest one unless told. A run that is open is never pruned.
    Raises WorkspaceError when there is no such run.
    """

    def __init__(
        self, folder: Path, run: str = "", *, memory: str = "1.5GB", threads: int = 0, spill: Path | None = None
    ) -> None:
        self.folder = folder
        self.manifest, self._held = _held(folder, run)
        try:
            super().__init__(None, memory=memory, threads=threads, spill=spill)
        except BaseException:
            self._held.close()
            raise

    @property
    def is_newest(self) -> bool:
        """True when no later run over all facts has been published."""
        newest = current(self.folder)
        return newest is not None and newest.name == self.manifest.name

    def close(self) -> None:
        """Let go of the run."""
        super().close()
        self._held.close()

    def has(self, name: str) -> bool:
        """True when the run holds a table of that name."""
        return name in self.manifest.tables

    def beside(self, schema: str, run: str) -> Published:
        """Another run, open as well, whose tables can also be read here, as `schema.table`."""
        other = Published(self.folder, run)
        self.execute(f"CREATE SCHEMA {schema}")
        for view in views(self.folder, other.manifest, f"{schema}."):
            self.execute(view)
        return other

    def _prepare(self) -> None:
        for view in views(self.folder, self.manifest):
            self.execute(view)


def fact_states(folder: Path) -> dict[str, str] | None:
    """The state of each fact table after the last command that wrote, by name; None when nobody has told it."""
    try:
        found = json.loads((folder / STATES_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return {str(name): str(state) for name, state in found.items()} if isinstance(found, dict) else None


def tell_fact_states(folder: Path, states: dict[str, str]) -> None:
    """Tell readers the state of each fact table, so that they know whether a run is behind."""
    if states == fact_states(folder):
        return
    folder.mkdir(exist_ok=True)
    fresh = folder / f"{STATES_FILE}.fresh"
    fresh.write_text(json.dumps(states, indent=2) + "\n", "utf-8")
    fresh.replace(folder / STATES_FILE)


def _held(folder: Path, run: str) -> tuple[Manifest, IO[bytes]]:
    """The manifest of `run`, and its file, locked against pruning for as long as it stays open."""
    for _ in range(_ATTEMPTS):
        found = _named(folder, run) if run else current(folder)
        if found is None:
            raise WorkspaceError("Nothing has been worked out yet: run `tieback run` first.")
        path = folder / f"{found.label}.json"
        try:
            held = path.open("rb")
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # it is being pruned
            held.close()
            continue
        if read(path) == found:
            return found, held
        held.close()
    raise WorkspaceError(f"The run was pruned while it was opened, {_ATTEMPTS} times over: try again.")


def _named(folder: Path, run: str) -> Manifest:
    known = manifests(folder)
    instant = _instant(run)
    for each in known:
        if each.name == run or (instant is not None and each.as_of == instant):
            return each
    listed = ", ".join(each.name for each in known) or "none"
    raise WorkspaceError(f"There is no run {run!r} (any more). Runs at hand: {listed}. See `tieback runs`.")


def _instant(text: str) -> datetime | None:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
