"""The tables of a lake as Delta tables, read by delta-rs, which knows nothing of lakes."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.spark_cluster import cluster
from tieback.errors import WorkspaceError
from tieback.schema import FACTS, OPERATIONS, TABLES
from tieback.schema.types import Column, Table, Type
from tieback.store.delta import DeltaLogs
from tieback.store.lake import Lake, Part
from tieback.store.lake_files import HadoopFiles, LocalFiles
from tieback.store.lake_reader import LakeReader

deltalake = pytest.importorskip("deltalake", reason="deltalake (make engines)")

WORKSPACE = TABLES["workspace"]
KINDS = Table(
    "kinds", "fact", "one of each", ("string",), "", tuple(Column(f"a_{kind}", kind, "") for kind in get_args(Type))
)
VALUES = {
    "a_string": ["ü 'x'", "", None],
    "a_timestamp": [datetime(2026, 1, 2, 3, 4, 5, 678901), datetime(1969, 12, 31), None],
    "a_date": [date(2026, 1, 2), date(1900, 1, 1), None],
    "a_int": [2**62, -1, None],
    "a_float": [0.1, -0.0, None],
    "a_decimal": [Decimal("123456789012.654321"), Decimal("-0.000001"), None],
    "a_boolean": [True, False, None],
    "a_json": ['{"a": [1]}', "null", None],
}


class Session:
    """What an engine does with a lake and its logs, the rows written without Spark."""

    def __init__(self, folder: Path, *, kept: int = 8) -> None:
        files = LocalFiles(f"file://{folder}")
        self.folder = folder
        self.lake = Lake(files, kept=kept)
        self.logs = DeltaLogs(files)

    def put(self, *rows: str, name: str = "workspace", removed_by: tuple[str, ...] = ()) -> str:
        """Add a part with `rows` as names, or take these out; returns its path."""
        table = pa.table({"name": list(rows), "value": list(rows)})
        return self.put_table(name, table.select(removed_by) if removed_by else table, removed_by)

    def put_table(self, name: str, rows: pa.Table, removed_by: tuple[str, ...] = (), below: str = "") -> str:
        """Add `rows` to the table `name`, in a folder `below` that of the part."""
        path = self.lake.new_part(name)
        (self.folder / path / below).mkdir(parents=True)
        pq.write_table(rows, self.folder / path / below / "rows.parquet")
        (self.folder / path / "_SUCCESS").touch()
        self.lake.add(name, Part(path, rows.num_rows, removed_by))
        return path

    def publish(self) -> None:
        """End a transaction, and bring the logs up to it."""
        self.lake.publish()
        self.logs.follow(self.lake)

    def run(self, *rows: str, beside: Part | None = None) -> None:
        """A transaction after which the table `workspace` has these rows alone, or those of a part `beside` them."""
        self.lake.begin()
        self.lake.make(WORKSPACE)
        if beside:
            self.lake.add("workspace", beside)
        if rows:
            self.put(*rows)
        self.publish()

    def held(self) -> list[str]:
        """The names in the table `workspace`, as tieback itself reads them."""
        reader = LakeReader(Lake(self.lake.files, read_only=True), self.folder)
        return [row["name"] for row in reader.rows("SELECT name FROM workspace ORDER BY name")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name holds what URIs must quote."""
    return tmp_path / "a lake's"


@pytest.fixture
def session(folder: Path) -> Session:
    """The first to write there."""
    return Session(folder)


def delta(folder: Path, name: str = "workspace", version: int | None = None) -> Any:
    """The Delta table `name` of the lake in `folder`, as its newest version or another."""
    return deltalake.DeltaTable(str(folder / "tables" / name), version=version)


def found(table: Any) -> list[str]:
    """The names in it."""
    return sorted(table.to_pyarrow_table()["name"].to_pylist())


def actions(folder: Path, kind: str, version: int, name: str = "workspace") -> list[dict[str, Any]]:
    """Those of one kind in one commit."""
    lines = (folder / "tables" / name / "_delta_log" / f"{version:020}.json").read_text().splitlines()
    return [action[kind] for action in map(json.loads, lines) if kind in action]


