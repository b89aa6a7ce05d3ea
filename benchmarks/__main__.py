"""`python -m benchmarks [--people N] [refresh|report|change|import|spark|workers …]`: every figure with its rival."""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from pathlib import Path

import duckdb

from benchmarks.facts import write_facts
from benchmarks.measure import Measured, python
from tieback.config import SALT_NAME
from tieback.schema import TABLES

PLACE = Path("build/bench")
EMBEDDED, ON_SPARK = ("refresh", "report", "change", "import"), ("spark", "workers")
PEOPLE, PEOPLE_ON_SPARK = 1_000_000, 100_000
MEMORY = "1.5GB"
MOST_REFRESH, MOST_IMPORT, MOST_MEMORY_MB, MOST_REPORT_SECONDS = 1.5, 2.0, 2048, 0.5
MOST_OF_FULL = {"1,000 new events": 0.02, "one merge of two people": 0.01}


def main() -> None:
    """Run the benchmarks named (without a name: all but those of Spark) and end with code 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*EMBEDDED, *ON_SPARK, []], default=[])
    parser.add_argument(
        "--people", type=int, help=f"a tenth of the touchpoints ({PEOPLE:,}; on Spark {PEOPLE_ON_SPARK:,})"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each pair is run; medians are shown")
    chosen = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    held = [_bench(name, chosen.people, chosen.rounds) for name in chosen.names or EMBEDDED]
    sys.exit(0 if all(held) else 1)


def _bench(name: str, people: int | None, rounds: int) -> bool:
    if name in EMBEDDED:
        held: bool = globals()[f"bench_{name}"](people or PEOPLE, rounds)
        return held
    from benchmarks import spark_bench  # a parent that is large makes its children seem so

    on_spark = {"spark": spark_bench.bench_spark, "workers": spark_bench.bench_workers}[name]
    return on_spark(PLACE, people or PEOPLE_ON_SPARK, rounds)


def bench_refresh(people: int, rounds: int) -> bool:
    """A full refresh against the script written by hand, with its stages; both must come to the same numbers."""
    print(f"\nFull refresh: {people * 10:,} touchpoints, {people:,} people, {people // 5:,} conversions, 12 models")
    facts = PLACE / "facts.duckdb"
    facts.unlink(missing_ok=True)
    write_facts(facts, people)
    ours, theirs = [], []
    for _ in range(rounds):
        workspace = _workspace()
        shutil.copy(facts, workspace / "warehouse.duckdb")
        ours.append(python("benchmarks.stages", workspace))
        rival = PLACE / "rival.duckdb"
        shutil.copy(facts, rival)
        theirs.append(python("benchmarks.rival", rival, MEMORY))
    _table("tieback run --full, with the most memory held during each stage", ours[-1].output)
    _table("by hand", theirs[-1].output)
    _same_numbers(_workspace(), PLACE / "rival.duckdb")
    return _verdict("tieback run --full", ours, "script by hand", theirs, MOST_REFRESH)


def bench_report(people: int, rounds: int) -> bool:
    """A report on the finished run of `bench_refresh`, as a whole process."""
    runs = [python("tieback", "-w", _workspace(), "report", "--by", "channel", "--format", "json") for _ in range(5)]
    floor = [python("benchmarks.nothing") for _ in range(5)]
    seconds, least = (statistics.median(run.seconds for run in each) for each in (runs, floor))
    rows = duckdb.connect(str(_workspace() / "warehouse.duckdb"), read_only=True).sql("FROM performance").count("*")
    print(f"\nReport by channel on {rows.fetchall()[0][0]:,} rows of performance (median of 5 whole processes)")
    print(
        f"  tieback report {seconds:.2f} s · of which Python and DuckDB start in {least:.2f} s · at most {MOST_REPORT_SECONDS} s"
    )
    return seconds <= MOST_REPORT_SECONDS


def bench_change(people: int, rounds: int) -> bool:
    """Refreshes after small changes of the finished run of `bench_refresh`, against a full one."""
    door = duckdb.connect(str(_workspace() / "warehouse.duckdb"), read_only=True)
    stages = "SELECT sum(seconds) FROM runs GROUP BY run_id HAVING count(*) = 7 ORDER BY run_id DESC LIMIT 1"
    whole = door.sql(stages).fetchall()[0][0]
    door.close()
    print(f"\nRefresh after a change, of a full refresh of {whole:.1f} s (its stages, in one process)")
    held = []
    for line in python("benchmarks.change", _workspace()).output.strip().splitlines():
        what, first, later, rows = line.split("\t")
        share, most = float(later) / whole, MOST_OF_FULL[what]
        held.append(share <= most)
        print(
            f"  {what:<24} {float(later):6.2f} s = {share:.1%}, at most {most:.0%} · {int(rows):,} rows · the first in a "
            f"process, which compiles its statements, {float(first):.2f} s = {float(first) / whole:.1%}"
        )
    return all(held)


def bench_import(people: int, rounds: int) -> bool:
    """Importing event rows from CSV against DuckDB's own COPY of the same file into a table."""
    file = PLACE / "events.csv"
    rows = people * 10
    # In a process of its own: a child's peak memory is never told as less than its parent's.
    python("benchmarks.event_rows", rows, file)
    print(f"\nImport: {rows:,} event rows, a CSV of {file.stat().st_size / 1e9:.2f} GB")
    ours, theirs = [], []
    for _ in range(rounds):
        workspace = _workspace()
        for old in workspace.glob("warehouse.duckdb*"):
            old.unlink()
        ours.append(python("tieback", "-w", workspace, "import", "events", file))
        copied = PLACE / "copied.duckdb"
        copied.unlink(missing_ok=True)
        theirs.append(python("benchmarks.copy", copied, file, MEMORY))
    print(f"  {ours[-1].output.strip().splitlines()[0]}")
    fresh = PLACE / "rewritten.duckdb"
    fresh.unlink(missing_ok=True)
    floor = python("benchmarks.rewrite", _workspace() / "warehouse.duckdb", fresh, MEMORY)
    print(
        f"  of which DuckDB needs {floor.seconds:.1f} s ({floor.cpu_seconds:.1f} s cpu) to write the finished rows: "
        f"a file of 8 columns becomes a table of {len(TABLES['events'].names)}"
    )
    return _verdict("tieback import", ours, "DuckDB COPY", theirs, MOST_IMPORT)


