"""tieback models: what can run, what does, and each model's card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tieback.cli import group
from tieback.errors import ConfigError, UsageError, WorkspaceError


def ask(folder: Path, *arguments: str) -> str:
    """What the command prints on stdout."""
    result = CliRunner().invoke(group, ["-w", str(folder), "models", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_it_lists_what_runs_and_what_could(tmp_path: Path) -> None:
    """A workspace that names its models runs those alone, under its own names and with its own parameters."""
    (tmp_path / "tieback.toml").write_text('[models.linear]\n[models.mine]\ntype = "time_decay"\nhalf_life = 30\n')
    rows = {row["model"]: row for row in json.loads(ask(tmp_path, "--format", "json"))}
    assert {name for name, row in rows.items() if row["enabled"]} == {"linear", "mine"}
    assert (rows["mine"]["type"], rows["mine"]["parameters"]) == ("time_decay", "half_life = 30")
    assert rows["custom"]["meaning"].startswith("Weights of your own")


def test_it_needs_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one it tells what a new workspace would run, and makes nothing. One that is named must be there."""
    monkeypatch.chdir(tmp_path)
    assert "position_based" in ask(Path())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WorkspaceError, match="nowhere"):
        ask(tmp_path / "nowhere")


def test_a_card_tells_when_a_model_misleads(tmp_path: Path) -> None:
    """The whole card, for people and for programs."""
    (tmp_path / "tieback.toml").touch()
    assert "Misleads: where stages are set late" in ask(tmp_path, "w_shaped")
    (row,) = json.loads(ask(tmp_path, "w_shaped", "--format", "json"))
    assert "Source: " in row["card"]


def test_slips_are_told(tmp_path: Path) -> None:
    """An unknown model, asked for or configured, is answered with the nearest one."""
    (tmp_path / "tieback.toml").touch()
    with pytest.raises(UsageError, match="Did you mean 'linear'"):
        ask(tmp_path, "liner")
    (tmp_path / "tieback.toml").write_text("[models.time_decya]\n")
    with pytest.raises(ConfigError, match="Did you mean 'time_decay'"):
        ask(tmp_path)
