"""`tieback move`, and a workspace whose facts are on another engine: every command answers as before."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.company import SETTINGS, tieback, workspace
from tieback.errors import ConfigError, UsageError, WorkspaceError
from tieback.store import DuckDB, moving

DEALS = (
    "deal_id,stage,amount,currency,contact_id,changed_at\nD1,won,1100,EUR,ann,2026-02-12\nD3,won,x,EUR,bob,2026-02-13\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small company, with a file in quarantine, and addresses in the vault."""
    made = tmp_path / "company"
    made.mkdir()
    workspace(made)
    (made / "contacts.csv").write_text("contact_id,email,changed_at\ncyd,cyd@acme.com,2026-01-01\n")
    (made / "deals.csv").write_text(DEALS)
    for table in ("contacts", "deals"):
        assert tieback(made, "import", table, str(made / f"{table}.csv")).exit_code == 0
    (made / "tieback.toml").write_text(f"# ours\n{SETTINGS}\n[warehouse]  # where\nmemory = '300MB'\n")
    assert tieback(made, "run").exit_code == 0
    return made


def told(folder: Path) -> dict[str, str]:
    """What the commands say that read."""
    calls = (
        "report --by channel,month --model all",
        "report --by channel --basis spend --model all",
        "report --by channel,account_industry",
        "report --cohorts",
        "explain D1",
        "explain D2",
        "reconcile",
        "quarantine list",
    )
    return {call: done(folder, *call.split(), "--format", "json").stdout for call in calls}


def done(folder: Path, *words: str) -> Result:
    """What came of a command that must end well."""
    outcome = tieback(folder, *words)
    assert outcome.exit_code == 0, (words, outcome.exception, outcome.output)
    return outcome


def test_there_and_back_everything_is_as_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports, explanations and refusals, byte for byte; settings keep their comments; what stays behind is named."""
    monkeypatch.setattr(moving, "_CELLS", 300)
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "there.duckdb"))
    before, text = told(folder), (folder / "tieback.toml").read_text()
    moved = done(folder, "move", "--to", "duckdb://${ELSEWHERE}")
    assert str(folder / "warehouse.duckdb") in moved.stderr
    assert "Equal on both sides" in moved.stdout
    assert (folder / "tieback.toml").read_text() == text.replace(
        "# where\n", '# where\nurl = "duckdb://${ELSEWHERE}"\n'
    )
    aside = tmp_path / "aside.duckdb"
    (folder / "warehouse.duckdb").rename(aside)
    assert told(folder) == before
    assert "Nothing has changed" in done(folder, "run").stderr
    assert "duckdb://${ELSEWHERE}" in tieback(folder, "doctor", "--format", "json").stdout
    assert "0 facts new, 1 already held" in done(folder, "import", "deals", str(folder / "deals.csv")).stderr
    aside.rename(folder / "warehouse.duckdb")
    done(folder, "move", "--to", "duckdb")
    assert told(folder) == before
    assert (folder / "tieback.toml").read_text() == text.replace("# where\n", '# where\nurl = ""\n')


def test_work_goes_on_there(folder: Path, tmp_path: Path) -> None:
    """Imports, retries, runs and wiping on another engine come to what they come to in the embedded file."""
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in ("tieback.toml", "tieback.salt", "warehouse.duckdb", "deals.csv", "contacts.csv"):
        (twin / name).write_bytes((folder / name).read_bytes())
    done(folder, "move", "--to", f"duckdb://{tmp_path}/there.duckdb")
    (tmp_path / "later.csv").write_text(DEALS.replace("1100", "1200").replace("02-12", "03-01"))
    (tmp_path / "map.toml").write_text('[columns]\namount = { from = "amount", values = { x = "7" } }\n')
    for each in (folder, twin):
        done(each, "import", "deals", str(tmp_path / "later.csv"))
        retried = done(each, "quarantine", "retry", "--map", str(tmp_path / "map.toml"))
        assert "1 rows taken in, 0 refused again." in retried.stderr
        done(each, "run")
    assert told(folder) == told(twin)
    assert "intake.duckdb: 1 raw" in done(folder, "vault", "wipe", "--yes").stderr
    for name in ("intake.duckdb", "warehouse.duckdb"):
        assert b"cyd@acme.com" not in (folder / name).read_bytes()
    assert b"cyd@acme.com" not in (tmp_path / "there.duckdb").read_bytes()


def test_a_place_that_is_taken_is_refused(folder: Path, tmp_path: Path) -> None:
    """Another workspace's warehouse stays as it was, and so does this workspace."""
    other = tmp_path / "other"
    other.mkdir()
    workspace(other)
    refused = tieback(folder, "move", "--to", f"duckdb://{other}/warehouse.duckdb")
    assert isinstance(refused.exception, WorkspaceError)
    assert "already holds another workspace" in str(refused.exception)
    assert isinstance(tieback(folder, "move", "--to", "duckdb").exception, UsageError)
    assert isinstance(tieback(folder, "move", "--to", "duckbd:///x").exception, ConfigError)
    assert "url" not in (folder / "tieback.toml").read_text()
    assert done(other, "reconcile")


KILLED = """
import os, signal, sys
from tieback.cli import main
from tieback.store import DuckDB, moving

moving._CELLS = 600
left = [int(sys.argv.pop(1))]
execute = DuckDB.execute

def counted(self, *given, **more):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(self, *given, **more)

DuckDB.execute = counted
main()
"""


def test_killed_at_any_statement_a_move_goes_on(folder: Path, tmp_path: Path) -> None:
    """After each kill the workspace answers as before, where it was or where it goes; the last attempt arrives."""
    before = told(folder)
    place = f"duckdb://{tmp_path}/there.duckdb"
    dice = random.Random(7)
    call = [sys.executable, "-c", KILLED]
    goal = ["-w", str(folder), "move", "--to", place]
    kills = 0
    for attempt in range(12):
        mean = 100 * (attempt + 1)
        ended = subprocess.run([*call, str(dice.randint(mean // 2, mean)), *goal], capture_output=True, text=True)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        assert "url" not in (folder / "tieback.toml").read_text()
    assert kills >= 3
    assert json.dumps(place) in (folder / "tieback.toml").read_text()
    (folder / "warehouse.duckdb").rename(tmp_path / "aside.duckdb")
    assert told(folder) == before
    with DuckDB(tmp_path / "there.duckdb", read_only=True) as store:
        assert not [row for row in store.rows("FROM workspace") if row["name"].startswith("move to here")]


def test_a_workspace_that_somebody_writes_to_meanwhile_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes between the proof and the switch would be lost: the move is refused, and goes on when asked again."""
    prove, place = moving.prove, f"duckdb://{tmp_path}/there.duckdb"

    def prove_late(source: DuckDB, *others: object) -> object:
        proof = prove(source, *others)
        source.execute("INSERT INTO contacts SELECT * REPLACE ('dan' AS contact_id) FROM contacts LIMIT 1")
        return proof

    text = (folder / "tieback.toml").read_text()
    monkeypatch.setattr(moving, "prove", prove_late)
    outcome = tieback(folder, "move", "--to", place)
    assert isinstance(outcome.exception, WorkspaceError)
    assert "while it was moved" in str(outcome.exception)
    assert (folder / "tieback.toml").read_text() == text
    monkeypatch.setattr(moving, "prove", prove)
    done(folder, "move", "--to", place)
    with DuckDB(tmp_path / "there.duckdb") as there:
        assert there.rows("SELECT count(*) AS n FROM contacts WHERE contact_id = 'dan'") == [{"n": 1}]