def _workspace() -> Path:
    """The workspace that the benchmarks share."""
    folder = PLACE / "workspace"
    folder.mkdir(exist_ok=True)
    (folder / "tieback.toml").write_text(f'name = "bench"\n[warehouse]\nmemory = "{MEMORY}"\n')
    if not (folder / SALT_NAME).exists():
        (folder / SALT_NAME).write_text("0" * 64)  # before there is a warehouse, which a new salt would not fit
    return folder


def _same_numbers(workspace: Path, rival: Path) -> None:
    """End the benchmark when the two came to different credit or performance: then they did different work."""
    door = duckdb.connect()
    door.execute(
        f"ATTACH '{workspace / 'warehouse.duckdb'}' AS ours (READ_ONLY); ATTACH '{rival}' AS theirs (READ_ONLY)"
    )
    credit = "SELECT model, conversion_id, touch_id, value_minor, round(share, 6) FROM {}.credits"
    revenue = "SELECT date, basis, model, channel, source, medium, campaign, content, landing_page, sum(revenue_minor) FROM {}.performance WHERE model <> '' GROUP BY ALL"
    for what, select in (("credits", credit), ("performance", revenue)):
        one, other = select.format("ours"), select.format("theirs")
        different = door.sql(f"({one} EXCEPT {other}) UNION ALL ({other} EXCEPT {one})").count("*").fetchall()[0][0]
        rows = door.sql(one).count("*").fetchall()[0][0]
        print(f"  {what}: {rows:,} rows, {different:,} of them different")
        if different:
            sys.exit(f"The rival's {what} are not tieback's: the comparison would mean nothing.")


def _table(title: str, output: str) -> None:
    print(f"  {title}\n    " + "\n    ".join(line.strip() for line in output.strip().splitlines()))


def _verdict(name: str, ours: list[Measured], rival: str, theirs: list[Measured], most: float) -> bool:
    """Print both sides and the ratio, pair by pair; true when the bounds hold."""
    ratio = statistics.median(a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True))
    cpu = statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in zip(ours, theirs, strict=True))
    for label, runs in ((name, ours), (rival, theirs)):
        seconds = statistics.median(run.seconds for run in runs)
        print(
            f"  {label:<20} {seconds:8.1f} s  {statistics.median(r.cpu_seconds for r in runs):8.1f} s cpu  {max(r.peak_mb for r in runs):7.0f} MB"
        )
    memory = max(run.peak_mb for run in ours)
    print(f"  ratio {ratio:.2f} (cpu {cpu:.2f}), at most {most} · memory {memory:.0f} MB, at most {MOST_MEMORY_MB}")
    return ratio <= most and memory <= MOST_MEMORY_MB


if __name__ == "__main__":
    main()
