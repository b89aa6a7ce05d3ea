"""A lake: tables as lists of Parquet parts, published whole."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tieback.errors import WorkspaceError
from tieback.schema import SCHEMA_VERSION, TABLES
from tieback.store.lake import Lake, Part
from tieback.store.lake_files import LocalFiles
from tieback.store.lake_reader import LakeReader

VALUES = "SELECT name, value FROM workspace ORDER BY name"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name holds what URIs and SQL must quote."""
    return tmp_path / "a lake's"


def opened(folder: Path, *, kept: int = 8, read_only: bool = False) -> Lake:
    """The lake in `folder`."""
    return Lake(LocalFiles(f"file://{folder}"), kept=kept, read_only=read_only)


def write(lake: Lake, rows: dict[str, str], *, removed_by: tuple[str, ...] = ()) -> Path:
    """Add a part to the table `workspace`, as an engine does; returns where it is."""
    path = lake.new_part("workspace")
    table = pa.table({"name": list(rows), "value": list(rows.values())})
    folder = folder_of(lake) / path
    folder.mkdir(parents=True)
    pq.write_table(table.select(removed_by) if removed_by else table, folder / "rows.parquet")
    lake.add("workspace", Part(path, len(rows), removed_by))
    return folder


def folder_of(lake: Lake) -> Path:
    """Where it lies."""
    return Path(lake.files.root.removeprefix("file://"))


def held(lake: Lake) -> dict[str, str]:
    """The rows of `workspace`, as read without Spark."""
    rows = LakeReader(lake, folder_of(lake)).rows(VALUES)
    return {row["name"]: row["value"] for row in rows}


def test_the_reader_prints_nothing(folder: Path) -> None:
    """However long a question takes: a bar of progress would stand in the midst of a report."""
    reader = LakeReader(opened(folder), folder)
    asked = "SELECT current_setting('enable_progress_bar_print') AS shown"
    assert reader.rows(asked) == [{"shown": False}]


def test_readers_stay_with_what_they_opened(folder: Path) -> None:
    """A transaction is seen by who opens the lake after it, by nobody before, and inside by its writer."""
    writer = opened(folder)
    write(writer, {"a": "1"})
    writer.publish()
    before = opened(folder, read_only=True)
    writer.begin()
    write(writer, {"b": "2"})
    assert held(opened(folder)) == held(before) == {"a": "1"}
    assert held(writer) == {"a": "1", "b": "2"}
    writer.publish()
    assert held(before) == {"a": "1"}
    assert held(opened(folder)) == {"a": "1", "b": "2"}


def test_removed_rows_are_those_that_came_before(folder: Path) -> None:
    """A key taken out and put in again holds what was put in last; an empty cell equals an empty one."""
    lake = opened(folder)
    write(lake, {"a": "1", "b": "2", "c": "3"})
    write(lake, {"a": "", "b": ""}, removed_by=("name",))
    write(lake, {"a": "4"})
    write(lake, {"c": "3", "a": "other"}, removed_by=("name", "value"))
    assert held(lake) == {"a": "4"}


def test_of_two_writers_the_first_wins(folder: Path) -> None:
    """The other is refused and has changed nothing; after a new beginning it may write."""
    one, two = opened(folder), opened(folder)
    write(one, {"a": "1"})
    write(two, {"a": "2"})
    one.publish()
    with pytest.raises(WorkspaceError, match="Another process wrote"):
        two.publish()
    two.abandon()
    two.begin()
    write(two, {"b": "3"})
    two.publish()
    assert held(opened(folder)) == {"a": "1", "b": "3"}


def test_what_a_killed_writer_left_is_swept(folder: Path) -> None:
    """Parts that no manifest names go with the next transaction, and its manifest half written stops nobody."""
    killed = opened(folder)
    left = write(killed, {"a": "1"})
    (folder / "manifests" / f"{killed.number + 1:09}.json" / "_temporary").mkdir(parents=True)
    writer = opened(folder)
    written = write(writer, {"b": "2"})
    writer.publish()
    assert held(opened(folder)) == {"b": "2"}
    assert written.exists()
    assert not left.exists()


def test_what_a_transaction_did_not_need_is_gone_with_it(folder: Path) -> None:
    """A part that was written and then not named, and the mark that the transaction went on."""
    lake = opened(folder)
    unneeded = write(lake, {"a": "1"})
    lake.make(TABLES["workspace"])
    needed = write(lake, {"b": "2"})
    assert [path.name for path in (folder / "writing").iterdir()] == [needed.name.rpartition("-")[0]]
    lake.publish()
    assert [unneeded.exists(), needed.exists()] == [False, True]
    assert list((folder / "writing").iterdir()) == []


