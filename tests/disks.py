"""Disks of a test's own: small ones, that fill up, and read-only ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def on_a_disk_of_its_own(mount: str, command: str) -> subprocess.CompletedProcess[str]:
    """What came of the shell `command` behind `mount`, seen by itself alone; skips where the machine allows no such."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a test make a disk of its own (unshare)")
    shell = ["unshare", "-Urm", "sh", "-c", f"{mount} && {command}"]
    return subprocess.run(shell, capture_output=True, text=True, check=False)


def small(place: Path, megabytes: int) -> str:
    """The mount of an empty disk of so many megabytes at `place`, which is made."""
    place.mkdir()
    return f"mount -t tmpfs -o size={megabytes}m tmpfs {place}"


def read_only(place: Path) -> str:
    """The mount by which `place` can only be read."""
    return f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"
