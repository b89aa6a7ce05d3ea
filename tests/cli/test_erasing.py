"""Erasing, pruning and wiping where the disk is full, Ctrl-C is pressed, or a collector goes on."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import duckdb
import pytest
from click.testing import CliRunner

from tests.ann import ANN, LAPTOP, PHONE, VISITS, exported, shop, traces, with_retention, words_of
from tests.cli.test_interrupts import MANY, ended, interrupted
from tests.cli.test_serve import comes, loaders, made, serving, tieback, visit
from tests.disks import on_a_disk_of_its_own, small
from tieback.cli import group
from tieback.errors import InUseError

pytestmark = pytest.mark.xdist_group("privacy")  # one workspace is copied for all

# Steps of a command, in order: called on a disk on which nothing has room any more.
STEPS = {
    "erase": (
        *("tieback.store.ledger.ledger.compact", "tieback.sync.person.erase_at_the_door"),
        *("tieback.sync.person.erase_facts", "tieback.pipeline._whole", "tieback.store.rewriting.write_anew"),
        *("tieback.store.publishing.publication", "tieback.cli.proof.prove"),
    ),
    "prune": (
        *("tieback.sync.retention.prune_facts", "tieback.store.rewriting.write_anew"),
        "tieback.sync.unfinished.end",
    ),
}
CALLS = {"erase": ["erase", ANN, "--yes"], "prune": ["prune"]}
FULL_DISK = """
    import importlib, json, shutil, sys
    from pathlib import Path
    from unittest.mock import patch
    from click.testing import CliRunner
    from tieback.cli import group

    disk, built, commands = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
    filler = disk / "filler"

    def ended(folder, words):
        result = CliRunner().invoke(group, ["-w", str(folder), "privacy", *words])
        return getattr(result.exception, "exit_code", result.exit_code), str(result.exception or result.output)

    def on_full_disk(whole):
        def work(*given, **more):
            with filler.open("wb", buffering=0) as file:
                try:
                    while True: file.write(bytes(4096))
                except OSError: pass
            return whole(*given, **more)
        return work

    for words, steps in commands:
        folder = disk / words[0]
        shutil.copytree(built, folder)
        for step in steps:
            module, _, name = step.rpartition(".")
            with patch(step, on_full_disk(getattr(importlib.import_module(module), name))):
                print(json.dumps([step, *ended(folder, words), sorted(each.name for each in folder.glob("*.fresh*"))]))
            filler.unlink()
        print(json.dumps(["", *ended(folder, words), []]))
        shutil.copytree(folder, f"{built}_{words[0]}")
"""


def test_where_the_disk_is_full_the_same_command_goes_on(tmp_path: Path) -> None:
    """At every step it is told in a sentence, whatever was done before stands, and with room again it ends as ever."""
    folder = with_retention(shop(tmp_path / "shop"))
    words = {"erase": words_of(exported(folder)), "prune": {PHONE}}
    (tmp_path / "full.py").write_text(textwrap.dedent(FULL_DISK))
    commands = [(CALLS[command], steps) for command, steps in STEPS.items()]
    given = " ".join(f"'{json.dumps(each)}'" for each in (str(folder), commands))
    disk = tmp_path / "disk"
    done = on_a_disk_of_its_own(small(disk, 24), f"{sys.executable} {tmp_path}/full.py {disk} {given}")
    attempts = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(attempts) == sum(len(steps) + 1 for steps in STEPS.values()), done.stderr
    for step, code, why, left in attempts:
        assert (code, left) == (5 if step else 0, []), (step, why)
        is_told = why.startswith("What was to go is deleted, but traces of it may stay")
        assert is_told or (not step.endswith("write_anew") and "disk is full" in why) or not step, (step, why)
    assert [left_of(command, words[command], tmp_path / f"shop_{command}") for command in STEPS] == [[], []]


def left_of(command: str, words: set[str], folder: Path) -> list[str]:
    """The traces that the command leaves; the ledger knows pruned visits still, for a month at most."""
    if command == "erase":
        return traces(words, folder)
    return [each for each in traces(words, folder) if not each.startswith("ledger.sqlite")]


@pytest.mark.parametrize("command", STEPS)
def test_ctrl_c_at_any_statement_and_the_same_command_then_finishes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence and code 130; the second call leaves what an undisturbed one leaves."""
    built = with_retention(shop(tmp_path / "built"))
    words = words_of(exported(built)) if command == "erase" else {PHONE}
    call = ("privacy", *CALLS[command])
    whole = Path(shutil.copytree(built, tmp_path / "whole"))
    with interrupted(monkeypatch, at=MANY) as undisturbed:
        assert ended(monkeypatch, "-w", whole, *call) == 0
    for share in (0.1, 0.5, 0.9) if command == "erase" else (0.5, 0.9):
        at = int(undisturbed.seen * share)
        folder = Path(shutil.copytree(built, tmp_path / str(at)))
        capsys.readouterr()
        with interrupted(monkeypatch, at=at):
            assert ended(monkeypatch, "-w", folder, *call) == 130, at
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last == "Interrupted. Nothing that was confirmed is lost; run the same command again to go on."
        assert ended(monkeypatch, "-w", folder, *call) == 0, at
        assert rows(folder) == rows(whole), at
        assert not list(folder.glob("*.fresh*"))
        assert left_of(command, words, folder) == []


