"""`tieback serve` as a process: what is sent is in the report, and what was acknowledged survives the process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

WAIT = 60.0  # seconds at most for what comes by itself


@dataclass
class Served:
    """A collector that runs."""

    process: subprocess.Popen[str]
    url: str
    key: str

    def send(self, *events: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/events", json={"key": self.key, "events": events}, timeout=30)


def tieback(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tieback", "-w", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def made(tmp_path: Path) -> tuple[Path, str]:
    """A new workspace and the write key of its source `web`."""
    folder = tmp_path / "shop"
    tieback(folder, "init")
    return folder, tieback(folder, "source", "add", "web").strip()


@contextmanager
def serving(folder: Path, key: str, *options: str, program: tuple[str, ...] = ("-m", "tieback")) -> Iterator[Served]:
    """A collector on a free port, killed at the end if it still runs."""
    command = [sys.executable, *program, "-w", str(folder), "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        found = None
        while not found:
            line = process.stderr.readline()
            assert line, "it ended"
            found = re.search(r"Collecting at (http\S+)", line)
        yield Served(process, found[1], key)
    finally:
        process.kill()
        process.communicate()


def comes(what: Callable[[], Any]) -> Any:
    """What `what` gives, as soon as it gives anything."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("It never came")


def loaders(folder: Path) -> list[str]:
    """The processes that load this workspace."""
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and "load --follow" in line]


def visit(number: int) -> dict[str, Any]:
    """A visit of its own, by nobody's recommendation."""
    return {
        "kind": "page",
        "event_id": str(number),
        "anonymous_id": f"a{number}",
        "url": "https://acme.example/",
    }


def visits(folder: Path) -> dict[str, int]:
    """Visits by channel, as `report` has them; none before the first run."""
    done = subprocess.run(
        [sys.executable, "-m", "tieback", "-w", str(folder), "report", "--metrics", "visits", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    rows = json.loads(done.stdout) if done.returncode == 0 else []
    return {row["channel"]: row["visits"] for row in rows if row.get("visits")}


def test_what_is_sent_is_in_the_report(tmp_path: Path) -> None:
    """By itself, with its channel; and a stop by SIGTERM ends with 0."""
    folder, key = made(tmp_path)
    with serving(folder, key, "--server", "granian") as served:  # uvicorn does below
        tagged = "https://acme.example/?utm_source=google&utm_medium=cpc&gclid=abc"
        assert served.send(
            {"kind": "page", "event_id": "1", "anonymous_id": "a", "url": tagged},
            {"kind": "form", "event_id": "2", "anonymous_id": "a", "email": "ann@acme.example", "url": tagged},
            {"kind": "page", "event_id": "3", "anonymous_id": "b", "url": "https://acme.example/"},
        ).json() == {"taken": 3, "refused": 0}
        assert comes(lambda: visits(folder)) == {"Paid Search": 1, "Direct": 1}
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=WAIT) == 0
    assert tieback(folder, "source", "list", "--format", "csv").count("web") == 1


def test_what_was_acknowledged_survives_kill(tmp_path: Path) -> None:
    """And is taken in by `load`, once, however often."""
    folder, key = made(tmp_path)
    with serving(folder, key, "--no-load") as served:
        for number in range(20):
            assert served.send(visit(number)).status_code == 200
        served.process.kill()
        served.process.wait()
    for _ in range(2):
        tieback(folder, "load")
    assert visits(folder) == {"Direct": 20}


def test_nobody_goes_on_loading_when_the_collector_is_killed(tmp_path: Path) -> None:
    """Or the next collector's loader would never have its turn."""
    folder, key = made(tmp_path)
    for number in range(2):
        with serving(folder, key) as served:
            assert served.send(visit(number)).status_code == 200
            assert comes(lambda wanted=number + 1: visits(folder).get("Direct") == wanted)
            served.process.kill()
            served.process.wait()
        assert comes(lambda: not loaders(folder))


def test_commands_and_the_collector_share_the_workspace(tmp_path: Path) -> None:
    """Collecting goes on while another command writes, and what came in is loaded after it."""
    folder, key = made(tmp_path)
    (tmp_path / "visits.csv").write_text(
        "kind,occurred_at,anonymous_id,url\npage,2026-01-01T00:00:00Z,z,https://acme.example/?utm_medium=email\n"
    )
    with serving(folder, key) as served:
        for number in range(5):
            assert served.send(visit(number)).status_code == 200
            done = subprocess.run(
                [sys.executable, "-m", "tieback", "-w", str(folder), "import", "events", str(tmp_path / "visits.csv")],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode in (0, 5), done.stderr  # 5: the loader holds it just now
        assert comes(lambda: visits(folder).get("Direct") == 5)
