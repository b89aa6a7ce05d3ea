"""`python -m benchmarks [--people N] [refresh|report|change|collect|import|scale|spark|workers …]`: each figure with its rival."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import duckdb

from benchmarks import collect
from benchmarks.facts import TOUCHES_A_PERSON, write_facts
from benchmarks.measure import Measured, python
from benchmarks.model import modelled, stages
from benchmarks.same import same_numbers
from tieback.config import SALT_NAME
from tieback.schema import TABLES

PLACE = Path("build/bench")
WHOLE = PLACE / "whole_refresh.txt"  # the seconds of the last full refresh, which changes are held against
EMBEDDED, ON_SPARK = ("refresh", "report", "change", "collect", "import", "scale"), ("spark", "workers")
PEOPLE = 1_000_000
MEMORY, SCALE_MEMORY = "1.5GB", "4.5GB"
MOST_PUBLISHING, MOST_SCALE, MOST_SCALE_MEMORY_MB = 0.2, 12.0, 6144
MOST_REFRESH, MOST_IMPORT, MOST_MEMORY_MB, MOST_REPORT_SECONDS = 1.5, 2.0, 2048, 0.5
MOST_OF_FULL = {"1,000 new events": 0.02, "one merge of two people": 0.01}


def main() -> None:
    """Run the benchmarks named (without a name: all) and end with code 1 when a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*EMBEDDED, *ON_SPARK, []], default=[])
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"a tenth of the touchpoints ({PEOPLE:,})")
    parser.add_argument("--rounds", type=int, default=1, help="how often each pair is run; medians are shown")
    chosen = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    held = [_bench(name, chosen.people, chosen.rounds) for name in chosen.names or (*EMBEDDED, *ON_SPARK)]
    sys.exit(0 if all(held) else 1)


def _bench(name: str, people: int, rounds: int) -> bool:
    if name in EMBEDDED:
        held: bool = globals()[f"bench_{name}"](people, rounds)
        return held
    if not find_spec("pyspark"):
        print(f"\n{name}: Spark is not installed here, so this was not measured. `make engines` installs it.")
        return False
    from benchmarks import spark_bench  # a parent that is large makes its children seem so

    on_spark = {"spark": spark_bench.bench_spark, "workers": spark_bench.bench_workers}[name]
    return on_spark(PLACE, people, rounds)


def bench_refresh(people: int, rounds: int) -> bool:
    """A full refresh against the script written by hand, with its stages; both must come to the same numbers."""
    print(f"\nFull refresh: {people * 10:,} touchpoints, {people:,} people, {people // 5:,} conversions, 12 models")
    facts = PLACE / "facts.duckdb"
    facts.unlink(missing_ok=True)
    write_facts(facts, people)
    ours, theirs, shares, published = [], [], [], []
    for _ in range(rounds):
        workspace = _workspace()
        shutil.copy(facts, workspace / "warehouse.duckdb")
        run = python("benchmarks.stages", workspace)
        publishing, whole = (float(line.split()[1]) for line in run.output.strip().splitlines()[-2:])
        WHOLE.write_text(str(whole))
        shares.append(publishing / (whole - publishing))
        # The script publishes nothing, and publishing has a bound of its own.
        ours.append(replace(run, seconds=run.seconds - publishing))
        rival = PLACE / "rival.duckdb"
        shutil.copy(facts, rival)
        theirs.append(python("benchmarks.rival", rival, MEMORY))
        published.append(run.seconds / theirs[-1].seconds)
    _table("tieback run --full, with the most memory held during each stage", ours[-1].output)
    _table("by hand", theirs[-1].output)
    _same_numbers(_workspace(), PLACE / "rival.duckdb")
    share = statistics.median(shares)
    print(
        f"  publishing the run is {share:.1%} of computing it, at most {MOST_PUBLISHING:.0%}; the whole {whole:.1f} s"
    )
    print(
        f"  published, the whole process takes {statistics.median(published):.2f} x the script, which publishes nothing"
    )
    is_fast = _verdict("run, not published", ours, "script by hand", theirs, MOST_REFRESH)
    return is_fast and share <= MOST_PUBLISHING


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
    whole = float(WHOLE.read_text())
    print(f"\nRefresh after a change, of a full refresh of {whole:.1f} s (both published, without starting Python)")
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


