"""The engine for clusters, on a real one: see `tests/spark_cluster.py`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.laws.worlds import SETTINGS
from tests.spark_cluster import Cluster, cluster
from tieback import attribution
from tieback.errors import ConfigError, WorkspaceError
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.relations import fitted, relation, relations
from tieback.store import Engine, StatementError
from tieback.store.lake import Lake, Part
from tieback.store.lake_files import HadoopFiles, LocalFiles
from tieback.store.lake_reader import LakeReader
from tieback.store.spark import Spark, opened
from tieback.store.spark_session import address

pytestmark = pytest.mark.xdist_group("spark")
WORKSPACE = TABLES["workspace"]


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    pytest.importorskip("pyspark", reason="pyspark (make engines)")


@pytest.fixture(scope="module")
def running() -> Cluster:
    """The cluster."""
    return cluster()


@pytest.fixture
def store(running: Cluster, tmp_path: Path) -> Iterator[Spark]:
    """An empty warehouse on it."""
    with opened(running.url(tmp_path / "lake")) as found:
        yield found


def values(**kept: str | None) -> pa.Table:
    """Rows of the table `workspace`."""
    return pa.table({"name": list(kept), "value": pa.array(kept.values(), pa.string())})


def held(store: Engine) -> dict[str, str]:
    """What the cluster itself finds in the table `workspace`."""
    return {row["name"]: row["value"] for row in store.read(relation(WORKSPACE)).to_pylist()}


def test_a_transaction_is_all_or_nothing(store: Spark) -> None:
    """Inside, its changes are seen; cut off, none of them is; both by the cluster and by the reader beside it."""
    with store.transaction():
        store.load(WORKSPACE, values(a="1", b="2"))

    def cut_off() -> None:
        with store.transaction():
            store.load(WORKSPACE, values(c="3"))
            assert held(store) == {"a": "1", "b": "2", "c": "3"}
            assert store.rows("SELECT count(*) AS n FROM workspace") == [{"n": 3}]
            store.load(WORKSPACE, values(d=None))

    with pytest.raises(StatementError, match="Building 'workspace' on spark failed: value is empty in 1 rows"):
        cut_off()
    assert held(store) == {"a": "1", "b": "2"}
    assert store.rows("SELECT value FROM workspace WHERE name = ?", ["b"]) == [{"value": "2"}]


def test_rows_are_replaced_by_what_equals_them(store: Spark) -> None:
    """By any columns, an empty cell equal to an empty one, over and over; piled up changes are written in one."""
    deals = TABLES["deals"]
    columns = {name: pa.array([None, None], pa.string()) for name in ("name", "account_id")}
    rows = pa.table(columns | {"name": pa.array(["x", None])})
    made = store.scratch_rows("made", rows)
    everything = {name: ibis.null(kind) for name, kind in relation(deals).schema().items()}
    filled = made.select(
        **everything
        | {"name": made.name, "deal_id": ibis.coalesce(made.name, "none"), "changed_at": ibis.timestamp("2026-01-01")}
        | {"stage": ibis.literal("won"), "origin": ibis.literal("t"), "received_at": ibis.timestamp("2026-01-01")}
    )
    for _ in range(9):
        with store.transaction():
            assert store.replace(deals, made.filter(made.name.isnull()), filled.filter(made.name.isnull())) == 1
            assert store.replace(deals, made.select("name"), filled) == 2
    found = [row["deal_id"] for row in store.read(relation(deals).select("deal_id")).to_pylist()]
    assert sorted(found) == ["none", "x"]
    assert store.rows("SELECT count(*) AS n FROM deals") == [{"n": 2}]


def test_each_model_lies_in_files_of_its_own(store: Spark, tmp_path: Path) -> None:
    """Whoever asks for one model reads no other's rows; the cluster and the reader beside it find them all."""
    models = ["linear", "", "a b/c=d", "linear"]
    rows = pa.table(
        {
            "model": models,
            "conversion_id": [f"c{number}" for number in range(len(models))],
            "touch_id": pa.nulls(len(models), pa.string()),
            "share": [1.0] * len(models),
            "value_minor": list(range(len(models))),
        }
    )
    with store.transaction():
        store.make(TABLES["credits"])
        assert store.load(TABLES["credits"], rows) == len(models)
    files = list((tmp_path / "lake" / "tables" / "credits").rglob("*.parquet"))
    held_in = [set(pq.read_table(file, partitioning=None)["model"].to_pylist()) for file in files]
    assert {model for (model,) in held_in} == set(models)
    assert sorted(store.read(relation(TABLES["credits"]).select("model"))["model"].to_pylist()) == sorted(models)
    assert sorted(row["model"] for row in store.rows("SELECT model FROM credits")) == sorted(models)