def test_every_table_is_a_delta_table_over_the_same_files(session: Session, folder: Path) -> None:
    """After each transaction a Delta reader finds the rows that tieback finds; no file but those of the log is new."""
    session.put("a", "b")
    session.publish()
    assert found(delta(folder)) == session.held() == ["a", "b"]
    for table in (*FACTS, *OPERATIONS):
        assert delta(folder, table.name).schema().to_arrow().names == list(table.names)
    session.lake.begin()
    session.put("c")
    session.publish()
    assert found(delta(folder)) == session.held() == ["a", "b", "c"]
    session.lake.begin()
    session.put("b", removed_by=("name",))
    session.lake.rewrite("workspace", Part(session.put("a", "c"), 2))
    session.publish()
    assert found(delta(folder)) == session.held() == ["a", "c"]
    assert len(delta(folder).file_uris()) == 1
    assert delta(folder).version() == 2
    assert delta(folder, "events").version() == 0
    parts = {path for path in (folder / "tables").rglob("*.parquet") if "_delta_log" not in path.parts}
    assert {path.parent for path in parts} == {folder / path for path in (folder / "tables/workspace").glob("[0-9]*")}


def test_rows_taken_out_are_seen_once_the_table_is_written_anew(session: Session, folder: Path) -> None:
    """Delta has nothing like a part that takes out rows of others: the table stays as it was, never with both."""
    session.run("a", "b")
    session.put("a", removed_by=("name",))
    session.publish()
    assert session.held() == ["b"]
    assert found(delta(folder)) == ["a", "b"]
    session.lake.rewrite("workspace", Part(session.put("b"), 1))
    session.publish()
    assert found(delta(folder)) == ["b"]


def test_a_reader_stays_with_its_version(session: Session, folder: Path) -> None:
    """For as many transactions as the lake keeps; then its files are gone, as after a VACUUM."""
    session.run("a")
    before = delta(folder)
    for number in range(8):
        assert found(before) == found(delta(folder, version=0)) == ["a"]
        session.run(str(number))
    with pytest.raises(FileNotFoundError):
        found(before)
    assert found(delta(folder)) == ["7"]


@pytest.mark.parametrize("committed", [0, 1, 5])
def test_what_was_cut_off_is_caught_up(session: Session, folder: Path, committed: int) -> None:
    """Killed after the manifest, before the logs or among them: the next transaction commits the rest, once."""
    session.run("a")
    session.lake.begin()
    names = [table.name for table in FACTS][:6]
    for name in (*names, "workspace"):
        session.put(*(["b"] if name == "workspace" else []), name=name)
    session.lake.publish()
    cut = {name: held for name, held in session.lake.tables.items() if name in names[:committed]}
    for name, held in cut.items():
        session.logs._follow(session.lake.number, name, held)
    assert found(delta(folder)) == ["a"]
    other = Session(folder)
    other.lake.begin()
    other.put("c")
    other.publish()
    assert found(delta(folder)) == other.held() == ["a", "b", "c"]
    assert {name: delta(folder, name).version() for name in names} == dict.fromkeys(names, 1)
    assert delta(folder).transaction_version("tieback") == other.lake.number
    again = Session(folder)
    again.lake.begin()
    again.publish()
    assert delta(folder).version() == 1


def test_a_refused_writer_commits_nothing(folder: Path) -> None:
    """Neither when it is refused, nor when its own commit comes after that of a later transaction."""
    one, two = Session(folder), Session(folder)
    one.put("a")
    two.put("b")
    one.publish()
    with pytest.raises(WorkspaceError, match="Another process wrote"):
        two.publish()
    assert found(delta(folder)) == ["a"]
    two.lake.abandon()
    two.lake.begin()
    two.put("b")
    two.lake.publish()  # and is slow to commit
    one.run("c")
    two.logs.follow(two.lake)
    assert found(delta(folder)) == one.held() == ["c"]
    assert delta(folder).version() == 1


def test_of_two_commits_at_once_one_is_made_anew(folder: Path) -> None:
    """A writer whose version is taken reads what was committed, and commits what is missing from it."""
    one, two = Session(folder), Session(folder)
    one.run("a")
    two.run("b")  # after one.logs has read the log
    one.lake.begin()
    one.put("c")
    one.lake.publish()
    one.logs._followed = one.lake.number - 1  # as if it had looked before the other committed
    one.logs.follow(one.lake)
    assert found(delta(folder)) == one.held() == ["b", "c"]
    assert delta(folder).version() == 2


def test_what_another_committed_is_undone_when_it_is_no_more(folder: Path) -> None:
    """A writer that has left a table empty, and does so again, looks whether anybody filled it meanwhile."""
    one, two = Session(folder), Session(folder)
    one.run()
    two.run("b")
    one.run()
    assert found(delta(folder)) == one.held() == []


