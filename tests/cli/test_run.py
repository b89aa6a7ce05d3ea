"""tieback run: what it says of what it would do."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.company import tieback, visit
from tests.cli.test_runs import deliver


def explained(folder: Path, *words: str) -> dict[str, str]:
    """What `run --explain` says of each opinion."""
    result = tieback(folder, "run", "--explain", *words)
    assert result.exception is None, result.exception
    lines = (line.split(maxsplit=1) for line in result.stdout.splitlines())
    return {line[0]: " ".join(line[1].split()) for line in lines if len(line) == 2 and line[0].islower()}


def test_a_run_says_beforehand_what_it_would_rebuild_and_why(folder: Path, tmp_path: Path) -> None:
    """Nothing after a run; what new facts touch after an import; all after other settings. Asking changes nothing."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert set(explained(copy).values()) == {"rebuilt why", "still holds"}
    assert set(explained(copy, "--full").values()) == {"rebuilt why", "whole all is built anew, as asked"}
    deliver(copy, "visits.csv", events=[visit("e7", "2026-02-20T11:00:00", "cid", utm_source="news")])
    for _ in range(2):
        told = explained(copy)
        assert told["people"] == "where new facts touch it 1 new event"
        assert told["costs"] == "still holds"
        assert told["performance"].startswith("where new facts touch it credits changed")
    settings = copy / "tieback.toml"
    settings.write_text(settings.read_text() + "\n[touches]\nsession_minutes = 20\n")
    assert explained(copy)["people"] == "whole 1 new event"
    assert "the settings that shape it changed" in explained(copy)["touchpoints"]
