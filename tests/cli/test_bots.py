"""`tieback bots`: who was set aside, why, and how it counts again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.cli.test_serve import comes, made, serving, visit, visits
from tests.facts import put
from tieback.cli import group
from tieback.cli.warehouse import opened
from tieback.config import open_workspace

UPTIME, GOOGLE, UNNAMED = "monitoring: UptimeRobot", "search engine: Googlebot", "calls itself a bot"


def asked(folder: Path, *arguments: str, code: int = 0) -> Result:
    """What a command does."""
    done = CliRunner().invoke(group, ["-w", str(folder), *arguments])
    if code:
        assert type(done.exception).__name__ == "UsageError"
    else:
        assert done.exit_code == 0, done.output
    return done


def bots(folder: Path, *options: str) -> dict[str, tuple[int, str, bool]]:
    """Events, sources and whether it counts, by reason in the order of the list."""
    rows = json.loads(asked(folder, "bots", "list", "--format", "json", *options).stdout)
    return {row["reason"]: (row["events"], row["sources"], row["counts"]) for row in rows}


def excluded(folder: Path) -> dict[str, str | None]:
    """Why each touch is set aside."""
    with opened(open_workspace(folder), read_only=True) as store:
        return {row["touch_id"]: row["excluded_reason"] for row in store.rows("SELECT * FROM touchpoints")}


@pytest.fixture
def visited(tmp_path: Path) -> Path:
    """A workspace in which a person and three bots have been, one of them long ago; worked out once."""
    folder = tmp_path / "shop"
    asked(folder, "init")
    now = datetime.now(UTC).replace(tzinfo=None).replace(microsecond=0)

    def visit(number: int, reason: str | None, origin: str, days: int = 0) -> dict[str, object]:
        at = now - timedelta(days=days)
        page = {"kind": "page", "url": "https://acme.example/", "anonymous_id": f"b{number}"}
        return {"event_id": f"e{number}", "occurred_at": at, "bot_reason": reason, "origin": origin, **page}

    with opened(open_workspace(folder)) as store:
        put(
            store,
            "events",
            [
                visit(1, None, "inbox:web:2026-03-31"),
                visit(2, UPTIME, "inbox:web:2026-03-31"),
                visit(3, UPTIME, "inbox:shop:eu:2026-04-01"),
                visit(4, GOOGLE, "d1", days=40),
                visit(5, UNNAMED, "d1"),
            ],
        )
    asked(folder, "run")
    return folder


def test_bots_are_listed_by_reason(visited: Path) -> None:
    """With how much they sent, to whom; people are not among them."""
    assert bots(visited) == {
        UPTIME: (2, "shop:eu, web", False),
        UNNAMED: (1, "files", False),
        GOOGLE: (1, "files", False),
    }
    assert set(bots(visited, "--days", "30")) == {UPTIME, UNNAMED}
    assert "no" in asked(visited, "bots", "list").stdout


def test_a_bot_that_is_restored_counts_until_that_is_undone(visited: Path) -> None:
    """Its touches are as they would have been, those of other bots stay set aside, and undo leaves nothing behind."""
    before, settings = excluded(visited), (visited / "tieback.toml").read_text()
    assert before == {
        "e1": None,
        "e2": f"bot: {UPTIME}",
        "e3": f"bot: {UPTIME}",
        "e4": f"bot: {GOOGLE}",
        "e5": f"bot: {UNNAMED}",
    }
    asked(visited, "bots", "restore", "Monitoring: *")
    assert bots(visited)[UPTIME] == (2, "shop:eu, web", True)
    assert bots(visited)[GOOGLE] == (1, "files", False)
    asked(visited, "run")
    assert excluded(visited) == {**before, "e2": None, "e3": None}
    asked(visited, "bots", "restore", UNNAMED)
    asked(visited, "bots", "undo", "Monitoring: *")
    asked(visited, "run")
    assert excluded(visited) == {**before, "e5": None}
    asked(visited, "bots", "undo", UNNAMED)
    asked(visited, "run")
    assert excluded(visited) == before
    left = (visited / "tieback.toml").read_text().replace("\n[exclude]\nbots_allowed = []\n", "")
    assert left == settings


def test_a_collector_that_runs_follows_the_settings(tmp_path: Path) -> None:
    """What is restored counts within seconds, and stays so when the collector loads again."""
    folder, key = made(tmp_path)

    def told(*arguments: str) -> bool:
        return CliRunner().invoke(group, ["-w", str(folder), *arguments]).exit_code == 0  # the loader may hold it

    with serving(folder, key) as served:
        assert served.send(visit(1), visit(2) | {"user_agent": "okhttp/4.9"}).status_code == 200
        assert comes(lambda: visits(folder)) == {"Direct": 1}
        assert comes(lambda: told("bots", "restore", "http library: okhttp"))
        assert comes(lambda: visits(folder).get("Direct") == 2)
        assert served.send(visit(3)).status_code == 200
        assert comes(lambda: visits(folder).get("Direct") == 3)


def test_what_nobody_is_taken_for_is_told(visited: Path) -> None:
    """With the nearest one that somebody is; the settings stay as they are."""
    settings = (visited / "tieback.toml").read_text()
    done = asked(visited, "bots", "restore", "monitoring: UptimeRobt", code=2)
    assert UPTIME in str(done.exception)
    asked(visited, "bots", "undo", UPTIME, code=2)
    assert (visited / "tieback.toml").read_text() == settings


def test_restoring_twice_is_restoring(visited: Path) -> None:
    """It stands in the settings once."""
    for _ in range(2):
        asked(visited, "bots", "restore", UPTIME)
    assert open_workspace(visited).settings.exclude.bots_allowed == (UPTIME,)
