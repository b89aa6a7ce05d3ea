"""What a published run is made of: a small JSON file that names its tables' Parquet parts, renamed into place whole.

A workspace's folder `runs` holds `000012.json` for run 12, `as-of-….json` for a run over earlier facts, and their parts
under `parts`. Parts are never written again: runs share those of tables that did not change between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from tieback.config import RUNS_NAME
from tieback.errors import WorkspaceError

PARTS_FOLDER = "parts"
PENDING = ".pending"  # after the name of a manifest whose run is not committed yet
_AS_OF = "as-of-"


class Gone(msgspec.Struct, frozen=True):
    """Rows of `base` that left: those that equal a row of `file` in `columns`, empty or not."""

    columns: tuple[str, ...]
    file: str


class Parts(msgspec.Struct, frozen=True):
    """The Parquet files of one table, by name: `base` without what is `gone`, and the rows that came since.

    base_rows, came_rows: how many rows those two files hold. state: of a fact, what it was when it was written.
    """

    base: str
    base_rows: int
    gone: tuple[Gone, ...] = ()
    came: str = ""
    came_rows: int = 0
    state: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the table."""
        return (self.base, *(part.file for part in self.gone), *((self.came,) if self.came else ()))


class StageBuilt(msgspec.Struct, frozen=True):
    """A stage that the run built: its rows, and the seconds it took."""

    stage: str
    rows: int
    seconds: float


class Manifest(msgspec.Struct, frozen=True):
    """One finished run. finished_at, as_of: UTC, the latter only for a run over the facts received until then."""

    run_id: int
    finished_at: datetime
    stages: tuple[StageBuilt, ...]
    tables: dict[str, Parts]
    as_of: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called on the command line: its number, or the instant it stands at."""
        return f"{self.as_of.isoformat()}Z" if self.as_of else str(self.run_id)

    @property
    def label(self) -> str:
        """What its files are named after."""
        return f"{_AS_OF}{self.as_of:%Y%m%dT%H%M%S.%f}Z" if self.as_of else f"{self.run_id:06}"

    @property
    def files(self) -> frozenset[str]:
        """The parts that it needs."""
        return frozenset(file for parts in self.tables.values() for file in parts.files)


def runs_folder(warehouse: Path) -> Path:
    """Where the runs of the warehouse file are published."""
    return warehouse.parent / RUNS_NAME


def manifests(folder: Path) -> list[Manifest]:
    """The published runs, oldest first; those over earlier facts after the others."""
    found = [read(path) for path in sorted(folder.glob("*.json")) if is_manifest(path)]
    return sorted(
        (each for each in found if each), key=lambda each: (each.as_of is not None, each.run_id, each.finished_at)
    )


def current(folder: Path) -> Manifest | None:
    """The newest run over all facts; None before the first."""
    for path in sorted(folder.glob("[0-9]*.json"), reverse=True):
        found = read(path)
        if found:
            return found
    return None


def is_manifest(path: Path) -> bool:
    """True for the file of a run, among others that the folder holds."""
    return path.name[0].isdigit() or path.name.startswith(_AS_OF)


def read(path: Path) -> Manifest | None:
    """The manifest in the file `path`; None when it has just been pruned."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise WorkspaceError(
            f"{path} is no published run that this release can read ({error}). Delete it and use `tieback run`."
        ) from None


def write_pending(folder: Path, manifest: Manifest) -> Path:
    """Put `manifest` beside the place where readers would see it, safe from a loss of power; returns where."""
    path = folder / f"{manifest.label}.json{PENDING}"
    with path.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)))
        file.flush()
        os.fsync(file.fileno())
    return path


def show(pending: Path) -> Path:
    """From here on readers see the run of that pending manifest; returns its file."""
    shown = pending.with_name(pending.name.removesuffix(PENDING))
    pending.replace(shown)
    settle(shown.parent)
    return shown


def settle(*paths: Path) -> None:
    """Make what was written at `paths` (files, or the names in folders) outlast a loss of power."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each part, by name."""
    return dict(_sizes(folder / PARTS_FOLDER))


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    if folder.is_dir():
        for entry in os.scandir(folder):
            yield entry.name, entry.stat().st_size
