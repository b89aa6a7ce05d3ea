"""Tables as lists of Parquet parts, published whole by a manifest.

A lake is a folder: `manifests/NUMBER.json` names the parts of every table after that many transactions; `tables/NAME/`
holds them, each a folder of Parquet files written once; `writing/` has a mark for each transaction that goes on;
`scratch/` holds what sessions keep for themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from itertools import groupby

import msgspec

from tieback.errors import WorkspaceError
from tieback.schema import FACTS, OPERATIONS, SCHEMA_VERSION, Table
from tieback.schema.types import Type
from tieback.store.lake_files import Files

TABLES_FOLDER = "tables"
_MANIFESTS = "manifests"
_WRITING = "writing"
_SCRATCH = "scratch"
_MANY_PARTS = 32
_MANY_REMOVALS = 6


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One folder of Parquet files, by its path below the lake, and how many rows it holds.

    removed_by: when not empty, its rows take out of the parts before it every row that equals one of them in these
    columns.
    """

    path: str
    rows: int
    removed_by: tuple[str, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """A table as it stands: its columns and their types, and its parts in the order in which they came.

    partition: the column by whose values rows lie in files of their own; empty for none.
    """

    columns: dict[str, Type]
    parts: tuple[Part, ...] = ()
    partition: str = ""

    def layers(self) -> Iterator[tuple[tuple[str, ...], list[Part]]]:
        """Its parts in order, neighbours that are read alike together: what removes them by, and the parts."""
        for removed_by, parts in groupby(self.parts, key=lambda part: part.removed_by):
            yield removed_by, list(parts)

    @property
    def rows(self) -> int:
        """How many rows its parts hold, those that take others out among them."""
        return sum(part.rows for part in self.parts)

    @property
    def has_removals(self) -> bool:
        """True when some of its parts take out rows of others."""
        return any(part.removed_by for part in self.parts)

    def is_piled_up(self) -> bool:
        """True when it is time to write it anew, in one part."""
        removals = sum(1 for part in self.parts if part.removed_by)
        return len(self.parts) > _MANY_PARTS or removals > _MANY_REMOVALS


class Manifest(msgspec.Struct, frozen=True):
    """All tables after transaction `number`, and a mark of the transaction that wrote it."""

    number: int
    writer: str
    schema_version: int
    tables: dict[str, Held]


class Lake:
    """The tables as of one manifest, and the changes of the transaction that goes on, if any.

    Readers stay with the manifest that they opened. Of two writers the one that publishes first wins; the other is
    refused, having changed nothing.
    kept: how many manifests are kept, each with its parts; a reader may fall behind by that many transactions.
    Raises WorkspaceError when there is nothing to read or it is newer than this release.
    """

    def __init__(self, files: Files, *, kept: int = 8, read_only: bool = False) -> None:
        self.files = files
        self._kept = kept
        self._mark = uuid.uuid4().hex[:12]
        self._named = 0
        self._transaction = ""  # the mark of the one that goes on, once it has written something
        self._written: list[str] = []
        self._manifest = self._latest()
        self._opened = self.number
        self.tables = dict(self._manifest.tables)
        if not self.number:
            if read_only:
                raise WorkspaceError(f"{files.root} holds no data yet. Bring some in with `tieback import TABLE FILE`.")
            self.tables = {table.name: _empty(table) for table in (*FACTS, *OPERATIONS)}
            self.publish()

    @property
    def number(self) -> int:
        """The number of the manifest that is read."""
        return self._manifest.number

    def begin(self) -> None:
        """Start a transaction from what was published last."""
        if max(self._numbers(), default=0) > self.number:
            self._let_go(self._published())
            self._manifest = self._latest()
            self.tables = dict(self._manifest.tables)

    def publish(self) -> None:
        """End a transaction: all its changes are seen by whoever opens the lake from now on.

        Raises WorkspaceError when another writer has published since it began.
        """
        after = Manifest(self.number + 1, self._mark, SCHEMA_VERSION, dict(self.tables))
        while not self.files.publish(_file(after.number), msgspec.json.encode(after).decode()):
            if self.files.read(_file(after.number)) is not None:
                raise WorkspaceError(
                    f"Another process wrote to {self.files.root} while this one worked; nothing was changed. "
                    "Run it again."
                )
            after = msgspec.structs.replace(after, number=after.number + 1)  # a writer was killed on that number
        self._manifest = after
        self._let_go(self._paths(after.number))
        self._sweep(self._kept)

    def forget(self) -> None:
        """Keep the newest manifest alone, and no part that it does not name."""
        self._sweep(1)
        self._clear(self._paths(self.number))

    def abandon(self) -> None:
        """End a transaction as if it had never begun."""
        self.tables = dict(self._manifest.tables)
        self._let_go(self._published())

    def make(self, table: Table) -> None:
        """Put an empty `table` in place of whatever has its name."""
        self.tables[table.name] = _empty(table)

    def add(self, name: str, part: Part) -> None:
        """Add a part that is written to the table `name`."""
        held = self.tables[name]
        self.tables[name] = msgspec.structs.replace(held, parts=(*held.parts, part))

    def rewrite(self, name: str, part: Part) -> None:
        """Put one part in place of all those of the table `name`."""
        self.tables[name] = msgspec.structs.replace(self.tables[name], parts=(part,))

    def new_part(self, name: str) -> str:
        """A path, below the lake, for a new part of the table `name`."""
        if not self._transaction:
            self._transaction = f"{self.number + 1}-{self._mark}"
            self.files.publish(f"{_WRITING}/{self._transaction}", "")
        path = f"{TABLES_FOLDER}/{name}/{self._transaction}-{self._next()}"
        self._written.append(path)
        return path

    def new_scratch(self, name: str) -> str:
        """A path, below the lake, for what this session alone reads."""
        return f"{self._scratch()}/{name}-{self._next()}"

    def close(self) -> None:
        """Remove what this session kept for itself."""
        if self._named:
            self.files.remove(self._scratch())

    def uri(self, path: str) -> str:
        """The full address of a path below the lake."""
        return f"{self.files.root}/{path}"

    def _next(self) -> int:
        self._named += 1
        return self._named

    def _scratch(self) -> str:
        return f"{_SCRATCH}/{self._opened}-{self._mark}"

    def _latest(self) -> Manifest:
        for number in sorted(self._numbers(), reverse=True):
            found = self._read(number)
            if found is not None:
                return found
        return Manifest(0, "", SCHEMA_VERSION, {})

    def _read(self, number: int) -> Manifest | None:
        text = self.files.read(_file(number))
        return None if text is None else _decoded(text, self.files.root)

    def _numbers(self) -> list[int]:
        stems = (name.removesuffix(".json") for name in self.files.names(_MANIFESTS) if name.endswith(".json"))
        return [int(stem) for stem in stems if stem.isdecimal()]

    def _published(self) -> set[str]:
        """The parts that manifests name from this one on: one may be its own, if it was interrupted while it ended."""
        return {path for number in self._numbers() if number >= self.number for path in self._paths(number)}

    def _let_go(self, needed: Collection[str]) -> None:
        """End the transaction in the folder: remove what it wrote beyond what is `needed`, then its mark."""
        for path in self._written:
            if path not in needed:
                self.files.remove(path)
        if self._transaction:
            self.files.remove(f"{_WRITING}/{self._transaction}")
        self._transaction = ""
        self._written.clear()

    def _sweep(self, kept_at_most: int) -> None:
        """Remove manifests beyond those kept, parts that none of these names, and what killed sessions left behind.

        A transaction that still goes on elsewhere has a higher number, or will be refused: its parts are not needed.
        """
        numbers = sorted(number for number in self._numbers() if number <= self.number)
        old, kept = numbers[:-kept_at_most], numbers[-kept_at_most:]
        named = {path for number in kept for path in self._paths(number)}
        for number in old:
            for path in self._paths(number) - named:
                self.files.remove(path)
            self.files.remove(_file(number))
        over = [mark for mark in self.files.names(_WRITING) if 0 < _number(mark) <= self.number]
        if over:  # writers were killed, or will be refused and go on until then
            self._clear(named)
        for mark in over:
            if _number(mark) < kept[0]:
                self.files.remove(f"{_WRITING}/{mark}")
        for folder in self.files.names(_SCRATCH):
            if _number(folder) < kept[0] and not folder.endswith(self._mark):
                self.files.remove(f"{_SCRATCH}/{folder}")

    def _clear(self, named: Collection[str]) -> None:
        """Remove every part that is not among those `named`, of transactions that are over."""
        for table in self.files.names(TABLES_FOLDER):
            for part in self.files.names(f"{TABLES_FOLDER}/{table}"):
                path = f"{TABLES_FOLDER}/{table}/{part}"
                if path not in named and 0 < _number(part) <= self.number:
                    self.files.remove(path)

    def _paths(self, number: int) -> set[str]:
        found = self._manifest if number == self.number else self._read(number)
        return {part.path for held in found.tables.values() for part in held.parts} if found else set()


def _empty(table: Table) -> Held:
    return Held({column.name: column.type for column in table.columns}, partition=table.partition)


def _file(number: int) -> str:
    return f"{_MANIFESTS}/{number:09}.json"


def _number(folder: str) -> int:
    """The transaction that a part, a mark or a folder of scratch belongs to; 0 when it is none of these."""
    number = folder.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _decoded(text: str, root: str) -> Manifest:
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise WorkspaceError(
            f"{root} is damaged or not one of tieback's ({error}). Restore it from a backup."
        ) from None
    if manifest.schema_version > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{root} was written by a newer tieback (schema {manifest.schema_version}; this release knows "
            f"{SCHEMA_VERSION}). Upgrade tieback to open it."
        )
    if manifest.schema_version < SCHEMA_VERSION:
        raise WorkspaceError(
            f"{root} is of an older schema ({manifest.schema_version}; this release knows {SCHEMA_VERSION}). Move it "
            "to a file with the tieback that wrote it, and back with this one."
        )
    return manifest
