"""The tracker's script: what the package holds, how large it is, and how it is served."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tieback.collect.script import script_route

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tracker"
BUILT = ROOT / "src" / "tieback" / "collect" / "tracker.js"
MOST_BYTES = 6_000  # packed


def npm(*arguments: str) -> bytes:
    """What npm says, with the Node of this environment."""
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [tools / "npm", "--prefix", SOURCE, *arguments],
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def tools() -> None:
    """What builds the tracker."""
    if not (SOURCE / "node_modules" / ".package-lock.json").exists():
        npm("ci", "--ignore-scripts")


@pytest.mark.usefixtures("tools")
def test_what_is_served_is_what_the_source_builds() -> None:
    """If not, run `make tracker`; and the source has its types right."""
    assert npm("run", "--silent", "build").decode() == BUILT.read_text()
    npm("run", "--silent", "check")


def test_it_is_small() -> None:
    """6 KB as browsers fetch it."""
    assert 1_000 < len(gzip.compress(BUILT.read_bytes())) <= MOST_BYTES


def test_the_lock_names_no_host() -> None:
    """And everything in it by its digest."""
    lock = (SOURCE / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/')


def test_it_is_fetched_once_an_hour_and_sent_once() -> None:
    """Packed for whoever takes that; who has it already is told so."""
    client = TestClient(Starlette(routes=[script_route()]))
    first = client.get("/tb.js", headers={"accept-encoding": "gzip"})
    assert first.headers["cache-control"] == "public, max-age=3600"
    assert first.headers["content-type"].startswith("text/javascript")
    assert (first.headers["content-encoding"], first.content) == ("gzip", BUILT.read_bytes())
    plain = client.get("/tb.js", headers={"accept-encoding": "identity"})
    assert ("content-encoding" not in plain.headers, plain.content) == (True, BUILT.read_bytes())
    again = client.get("/tb.js", headers={"if-none-match": f"W/{first.headers['etag']}"})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/tb.js", headers={"if-none-match": '"older"'}).status_code == 200