def bench_collect(people: int, rounds: int) -> bool:
    """The collector under load, and how soon an event is in the report of the finished run of `bench_refresh`."""
    return collect.bench_collect(PLACE, _workspace(), rounds)


def bench_scale(people: int, rounds: int) -> bool:
    """Full refreshes of a tenth to ten times the people, with the same memory: how the cost grows, and its model.

    The largest runs between two of its tenth, and is held against their mean: a machine that drifts within the hour
    would else be told as growth.
    """
    print(f"\nScale: {SCALE_MEMORY} for the engine, whatever the size")
    others, middle, large = [people // 10, people * 3 // 10, people * 3], people, people * 10
    found = {size: [_sized(size)] for size in others}
    found |= {middle: [_sized(middle)], large: [_sized(large)]}
    found[middle].append(_sized(middle))
    took = {size * TOUCHES_A_PERSON: _mean_stages(runs) for size, runs in sorted(found.items())}
    (PLACE / "scale.json").write_text(json.dumps(took))
    print("\n".join(modelled(took)))
    before, after = (run.seconds for run in found[middle])
    longest, memory = found[large][0].seconds, found[large][0].peak_mb
    ratio = longest / statistics.mean((before, after))
    print(
        f"  ten times the facts take {ratio:.1f} x the time, at most {MOST_SCALE:.0f} x: {longest:.0f} s, "
        f"{before:.0f} s before it and {after:.0f} s after"
    )
    print(f"  memory {memory:.0f} MB, at most {MOST_SCALE_MEMORY_MB} MB")
    return ratio <= MOST_SCALE and memory <= MOST_SCALE_MEMORY_MB


def _sized(people: int) -> Measured:
    """A full refresh of facts written anew, printed."""
    workspace = _workspace("scale", SCALE_MEMORY)
    shutil.rmtree(workspace / "runs", ignore_errors=True)
    for old in workspace.glob("warehouse.duckdb*"):
        old.unlink()
    python("benchmarks.write", workspace / "warehouse.duckdb", people)
    run = python("benchmarks.stages", workspace)
    disk = sum(each.stat().st_size for each in workspace.rglob("*") if each.is_file()) / 1e9
    title = f"{people * TOUCHES_A_PERSON:,} touchpoints, {people // 5:,} conversions"
    _table(f"{title}: {run.seconds:.0f} s, {run.peak_mb:.0f} MB of memory, {disk:.1f} GB on disk", run.output)
    return run


def _mean_stages(runs: list[Measured]) -> dict[str, float]:
    each = [stages(run.output) for run in runs]
    return {stage: statistics.mean(took[stage] for took in each) for stage in each[0]}


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


def _workspace(name: str = "workspace", memory: str = MEMORY) -> Path:
    """A workspace of the benchmarks; most share one."""
    folder = PLACE / name
    folder.mkdir(exist_ok=True)
    (folder / "tieback.toml").write_text(f'name = "bench"\n[warehouse]\nmemory = "{memory}"\n')
    if not (folder / SALT_NAME).exists():
        (folder / SALT_NAME).write_text("0" * 64)  # before there is a warehouse, which a new salt would not fit
    return folder


def _same_numbers(workspace: Path, rival: Path) -> None:
    door = duckdb.connect()
    door.execute(
        f"ATTACH '{workspace / 'warehouse.duckdb'}' AS ours (READ_ONLY); ATTACH '{rival}' AS theirs (READ_ONLY)"
    )
    same_numbers(lambda select: door.sql(select).count("*").fetchall()[0][0], "ours.{}", "theirs.{}")


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
