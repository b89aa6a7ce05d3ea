"""Each table of a lake as a Delta table too: a log in `tables/NAME/_delta_log/` that names the lake's own files.

The manifest stays the truth and the log follows it, so a log may lag behind for a moment, or until the next transaction
when a writer is killed between the two. tieback alone writes these logs.

Source: the Delta transaction log protocol (PROTOCOL.md of github.com/delta-io/delta), reader version 3, writer 7.
"""

from __future__ import annotations

import io
import re
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tieback.errors import WorkspaceError
from tieback.schema.types import Type
from tieback.store.lake import TABLES_FOLDER, Held, Lake, Part
from tieback.store.lake_files import ExactFiles

_US = "tieback"  # whose transactions the numbers of manifests are
_AT_ONCE = 16  # tables; in an object store each look takes its time
_CHECKPOINT_EVERY = 10  # commits, more than there are manifests whose files are kept
_TOMBSTONE_MS = 7 * 24 * 3600 * 1000  # for how long Delta's own VACUUM spares what was removed
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_OLD = re.compile(r"(\d{20})\.")

_TYPES: dict[Type, str] = {
    "string": "string",
    "timestamp": "timestamp_ntz",
    "date": "date",
    "int": "long",
    "float": "double",
    "decimal": "decimal(18,6)",
    "boolean": "boolean",
    "json": "string",
}
_PROTOCOL = {
    "minReaderVersion": 3,
    "minWriterVersion": 7,
    "readerFeatures": ["timestampNtz"],
    "writerFeatures": ["timestampNtz"],
}

_TEXTS = pa.list_(pa.string())
_BY_TEXT = pa.map_(pa.string(), pa.string())
_ACTIONS = pa.schema(
    {
        "protocol": pa.struct(
            {
                "minReaderVersion": pa.int32(),
                "minWriterVersion": pa.int32(),
                "readerFeatures": _TEXTS,
                "writerFeatures": _TEXTS,
            }
        ),
        "metaData": pa.struct(
            {
                "id": pa.string(),
                "name": pa.string(),
                "format": pa.struct({"provider": pa.string(), "options": _BY_TEXT}),
                "schemaString": pa.string(),
                "partitionColumns": _TEXTS,
                "createdTime": pa.int64(),
                "configuration": _BY_TEXT,
            }
        ),
        "txn": pa.struct({"appId": pa.string(), "version": pa.int64(), "lastUpdated": pa.int64()}),
        "add": pa.struct(
            {
                "path": pa.string(),
                "partitionValues": _BY_TEXT,
                "size": pa.int64(),
                "modificationTime": pa.int64(),
                "dataChange": pa.bool_(),
                "stats": pa.string(),
            }
        ),
        "remove": pa.struct({"path": pa.string(), "deletionTimestamp": pa.int64(), "dataChange": pa.bool_()}),
    }
)
_Action = dict[str, Any]


@dataclass
class _Log:
    """What a log comes to: its last commit, the actions that hold, and the manifest that it follows."""

    version: int = -1
    checkpoint: int = 0
    manifest: int = 0
    protocol: _Action | None = None
    metadata: _Action | None = None
    files: dict[str, _Action] = field(default_factory=dict)
    removed: dict[str, _Action] = field(default_factory=dict)

    def take(self, version: int, actions: Iterable[_Action]) -> None:
        """Reckon in the actions of the commit `version`, or of a checkpoint of it."""
        self.version = version
        for action in actions:
            for kind, told in action.items():
                if kind == "protocol":
                    self.protocol = told
                elif kind == "metaData":
                    self.metadata = told
                elif kind == "txn" and told["appId"] == _US:
                    self.manifest = told["version"]
                elif kind == "add":
                    self.files[told["path"]] = told
                    self.removed.pop(told["path"], None)
                elif kind == "remove":
                    self.removed[told["path"]] = told
                    self.files.pop(told["path"], None)

    def actions(self, now: int) -> list[_Action]:
        """All that holds at the time `now`, as a checkpoint names it."""
        lasting = [told for told in self.removed.values() if (told.get("deletionTimestamp") or 0) > now - _TOMBSTONE_MS]
        return [
            {"protocol": self.protocol},
            {"metaData": self.metadata},
            {"txn": {"appId": _US, "version": self.manifest}},
            *({"add": told | {"dataChange": False}} for told in self.files.values()),
            *({"remove": told | {"dataChange": False}} for told in lasting),
        ]


