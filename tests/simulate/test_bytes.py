"""The same people and seed give the same bytes; another seed gives another world."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tieback.simulate import World, write_world


def prints(folder: Path) -> dict[str, str]:
    """The hash of every file under `folder`, by its name there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes(world: World, tmp_path: Path) -> None:
    """A world written again, in another process with other hashes and another time zone, is the same bit by bit."""
    code = (
        "import sys, pathlib; from tieback.simulate import write_world; write_world(pathlib.Path(sys.argv[1]), 1500, 3)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    assert prints(tmp_path) == prints(world.folder)
    assert len(prints(tmp_path)) == len(world.files) + 5


def test_another_seed_is_another_world(world: World, tmp_path: Path) -> None:
    """No file that people leave traces in stays the same under another seed."""
    write_world(tmp_path, people=1500, seed=4)
    before, after = prints(world.folder), prints(tmp_path)
    assert [name for name in before if before[name] == after.get(name)] == []
