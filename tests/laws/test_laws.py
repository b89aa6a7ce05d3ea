"""The laws of the house, over random worlds."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.facts import put
from tests.laws import checks
from tests.laws.worlds import SETTINGS, START, World, core, opinions, run, worlds
from tieback.cli.explain import explained
from tieback.metrics.reports import Basis
from tieback.pipeline import refresh
from tieback.store import DuckDB

# A run of the whole pipeline takes seconds: few worlds here, as many as you like with LAW_EXAMPLES=200 (`make laws`).
law = settings(
    max_examples=int(os.environ.get("LAW_EXAMPLES", "6")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_a_world_has_what_the_laws_speak_of() -> None:
    """The laws are not empty: credit is split, refunded, dated by spend; touches and ties are left out."""
    with run(core()) as store:
        split = store.rows(
            """
            SELECT k.conversion_id, count(*) AS touches FROM credits k JOIN conversions c USING (conversion_id)
            WHERE c.is_revenue AND k.model = 'linear' AND k.touch_id IS NOT NULL AND k.value_minor <> 0
            GROUP BY ALL ORDER BY ALL
            """
        )
        touches = {row["conversion_id"]: row["touches"] for row in split}
        assert touches.keys() == {"customer:core", "order:core", "refund:core-back"}
        assert min(touches.values()) > 1
        assert store.rows("SELECT * FROM credits WHERE conversion_id = 'refund:core-back' AND value_minor < 0")
        told = explained(store, SETTINGS, "customer:core", ("linear",))
        reasons = [touch.reason for touch in told.touches if not touch.included]
        assert sorted(reasons) == ["after the conversion", "after the conversion", "bot: crawler"]
        assert len({touch.occurred_at for touch in told.touches if touch.included}) < touches["customer:core"]
        assert {touch.person_id for touch in told.touches if touch.included} == {"anonymous:a0", "anonymous:a1"}
        assert store.rows("SELECT * FROM conversions WHERE excluded_reason IS NOT NULL")
        assert [row["left_value"] for row in store.rows("SELECT * FROM link_cuts")] == ["shared"]
        spent = store.rows("SELECT sum(revenue_minor) AS n FROM performance WHERE basis = 'spend' AND model = 'linear'")
        assert spent[0]["n"] > 0


def test_credit_stays_whole_when_touches_go_away() -> None:
    """Laws 1 and 8: what is deleted of a journey leaves its share to the rest of it, or to Unattributed."""
    with run(core()) as store:
        for which in ("event_id = (SELECT min(touch_id) FROM journeys WHERE conversion_id = 'order:core')", "true"):
            before = store.rows("SELECT count(*) AS touches FROM credits WHERE touch_id IS NOT NULL")
            store.execute(f"DELETE FROM events WHERE {which}")
            refresh(store, SETTINGS)
            assert store.rows("SELECT count(*) AS touches FROM credits WHERE touch_id IS NOT NULL") != before
            off = store.rows(
                "SELECT k.model, conversion_id FROM credits k JOIN conversions c USING (conversion_id) "
                "GROUP BY k.model, conversion_id, c.value_minor "
                "HAVING sum(k.value_minor) <> c.value_minor OR abs(sum(k.share) - 1) > 1e-9"
            )
            assert off == []
            assert store.rows("SELECT count(DISTINCT conversion_id) AS n FROM credits") == store.rows(
                "SELECT count(*) AS n FROM conversions WHERE excluded_reason IS NULL"
            )


@given(
    world=worlds(),
    first=st.integers(0, 40),
    days=st.integers(0, 30),
    few=st.integers(1, 4),
    basis=st.sampled_from(["conversion", "touch"]),
)
@settings(law, max_examples=2 * law.max_examples)
def test_what_the_laws_say_of_a_finished_run(world: World, first: int, days: int, few: int, basis: Basis) -> None:
    """Laws 1, 2, 7, 9 and 10, each by its check: conservation, causality, explanations, windows, honest numbers."""
    with run(world) as store:
        checks.credit_is_revenue(store)
        checks.no_late_touch_is_credited(store)
        checks.all_is_explained(store)
        checks.windows_match(store, [(START + timedelta(days=day)).date() for day in (first, first + days)])
        checks.few_are_told(store, few, basis)


@given(world=worlds(), person=st.integers(0, 3), tagged=st.booleans())
@law
def test_a_later_visit_never_changes_earlier_credit(world: World, person: int, tagged: bool) -> None:
    """Law 2: a visit after everything else leaves all credit as it was."""
    last = START + timedelta(days=200)
    tags = (
        {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "late"}
        if tagged
        else {"url": "https://acme.example/"}
    )
    visit = {"event_id": "late", "occurred_at": last, "kind": "page", "anonymous_id": f"a{person}", **tags}
    with run(world) as store:
        before = opinions(store)["credits"]
        put(store, "events", [{**visit, "received_at": "2026-02-01"}])
        refresh(store, SETTINGS)
        assert opinions(store)["credits"] == before


@given(world=worlds(), seed=st.integers(0, 1000))
@law
def test_the_order_of_facts_does_not_matter(world: World, seed: int) -> None:
    """Laws 3 and 6: the same facts in another order give the same tables; touches of one instant go by their id."""
    shuffled = World({name: Random(seed).sample(rows, len(rows)) for name, rows in world.tables.items()})
    with run(world) as one, run(shuffled) as other:
        assert opinions(one) == opinions(other)
        checks.touches_are_in_order(one)


@given(world=worlds(), cuts=st.lists(st.floats(0, 1), min_size=1, max_size=2), seed=st.integers(0, 1000))
@law
def test_a_run_after_more_imports_equals_a_run_from_scratch(world: World, cuts: list[float], seed: int) -> None:
    """Law 4: facts that come in several deliveries, with a run after each, end where one delivery ends."""
    facts = world.rows()
    rates = [fact for fact in facts if fact[0] == "fx_rates"]
    others = [fact for fact in facts if fact[0] != "fx_rates"]
    Random(seed).shuffle(others)
    bounds = [0, *sorted(int(cut * len(others)) for cut in cuts), len(others)]
    with run(world) as whole, DuckDB(None) as store:
        deliveries = [rates, *(others[a:b] for a, b in pairwise(bounds))]
        for number, delivery in enumerate(deliveries):
            for name, row in delivery:
                put(store, name, [{**row, "received_at": START + timedelta(days=300 + number)}])
            refresh(store, SETTINGS)
        assert opinions(store) == opinions(whole)


def test_nothing_is_rebuilt_when_nothing_has_changed() -> None:
    """Law 4: a second run does no work; a new rate of exchange, or spend, rebuilds only what reads it."""
    world = core()
    with run(world) as store:
        assert [stage.rows for stage in refresh(store, SETTINGS)] == [None] * 7
        rate = {"rate_date": START.date() + timedelta(days=100), "currency": "USD", "base_currency": "EUR", "rate": 1.0}
        put(store, "fx_rates", [{**rate, "received_at": "2026-02-01"}])
        assert rebuilt(store) == ["costs", "conversions", "journeys", "credits", "performance"]
        dated_by_spend = "SELECT sum(revenue_minor) AS n FROM performance WHERE basis = 'spend'"
        before = store.rows(dated_by_spend)
        wide = store.rows("SELECT touch_date FROM touchpoints WHERE campaign = 'wide'")[0]["touch_date"]
        stated = world.tables["spend"][0]
        dearer = {**stated, "cost": 99.99, "synced_at": stated["synced_at"] + timedelta(hours=1)}
        spend = [dearer, {**stated, "spend_date": wide, "platform": "meta_ads", "campaign": "wide"}]
        put(store, "spend", spend)
        assert rebuilt(store) == ["costs", "performance"]
        assert store.rows(dated_by_spend)[0]["n"] > before[0]["n"]
        more = {"spend": [*world.tables["spend"], *spend], "fx_rates": [*world.tables["fx_rates"], rate]}
        with run(World(world.tables | more)) as whole:
            assert opinions(store) == opinions(whole)


def rebuilt(store: DuckDB) -> list[str]:
    """The opinions that a run builds anew."""
    return [stage.name for stage in refresh(store, SETTINGS) if stage.rows is not None]
