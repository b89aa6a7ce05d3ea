"""How commands open the warehouse of a workspace."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.company import tieback
from tests.disks import on_a_disk_of_its_own, read_only
from tieback.cli.warehouse import SALT, opened_file, published
from tieback.config import open_workspace
from tieback.errors import ConfigError, WorkspaceError


@pytest.mark.parametrize(
    "command", [["run"], ["report"], ["import", "events", "events.csv"]], ids=lambda given: given[0]
)
def test_a_salt_exchanged_for_another_one_stops_every_command(folder: Path, tmp_path: Path, command: list[str]) -> None:
    """Facts hashed under two salts would make two persons of each: nothing is read or written until it is put back."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    assert tieback(folder, "run").exception is None
    salt = (folder / "tieback.salt").read_text()
    (folder / "tieback.salt").write_text("ab" * 32 + "\n")
    (tmp_path / "events.csv").write_text("event_id,occurred_at,kind\n1,2026-01-01,page\n")
    error = tieback(folder, *command[:-1], command[-1].replace("events.csv", str(tmp_path / "events.csv"))).exception
    assert isinstance(error, WorkspaceError)
    assert "is not the salt under which this workspace was filled" in str(error)
    (folder / "tieback.salt").write_text(salt)
    assert tieback(folder, "report").exception is None


def test_a_workspace_whose_facts_are_hashed_in_an_older_way_is_told_from_one_of_another_salt(
    folder: Path, tmp_path: Path
) -> None:
    """Its salt is right, and yet nobody would be known again."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    older = hashlib.sha256((folder / "tieback.salt").read_text().strip().encode()).hexdigest()
    with opened_file(open_workspace(folder)) as store:
        store.execute("UPDATE workspace SET value = ? WHERE name = ?", [older, SALT])
    error = tieback(folder, "run").exception
    assert isinstance(error, WorkspaceError)
    assert "by an earlier tieback" in str(error)


def test_a_workspace_that_cannot_be_written_can_be_read(folder: Path, tmp_path: Path) -> None:
    """On a read-only disk `report` works, and `run` says in a sentence why it cannot."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    tool = f"{sys.executable} -m tieback -w {folder}"
    ended = on_a_disk_of_its_own(read_only(folder), f"{tool} report --format csv; {tool} run")
    assert ended.stdout.startswith("channel,model,")
    assert ended.returncode == WorkspaceError.exit_code
    assert ended.stderr.splitlines()[-1].startswith("Error: The workspace cannot be written (")


def test_a_salt_that_is_gone_is_not_made_anew(folder: Path, tmp_path: Path) -> None:
    """A new one would fit no fact: the old one has to come back."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    (folder / "tieback.salt").unlink()
    error = tieback(folder, "report").exception
    assert isinstance(error, WorkspaceError)
    assert "tieback.salt is missing" in str(error)
    assert not (folder / "tieback.salt").exists()


def test_a_file_in_the_place_of_a_folder_is_told(folder: Path) -> None:
    """Dragging the settings file there is a likely slip."""
    error = tieback(folder / "tieback.toml", "report").exception
    assert isinstance(error, WorkspaceError)
    assert str(error).endswith("tieback.toml is a file. Name the workspace's folder with -w.")


def test_a_question_that_nobody_answers_is_told(folder: Path) -> None:
    """Without anyone at the keyboard nothing was interrupted; the remedy is --yes."""
    call = [sys.executable, "-m", "tieback", "-w", str(folder), "vault", "wipe"]
    ended = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-1].startswith("The question was not answered, so nothing was done. Give --yes")


def test_what_does_not_fit_into_memory_goes_to_the_folder_that_the_settings_name(folder: Path, tmp_path: Path) -> None:
    """Of whoever writes and whoever reads; it is gone afterwards. A folder in no folder is told."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings, far = copy / "tieback.toml", tmp_path / "far"
    far.mkdir()
    text = settings.read_text()
    large = "CREATE TEMP TABLE large AS SELECT hash(range) || repeat('x', 40) AS word FROM range(2000000)"
    for given, place in (("", copy / "spill"), (f'spill = "{far}/spilled"\n', far / "spilled")):
        settings.write_text(f'{text}\n[warehouse]\nmemory = "60MB"\nthreads = 1\n{given}')
        workspace = open_workspace(copy)
        for door in (opened_file(workspace), published(workspace, "")):
            with door as store:
                store.door.execute(large)
                assert place.is_dir()
            assert not place.exists()
    settings.write_text(f'{text}\n[warehouse]\nspill = "{tmp_path}/nowhere/spill"\n')
    refused = tieback(copy, "run").exception
    assert isinstance(refused, ConfigError)
    assert "spill is to be in" in str(refused)
