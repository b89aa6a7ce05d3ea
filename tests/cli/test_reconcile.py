"""`tieback reconcile`: credit adds up to revenue."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.company import tamper, tieback
from tieback.errors import CheckError


def test_every_model_adds_up_and_a_missing_cent_ends_with_code_6(folder: Path, tmp_path: Path) -> None:
    """Per model revenue = credited + unattributed; a cent taken away is found, printed and named."""
    folder = shutil.copytree(folder, tmp_path / "copy")
    result = tieback(folder, "reconcile", "--format", "json")
    parts = {"revenue": "1500.00", "credited": "1000.00", "unattributed": "500.00", "difference": "0.00"}
    assert json.loads(result.stdout) == [{"model": model, **parts} for model in ("linear", "last_touch", "last_paid")]
    assert "Everything adds up" in result.stderr
    tamper(folder, "UPDATE credits SET value_minor = 33333 WHERE value_minor = 33334")
    broken = tieback(folder, "reconcile", "--format", "json")
    assert json.loads(broken.stdout)[0]["difference"] == "0.01"
    assert isinstance(broken.exception, CheckError)
    assert broken.exception.exit_code == 6
    assert "linear: customer:D1 is worth 1,000.00 and has credit for 999.99" in str(broken.exception)