def test_a_refused_writer_that_goes_on_leaves_nothing_when_it_is_killed(folder: Path) -> None:
    """What it writes after it was first swept is swept too, by the transaction after that."""
    killed = opened(folder)
    write(killed, {"a": "1"})
    writer = opened(folder)
    for name in ("b", "c"):
        writer.begin()
        left = write(killed, {name: "left"})
        write(writer, {name: "2"})
        writer.publish()
        assert not left.exists()
    assert held(opened(folder)) == {"b": "2", "c": "2"}


def test_only_the_newest_is_left_after_forgetting(folder: Path) -> None:
    """One manifest and the parts that it names, also where no mark says that a part was left behind."""
    lake = opened(folder)
    parts = [write(lake, {"a": "1"})]
    lake.publish()
    parts.append(write(opened(folder), {"b": "2"}))
    (mark,) = (folder / "writing").iterdir()
    mark.unlink()
    lake.begin()
    lake.make(TABLES["workspace"])
    parts.append(write(lake, {"c": "3"}))
    lake.publish()
    assert [part.exists() for part in parts] == [True, True, True]
    lake.forget()
    assert [part.exists() for part in parts] == [False, False, True]
    assert len(list((folder / "manifests").iterdir())) == 1


class Interrupted(LocalFiles):
    """Files that somebody interrupts (Ctrl-C): as one is removed, or just after a manifest is there."""

    at = ""

    def remove(self, name: str) -> None:
        if self.at == "remove":
            self.at = ""
            raise KeyboardInterrupt
        super().remove(name)

    def publish(self, name: str, content: str) -> bool:
        done = super().publish(name, content)
        if self.at == "manifest" and name.startswith("manifests/"):
            self.at = ""
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("at", ["remove", "manifest"])
@pytest.mark.parametrize("after", ["abandon", "begin"])
def test_what_is_published_stays_whenever_it_was_interrupted(folder: Path, at: str, after: str) -> None:
    """Once the manifest is there, its parts are: neither who gives the transaction up nor the next one removes them."""
    files = Interrupted(f"file://{folder}")
    lake = Lake(files)
    write(lake, {"a": "1"})
    files.at = at
    with pytest.raises(KeyboardInterrupt):
        lake.publish()
    getattr(lake, after)()
    assert held(opened(folder)) == {"a": "1"}
    lake.begin()
    write(lake, {"b": "2"})
    lake.publish()
    assert held(opened(folder)) == {"a": "1", "b": "2"}


class Counted(LocalFiles):
    """Files that count how often a folder is listed."""

    listed = 0

    def names(self, folder: str) -> list[str]:
        self.listed += 1
        return super().names(folder)


def test_tables_are_listed_only_after_a_writer_was_killed(folder: Path) -> None:
    """In an object store a look at each table takes its time: a transaction lists as much as for one table."""
    files = Counted(f"file://{folder}")
    lake = Lake(files)
    for name in list(TABLES)[:5]:
        lake.make(TABLES[name])
        lake.add(name, Part(lake.new_part(name), 1))
    files.listed = 0
    lake.publish()
    assert files.listed == 3


def test_old_manifests_go_with_their_parts(folder: Path) -> None:
    """As many are kept as was said, and every part that one of them names."""
    lake = opened(folder, kept=2)
    parts = []
    for number in range(4):
        lake.begin()
        lake.make(TABLES["workspace"])
        parts.append(write(lake, {"a": str(number)}))
        lake.publish()
    assert [part.exists() for part in parts] == [False, False, True, True]
    assert len(list((folder / "manifests").glob("*.json"))) == 2
    assert held(lake) == {"a": "3"}


def test_an_abandoned_transaction_leaves_nothing(folder: Path) -> None:
    """Neither rows nor files."""
    lake = opened(folder)
    lake.begin()
    part = write(lake, {"a": "1"})
    lake.abandon()
    assert held(lake) == {}
    assert not part.exists()


def test_a_folder_without_data_cannot_be_read(folder: Path) -> None:
    """Reading makes nothing."""
    with pytest.raises(WorkspaceError, match="holds no data yet"):
        opened(folder, read_only=True)
    assert not folder.exists()


@pytest.mark.parametrize(("schema", "words"), [(SCHEMA_VERSION + 1, "newer tieback"), ("?", "damaged or not one")])
def test_a_manifest_of_others_is_refused(folder: Path, schema: object, words: str) -> None:
    """One of a newer release, or one that is no manifest at all."""
    lake = opened(folder)
    file = folder / "manifests" / f"{lake.number:09}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": schema}))
    with pytest.raises(WorkspaceError, match=words):
        opened(folder)
