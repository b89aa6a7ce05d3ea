"""A real Postgres server of this test session's own, on a socket and on loopback."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

_NUMBERS = count(1)


@dataclass(frozen=True)
class Server:
    """A running server: its folder, where its socket is, and its port on loopback."""

    folder: Path
    port: int

    def url(self, schema: str, *, user: str = "tieback") -> str:
        """By the socket, where nobody needs a password."""
        return f"postgresql://{user}@:{self.port}/postgres?host={self.folder}&schema={schema}"


@cache
def server() -> Server:
    """Started when first asked for, gone with the process; its texts are ordered as English has it, unless told."""
    programs = _programs()
    folder = Path(mkdtemp(prefix="tieback_pg_"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # as root, Postgres does not run
        shutil.chown(folder, "postgres", "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    english = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
    users = ["--username=tieback", "--auth-local=trust", "--auth-host=scram-sha-256"]
    made = [programs / "initdb", "-D", folder / "data", "--no-sync", *english, *users]
    subprocess.run(made, check=True, capture_output=True, cwd=folder, **who)
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=64MB"
    control = [programs / "pg_ctl", "-D", folder / "data", "-w"]
    start = [*control, "-l", folder / "log", "-o", settings, "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)

    @atexit.register
    def stop() -> None:
        subprocess.run([*control, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, cwd=folder, **who)
        shutil.rmtree(folder)

    return Server(folder, port)


def new_schema() -> str:
    """A name that no other test of this session has."""
    return f"test_{next(_NUMBERS)}"


def _programs() -> Path:
    found = [Path(at).parent for at in [shutil.which("initdb")] if at]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    if not found:
        pytest.skip("Postgres (the server)")
    return found[0]
