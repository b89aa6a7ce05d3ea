"""Which opinions still hold, what a run must do about those that do not, and under which settings the last run worked.

An opinion is out of date when a fact, a setting that it depends on, an opinion that it reads, or the release has
changed. Each is remembered with a fingerprint of all that it was built from. Where nothing but new facts has come, what
they touch is enough to bring all opinions up to date; anything else rebuilds whole what depends on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from tieback import __version__
from tieback.config import Settings, Warehouse
from tieback.errors import WorkspaceError
from tieback.schema import FACTS, SCHEMA_VERSION, TABLES
from tieback.store import Engine, remember, replaced_facts

_SETTINGS = "settings of the last run"
_FACTS = "facts of the last run"
_FEW = 10_000  # so many new facts, or a tenth of those held, are worth a look at what they touch


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
        lambda s: (s.touches, s.traffic, s.channels, s.exclude, s.identity.junk, s.consent.assumed, s.time_zone),
    ),
    "costs": Dependencies(("spend", "fx_rates"), lambda s: (s.currency, s.channels, s.traffic)),
    "conversions": Dependencies(
        ("events", "contacts", "accounts", "deals", "deal_contacts", "orders", "fx_rates", "people"),
        lambda s: (s.currency, s.time_zone, s.stages, s.conversions, s.exclude, s.consent.assumed),
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


class Known(msgspec.Struct, frozen=True):
    """How a fact table stood: its rows, when the newest of them came in, and how many were ever replaced."""

    facts: int
    newest: datetime | None
    replaced: int


@dataclass(frozen=True)
class Plan:
    """What a run is to do. prints: of every opinion, in the order in which they are built, what it would be built from.

    reasons: why an opinion is out of date, for those that are. since: by fact table, the newest received_at that the
    last run had seen, where new facts are all that has changed; None where the opinions in `reasons` are built whole.
    """

    prints: dict[str, str]
    reasons: dict[str, str]
    since: dict[str, datetime | None] | None


def plan(store: Engine, settings: Settings, *, full: bool = False) -> Plan:
    """What a run would do now; a `full` one builds every opinion whole."""
    known = facts_known(store)
    prints = _prints(_states(known), settings)
    if full:
        return Plan(prints, dict.fromkeys(prints, "all is built anew, as asked"), None)
    held = built_from(store)
    stale = [name for name in prints if held.get(name) != prints[name]]
    if not stale:
        return Plan(prints, {}, None)
    last, before = _facts_of_last_run(store), _settings_before(store)
    if not last or before is None or held != _prints(_states(last), before):
        return Plan(prints, dict.fromkeys(stale, "it was never built by this release"), None)
    grown = {name: _growth(store, name, now, last[name]) for name, now in known.items()}
    reasons, only_new = {}, True
    for name in stale:
        depends = OPINION_DEPENDENCIES[name]
        why = [f"{grown[table]} {_named(table, grown[table])}" for table in depends.reads if grown.get(table)]
        why += [f"{table} changed" for table in depends.reads if table in reasons]
        if msgspec.to_builtins(depends.settings(before)) != msgspec.to_builtins(depends.settings(settings)):
            why.append("the settings that shape it changed")
            only_new = False
        reasons[name] = ", ".join(why)
    new = sum(known[name].facts - last[name].facts for name in known)
    few = new <= max(_FEW, sum(each.facts for each in last.values()) // 10)
    only_new = only_new and few and all(is_new for is_new in map(_is_growth, grown.values()))
    return Plan(prints, reasons, {name: each.newest for name, each in last.items()} if only_new else None)


def fingerprints(store: Engine, settings: Settings, facts: Mapping[str, str] | None = None) -> dict[str, str]:
    """What each opinion would be built from now, by name, in the order in which they are built.

    facts: the state of each fact table, where `store` holds none of its own.
    """
    return _prints(fact_states(store) if facts is None else facts, settings)


def fact_states(store: Engine) -> dict[str, str]:
    """How each fact table stands, as text."""
    return _states(facts_known(store))


def facts_known(store: Engine) -> dict[str, Known]:
    """How each fact table stands."""
    replaced = replaced_facts(store)
    held = store.statistics(FACTS)
    return {name: Known(each.rows, each.newest, replaced.get(name, 0)) for name, each in held.items()}


def _states(known: dict[str, Known]) -> dict[str, str]:
    return {name: msgspec.json.encode(state).decode() for name, state in known.items()}


def _prints(facts: Mapping[str, str], settings: Settings) -> dict[str, str]:
    prints, settings = dict(facts), _as_kept(settings)
    for name, depends in OPINION_DEPENDENCIES.items():
        shape = json.dumps(msgspec.to_builtins(depends.settings(settings)), sort_keys=True)
        columns = ",".join(TABLES[name].names)
        parts = [__version__, str(SCHEMA_VERSION), name, columns, shape, *(prints[table] for table in depends.reads)]
        prints[name] = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    return {name: prints[name] for name in OPINION_DEPENDENCIES}


def _as_kept(settings: Settings) -> Settings:
    """`settings` as they come back from where a run keeps them: 365 days and 365.0 days are the same."""
    return msgspec.json.decode(msgspec.json.encode(settings), type=Settings)


def _growth(store: Engine, name: str, now: Known, last: Known) -> str:
    """What has become of a fact table since the last run, in words; empty where it stands as it stood."""
    if now == last:
        return ""
    asked = [last.newest] if last.newest else []
    since = "WHERE received_at > ?" if last.newest else ""
    new = store.rows(f"SELECT count(*) AS facts FROM {name} {since}", asked)[0]["facts"]
    if now.replaced != last.replaced or now.facts - new != last.facts:
        return "replaced or removed"
    return f"{new:,} new"


def _is_growth(told: str) -> bool:
    return not told or told.endswith(" new")


def _named(table: str, told: str) -> str:
    """The name of a table, or of the one row of it that `told` is about."""
    return table.removesuffix("s") if told == "1 new" else table


def built_from(store: Engine) -> dict[str, str]:
    """The fingerprint that each opinion held now was built from, by name."""
    rows = store.rows("SELECT stage, fingerprint, run_id FROM runs ORDER BY run_id")
    return {row["stage"]: row["fingerprint"] for row in rows}


def outdated(store: Engine, settings: Settings, facts: Mapping[str, str] | None = None) -> list[str]:
    """The opinions that a run would rebuild, in order; empty when all are fresh. facts: as for `fingerprints`."""
    held = built_from(store)
    return [name for name, now in fingerprints(store, settings, facts).items() if held.get(name) != now]


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


def remember_run(store: Engine, settings: Settings, known: dict[str, Known]) -> None:
    """Keep the `settings` of a run, by which its numbers must be read, and the facts that it was built from.

    All settings but where the warehouse is, which makes no number and may hold a password.
    """
    kept = msgspec.structs.replace(settings, warehouse=Warehouse())
    remember(store, {_SETTINGS: msgspec.json.encode(kept).decode(), _FACTS: msgspec.json.encode(known).decode()})


def settings_of_last_run(store: Engine) -> Settings:
    """The settings under which the last run worked. Raises WorkspaceError when this release cannot read them."""
    before = _settings_before(store)
    if before is None:
        raise WorkspaceError("The last run was made by another release of tieback: run `tieback run` first.")
    return before


def _settings_before(store: Engine) -> Settings | None:
    before: Settings | None = _kept(store, _SETTINGS, Settings)
    return before


def _facts_of_last_run(store: Engine) -> dict[str, Known]:
    known = _kept(store, _FACTS, dict[str, Known]) or {}
    return known if all(table.name in known for table in FACTS) else {}


def _kept(store: Engine, name: str, kind: Any) -> Any:
    """The value kept under `name`, None where there is none that this release can read."""
    rows = store.rows("SELECT value FROM workspace WHERE name = ?", [name])
    try:
        return msgspec.json.decode(rows[0]["value"], type=kind) if rows else None
    except msgspec.DecodeError:
        return None