def rows(folder: Path) -> dict[str, list[object]]:
    """What is held of each table, but of runs and the workspace's own memory."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        names = [row[0] for row in door.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()]
        kept = [name for name in names if name not in ("runs", "workspace")]
        return {name: door.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in kept}


def test_a_collector_under_load_goes_on_while_a_person_is_erased(tmp_path: Path) -> None:
    """All that was acknowledged is held once, the person is not, and the loader says nothing but that it waited."""
    folder, key = made(tmp_path)
    with (folder / "tieback.toml").open("a") as settings:
        settings.write("\n[models.linear]\n[collect]\nload_seconds = 0.1\n")
    taken: list[int] = []
    stop = Event()
    with serving(folder, key) as served:
        assert served.send(*({**each, "event_id": each["event_id"][4:]} for each in VISITS)).json()["taken"] == 6

        def send() -> None:
            while not stop.wait(0.05):
                some = range(20 * len(taken), 20 * len(taken) + 20)
                now = datetime.now(UTC).isoformat()
                answer = served.send(*({**visit(number), "occurred_at": now} for number in some))
                assert answer.json()["taken"] == 20
                taken.append(20)

        sender = Thread(target=send)
        sender.start()
        try:
            for words in (("privacy", "erase", ANN, "--yes"), ("vault", "wipe", "--yes")):
                asked(folder, *words)
        finally:
            stop.set()
            sender.join()
        comes(lambda: not waiting(folder))
        is_loading = loaders(folder)
        served.process.send_signal(signal.SIGTERM)
        said = served.process.communicate(timeout=60)[1]
        assert is_loading, said
    tieback(folder, "load")
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        found = [row[0] for row in door.execute("SELECT event_id FROM events ORDER BY ALL").fetchall()]
    assert found == sorted([f"web:{number}" for number in range(sum(taken))] + ["web:visit-5", "web:visit-6"])
    assert LAPTOP not in str(traces({LAPTOP}, folder))
    assert sum(taken) > 100
    warned = [json.loads(line) for line in said.splitlines() if line.startswith("{") and '"info"' not in line]
    assert [each for each in warned if "in use by" not in str(each)] == []


def asked(folder: Path, *words: str) -> None:
    """Call a command, again where the loader holds the workspace just then."""

    def done() -> bool:
        result = CliRunner().invoke(group, ["-w", str(folder), *words])
        assert result.exception is None or isinstance(result.exception, InUseError), result.exception
        return result.exception is None

    comes(done)


def waiting(folder: Path) -> int:
    """How many rows of the inbox are not loaded."""
    import sqlite3

    with sqlite3.connect(folder / "ledger.sqlite") as door:
        return int(door.execute("SELECT count(*) FROM inbox WHERE NOT is_loaded").fetchone()[0])