def test_nothing_of_erased_rows_stays(session: Session, folder: Path) -> None:
    """No byte of them in any file, the logs among them; the table is read on."""
    for number in range(12):
        session.run("kept", f"somebody@example.com {number}")
    session.run("kept")
    session.lake.forget()
    assert found(delta(folder)) == session.held() == ["kept"]
    assert len(list((folder / "manifests").iterdir())) == 1
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if b"somebody" in path.read_bytes()] == []
    assert [path for path in files if path.suffix == ".json" and b"minValues" in path.read_bytes()] == []


@pytest.mark.parametrize("below", ["", "apart=a b%2Fc%3Dd", "apart=ü%25'\"#?"])
def test_every_type_comes_back(session: Session, folder: Path, below: str) -> None:
    """As it was written, from whatever folder of one value the file lies in."""
    kinds = {"a_timestamp": pa.timestamp("us"), "a_decimal": pa.decimal128(18, 6)}
    rows = pa.table({name: pa.array(values, kinds.get(name)) for name, values in VALUES.items()})
    session.lake.make(KINDS)
    session.put_table("kinds", rows, below=below)
    session.publish()
    assert delta(folder, "kinds").to_pyarrow_table().to_pydict() == VALUES


def test_columns_that_change_are_told(session: Session, folder: Path) -> None:
    """A table that is made with other columns is the same Delta table with a new schema."""
    session.run("a")
    before = delta(folder).metadata().id
    session.lake.make(Table("workspace", "operation", "", (), "", (*WORKSPACE.columns, Column("more", "int", ""))))
    session.publish()
    assert delta(folder).metadata().id == before
    assert delta(folder).schema().to_arrow().names == ["name", "value", "more"]
    assert delta(folder).to_pyarrow_table().num_rows == 0


def test_a_log_does_not_grow_for_ever(folder: Path) -> None:
    """Checkpoints take the place of old commits; who reads by them, and who writes on after them, finds the same."""
    beside = None
    for round_ in range(4):
        session = Session(folder)
        for number in range(9):
            session.run(f"{round_} {number}", beside=beside)
            beside = beside or session.lake.tables["workspace"].parts[0]
    log = folder / "tables" / "workspace" / "_delta_log"
    assert json.loads((log / "_last_checkpoint").read_text())["version"] == 30
    assert sorted(path.name for path in log.glob("*.parquet")) == [f"{v:020}.checkpoint.parquet" for v in (20, 30)]
    assert sorted(path.name for path in log.glob("*.json")) == [f"{v:020}.json" for v in range(20, 36)]
    assert found(delta(folder)) == session.held() == ["0 0", "3 8"]
    (log / "_last_checkpoint").unlink()  # it is a hint
    assert found(delta(folder)) == ["0 0", "3 8"]
    assert found(delta(folder, version=29)) == ["0 0", "3 2"]
    assert delta(folder).transaction_version("tieback") == session.lake.number


def test_tombstones_last_for_a_week(session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint names what was removed for as long as Delta's VACUUM must spare it, and no longer."""
    week, now = 7 * 24 * 3600 * 1000, 1_800_000_000_000
    monkeypatch.setattr("tieback.store.delta._now", lambda: now)
    for number in range(21):
        now += week // 4
        session.run(str(number))
    log = folder / "tables" / "workspace" / "_delta_log"
    removed = [row for row in pq.read_table(log / f"{20:020}.checkpoint.parquet")["remove"].to_pylist() if row]
    assert len(removed) == 4
    assert min(row["deletionTimestamp"] for row in removed) > now - week


def test_what_others_append_is_taken_out_again(session: Session, folder: Path) -> None:
    """tieback alone writes its tables: the next commit of the table undoes what another program put in."""
    session.run("a")
    deltalake.write_deltalake(delta(folder), pa.table({"name": ["x"], "value": ["x"]}), mode="append")
    assert found(delta(folder)) == ["a", "x"]
    session.lake.begin()
    session.put("b")
    session.publish()
    assert found(delta(folder)) == session.held() == ["a", "b"]


def test_a_log_that_others_have_changed_is_left_alone(session: Session, folder: Path) -> None:
    """With features that tieback does not write, or commits missing: it says so, and the lake has all that was done."""
    session.run("a")
    log = folder / "tables" / "workspace" / "_delta_log"
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [], "writerFeatures": ["rowTracking"]}
    (log / f"{1:020}.json").write_text(json.dumps({"protocol": protocol}))
    with pytest.raises(WorkspaceError, match=r"_delta_log was written by another program.*'workspace' stays behind"):
        session.run("b")
    assert session.held() == ["b"]
    (log / f"{1:020}.json").unlink()
    (log / f"{2:020}.json").write_text(json.dumps({"commitInfo": {}}))
    with pytest.raises(WorkspaceError, match="another program"):
        Session(folder).run("c")
    (log / f"{2:020}.json").unlink()
    strange = ("no JSON", "5", "[]", '{"remove": {"deletionTimestamp": 1}}', '{"txn": 1}', '{"metaData": {}}')
    for text in strange:
        (log / f"{1:020}.json").write_text(text)
        with pytest.raises(WorkspaceError, match="another program"):
            Session(folder).run("c")
    (log / f"{1:020}.json").unlink()
    (log / f"{0:020}.checkpoint.parquet").write_bytes(b"no Parquet")
    with pytest.raises(WorkspaceError, match="another program"):
        Session(folder).run("c")
    for file in log.iterdir():
        file.unlink()
    Session(folder).run("d")
    assert found(delta(folder)) == ["d"]


