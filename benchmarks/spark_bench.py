"""The benchmarks of the Spark engine, on a real standalone cluster on this machine: workers of one core each.

Where one worker is compared with two, each keeps to a core with all its threads, those that compile and collect garbage
too: a single one would borrow the second core, and two could only share what one has already. Master and driver run
wherever there is room.

What is compared are the stages alone: starting Python and a JVM takes both sides the same, and says nothing.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from benchmarks.facts import write_facts
from benchmarks.measure import python
from benchmarks.same import same_numbers
from benchmarks.spark_stages import processor_seconds, seconds
from tests.spark_cluster import Cluster
from tieback.schema import FACTS
from tieback.store import DuckDB
from tieback.store.lake import Lake, Part
from tieback.store.lake_files import LocalFiles
from tieback.store.lake_reader import LakeReader

MOST_BY_HAND, LEAST_BY_TWO_WORKERS = 1.3, 1.6
_EXECUTOR_MB = 2048
_GOODBYE = 3  # seconds until workers have taken leave of executors, and count what these took as theirs
_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.executor.memory": f"{_EXECUTOR_MB}m",
}


@dataclass(frozen=True)
class Run:
    """Seconds of each stage, and of processors: those of the driver and of all executors."""

    stages: dict[str, float]
    cpu: float

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(self.stages.values())


def bench_spark(place: Path, people: int, rounds: int) -> bool:
    """A full refresh on Spark against Spark SQL written by hand; both must come to the same numbers."""
    print(
        f"\nFull refresh on Spark, two workers of one core: {people * 10:,} touchpoints, {people:,} people, 12 models"
    )
    ours, rival = _refreshes(place, people, rounds, workers=2), place / "spark-rival"
    with _cluster(workers=2) as cluster:
        facts = _lake_of_facts(place, people)
        theirs = [_run(cluster, "benchmarks.spark_rival", facts, rival) for _ in range(rounds)]
    _table(("tieback", "by hand"), ours, theirs)
    _same_numbers(place / "spark-lake", rival)
    ratio = statistics.median(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
    print(f"  ratio {ratio:.2f}, at most {MOST_BY_HAND}")
    return ratio <= MOST_BY_HAND


def bench_workers(place: Path, people: int, rounds: int) -> bool:
    """Full refreshes on one worker of one core against two such workers.

    A machine that others share becomes slower or faster while these run, by more than what is asked: so a round is one,
    two, two and one worker, which such a drift meets alike, and each run is told.
    """
    print(
        f"\nFull refresh on Spark by one worker and by two: {people * 10:,} touchpoints, {people:,} people, 12 models"
    )
    runs: dict[int, list[Run]] = {1: [], 2: []}
    for workers in (1, 2, 2, 1) * rounds:
        [run] = _refreshes(place, people, 1, workers=workers, pinned=True)
        print(f"  workers: {workers}, {run.seconds:.0f} s", flush=True)
        runs[workers].append(run)
    one, two = runs.values()
    _table(("one worker", "two workers"), one, two)
    ratio = sum(run.seconds for run in one) / sum(run.seconds for run in two)
    print(f"  two workers are {ratio:.2f} times as fast, at least {LEAST_BY_TWO_WORKERS} ({os.cpu_count()} cores here)")
    return ratio >= LEAST_BY_TWO_WORKERS


def _refreshes(place: Path, people: int, rounds: int, *, workers: int, pinned: bool = False) -> list[Run]:
    """Full refreshes by so many workers."""
    facts = _lake_of_facts(place, people)
    with _cluster(workers, pinned=pinned) as cluster:
        return [_run(cluster, "benchmarks.spark_stages", _copy(facts, place / "spark-lake")) for _ in range(rounds)]


def _lake_of_facts(place: Path, people: int) -> Path:
    """A lake with the facts of `people` people and nothing else, kept for the next time."""
    folder = (place / f"spark-facts-{people}").resolve()
    if folder.exists():
        return folder
    file, fresh = place / "spark-facts.duckdb", folder.with_suffix(".fresh")
    file.unlink(missing_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    write_facts(file, people)
    lake = Lake(LocalFiles(f"file://{fresh}"))
    with DuckDB(file, read_only=True) as store:
        for table in FACTS:
            path = lake.new_part(table.name)
            (fresh / path).mkdir(parents=True)
            rows = f"SELECT {', '.join(table.names)} FROM {table.name}"
            # Several files, as a cluster would have written them.
            store.execute(f"COPY ({rows}) TO '{fresh / path}' (FORMAT parquet, FILE_SIZE_BYTES '32MB', OVERWRITE)")
            lake.add(table.name, Part(path, store.rows(f"SELECT count(*) AS n FROM {table.name}")[0]["n"]))
    lake.publish()
    file.unlink()
    fresh.rename(folder)
    return folder


def _copy(facts: Path, folder: Path) -> Path:
    """The lake of `facts` once more, at `folder`: its files are written once, so that links to them will do."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(facts, folder, copy_function=os.link)
    return folder.resolve()


@contextmanager
def _cluster(workers: int, *, pinned: bool = False) -> Iterator[Cluster]:
    """A cluster of so many workers of one core, for as long as the block lasts."""
    with TemporaryDirectory(prefix="spark-bench-") as folder:
        cluster = Cluster(Path(folder), workers=workers, memory_mb=_EXECUTOR_MB + 100, pinned=pinned)
        try:
            yield cluster
        finally:
            cluster.stop()


def _run(cluster: Cluster, module: str, lake: Path, *arguments: object) -> Run:
    """Run a module on the lake in a process of its own."""
    before = [processor_seconds(worker.pid) for worker in cluster.workers]
    stages = seconds(python(module, _url(cluster, lake), *arguments).output)
    time.sleep(_GOODBYE)
    after = [processor_seconds(worker.pid) for worker in cluster.workers]
    return Run(stages, stages.pop("cpu") + sum(after) - sum(before))


def _url(cluster: Cluster, lake: Path) -> str:
    return f"{cluster.master}?{urlencode({'lake': f'file://{lake}', **_SETTINGS})}"


def _same_numbers(lake: Path, rival: Path) -> None:
    reader = LakeReader(Lake(LocalFiles(f"file://{lake.resolve()}"), read_only=True), lake.resolve())

    def count(select: str) -> int:
        found: int = reader.rows(f"SELECT count(*) AS n FROM ({select})")[0]["n"]
        return found

    same_numbers(count, "{}", f"read_parquet('{rival}/{{}}/*.parquet')")
    reader.close()


def _table(names: tuple[str, str], one: list[Run], other: list[Run]) -> None:
    """Print the median of each stage on both sides, of all of them, and of the processors' time."""
    print(f"  {'':<12} {names[0]:>12} {names[1]:>12}")
    for stage in one[0].stages:
        _line(stage, *([run.stages[stage] for run in runs] for runs in (one, other)))
    _line("all", *([run.seconds for run in runs] for runs in (one, other)))
    _line("cpu, whole", *([run.cpu for run in runs] for runs in (one, other)))


def _line(name: str, one: list[float], other: list[float]) -> None:
    left, right = statistics.median(one), statistics.median(other)
    print(f"  {name:<12} {left:10.1f} s {right:10.1f} s   {left / right:.2f}")
