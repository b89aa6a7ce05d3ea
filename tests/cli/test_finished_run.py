"""Reading a run whose settings are not those of now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.company import SETTINGS, tieback
from tieback.errors import UsageError, WorkspaceError


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    """The company, with a currency, a zone, a window and a model that no run has seen."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    text = SETTINGS.replace('"EUR"', '"JPY"').replace("Europe/Berlin", "Asia/Tokyo")
    (folder / "tieback.toml").write_text(text + "[models.time_decay]\n[conversions.customer]\nlookback_days = 1\n")
    return folder


@pytest.mark.parametrize(
    "command",
    [["report"], ["report", "--cohorts"], ["explain", "D1"], ["reconcile"]],
    ids=lambda command: " ".join(command),
)
def test_numbers_are_shown_as_they_were_made(folder: Path, changed: Path, command: list[str]) -> None:
    """Currency, decimals, zone and windows are those of the run, and a word says that settings have changed since."""
    before, after = (tieback(where, *command, "--format", "json") for where in (folder, changed))
    assert (after.exception, after.stdout) == (None, before.stdout)
    assert "under its settings. Run `tieback run`" in after.stderr


def test_a_model_that_no_run_has_seen_is_named(changed: Path) -> None:
    """It has no numbers yet, which is not the same as zero; `all` is all there are."""
    error = tieback(changed, "report", "--model", "time_decay").exception
    assert isinstance(error, WorkspaceError)
    assert str(error) == "The model 'time_decay' has not been worked out yet: run `tieback run` first."
    assert isinstance(tieback(changed, "report", "--model", "time_decoy").exception, UsageError)
    for listed in ("all", "last_touch,all"):
        rows = json.loads(tieback(changed, "report", "--model", listed, "--format", "json").stdout)
        assert {row["model"] for row in rows} == {"linear", "last_touch", "last_paid"}
    (changed / "tieback.toml").write_text(SETTINGS + "[models.time_decay]\n")
    assert tieback(changed, "run").exception is None
    rows = json.loads(tieback(changed, "report", "--model", "time_decay", "--format", "json").stdout)
    assert {(row["model"], row["currency"]) for row in rows} == {("time_decay", "EUR")}
