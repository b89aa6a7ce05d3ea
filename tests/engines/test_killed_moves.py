"""A move between engines that is killed again and again arrives, and the report is the same to the byte."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.company import workspace
from tests.engines.conftest import WHOLE

# MOVE_SEEDS=10 kills at other points, too.
SEEDS = range(int(os.environ.get("MOVE_SEEDS", "1")))
KILLS = 3  # on each way, at least

# Killed at a statement, by its number, or within it, so many microseconds later.
KILLED = """
import os, signal, sys, time
from threading import Thread
from tieback.cli import main
from tieback.store import DuckDB, moving
from tieback.store.clickhouse_links import InProcess
from tieback.store.postgres import Postgres
from tieback.store.spark import Spark

moving._CELLS = 2000
left, later = [int(sys.argv.pop(1))], int(sys.argv.pop(1)) / 1e6

def die():
    time.sleep(later)
    os.kill(os.getpid(), signal.SIGKILL)

def counted(run):
    def killing(self, *given, **more):
        left[0] -= 1
        if not left[0]:
            Thread(target=die).start() if later else die()
        return run(self, *given, **more)
    return killing

STATEMENTS = {DuckDB: ("execute",), Postgres: ("execute",), InProcess: ("run", "query"), Spark: ("_frame", "_written")}
for kind, names in STATEMENTS.items():
    for name in names:
        setattr(kind, name, counted(getattr(kind, name)))
main()
"""
IN_USE = "The workspace is in use by"  # until the server has seen that its client is gone


def report(folder: Path) -> str:
    """All that the models say, from a process of its own: one process opens one folder of ClickHouse."""
    words = ("report", "--by", "channel,month", "--model", "all", "--format", "json")
    command = [sys.executable, "-m", "tieback", "-w", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def move_killed(folder: Path, place: str, dice: random.Random) -> int:
    """Move the workspace in spite of all kills; returns how many there were."""
    kills, mean = 0, 50
    while True:
        at, later = dice.randint(mean // 2, mean), dice.choice([0, 0, 300, 3000])
        goal = ["-w", str(folder), "move", "--to", place]
        command = [sys.executable, "-c", KILLED, str(at), str(later), *goal]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == -signal.SIGKILL:
            kills, mean = kills + 1, 2 * mean
        elif IN_USE in ended.stderr:
            time.sleep(0.2)
        else:
            assert ended.returncode == 0, ended.stderr
            break
        if is_at(folder, place):  # killed on its last steps
            break
    assert is_at(folder, place)
    return kills


def is_at(folder: Path, place: str) -> bool:
    """True when the workspace's settings name the place."""
    return json.dumps(place) in (folder / "tieback.toml").read_text()


def to_servers(tmp_path: Path) -> list[str]:
    """To Postgres and on to ClickHouse."""
    for package in ("psycopg", "chdb"):
        pytest.importorskip(package, reason=f"{package} (make engines)")
    from tests.postgres_server import new_schema, server

    return [server().url(new_schema()), f"chdb://{tmp_path}/chdb?database=moved"]


def to_spark(tmp_path: Path) -> list[str]:
    """To a cluster and back."""
    pytest.importorskip("pyspark", reason="pyspark (make engines)")
    from tests.spark_cluster import cluster

    return [cluster().url(tmp_path / "lake"), f"duckdb://{tmp_path}/back.duckdb"]


WAYS = (to_servers, to_spark) if WHOLE else (to_servers,)  # Spark starts anew after each kill


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_point_a_move_between_engines_goes_on(
    tmp_path: Path, seed: int, way: Callable[[Path], list[str]]
) -> None:
    """Whatever was cut off, the last attempt arrives whole."""
    folder = tmp_path / "company"
    folder.mkdir()
    workspace(folder)
    told, dice = report(folder), random.Random(seed)
    for place in way(tmp_path):
        assert move_killed(folder, place, dice) >= KILLS
        assert report(folder) == told
