"""Which opinions still hold, and under which settings the last run worked.

Each opinion is remembered with a fingerprint of all that it was built from.

An opinion is out of date when a fact, a setting that it depends on, an opinion that it reads,
or the release has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tieback import __version__
from tieback.config import Settings
from tieback.errors import WorkspaceError
from tieback.schema import FACTS, SCHEMA_VERSION
from tieback.store import Engine, remember, replaced_facts

_SETTINGS = "settings of the last run"


@dataclass(frozen=True)
class Dependencies:
    """What an opinion is built from: tables it reads, and the settings that shape it."""

    reads: tuple[str, ...]
    settings: Callable[[Settings], Any]


OPINION_DEPENDENCIES: dict[str, Dependencies] = {
    "people": Dependencies(
        ("events", "links", "contacts", "accounts", "deals", "deal_contacts", "orders"), lambda s: s.identity
    ),
    "touchpoints": Dependencies(
        ("events", "contacts", "orders", "people"),
        lambda s: (s.touches, s.traffic, s.channels, s.exclude, s.time_zone),
    ),
    "costs": Dependencies(("spend", "fx_rates"), lambda s: (s.currency, s.channels, s.traffic)),
    "conversions": Dependencies(
        ("events", "contacts", "accounts", "deals", "deal_contacts", "orders", "fx_rates", "people"),
        lambda s: (s.currency, s.time_zone, s.stages, s.conversions, s.exclude),
    ),
    "journeys": Dependencies(
        ("touchpoints", "conversions", "people", "deal_contacts"), lambda s: (s.touches, s.conversions)
    ),
    "credits": Dependencies(("journeys", "conversions"), lambda s: s.models),
    "performance": Dependencies(("credits", "touchpoints", "conversions", "journeys", "costs"), lambda s: s.time_zone),
}


@dataclass(frozen=True)
class LastRun:
    """The newest finished run: its number and when it ended (UTC, ISO 8601)."""

    run_id: int
    finished_at: str


def fingerprints(store: Engine, settings: Settings) -> dict[str, str]:
    """What each opinion would be built from now, by name, in the order in which they are built."""
    prints = _fact_prints(store)
    for name, depends in OPINION_DEPENDENCIES.items():
        shape = json.dumps(msgspec.to_builtins(depends.settings(settings)), sort_keys=True)
        parts = [__version__, str(SCHEMA_VERSION), name, shape, *(prints[table] for table in depends.reads)]
        prints[name] = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return {name: prints[name] for name in OPINION_DEPENDENCIES}


def built_from(store: Engine) -> dict[str, str]:
    """The fingerprint that each opinion held now was built from, by name."""
    rows = store.rows("SELECT stage, fingerprint, run_id FROM runs ORDER BY run_id")
    return {row["stage"]: row["fingerprint"] for row in rows}


def outdated(store: Engine, settings: Settings) -> list[str]:
    """The opinions that a run would rebuild, in order; empty when all are fresh."""
    held = built_from(store)
    return [name for name, now in fingerprints(store, settings).items() if held.get(name) != now]


def expected_seconds(store: Engine, settings: Settings, *, full: bool = False) -> dict[str, float | None]:
    """How long each opinion that a run (a `full` one: every opinion) would rebuild took last, in order; None: never."""
    took = {row["stage"]: row["seconds"] for row in store.rows("SELECT stage, seconds FROM runs ORDER BY run_id")}
    return {name: took.get(name) for name in (OPINION_DEPENDENCIES if full else outdated(store, settings))}


def last_run(store: Engine) -> LastRun | None:
    """The newest finished run, or None before the first."""
    rows = store.rows(
        "SELECT run_id, max(finished_at) AS finished_at FROM runs GROUP BY run_id ORDER BY run_id DESC LIMIT 1"
    )
    return LastRun(rows[0]["run_id"], rows[0]["finished_at"].isoformat(timespec="seconds") + "Z") if rows else None


def remember_settings(store: Engine, settings: Settings) -> None:
    """Keep the `settings` of a run: what reads its numbers must read them as they were made."""
    remember(store, {_SETTINGS: msgspec.json.encode(settings).decode()})


def settings_of_last_run(store: Engine) -> Settings:
    """The settings under which the last run worked. Raises WorkspaceError when this release cannot read them."""
    kept = store.rows("SELECT value FROM workspace WHERE name = ?", [_SETTINGS])
    try:
        return msgspec.json.decode(kept[0]["value"], type=Settings)
    except (IndexError, msgspec.DecodeError):
        raise WorkspaceError("The last run was made by another release of tieback: run `tieback run` first.") from None


def _fact_prints(store: Engine) -> dict[str, str]:
    """The state of each fact table: a change adds rows or replaces some."""
    replaced = replaced_facts(store)
    counts = {table.name: store.rows(f"SELECT count(*) AS facts FROM {table.name}")[0]["facts"] for table in FACTS}
    return {name: f"{facts} facts, {replaced.get(name, 0)} replaced" for name, facts in counts.items()}
