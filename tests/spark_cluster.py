"""A real Spark cluster on loopback: a master and two workers of one core, each a process of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import pytest

_PATIENCE = 120  # seconds; only a machine that will never get there waits so long

# Compiling Java better takes longer than tests do; what is compiled lightly has a small cache unless told otherwise.
_QUICK_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
_DRIVER = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": _QUICK_START,
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": _QUICK_START,
}


class Cluster:
    """Processes of one cluster; `url(lake)` opens it.

    pinned: each worker, with all that it runs, keeps to one core of this machine, as it would on a machine of one.
    """

    def __init__(self, folder: Path, *, workers: int = 2, memory_mb: int = 600, pinned: bool = False) -> None:
        import pyspark

        self.folder = folder
        self.home = Path(pyspark.__file__).parent
        self.port = _free_port()
        self.workers: list[subprocess.Popen[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._started = 0
        self._memory_mb = memory_mb
        self._pinned = pinned
        self._start("deploy.master.Master", "--port", str(self.port), until="New state: ALIVE")
        for _ in range(workers):
            self.add_worker()

    @property
    def master(self) -> str:
        """The master URL."""
        return f"spark://127.0.0.1:{self.port}"

    def url(self, lake: Path, **settings: str) -> str:
        """The engine's URL for a lake in the folder `lake`, with more or other settings than those of tests."""
        return f"{self.master}?{urlencode({'lake': f'file://{lake}', **_DRIVER, **settings})}"

    def add_worker(self) -> None:
        """Start one more worker."""
        work = self.folder / f"work-{self._started}"
        options = ("--cores", "1", "--memory", f"{self._memory_mb}m", "--work-dir", str(work), self.master)
        core = len(self.workers) % (os.cpu_count() or 1) if self._pinned else None
        worker = self._start("deploy.worker.Worker", *options, until="Successfully registered", core=core)
        self.workers.append(worker)

    def kill_worker(self) -> None:
        """SIGKILL the oldest worker, and what it runs."""
        worker = self.workers.pop(0)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def connect_server(self) -> str:
        """Start a Spark Connect server on this machine; returns its URL."""
        port = _free_port()
        main = "org.apache.spark.sql.connect.service.SparkConnectServer"
        settings = {**_DRIVER, "spark.connect.grpc.binding.port": str(port), "spark.ui.enabled": "false"}
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        options = ["--master", "local[2]", "--class", main, *options, "spark-internal"]
        self._run(
            [str(self.home / "bin" / "spark-submit"), *options], until="Spark Connect server started", memory="1g"
        )
        return f"sc://127.0.0.1:{port}"

    def stop(self) -> None:
        """End every process that this cluster started."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, *options: str, until: str, core: int | None = None) -> subprocess.Popen[bytes]:
        command = [str(self.home / "bin" / "spark-class"), f"org.apache.spark.{name}"]
        if core is not None:
            command = ["taskset", "--cpu-list", str(core), *command]
        return self._run([*command, "--host", "127.0.0.1", "--webui-port", "0", *options], until=until)

    def _run(self, command: list[str], until: str, memory: str = "256m") -> subprocess.Popen[bytes]:
        log = self.folder / f"log-{self._started}"
        self._started += 1
        settings = {"SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": memory}
        settings["SPARK_DAEMON_JAVA_OPTS"] = _QUICK_START
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, **settings}, start_new_session=True
            )
        self._processes.append(process)
        deadline = time.monotonic() + _PATIENCE
        while until not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)
        return process


@cache
def cluster() -> Cluster:
    """The one cluster of this test process, ended with it."""
    pytest.importorskip("pyspark", reason="Spark is not installed (the extra `spark`)")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java 17 or newer, which is not installed")
    folder = Path(tempfile.mkdtemp(prefix="spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = Cluster(folder)
    atexit.register(found.stop)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
