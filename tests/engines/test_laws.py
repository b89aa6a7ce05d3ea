"""The laws hold of what each engine made of many worlds: the checks of tests/laws, on rows carried to DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.engines.many import WORLDS, fill, made_of_many, many
from tests.laws import checks
from tests.laws.worlds import START
from tieback.schema import TABLES
from tieback.store import DuckDB, Engine

Check = Callable[[DuckDB], None]


def all_windows_match(store: DuckDB) -> None:
    """Law 9 in windows of a day, a week and all there is."""
    for first, days in ((0, 0), (10, 7), (21, 30), (0, 100)):
        checks.windows_match(store, [(START + timedelta(days=day)).date() for day in (first, first + days)])


def few_are_told(store: DuckDB) -> None:
    """Law 10 at thresholds below and above what a channel has here."""
    for few in (1, 4, 40):
        checks.few_are_told(store, few, "conversion")
        checks.few_are_told(store, few, "touch")


def all_is_explained(store: DuckDB) -> None:
    """Law 7 in conversions of several worlds."""
    checks.all_is_explained(store, most=12)


LAWS: tuple[Check, ...] = (
    *(checks.credit_is_revenue, checks.no_late_touch_is_credited, checks.touches_are_in_order),
    *(all_is_explained, all_windows_match, few_are_told),
)


@contextmanager
def carried(engine: Engine) -> Iterator[DuckDB]:
    """What the engine made of many worlds, and the facts that it was made of, in a DuckDB."""
    with DuckDB(None) as store:
        fill(store, many(WORLDS))
        for name, rows in made_of_many(engine).items():
            store.make(TABLES[name])
            store.load(TABLES[name], rows)
        yield store


def test_every_law(engine: Engine) -> None:
    """Conservation, causality, order, explanations, windows and honest numbers."""
    with carried(engine) as store:
        for law in LAWS:
            law(store)


BREACHES: dict[str, Check] = {
    "UPDATE credits SET value_minor = value_minor + 1 WHERE model = 'linear'": checks.credit_is_revenue,
    "UPDATE touchpoints SET occurred_at = occurred_at + INTERVAL 900 DAY": checks.no_late_touch_is_credited,
    "UPDATE journeys SET position = 3 - position WHERE position < 3": checks.touches_are_in_order,
    "DELETE FROM credits WHERE model = 'linear' AND touch_id IS NOT NULL": all_is_explained,
    "UPDATE costs SET cost_minor = cost_minor + 1": all_windows_match,
    "DELETE FROM performance WHERE channel = 'Unattributed'": few_are_told,
}


@pytest.mark.xdist_group("duckdb")
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(breach: str) -> None:
    """Each check fails of a run in which its law was broken on purpose."""
    with DuckDB(None) as unused, carried(unused) as store:
        store.execute(breach)
        with pytest.raises(AssertionError):
            BREACHES[breach](store)
