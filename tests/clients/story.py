"""The clients as they are installed by `make clients`, and what of theirs arrived as facts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.cli.test_serve import Served, tieback
from tieback.cli.warehouse import opened
from tieback.config import open_workspace

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "collect" / "clients"
INSTALLED = ROOT / "build" / "clients"
PYTHON = INSTALLED / "python" / "bin" / "python"
PACKAGES = INSTALLED / "node" / "node_modules"
NODE = Path(sys.executable).parent / "node"

WAIT = 60.0  # seconds at most for a client
_TOLD = (
    "kind, name, anonymous_id, user_id, email_hash, group_id, url, referrer, utm_source, utm_medium, utm_campaign, "
    "click_id_kind, click_id, value, currency, occurred_at, event_id"
)


def needed() -> None:
    """Skips what cannot run here; in CI that is a failure."""
    if not PYTHON.exists() or not PACKAGES.exists():
        pytest.skip("the clients (make clients)")


def beside_packages(folder: Path) -> Path:
    """`folder` with the scripts in it, where node finds the packages that they import."""
    folder.mkdir()
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(PACKAGES)
    return folder


def started(script: str, folder: Path, url: str, key: str) -> subprocess.Popen[str]:
    """A script for a server, running. folder: as `beside_packages` makes it."""
    program = [str(NODE), str(folder / script)] if script.endswith(".mjs") else [str(PYTHON), str(SCRIPTS / script)]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.Popen([*program, url, key], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=kept)


def ended(running: subprocess.Popen[str]) -> None:
    """Waits until a script ends, which it does in peace."""
    said, _ = running.communicate(timeout=WAIT)
    assert running.returncode == 0, said


def keys(folder: Path, sources: list[str]) -> dict[str, str]:
    """A write key for each source."""
    return {source: tieback(folder, "source", "add", source).strip() for source in sources}


def outcomes(served: Served, source: str) -> dict[str, int]:
    """How many of a source's events met with which outcome, as the collector counts them."""
    counted = httpx.get(f"{served.url}/metrics", timeout=30).text
    found = re.findall(r'^tieback_events_total\{outcome="(\w+)",source="([\w-]+)"\} (\d+)', counted, flags=re.MULTILINE)
    return {outcome: int(count) for outcome, of, count in found if of == source}


def arrived(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The facts of each source in the order in which they happened, once loaded: what a cell says, by its column."""
    tieback(folder, "load")
    found: dict[str, list[dict[str, Any]]] = {}
    with opened(open_workspace(folder), read_only=True) as store:
        rows = store.rows(f"SELECT {_TOLD} FROM events ORDER BY occurred_at, event_id")
    for row in rows:
        source, _, _ = row["event_id"].partition(":")
        found.setdefault(source, []).append({name: cell for name, cell in row.items() if cell is not None})
    return found


def matched(rows: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    """Each row says what one entry of `told` says, and nothing arrived beside; True stands for any cell at all."""
    left = list(rows)
    for wanted in told:
        found = [row for row in left if all(_says(row.get(name), cell) for name, cell in wanted.items())]
        assert found, f"{wanted} is in none of {left}"
        left.remove(found[0])
    assert left == []


def fresh(rows: list[dict[str, Any]]) -> None:
    """All of it happened just now, and has an id of its own."""
    now = datetime.now(UTC).replace(tzinfo=None)
    assert all(abs((now - row["occurred_at"].replace(tzinfo=None)).total_seconds()) < 300 for row in rows)
    assert len({row["event_id"] for row in rows}) == len(rows)


def _says(cell: Any, wanted: Any) -> bool:
    if wanted is True:
        return cell is not None
    return float(cell or 0) == wanted if isinstance(wanted, float) else cell == wanted