def test_a_large_table_of_rows_goes_through_the_lake(store: Spark) -> None:
    """Rows too many to travel with a plan are all there, and what is kept for a session is gone with it."""
    many = 60_000
    rows = pa.table({"name": [f"{number:020}" for number in range(many)], "value": ["v" * 10] * many})
    with store.transaction():
        assert store.load(WORKSPACE, rows) == many
    assert store.rows("SELECT count(DISTINCT name) AS n FROM scratch_loading") == [{"n": many}]


def test_a_statement_that_fails_says_where(store: Spark) -> None:
    """The table that was being built, the engine, and the SQL."""
    with pytest.raises(StatementError, match=r"Building 'x' on spark failed: .*no_such_column") as failed:
        store.keep("scratch_x", "SELECT no_such_column FROM workspace")
    assert "no_such_column" in failed.value.sql


def test_few_rows_are_planned_for_as_such(running: Cluster, tmp_path: Path) -> None:
    """A statement over few rows is one job of few tasks, one over many is not; but what the URL says of it stands."""
    adaptive, partitions = "spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"
    with (
        opened(running.url(tmp_path / "one")) as store,
        opened(running.url(tmp_path / "two", **{adaptive: "true"})) as other,
    ):
        for each in (store, other):
            each.fetch("SELECT name FROM workspace")
        assert [store._session.conf.get(name) for name in (adaptive, partitions)] == ["false", "1"]
        assert [other._session.conf.get(name) for name in (adaptive, partitions)] == ["true", "1"]
        store._lake.add("workspace", Part("nowhere", 1_000_000))
        store._seen["workspace"] = store._lake.tables["workspace"]  # there is no such part to read
        for table, found in (("events", ["false", "1"]), ("workspace", ["true", "200"]), ("events", ["false", "1"])):
            store.fetch(f"SELECT 1 AS one FROM {table}")
            assert [store._session.conf.get(name) for name in (adaptive, partitions)] == found, table
        store._lake.abandon()


def test_a_killed_worker_costs_time_alone(running: Cluster, store: Spark, tmp_path: Path) -> None:
    """A worker killed in the middle of a job: the job ends with every row, once."""
    many, counted = 3_000_000, []
    select = f"SELECT CAST(id AS STRING) AS name, sha2(CAST(id AS STRING), 512) AS value FROM range(0, {many}, 1, 60)"

    def work() -> None:
        with store.transaction():
            counted.append(store.insert(WORKSPACE, select))

    job = threading.Thread(target=work)
    job.start()
    while not list((tmp_path / "lake" / "tables" / "workspace").glob("*/_temporary/0/task_*")):
        assert job.is_alive()
        time.sleep(0.05)
    running.kill_worker()
    was_at_work = job.is_alive()
    running.add_worker()
    job.join()
    assert was_at_work
    assert counted == [many]
    assert store.rows("SELECT count(*) AS n, count(DISTINCT name) AS names FROM workspace") == [
        {"n": many, "names": many}
    ]


