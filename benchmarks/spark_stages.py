"""The work of `tieback run --full` on a Spark cluster, stage by stage: `python -m benchmarks.spark_stages URL`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tieback.config import Settings
from tieback.pipeline import refresh
from tieback.store.spark import opened


class Laps:
    """Seconds of each stage, printed as it ends and read back with `seconds`."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def end(self, stage: str) -> None:
        """Print what the stage took since the last one ended."""
        now = time.perf_counter()
        print(f"{stage:<12} {now - self._started:8.2f} s", flush=True)
        self._started = now

    def close(self) -> None:
        """Print what this process and the JVM below it took of processors."""
        from pyspark import SparkContext

        java = SparkContext._gateway.proc.pid  # type: ignore[union-attr]  # there is one while a session is open
        print(f"{'cpu':<12} {processor_seconds(java) + time.process_time():8.2f} s", flush=True)


def processor_seconds(process: int) -> float:
    """Seconds of processor that the process of that number has taken, with those of its children that have ended."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def seconds(output: str) -> dict[str, float]:
    """What each stage took, of what a process with `Laps` printed (and Spark beside it)."""
    lines = (line.split() for line in output.splitlines())
    return {words[0]: float(words[1]) for words in lines if len(words) == 3 and words[2] == "s"}


def main(url: str) -> None:
    """Build every opinion whole from the facts of the lake that `url` names, printing a line for each stage."""
    with opened(url) as store:
        laps, at_work = Laps(), [""]

        def begin(stage: str) -> None:
            if at_work[0]:
                laps.end(at_work[0])
            at_work[0] = stage

        refresh(store, Settings(), full=True, on_stage=begin)
        laps.end(at_work[0])
        laps.close()


if __name__ == "__main__":
    main(sys.argv[1])
