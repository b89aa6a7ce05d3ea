"""Law 4: a run after a change comes to what a run from scratch comes to, row for row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.facts import put
from tests.laws.changes import CHANGES, VISIT
from tests.laws.test_laws import law
from tests.laws.worlds import SETTINGS, START, World, core, opinions, worlds
from tieback import freshness
from tieback.config import Settings
from tieback.pipeline import refresh
from tieback.store import DuckDB

_IDENTIFIERS = [("anonymous", f"a{n}") for n in range(4)] + [("email", f"h{n}") for n in range(3)] + [("contact", "c1")]
_SETTINGS = (
    SETTINGS,
    msgspec.structs.replace(SETTINGS, models={"linear": {}, "first_touch": {}}),
    msgspec.structs.replace(SETTINGS, time_zone="America/New_York"),
)


@dataclass
class Step:
    """Something that happens to a workspace between two runs."""

    what: str
    one: tuple[str, str] = ("", "")
    other: tuple[str, str] = ("", "")
    number: int = 0


_ends = st.sampled_from(_IDENTIFIERS)
_steps = st.lists(
    st.one_of(
        st.builds(Step, st.just("import"), number=st.integers(1, 12)),
        st.builds(Step, st.sampled_from(["tie", "untie"]), _ends, _ends),
        st.builds(Step, st.just("delete"), number=st.integers(0, 1000)),
        st.builds(Step, st.just("settings"), number=st.integers(0, len(_SETTINGS) - 1)),
    ),
    min_size=1,
    max_size=4,
)


@given(world=worlds(), steps=_steps, seed=st.integers(0, 1000))
@law
def test_a_run_after_any_change_equals_a_run_from_scratch(world: World, steps: list[Step], seed: int) -> None:
    """Imports in any order, late rows, ties and their removal, deletions and other settings, with a run after each."""
    facts = world.rows()
    rates = [fact for fact in facts if fact[0] == "fx_rates"]
    waiting = [fact for fact in facts if fact[0] != "fx_rates"]
    Random(seed).shuffle(waiting)
    settings = SETTINGS
    with DuckDB(None) as store:
        first, waiting = waiting[len(waiting) // 3 :], waiting[: len(waiting) // 3]
        _deliver(store, [*rates, *first], 0)
        refresh(store, settings)
        for number, step in enumerate([*steps, Step("import", number=len(waiting))], start=1):
            settings = _SETTINGS[step.number] if step.what == "settings" else settings
            coming, waiting = (
                (waiting[: step.number], waiting[step.number :]) if step.what == "import" else ([], waiting)
            )
            _happen(store, step, coming, number)
            refresh(store, settings)
        found = opinions(store)
        refresh(store, settings, full=True)
        assert found == opinions(store)


def _happen(store: DuckDB, step: Step, coming: list[tuple[str, dict[str, Any]]], number: int) -> None:
    _deliver(store, coming, number)
    if step.what in ("tie", "untie") and step.one != step.other:
        (left_kind, left_value), (right_kind, right_value) = sorted([step.one, step.other])
        ends = {"left_kind": left_kind, "left_value": left_value, "right_kind": right_kind, "right_value": right_value}
        seen = {"observed_at": START + timedelta(days=200 + number), "deleted": step.what == "untie"}
        _deliver(store, [("links", ends | seen)], number)
    if step.what == "delete":
        chosen = f"SELECT event_id FROM events ORDER BY hash(event_id || '{step.number}') LIMIT 1"
        store.execute(f"DELETE FROM events WHERE event_id IN ({chosen})")


def _deliver(store: DuckDB, facts: list[tuple[str, dict[str, Any]]], number: int) -> None:
    at = START + timedelta(days=300 + number)
    for name, row in facts:
        put(store, name, [{**row, "received_at": at}])


@pytest.mark.parametrize("change", CHANGES)
def test_one_new_fact_is_brought_in_by_what_it_touches(change: str) -> None:
    """Each kind of new fact is worth no rebuild of anything whole, and ends where a full run ends."""
    name, row = CHANGES[change]
    with DuckDB(None) as store:
        _deliver(store, core().rows(), 0)
        refresh(store, SETTINGS)
        _deliver(store, [(name, row)], 1)
        planned = freshness.plan(store, SETTINGS)
        assert planned.since is not None
        assert any("1 new" in reason for reason in planned.reasons.values())
        refresh(store, SETTINGS)
        found = opinions(store)
        refresh(store, SETTINGS, full=True)
        assert found == opinions(store)


def test_a_fact_that_came_when_the_clock_had_jumped_back_counts() -> None:
    """It seems to be older than what the run has seen: the run is made whole, and misses nothing."""
    with DuckDB(None) as store:
        _deliver(store, core().rows(), 5)
        refresh(store, SETTINGS)
        before = opinions(store)
        _deliver(store, [("events", VISIT)], 1)
        refresh(store, SETTINGS)
        found = opinions(store)
        refresh(store, SETTINGS, full=True)
        assert before != found
        assert found == opinions(store)


def test_settings_are_the_same_when_they_come_back_from_where_a_run_keeps_them() -> None:
    """Defaults written as whole numbers too: else every run under them would be a whole one."""
    kept = msgspec.json.decode(msgspec.json.encode(Settings()), type=Settings)
    with DuckDB(None) as store:
        assert freshness.fingerprints(store, Settings()) == freshness.fingerprints(store, kept)


def test_what_another_release_built_is_built_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """New facts are no reason to go on from what other code has worked out."""
    with DuckDB(None) as store:
        _deliver(store, core().rows(), 0)
        refresh(store, SETTINGS)
        _deliver(store, [("events", VISIT)], 1)
        monkeypatch.setattr(freshness, "__version__", "another")
        planned = freshness.plan(store, SETTINGS)
        assert planned.since is None
        assert set(planned.reasons.values()) == {"it was never built by this release"}


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        (
            "DELETE FROM events WHERE event_id = (SELECT min(event_id) FROM events)",
            SETTINGS,
            "replaced or removed events",
        ),
        ("SELECT 1", _SETTINGS[1], "the settings that shape it changed"),
    ],
)
def test_what_no_new_fact_explains_is_built_whole(change: str, settings: Settings, reason: str) -> None:
    """A fact taken away, or another definition, rebuilds what depends on it, and says why."""
    with DuckDB(None) as store:
        _deliver(store, core().rows(), 0)
        refresh(store, SETTINGS)
        store.execute(change)
        planned = freshness.plan(store, settings)
        assert planned.since is None
        assert reason in " ".join(planned.reasons.values())