def test_the_journey_stage_shuffles_each_side_once(running: Cluster, tmp_path: Path) -> None:
    """Joined by person, touches and paths cross the cluster once each, and what was met once more to be put in order.

    There are two kinds of paths, and each reads the touches: those of conversions, and those that are open.
    """
    at = relations((*FACTS, *OPINIONS))
    as_for_many_rows = {"spark.sql.adaptive.enabled": "true", "spark.sql.shuffle.partitions": "2"}
    with opened(running.url(tmp_path, **as_for_many_rows)) as store:
        for name in ("touchpoints", "conversions"):
            one_row_each(store, name)
        members = store.scratch_rows("members", pa.table({"conversion_id": ["c"], "person_id": ["p"]}))
        known = (at.touchpoints, at.conversions, members, SETTINGS)
        plan = ""
        for paths in (attribution.converted_paths(*known), attribution.open_paths(*known)):
            planned = store.fetch(f"EXPLAIN {store.sql(fitted(paths, TABLES['journeys']))}")
            plan += str(planned["plan"][0].as_py())
    sent_by = Counter(re.findall(r"Exchange hashpartitioning\((\w+)#", plan))
    assert sent_by == {
        "person_id": 4,  # for each kind of path: touches, and the persons whose path it is
        "subject_id": 1,  # open paths, to be put in order
        "conversion_id": 5,  # converted paths, likewise; and twice members and conversions, to find their persons
        "journey_id": 1,  # conversions, to find the one whose journey they follow
    }
    assert "SinglePartition" not in plan


def one_row_each(store: Spark, name: str) -> None:
    """A row in the opinion `name`, as filled as it must be."""
    filled = {"string": "'p'", "json": "'{}'", "timestamp": "TIMESTAMP_NTZ '2026-01-01 00:00:00'"}
    filled |= {"date": "DATE '2026-01-01'", "int": "1", "float": "1", "decimal": "1", "boolean": "true"}
    store.make(TABLES[name])
    store.insert(TABLES[name], "SELECT " + ", ".join(f"{filled[c.type]} AS {c.name}" for c in TABLES[name].columns))


def test_hadoop_files_keep_the_lakes_promises(store: Spark, tmp_path: Path) -> None:
    """Published whole or refused, listed, removed: as the JVM does it, and read by this process too."""
    files, near = HadoopFiles(store._session, f"file://{tmp_path}/h"), LocalFiles(f"file://{tmp_path}/h")
    assert files.read("m/1.json") is None
    assert files.names("m") == []
    assert files.publish("m/1.json", "one\ntwo ü")
    assert not files.publish("m/1.json", "other")
    assert files.read("m/1.json") == near.read("m/1.json") == "one\ntwo ü"
    assert near.publish("m/2.json", "two")
    assert {name for name in files.names("m") if not name.startswith(".")} == {"1.json", "2.json"}
    files.remove("m/1.json")
    assert near.read("m/1.json") is None
    assert files.content("m/1.json") is None
    for content in (b"\xff\x00", b"\x80"):
        files.replace("m/3", content)
        assert files.content("m/3") == near.content("m/3") == content
    (tmp_path / "h" / "p" / "apart=a b%2F").mkdir(parents=True)
    for name in ("p/1.parquet", "p/apart=a b%2F/2.parquet", "p/_SUCCESS"):
        (tmp_path / "h" / name).write_bytes(b"four")
    assert sorted(files.stored("p"), key=str) == sorted(near.stored("p"), key=str)
    assert {(file.name, file.bytes) for file in files.stored("p")} == {
        ("p/1.parquet", 4),
        ("p/apart=a b%2F/2.parquet", 4),
    }


WRITER = """
import sys, time, pyarrow as pa
from tieback.schema import TABLES
from tieback.store.spark import opened

store = opened(sys.argv[1])
for name in ("finished", "cut off"):
    with store.transaction():
        store.load(TABLES["workspace"], pa.table({"name": [name], "value": ["1"]}))
        if name == "cut off":
            print("inside", flush=True)
            time.sleep(600)
"""


