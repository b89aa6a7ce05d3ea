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
from tieback.freshness import Plan
from tieback.incremental import Update
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.builder import Builder
from tieback.schema.relations import relations
from tieback.store import Engine


@dataclass(frozen=True)
class StageRun:
    """What became of one stage: rows built and seconds taken; rows is None when it still held."""

    name: str
    rows: int | None
    seconds: float


def refresh(
    store: Engine, settings: Settings, *, full: bool = False, on_stage: Callable[[str], None] = lambda _: None
) -> list[StageRun]:
    """Bring the opinions up to date in one transaction: what new facts touch, or all that is out of date.

    full: build every opinion whole, whatever has changed.

    Cut off anywhere, the workspace stays at its last finished run. `on_stage` hears the name of each stage
    as it begins.
    Raises InputError when an exchange rate is missing, naming the day.
    """
    planned = freshness.plan(store, settings, full=full)
    if not planned.reasons:
        return [StageRun(name, None, 0.0) for name in planned.prints]
    last, known = freshness.last_run(store), freshness.facts_known(store)
    with store.transaction():
        if planned.since is None:
            finished = _whole(store, settings, planned, on_stage)
        else:
            finished = _in_part(store, settings, planned, on_stage)
        _remember(store, (last.run_id if last else 0) + 1, planned.prints, finished)
        freshness.remember_run(store, settings, known)
    return finished


def _whole(store: Engine, settings: Settings, planned: Plan, on_stage: Callable[[str], None]) -> list[StageRun]:
    """Build the opinions that are out of date, whole."""
    finished: list[StageRun] = []
    for name in planned.prints:
        started = time.perf_counter()
        on_stage(name)
        rows = build(name, store, settings) if name in planned.reasons else None
        finished.append(StageRun(name, rows, time.perf_counter() - started))
    return finished


def _in_part(store: Engine, settings: Settings, planned: Plan, on_stage: Callable[[str], None]) -> list[StageRun]:
    """Bring the opinions that are out of date up to date where new facts touch them."""
    began: list[tuple[str, float]] = []

    def begin(name: str) -> None:
        began.append((name, time.perf_counter()))
        on_stage(name)

    assert planned.since is not None
    at = relations((*FACTS, *OPINIONS))
    with store.over_few_rows():
        rows = Update(store, at, settings, planned.since, planned.reasons).run(begin)
    ends = [*(start for _, start in began[1:]), time.perf_counter()]
    took = {name: end - start for (name, start), end in zip(began, ends, strict=True)}
    built = {name: rows.get(name) for name in planned.reasons}
    return [StageRun(name, built.get(name), took.get(name, 0.0)) for name in planned.prints]


def build(name: str, engine: Builder, settings: Settings) -> int:
    """Build one opinion from the tables it reads, on any engine; returns its number of rows."""
    return _BUILDERS[name](engine, relations((*FACTS, *OPINIONS)), settings)


def _people(engine: Builder, at: Any, settings: Settings) -> int:
    rules = settings.identity
    seen = engine.scratch("together", identity.together(at, rules))
    settled, cuts = identity.solved(engine, seen, at.links, rules)
    addresses = engine.scratch("addresses", identity.owned_addresses(seen, settled, rules))
    claims = identity.owned_claims(seen, at.links, settled, rules)
    accounts = identity.accounts(claims, addresses, identity.companies(addresses, at.accounts, rules))
    found = engine.scratch("identifiers", identity.identifiers(at))
    engine.save(TABLES["link_cuts"], cuts)
    return engine.save(TABLES["people"], identity.people(found, settled, accounts, rules))


def _touchpoints(engine: Builder, at: Any, settings: Settings) -> int:
    staff = engine.scratch("staff", attribution.staff(at, at.people, settings.exclude))
    junk = engine.scratch("junk", identity.junk_identifiers(at.events, settings.identity))
    parts = engine.parts(TABLES["events"])
    sessions = attribution.sessions_by_steps(engine, at.events, at.people, (junk, staff), settings, parts)
    # All at once from here: a click and its visit may be on different devices.
    return engine.save(TABLES["touchpoints"], attribution.touchpoints_by_steps(engine, sessions, settings))


def _costs(engine: Builder, at: Any, settings: Settings) -> int:
    attribution.refuse_missing(engine.read, attribution.rates_of_spend(at.spend), at.fx_rates, settings)
    return engine.save(TABLES["costs"], attribution.costs(at.spend, at.fx_rates, settings))


def _conversions(engine: Builder, at: Any, settings: Settings) -> int:
    return engine.save(TABLES["conversions"], attribution.conversions_by_steps(engine, at, at, at.people, settings))


def _journeys(engine: Builder, at: Any, settings: Settings) -> int:
    members = engine.scratch("members", attribution.members(at.conversions, at.people, at.deal_contacts))
    known = (at.conversions, members, settings)
    # First those that models read: they lie together then.
    rows = engine.save(TABLES["journeys"], attribution.converted_paths(at.touchpoints, *known))
    parts = engine.parts(TABLES["touchpoints"])
    for part in range(parts):
        touches = attribution.of_subjects(at.touchpoints, part, parts)
        rows += engine.append(TABLES["journeys"], attribution.open_paths(touches, *known))
    return rows


def _credits(engine: Builder, at: Any, settings: Settings) -> int:
    models = list(attribution.models.load(settings.models).items())
    name, model = models[0]
    rows = engine.save(TABLES["credits"], attribution.credits(at.journeys, at.conversions, name, model))
    for name, model in models[1:]:
        rows += engine.append(TABLES["credits"], attribution.credits(at.journeys, at.conversions, name, model))
    return rows


def _performance(engine: Builder, at: Any, settings: Settings) -> int:
    performance = TABLES["performance"]
    cells = engine.scratch("cells", metrics.cells(at.touchpoints))
    sold = metrics.sold_by_steps(engine, at.conversions, at.journeys)
    rows = engine.save(performance, metrics.observed(at.touchpoints, at.costs))
    models = list(attribution.models.load(settings.models))
    # A model and basis at a time, where that costs little: its rows lie together, so that a report reads little else.
    if engine.starts_slowly:
        turns, touches = [models], metrics.celled(at.touchpoints, cells)
    else:
        credited = at.touchpoints.semi_join(at.credits, "touch_id")
        turns, touches = [[name] for name in models], engine.scratch("celled", metrics.celled(credited, cells))
    for names in turns:
        chosen = engine.scratch_rows("chosen", pa.table({"chosen": names}))
        credit = at.credits.semi_join(chosen, at.credits.model == chosen.chosen)
        lines = engine.scratch("lines", metrics.credit_lines(credit, touches, *sold))
        for basis in metrics.BASES:
            rows += engine.append(performance, metrics.earned(lines, cells, at.costs, basis))
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