def test_a_removal_need_not_say_when_it_was(session: Session, folder: Path) -> None:
    """The protocol leaves that open to others; a checkpoint takes such a one for an old one."""
    session.run("a")
    path = actions(folder, "add", 1 if delta(folder).version() else 0)[0]["path"]
    log = folder / "tables" / "workspace" / "_delta_log"
    removal = {"remove": {"path": path, "dataChange": True}}
    (log / f"{delta(folder).version() + 1:020}.json").write_text(json.dumps(removal))
    assert found(delta(folder)) == []
    for number in range(12):
        Session(folder).run(str(number))
    assert found(delta(folder)) == ["11"]
    assert list(log.glob("*.checkpoint.parquet"))


def test_rows_are_counted_where_that_costs_nothing(session: Session, folder: Path) -> None:
    """A part of one file has as many rows as the manifest says."""
    session.put("a", "b")
    path = session.put("c")
    pq.write_table(pa.table({"name": ["d"], "value": ["d"]}), folder / path / "more.parquet")
    session.publish()
    told = [json.loads(action.get("stats", "{}")) for action in actions(folder, "add", 0)]
    assert sorted(told, key=len) == [{}, {}, {"numRecords": 2}]
    assert delta(folder).to_pyarrow_table().num_rows == 4


@pytest.mark.xdist_group("spark")
def test_a_cluster_writes_delta_tables(folder: Path) -> None:
    """In every type and in folders of one value; a table that loses rows is written in one part before it is published.

    What is changed outside of any transaction too.
    """
    from tieback.store.spark import opened

    kinds = {"a_timestamp": pa.timestamp("us"), "a_decimal": pa.decimal128(18, 6)}
    rows = pa.table({name: pa.array(values, kinds.get(name)) for name, values in VALUES.items()})
    models = ["linear", "", "a b/c=d", "linear"]
    credited = {"model": models, "conversion_id": list("abcd"), "touch_id": list("abcd")}
    credited |= {"share": [1.0] * 4, "value_minor": [1] * 4}
    with opened(cluster().url(folder, tables="delta")) as store:
        with store.transaction():
            store.load(WORKSPACE, pa.table({"name": ["a", "b"], "value": ["1", "2"]}))
            store.make(KINDS)
            store.load(KINDS, rows)
            store.make(TABLES["credits"])
            store.load(TABLES["credits"], pa.table(credited))
        assert found(delta(folder)) == ["a", "b"]
        assert delta(folder, "kinds").to_pyarrow_table().to_pydict() == VALUES
        assert sorted(delta(folder, "credits").to_pyarrow_table()["model"].to_pylist()) == sorted(models)
        store.remove(WORKSPACE, store.scratch_rows("gone", pa.table({"name": ["a"]})))
        assert found(delta(folder)) == ["b"]
        store.forget()
        assert found(delta(folder)) == ["b"]


@pytest.mark.xdist_group("spark")
def test_the_jvm_writes_the_same_logs(folder: Path) -> None:
    """Where only the driver's JVM reaches the lake: commits, checkpoints, and a session that writes on after these."""
    from tieback.store.spark_session import address, connected

    spark = connected(address(cluster().url(folder)))
    for round_ in range(2):
        session = Session(folder)
        session.logs = DeltaLogs(HadoopFiles(spark, f"file://{folder}"))
        for number in range(6):
            session.run(f"{round_} {number}", "é")
    log = folder / "tables" / "workspace" / "_delta_log"
    assert [path.name for path in log.glob("[0-9]*.parquet")] == [f"{10:020}.checkpoint.parquet"]
    session = Session(folder)
    session.run("by this process")
    assert delta(folder).version() == 12
    assert found(delta(folder)) == session.held() == ["by this process"]
    (log / f"{12:020}.json").unlink()
    assert found(delta(folder)) == ["1 5", "é"]
