"""Facts are merged by key; which of two versions of a row stays does not depend on which came first."""

from __future__ import annotations

from itertools import permutations

import pytest

from tieback.config import Settings
from tieback.freshness import fingerprints
from tieback.schema import TABLES
from tieback.store import DuckDB, merge

RATES = TABLES["fx_rates"]


def rows(*rates: tuple[str, float]) -> str:
    """A SELECT of exchange rates by currency."""
    values = ", ".join(f"('{currency}', {rate})" for currency, rate in rates)
    return (
        "SELECT DATE '2025-01-01', currency, 'USD', rate::DOUBLE, 'test', TIMESTAMP '2025-01-01' "
        f"FROM (VALUES {values}) v(currency, rate)"
    )


def held(store: DuckDB) -> list[tuple[str, float]]:
    """The rates in `store`."""
    return store.execute("SELECT currency, rate FROM fx_rates ORDER BY ALL").fetchall()


def test_what_is_held_is_not_taken_in_again() -> None:
    """The second merge of the same rows adds nothing and says so."""
    store = DuckDB(None)
    first, second = merge(store, RATES, rows(("EUR", 1), ("GBP", 2))), merge(store, RATES, rows(("EUR", 1), ("CHF", 3)))
    assert (first.added, first.known) == (2, 0)
    assert (second.added, second.known, second.replaced) == (1, 1, 0)
    assert held(store) == [("CHF", 3), ("EUR", 1), ("GBP", 2)]


@pytest.mark.parametrize("table", ["together", "apart"])
def test_of_rows_with_one_key_the_same_stays_whatever_the_order(table: str) -> None:
    """Three rates for one day, in every order, in one merge or in three: one outcome."""
    outcomes = set()
    for order in permutations((("EUR", 1.0), ("EUR", 2.0), ("EUR", 3.0))):
        store = DuckDB(None)
        for given in [order] if table == "together" else [(one,) for one in order]:
            merge(store, RATES, rows(*given))
        outcomes.add(tuple(held(store)))
    assert len(outcomes) == 1
    assert len(next(iter(outcomes))) == 1


def test_a_replaced_row_is_a_change_that_a_run_sees() -> None:
    """Replaced by one as old and from the same delivery, it changes neither the number of rows nor their latest."""
    seen = set()
    for one, other in (("1", "2"), ("2", "1")):
        store = DuckDB(None)
        merge(store, RATES, rows(("EUR", float(one))))
        prints = fingerprints(store, Settings())
        came = merge(store, RATES, rows(("EUR", float(other))))
        assert (prints["costs"] != fingerprints(store, Settings())["costs"]) == bool(came.replaced)
        seen.add(came.replaced)
    assert seen == {0, 1}


def test_empty_parts_of_a_key_are_equal() -> None:
    """A spend row without ad group is the same row when it comes again."""
    store, table = DuckDB(None), TABLES["spend"]
    cells = {"spend_date": "DATE '2025-01-01'", "platform": "'p'", "cost": "1", "synced_at": "TIMESTAMP '2025-01-02'"}
    cells |= {"origin": "'test'", "received_at": "TIMESTAMP '2025-01-02'"}
    select = "SELECT " + ", ".join(cells.get(name, "NULL") for name in table.names)
    merge(store, table, select)
    assert merge(store, table, select).added == 0
