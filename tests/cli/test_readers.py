"""Readers in other processes while one writes: only finished runs, no error, and nobody waits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.company import SETTINGS, stage, visit
from tests.facts import put
from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.pipeline import refresh

READERS = 8
SECONDS = float(os.environ.get("READ_SECONDS", "0"))  # how long to go on after the fewest runs
FEWEST_RUNS = 4

READER = """
import sys
from pathlib import Path
from tieback.cli.warehouse import finished
from tieback.config import open_workspace
from tieback.metrics.reconciliation import reconciliation

folder, number = Path(sys.argv[1]), sys.argv[2]
workspace, last, seen = open_workspace(folder), 0, 0
while not (folder / "stop").exists():
    with finished(workspace) as store:
        run = store.manifest.run_id
        assert run >= last, f"run {run} after run {last}"
        assert store.rows("SELECT max(run_id) AS run FROM runs")[0]["run"] == run
        found = reconciliation(store.rows, ("linear", "last_touch", "last_paid"), 2)
        assert not found.faults, found.faults
        assert {model.revenue for model in found.models} == {1500 + 200 * (run - 1)}, (run, found)
        last, seen = run, seen + 1
    (folder / f"seen-{number}").write_text(str(seen))
print(seen, last)
"""


def test_readers_see_finished_runs_alone_while_one_process_writes(folder: Path, tmp_path: Path) -> None:
    """Each sees whole runs, never an older one after a newer, and goes on while the writer never lets go.

    Only the newest run is kept, so that each one is pruned as soon as nobody reads it.
    """
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "tieback.toml").write_text(SETTINGS + "[warehouse]\nkeep_runs = 1\n")
    made = open_workspace(copy)
    command = [sys.executable, "-c", READER, str(copy)]
    readers = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(READERS)
    ]
    with opened(made) as store:
        number, until = 0, time.monotonic() + SECONDS
        while number < FEWEST_RUNS or time.monotonic() < until:
            number += 1
            at, who = f"2026-03-{1 + number % 28:02}T11:00:00", f"new-{number}"
            with store.transaction():
                put(store, "events", [visit(f"n{number}", at.replace("T11", "T10"), who)])
                put(store, "deals", [stage(f"N{number}", "won", at, who, None, 200)])
            refresh(store, made.settings, full=number % 2 == 0)
        while any(not (copy / f"seen-{each}").exists() for each in range(READERS)):  # a reader that failed has ended
            assert all(reader.poll() is None for reader in readers), [reader.communicate() for reader in readers]
            time.sleep(0.05)
        (copy / "stop").touch()
        told = [(reader.communicate()[1], reader.returncode) for reader in readers]
    assert told == [("", 0)] * READERS
