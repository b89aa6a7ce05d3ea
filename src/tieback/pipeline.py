"""The whole story on one page: facts to people, touches, conversions, journeys, credit and performance."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tieback import attribution, freshness, identity, metrics
from tieback.config import Settings
from tieback.errors import InputError
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.relations import relations
from tieback.store import Builder, Engine


@dataclass(frozen=True)
class StageRun:
    """What became of one stage: rows built and seconds taken; rows is None when it still held."""

    name: str
    rows: int | None
    seconds: float


def refresh(
    store: Engine, settings: Settings, *, full: bool = False, on_stage: Callable[[str], None] = lambda _: None
) -> list[StageRun]:
    """Rebuild the opinions that are out of date (all of them when `full`), in one transaction.

    Cut off anywhere, the workspace stays at its last finished run. `on_stage` hears the name of each stage
    as it begins.
    Raises InputError when an exchange rate is missing, naming the day.
    """
    now, held = freshness.fingerprints(store, settings), {} if full else freshness.built_from(store)
    stale = {name for name in now if held.get(name) != now[name]}
    if not stale:
        return [StageRun(name, None, 0.0) for name in now]
    last = freshness.last_run(store)
    finished: list[StageRun] = []
    with store.transaction():
        for name in now:
            started = time.perf_counter()
            on_stage(name)
            rows = build(name, store, settings) if name in stale else None
            finished.append(StageRun(name, rows, time.perf_counter() - started))
        _remember(store, (last.run_id if last else 0) + 1, now, finished)
        freshness.remember_settings(store, settings)
    return finished


def build(name: str, engine: Builder, settings: Settings) -> int:
    """Build one opinion from the tables it reads, on any engine; returns its number of rows."""
    return _BUILDERS[name](engine, relations((*FACTS, *OPINIONS)), settings)


def _people(engine: Builder, at: Any, settings: Settings) -> int:
    rules = settings.identity
    pairs = engine.scratch("pairs", identity.pairs(at, rules))
    components = engine.fixpoint("components", *identity.labels(pairs))
    suspects = engine.scratch("suspects", identity.suspects(pairs, components, rules))
    cuts = engine.scratch_rows("cuts", identity.cuts(engine.read(suspects), rules))
    engine.save(TABLES["link_cuts"], cuts)
    parted = engine.fixpoint("parted", *identity.labels(engine.scratch("kept", identity.kept(suspects, cuts))))
    settled = engine.scratch("settled", identity.settled(components, suspects, parted))
    return engine.save(TABLES["people"], identity.people(settled, at, rules))


def _touchpoints(engine: Builder, at: Any, settings: Settings) -> int:
    staff = engine.scratch("staff", attribution.staff(at, at.people, settings.exclude))
    sessions = engine.scratch("sessions", attribution.sessions(at.events, at.people, staff, settings))
    return engine.save(TABLES["touchpoints"], attribution.touchpoints(sessions, settings))


def _costs(engine: Builder, at: Any, settings: Settings) -> int:
    needed = attribution.rates_of_spend(at.spend)
    _refuse(engine.read(attribution.missing_rates(needed, at.fx_rates, settings)), settings.currency)
    return engine.save(TABLES["costs"], attribution.costs(at.spend, at.fx_rates, settings))


def _conversions(engine: Builder, at: Any, settings: Settings) -> int:
    moments = engine.scratch("moments", attribution.moments(at, settings))
    needed = attribution.rates_of_moments(moments, settings)
    _refuse(engine.read(attribution.missing_rates(needed, at.fx_rates, settings)), settings.currency)
    staff = engine.scratch("staff", attribution.staff(at, at.people, settings.exclude))
    found = attribution.conversions(moments, at.people, staff, at.fx_rates, settings)
    return engine.save(TABLES["conversions"], found)


def _journeys(engine: Builder, at: Any, settings: Settings) -> int:
    members = engine.scratch("members", attribution.members(at.conversions, at.people, at.deal_contacts))
    return engine.save(TABLES["journeys"], attribution.journeys(at.touchpoints, at.conversions, members, settings))


def _credits(engine: Builder, at: Any, settings: Settings) -> int:
    models = list(attribution.models.load(settings.models).items())
    name, model = models[0]
    rows = engine.save(TABLES["credits"], attribution.credits(at.journeys, at.conversions, name, model))
    for name, model in models[1:]:
        rows += engine.append(TABLES["credits"], attribution.credits(at.journeys, at.conversions, name, model))
    return rows


def _performance(engine: Builder, at: Any, settings: Settings) -> int:
    performance = TABLES["performance"]
    touches = engine.scratch("credited_touches", metrics.credited_touches(at.credits, at.touchpoints))
    rows = engine.save(performance, metrics.observed(at.touchpoints, at.costs))
    # A model at a time: its rows lie together, so that a report on it reads little else.
    for name in attribution.models.load(settings.models):
        chosen = engine.scratch_rows("chosen", pa.table({"chosen": [name]}))
        credit = at.credits.semi_join(chosen, at.credits.model == chosen.chosen)
        rows += engine.append(performance, metrics.earned(credit, touches, at.conversions, at.journeys, at.costs))
    return rows


_BUILDERS: dict[str, Callable[[Builder, Any, Settings], int]] = {
    "people": _people,
    "touchpoints": _touchpoints,
    "costs": _costs,
    "conversions": _conversions,
    "journeys": _journeys,
    "credits": _credits,
    "performance": _performance,
}


def _refuse(missing: pa.Table, base: str) -> None:
    """InputError that names the first day whose exchange rate is missing."""
    rows = missing.to_pylist()
    if rows:
        first = min(rows, key=lambda row: (row["day"], row["currency"]))
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        raise InputError(
            f"There is no exchange rate from {first['currency']} to {base} for {first['day']}{more}, "
            f"which {first['used_by']} needs. Import it with `tieback import fx_rates FILE` and run again."
        )


def _remember(store: Engine, run_id: int, prints: dict[str, str], finished: list[StageRun]) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    built = [stage for stage in finished if stage.rows is not None]
    columns = {
        "run_id": [run_id] * len(built),
        "stage": [stage.name for stage in built],
        "fingerprint": [prints[stage.name] for stage in built],
        "finished_at": pa.array([now] * len(built), pa.timestamp("us")),
        "rows": [stage.rows for stage in built],
        "seconds": [stage.seconds for stage in built],
    }
    store.load(TABLES["runs"], pa.table(columns))