def test_a_killed_driver_leaves_the_last_finished_run(running: Cluster, tmp_path: Path) -> None:
    """Killed inside a transaction: the next to open the lake finds the last one that ended, and sweeps the rest."""
    url = running.url(tmp_path).replace(running.master, "local[1]")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, start_new_session=True
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"inside\n"
        os.killpg(writer.pid, signal.SIGKILL)
    left = set((tmp_path / "tables" / "workspace").iterdir())
    with opened(running.url(tmp_path)) as store:
        assert held(store) == {"finished": "1"}
        with store.transaction():
            store.load(WORKSPACE, values(after="2"))
        assert held(store) == {"finished": "1", "after": "2"}
    assert len(left) == 2
    assert len(left & set((tmp_path / "tables" / "workspace").iterdir())) == 1


CONNECTED = """
import json, sys, pyarrow as pa
from tieback.errors import WorkspaceError
from tieback.schema import TABLES
from tieback.schema.relations import relation
from tieback.store.spark import opened

table = TABLES["workspace"]

def rows(**kept):
    return pa.table({"name": list(kept), "value": list(kept.values())})

with opened(sys.argv[1]) as store, opened(sys.argv[1]) as other:
    with store.transaction():
        store.load(table, rows(a="1", b="2"))
    with store.transaction():
        coming = store.scratch_rows("coming_rows", rows(b="3", c="4"))
        store.replace(table, coming.select("name"), coming)
    try:
        with store.transaction():
            store.load(table, rows(lost="1"))
            raise KeyError
    except KeyError:
        pass
    found = {row["name"]: row["value"] for row in store.read(relation(table)).to_pylist()}
    asked = store.rows("SELECT value FROM workspace WHERE name = ?", ["b"])
    with store.transaction():
        with other.transaction():
            other.load(table, rows(d="5"))
        refused = ""
        store.load(table, rows(lost="2"))
        try:
            store._lake.publish()
        except WorkspaceError as error:
            refused = str(error)
        store._lake.begin()
    print(json.dumps([found, asked, refused]))
"""


def test_spark_connect_writes_the_same_lake(running: Cluster, tmp_path: Path) -> None:
    """Through a Spark Connect server: the same tables, which this process reads without it."""
    url = f"{running.connect_server()}?lake=file://{tmp_path}"
    done = subprocess.run([sys.executable, "-c", CONNECTED, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, asked, refused = json.loads(done.stdout)
    assert found == {"a": "1", "b": "3", "c": "4"}
    assert asked == [{"value": "3"}]
    assert "Another process wrote" in refused
    lake = Lake(LocalFiles(f"file://{tmp_path}"), read_only=True)
    rows = LakeReader(lake, tmp_path).rows("SELECT name, value FROM workspace")
    assert {row["name"]: row["value"] for row in rows} == found | {"d": "5"}


def test_an_address_has_all_its_parts() -> None:
    """A cluster, a lake, and settings of Spark's own."""
    where = address("spark://host:7077?lake=s3a://bucket/a%20path/&spark.executor.memory=4g")
    assert (where.cluster, where.lake) == ("spark://host:7077", "s3a://bucket/a path")
    assert where.settings == {"spark.executor.memory": "4g"}
    assert address("spark://local[2]?lake=file:///l").cluster == "local[2]"
    assert address("sc://host:15002/?lake=hdfs://l").is_connect
    with pytest.raises(ConfigError, match="names no lake"):
        address("spark://host:7077")
    with pytest.raises(ConfigError, match="'memory' is neither"):
        address("spark://host:7077?lake=file:///l&memory=4g")
    assert address("spark://host:7077?lake=file:///l&tables=delta").has_delta_logs
    assert not where.has_delta_logs
    with pytest.raises(ConfigError, match="tables=iceberg is not known"):
        address("spark://host:7077?lake=file:///l&tables=iceberg")
    with pytest.raises(ConfigError, match="Spark Connect cannot write the logs of Delta tables"):
        address("sc://host:15002?lake=file:///l&tables=delta")


def test_one_process_works_on_one_cluster(store: Spark, tmp_path: Path) -> None:
    """Another is refused in a sentence, not silently taken for the first."""
    with pytest.raises(WorkspaceError, match=r"works on spark://127\.0\.0\.1"):
        opened(f"local[2]?lake=file://{tmp_path}")
