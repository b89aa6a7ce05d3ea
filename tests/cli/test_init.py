"""`tieback init` makes a workspace whose file says every default truly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tieback.cli import group
from tieback.cli.init import commented_settings
from tieback.config import Settings, settings_from


def test_a_new_file_holds_the_defaults() -> None:
    """What `init` writes means the same as no settings at all, but for the name."""
    assert settings_from(commented_settings("workspace")) == Settings()


def test_every_commented_default_is_the_real_default() -> None:
    """Removing each # changes nothing: the file never tells a default that is not one."""
    text = re.sub(r"^#(?=[\w\[])", "", commented_settings("workspace"), flags=re.MULTILINE)
    assert text.count("\n[") >= 8
    assert settings_from(text) == Settings()


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    """`init` never overwrites settings."""
    (tmp_path / "tieback.toml").write_text("# mine\n")
    result = CliRunner().invoke(group, ["-w", str(tmp_path), "init"])
    assert result.exit_code != 0
    assert (tmp_path / "tieback.toml").read_text() == "# mine\n"


@pytest.mark.parametrize("wrong", [["--currency", "euro"], ["--time-zone", "Mars/Base"]])
def test_wrong_settings_make_no_file(tmp_path: Path, wrong: list[str]) -> None:
    """A currency or time zone that does not exist is refused before anything is written."""
    result = CliRunner().invoke(group, ["init", str(tmp_path / "new"), *wrong])
    assert result.exit_code != 0
    assert not (tmp_path / "new").exists()
