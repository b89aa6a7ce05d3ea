"""A command as a whole process: seconds on the clock, seconds of processor, and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One finished process. `output` is what it printed."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str


def measured(*command: str) -> Measured:
    """Run `command` and measure it; a failure ends the benchmark with what it said."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Measured(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def python(module: str, *arguments: object) -> Measured:
    """Run a Python module in a process of its own."""
    return measured(sys.executable, "-m", module, *map(str, arguments))