class DeltaLogs:
    """The logs of a lake's tables in `files`, brought up to each manifest by `follow`."""

    def __init__(self, files: ExactFiles) -> None:
        self._files = files
        self._known: dict[str, _Log] = {}
        self._followed = 0

    def follow(self, lake: Lake) -> None:
        """Commit to the log of each table what the manifest last published has changed, if it is not there already.

        A table with parts that take out rows of others, which Delta knows nothing like, keeps the state it had.
        Raises WorkspaceError when another program has written to a log; all is published even so.
        """
        if self._followed != lake.number - 1:  # another session published meanwhile, and may have committed
            self._known.clear()
        followed = {name: held for name, held in lake.tables.items() if not held.has_removals}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            logs = pool.map(partial(self._follow, lake.number), followed, followed.values())
            self._known = dict(zip(followed, logs, strict=True))
        self._followed = lake.number

    def _follow(self, number: int, name: str, held: Held) -> _Log:
        log = self._known.get(name) or self._read(name)
        while log.manifest < number and (actions := self._due(log, number, name, held)):
            text = "\n".join(msgspec.json.encode(action).decode() for action in actions)
            if self._files.publish(_file(name, f"{log.version + 1:020}.json"), text):
                log.take(log.version + 1, actions)
                if log.version - log.checkpoint >= _CHECKPOINT_EVERY:
                    self._write_checkpoint(name, log)
                break
            log = self._read(name)  # another session was quicker
        return log

    def _due(self, log: _Log, number: int, name: str, held: Held) -> list[_Action]:
        """The actions that are missing from `log` to make of it the table `held`; none when it is that already."""
        now = _now()
        parts = {part.path.rpartition("/")[2]: part for part in held.parts}
        logged = {_part(path) for path in log.files}
        gone = [path for path in log.files if _part(path) not in parts]
        changes = [{"remove": {"path": path, "deletionTimestamp": now, "dataChange": True}} for path in gone]
        for part in (part for key, part in parts.items() if key not in logged):
            changes += self._added(name, part)
        if log.metadata is None or log.metadata["schemaString"] != _schema(held):
            changes.insert(0, {"metaData": _metadata(log, name, held, now)})
        if log.protocol is None:
            changes.insert(0, {"protocol": _PROTOCOL})
        if not changes:
            return []
        about = {"timestamp": now, "operation": "WRITE", "operationParameters": {}, "engineInfo": _US}
        transaction = {"appId": _US, "version": number, "lastUpdated": now}
        return [{"commitInfo": about}, *changes, {"txn": transaction}]

    def _added(self, name: str, part: Part) -> list[_Action]:
        """The files of `part`. Of their rows nothing is told but how many: a log outlives them."""
        files = self._files.stored(part.path)
        told = {"stats": msgspec.json.encode({"numRecords": part.rows}).decode()} if len(files) == 1 else {}
        return [
            {
                "add": {
                    "path": quote(file.name.removeprefix(f"{TABLES_FOLDER}/{name}/"), safe="/="),
                    "partitionValues": {},
                    "size": file.bytes,
                    "modificationTime": file.written_ms,
                    "dataChange": True,
                }
                | told
            }
            for file in files
        ]

    def _read(self, name: str) -> _Log:
        try:
            log = self._as_written(name)
        except (msgspec.DecodeError, pa.ArrowException, LookupError, TypeError):  # none of these is ours
            raise self._strange(name) from None
        is_ours = log.protocol == _PROTOCOL and {"id", "schemaString"} <= (log.metadata or {}).keys()
        if log.version >= 0 and not is_ours:
            raise self._strange(name)
        return log

    def _as_written(self, name: str) -> _Log:
        """The log of the table `name`. Raises LookupError when a commit is missing."""
        names = self._files.names(_file(name))
        commits, checkpoints = _versions(_COMMIT, names), _versions(_CHECKPOINT, names)
        log = _Log()
        if checkpoints:
            log.checkpoint = max(checkpoints)
            content = self._files.content(_file(name, f"{log.checkpoint:020}.checkpoint.parquet")) or b""
            rows = pq.read_table(io.BytesIO(content)).to_pylist(maps_as_pydicts="strict")
            log.take(log.checkpoint, ({k: v for k, v in row.items() if v is not None} for row in rows))
        newer = [version for version in commits if version > log.version]
        if newer != list(range(log.version + 1, log.version + 1 + len(newer))):
            raise LookupError(name)
        for version in newer:
            lines = (self._files.content(_file(name, f"{version:020}.json")) or b"").splitlines()
            log.take(version, [msgspec.json.decode(line, type=dict[str, _Action]) for line in lines])
        return log

    def _strange(self, name: str) -> WorkspaceError:
        place = f"{self._files.root}/{_file(name)}"
        return WorkspaceError(
            f"{place} was written by another program, so the Delta table {name!r} stays behind; the lake itself has "
            "all that was done. Remove that folder: the next transaction begins it anew."
        )

    def _write_checkpoint(self, name: str, log: _Log) -> None:
        """Write down all that holds, and remove what only versions before the checkpoint before this one needed."""
        actions = log.actions(_now())
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(actions, schema=_ACTIONS), content)
        self._files.replace(_file(name, f"{log.version:020}.checkpoint.parquet"), content.getvalue())
        hint = msgspec.json.encode({"version": log.version, "size": len(actions)})
        self._files.replace(_file(name, "_last_checkpoint"), hint)
        if log.checkpoint:
            for file in self._files.names(_file(name)):
                numbered = _OLD.match(file)
                if numbered and int(numbered[1]) < log.checkpoint:
                    self._files.remove(_file(name, file))
        log.checkpoint = log.version


def _file(name: str, file: str = "") -> str:
    """A file of the log of the table `name`, or the folder of the log."""
    return f"{TABLES_FOLDER}/{name}/_delta_log/{file}".rstrip("/")


def _versions(pattern: re.Pattern[str], names: list[str]) -> list[int]:
    return sorted(int(found[1]) for name in names if (found := pattern.fullmatch(name)))


def _part(path: str) -> str:
    """The part that the file at `path`, below the table's folder, belongs to."""
    return path.partition("/")[0]


def _metadata(log: _Log, name: str, held: Held, now: int) -> _Action:
    return {
        "id": log.metadata["id"] if log.metadata else str(uuid.uuid4()),
        "name": name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": _schema(held),
        "partitionColumns": [],
        "createdTime": now,
        "configuration": {},
    }


def _schema(held: Held) -> str:
    fields = [
        {"name": name, "type": _TYPES[kind], "nullable": True, "metadata": {}} for name, kind in held.columns.items()
    ]
    return msgspec.json.encode({"type": "struct", "fields": fields}).decode()


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
