"""The work of `tieback run --full`, stage by stage: rows, seconds and the most memory held during each.

The last two lines are what publishing the run cost beyond its stages, and the whole.
"""

import sys
import threading
import time
from pathlib import Path

from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.pipeline import refresh

_LOOK = 0.02  # seconds between looks at the memory
_PAGE_MB = 4096 / 2**20

workspace = open_workspace(Path(sys.argv[1]))
peaks: dict[str, float] = {}
at_work = ["start"]
ended = threading.Event()


def look() -> None:
    """Note the memory that the process holds, for the stage at work."""
    statm = Path("/proc/self/statm")
    while statm.exists() and not ended.wait(_LOOK):
        held = int(statm.read_text().split()[1]) * _PAGE_MB
        peaks[at_work[0]] = max(peaks.get(at_work[0], 0.0), held)


watch = threading.Thread(target=look, daemon=True)
watch.start()
with opened(workspace) as store:
    started = time.perf_counter()
    stages = refresh(store, workspace.settings, full=True, on_stage=lambda name: at_work.__setitem__(0, name))
    whole = time.perf_counter() - started
ended.set()
watch.join()
for stage in stages:
    print(f"{stage.name:<12} {stage.rows:>12,} rows  {stage.seconds:6.1f} s  {peaks.get(stage.name, 0.0):6.0f} MB")
computed = sum(stage.seconds for stage in stages)
print(f"publishing   {whole - computed:6.1f} s  {(whole - computed) / computed:.1%} of the stages")
print(f"whole        {whole:6.1f} s")
