"""The files of a lake, as whoever can reach them: this process, the JVM of a Spark driver, or Spark Connect's server.

A file is published whole or not at all. Names are relative to the lake's root, with `/` between their parts.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PART = "part-"  # how Spark begins the name of a file that it writes into a folder


class Files(Protocol):
    """What a lake needs of the place where it lies."""

    root: str  # as a URI, without a slash at the end

    def read(self, name: str) -> str | None:
        """The text published under `name`, or None."""

    def publish(self, name: str, text: str) -> bool:
        """Put `text` under `name`, whole; False when something has that name already."""

    def names(self, folder: str) -> list[str]:
        """What lies in `folder`; nothing when there is no such folder."""

    def remove(self, name: str) -> None:
        """Remove the file or folder `name`, if it is there."""


@dataclass(frozen=True)
class Stored:
    """A Parquet file by its name in the lake, its size in bytes, and when it was written, in ms since 1970."""

    name: str
    bytes: int
    written_ms: int


class ExactFiles(Files, Protocol):
    """Files that have the very names that they are given. Spark Connect writes under names of its own."""

    def content(self, name: str) -> bytes | None:
        """What the file `name` holds, or None."""

    def replace(self, name: str, content: bytes) -> None:
        """Put `content` under `name`, in place of what was there."""

    def stored(self, folder: str) -> list[Stored]:
        """The Parquet files in `folder` and the folders below it."""


class LocalFiles:
    """Files that this process sees itself: a `file:` URI. Two writers of one name are kept apart by the file system."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folder = Path(root.removeprefix("file:").removeprefix("//"))

    def read(self, name: str) -> str | None:
        path = self.folder / name
        if path.is_dir():  # written by Spark Connect
            parts = [(part.stat().st_mtime_ns // 1_000_000, part.name) for part in path.glob(f"{_PART}*")]
            path = path / min(parts, default=(0, _PART))[1]
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def publish(self, name: str, text: str) -> bool:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{uuid.uuid4().hex}")
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, target)  # refused when there is one, unlike a renaming
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def names(self, folder: str) -> list[str]:
        with suppress(FileNotFoundError):
            return [path.name for path in (self.folder / folder).iterdir()]
        return []

    def remove(self, name: str) -> None:
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def content(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        target = self.folder / name
        draft = target.with_name(f".{uuid.uuid4().hex}")
        draft.write_bytes(content)
        draft.replace(target)

    def stored(self, folder: str) -> list[Stored]:
        found = ((path, path.stat()) for path in sorted((self.folder / folder).rglob("*.parquet")))
        return [
            Stored(path.relative_to(self.folder).as_posix(), status.st_size, status.st_mtime_ns // 1_000_000)
            for path, status in found
        ]


class HadoopFiles:
    """Files that the JVM of a Spark driver sees: hdfs, s3a, abfs, gs, and whatever else Hadoop knows.

    Publishing is a renaming: on hdfs and abfs the file system itself keeps two writers apart; on an object store a
    look goes first, so two that publish within the same moment are not told from each other.
    """

    def __init__(self, session: SparkSession, root: str) -> None:
        self.root = root
        self._jvm: Any = session._jvm
        context: Any = session.sparkContext
        self._system = self._path("").getFileSystem(context._jsc.hadoopConfiguration())

    def read(self, name: str) -> str | None:
        path = self._path(name)
        if not self._system.exists(path):
            return None
        if self._system.getFileStatus(path).isDirectory():  # written by Spark Connect
            parts = [
                (status.getModificationTime(), status.getPath().getName())
                for status in self._system.listStatus(path)
                if status.getPath().getName().startswith(_PART)
            ]
            if not parts:
                return None
            path = self._path(f"{name}/{min(parts)[1]}")
        stream = self._system.open(path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def publish(self, name: str, text: str) -> bool:
        target, folder = self._path(name), name.rpartition("/")[0]
        draft = self._path(f"{folder}/.{uuid.uuid4().hex}")
        stream = self._system.create(draft, True)
        stream.write(bytearray(text.encode()))
        stream.close()
        if not self._system.exists(target) and self._system.rename(draft, target):
            return True
        self._system.delete(draft, False)
        return False

    def names(self, folder: str) -> list[str]:
        path = self._path(folder)
        if not self._system.exists(path):
            return []
        return [status.getPath().getName() for status in self._system.listStatus(path)]

    def remove(self, name: str) -> None:
        self._system.delete(self._path(name), True)

    def content(self, name: str) -> bytes | None:
        path = self._path(name)
        if not self._system.exists(path):
            return None
        stream = self._system.open(path)
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def replace(self, name: str, content: bytes) -> None:
        stream = self._system.create(self._path(name), True)
        stream.write(bytearray(content))
        stream.close()

    def stored(self, folder: str) -> list[Stored]:
        found = []
        listed = self._system.listFiles(self._path(folder), True)
        while listed.hasNext():
            status = listed.next()
            name = status.getPath().toString().rpartition(f"/{folder}/")[2]
            if name.endswith(".parquet"):
                found.append(Stored(f"{folder}/{name}", status.getLen(), status.getModificationTime()))
        return found

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self.root}/{name}" if name else self.root)


class ConnectFiles:
    """Files that only the server of Spark Connect sees, read and written by small Spark jobs.

    A text is a folder with one file, which Spark moves there whole. Should two writers publish one name at once, the
    file that is older stands, and the other writer is told. What is removed leaves an empty folder behind.
    """

    def __init__(self, session: SparkSession, root: str) -> None:
        self.root = root
        self._session = session

    def read(self, name: str) -> str | None:
        found = self._found(name, "content", "modificationTime", "path")
        written = [row for row in found if row["content"]]
        first = min(written, key=lambda row: (row["modificationTime"], row["path"]), default=None)
        return None if first is None else bytes(first["content"]).decode().rstrip("\n")

    def publish(self, name: str, text: str) -> bool:
        frame = self._session.createDataFrame([(text,)], "value STRING").coalesce(1)
        frame.write.mode("append").text(f"{self.root}/{name}")
        return self.read(name) == text

    def names(self, folder: str) -> list[str]:
        below = f"/{folder}/"
        found = self._found(folder, "path", "length")
        return sorted({row["path"].rpartition(below)[2].partition("/")[0] for row in found if row["length"]})

    def remove(self, name: str) -> None:
        none = self._session.createDataFrame([], "value STRING").coalesce(1)
        none.write.mode("overwrite").text(f"{self.root}/{name}")

    def _found(self, name: str, *columns: str) -> list[dict[str, Any]]:
        from pyspark.errors import AnalysisException

        reader = self._session.read.format("binaryFile").option("recursiveFileLookup", "true")
        try:
            rows: list[dict[str, Any]] = reader.load(f"{self.root}/{name}").select(*columns).toArrow().to_pylist()
            return rows
        except AnalysisException as error:
            if error.getCondition() != "PATH_NOT_FOUND":
                raise
            return []
