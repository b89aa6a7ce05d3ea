"""Collectors that run to be measured: tieback's own and the bare one, their processors and their memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.collect import mmdb

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sent:
    """What came of load: requests and those accepted, seconds until all were answered, and how long answers took.

    cpu_seconds: of the collector, meanwhile. own_cpu_seconds: of whoever sent.
    """

    requests: int
    accepted: int
    seconds: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    own_cpu_seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return self.accepted / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the collector's processors for a request."""
        return 1e6 * self.cpu_seconds / max(1, self.accepted)


@dataclass
class Collector:
    """One that runs, at `url`; `sent` events were sent so far, by whose number the next ones are new."""

    process: subprocess.Popen[str]
    url: str
    key: str = "k"
    sent: int = 0

    def load(self, **options: float) -> Sent:
        """Send to it from another process, with these options of `benchmarks.sender`."""
        chosen = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        before = self.cpu_seconds()
        command = [sys.executable, "-m", "benchmarks.sender", self.url, self.key, "--first", str(self.sent), *chosen]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        self.sent += told["requests"] * int(options.get("events", 1))
        return Sent(**told, cpu_seconds=self.cpu_seconds() - before)

    def cpu_seconds(self) -> float:
        """Of its process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """What it holds in memory now."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024


def new_workspace(folder: Path) -> str:
    """A workspace in `folder` with all that enriches events switched on; returns the write key of its source."""
    shutil.rmtree(folder, ignore_errors=True)
    _tieback(folder, "init")
    networks = {f"85.{number}.0.0/16": ("DE", "FR", "PL", "GB")[number % 4] for number in range(256)}
    (folder / "countries.mmdb").write_bytes(mmdb.written(networks))
    with (folder / "tieback.toml").open("a") as file:
        file.write(
            '\n[collect]\ncountries = "countries.mmdb"\nkeep_masked_ip = true\nproxies = ["127.0.0.1"]\n'
            "per_second = 1000000\n"
        )
    return new_key(folder)


def new_key(folder: Path) -> str:
    """The write key of a source that this workspace did not have."""
    names = _tieback(folder, "source", "list", "--format", "csv").count("\n")
    return _tieback(folder, "source", "add", f"web{names}", "--origin", "https://acme.example").strip()


@contextmanager
def serving(folder: Path, key: str, *options: str) -> Iterator[Collector]:
    """`tieback serve` on that workspace."""
    with _running("tieback", "-w", str(folder), "serve", "--port", "0", *options) as collector:
        collector.key = key
        yield collector


@contextmanager
def bare(file: Path) -> Iterator[Collector]:
    """The floor, over a new ledger at `file`."""
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    with _running("benchmarks.bare", str(file)) as collector:
        yield collector


def _tieback(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "tieback", "-w", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def _running(module: str, *arguments: str) -> Iterator[Collector]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        said = ""
        while not (found := re.search(r"Collecting at (http://[^\s\"]+)", said)):
            said = process.stderr.readline()
            assert said, "it ended"
        yield Collector(process, found[1])
    finally:
        process.terminate()
        process.communicate()
