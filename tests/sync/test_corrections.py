"""A file that corrects an earlier one: the right value counts, or a sentence says how it would."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.sync.files import MOMENT, PERSONAL, facts, taken
from tieback.config import Settings
from tieback.freshness import fingerprints
from tieback.store import DuckDB
from tieback.sync import mapping_from
from tieback.sync.quarantine import retry

RATES = "rate_date,currency,base_currency,rate\n"
LATER = MOMENT + timedelta(days=1)


@pytest.mark.parametrize("rates", [(1.1, 1.5), (1.5, 1.1), (1.2, 1.7), (1.7, 1.2)])
def test_a_corrected_rate_counts_and_a_run_sees_it(rates: tuple[float, float], store: DuckDB, tmp_path: Path) -> None:
    """Whatever the two rates are, the later import's counts; importing either file's equal again changes nothing."""
    wrong, right = (f"{RATES}2025-01-01,EUR,USD,{rate}\n" for rate in rates)
    taken(store, tmp_path, "fx_rates", wrong)
    before = fingerprints(store, Settings())["costs"]
    came = taken(store, tmp_path, "fx_rates", right, at=LATER)
    assert (came.facts_added, came.facts_replaced, came.facts_known) == (0, 1, 0)
    assert facts(store, "fx_rates", "rate") == [rates[1]]
    assert fingerprints(store, Settings())["costs"] != before
    again = taken(store, tmp_path, "fx_rates", right, at=LATER + timedelta(days=1))
    assert (again.facts_added, again.facts_replaced, again.facts_known) == (0, 0, 1)


def test_a_file_that_contradicts_itself_ends_alike_each_time(store: DuckDB, tmp_path: Path) -> None:
    """Two rates for one day in one file: one stays, and importing the file again changes nothing."""
    text = RATES + "2025-01-01,EUR,USD,1.1\n2025-01-01,EUR,USD,1.5\n"
    taken(store, tmp_path, "fx_rates", text)
    held = facts(store, "fx_rates")
    for days in range(1, 4):
        came = taken(store, tmp_path, "fx_rates", text, at=MOMENT + timedelta(days=days))
        assert (came.facts_added, came.facts_replaced) == (0, 0)
    assert facts(store, "fx_rates") == held


@pytest.mark.parametrize("rates", [(1.1, 1.5), (1.5, 1.1), (1.2, 1.7), (1.7, 1.2)])
def test_a_retried_rate_does_not_outdo_a_newer_one(rates: tuple[float, float], store: DuckDB, tmp_path: Path) -> None:
    """A rate that waited in quarantine counts as of the import that refused it."""
    taken(store, tmp_path, "fx_rates", f"{RATES}2025-01-01,EUR,USD,x\n")
    taken(store, tmp_path, "fx_rates", f"{RATES}2025-01-01,EUR,USD,{rates[1]}\n", at=LATER)
    better = f'[columns]\nrate = {{ from = "rate", values = {{ x = {rates[0]} }} }}'
    retry(store, PERSONAL, lambda table: mapping_from(better, table))
    assert facts(store, "fx_rates", "rate") == [rates[1]]


def test_facts_that_differ_under_one_version_are_told_with_the_remedy(store: DuckDB, tmp_path: Path) -> None:
    """Neither is taken in silence, and the remedy works."""
    rows = "deal_id,amount,changed_at\n1,{},2025-01-0{}\n2,5,2025-01-01\n"
    taken(store, tmp_path, "deals", rows.format(5, 1))
    told = taken(store, tmp_path, "deals", rows.format(7, 1), at=LATER).notices
    assert len(told) == 1
    assert "in.csv: 1 facts of deals say something else than others under the same deal_id, changed_at" in told[0]
    assert "a later changed_at" in told[0]
    assert not taken(store, tmp_path, "deals", rows.format(7, 2), at=LATER).notices
    newest = "SELECT amount::INT FROM deals WHERE deal_id = '1' ORDER BY changed_at DESC LIMIT 1"
    assert store.execute(newest).fetchall() == [(7,)]


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (
            "deals",
            "deal_id,stage,changed_at\n1,lead,2025-01-01\n1,won,2025-01-01\n2,won,2025-01-01\n2,won,2025-01-01\n",
        ),
        ("fx_rates", f"{RATES}2025-01-01,EUR,USD,1.1\n2025-01-01,EUR,USD,1.5\n2025-01-01,EUR,USD,1.1\n"),
    ],
)
def test_a_file_that_contradicts_itself_says_so(
    table: str, rows: str, held: int, store: DuckDB, tmp_path: Path
) -> None:
    """A stage that goes because another has its instant must not go in silence; a row twice is no contradiction."""
    others = {"deals": "deal_id,stage,changed_at\n9,won,2025-01-01\n", "fx_rates": f"{RATES}2024-01-01,EUR,USD,1\n"}
    if held:
        taken(store, tmp_path, table, others[table])
    came = taken(store, tmp_path, table, rows, at=LATER)
    assert [notice for notice in came.notices if " say something else than others under the same " in notice]


def test_events_that_differ_under_one_id_are_told(store: DuckDB, tmp_path: Path) -> None:
    """An event has no version: it happened once."""
    for page in ("a", "b"):
        came = taken(store, tmp_path, "events", f"event_id,occurred_at,kind,url\n1,2025-01-01,page,/{page}\n")
    assert "an event_id of their own" in came.notices[0]


def test_an_old_value_that_stays_old_is_told(store: DuckDB, tmp_path: Path) -> None:
    """Where a file has no version, going back to an earlier value takes one: the note says so, and it works."""
    header, row = "spend_date,platform,campaign,cost", "2025-01-01,meta_ads,,{}"
    for day, cost in enumerate((5, 7)):
        assert not taken(store, tmp_path, "spend", f"{header}\n{row}\n".format(cost), at=LATER + timedelta(day)).notices
    again = taken(store, tmp_path, "spend", f"{header}\n{row}\n".format(5), at=LATER + timedelta(3))
    assert again.facts_known == 1
    assert again.notices[0].startswith("in.csv: 1 of its facts do not count")
    assert "give each a synced_at" in again.notices[0]
    assert not taken(store, tmp_path, "spend", f"{header}\n{row}\n".format(7), at=LATER + timedelta(4)).notices
    dated = f"{header},synced_at\n{row},2026-04-01\n".format(5)
    assert not taken(store, tmp_path, "spend", dated, at=LATER + timedelta(5)).notices
    newest = store.execute("SELECT cost::INT FROM spend ORDER BY synced_at DESC LIMIT 1").fetchall()
    assert newest == [(5,)]


def test_a_file_that_contradicts_itself_without_version_is_told(store: DuckDB, tmp_path: Path) -> None:
    """Also on its first import, and each time the same."""
    text = "deal_id,amount\n1,5\n1,6\n2,7\n2,7\n"
    for day in range(2):
        notices = taken(store, tmp_path, "deals", text, at=MOMENT + timedelta(day)).notices
        assert [note.split(":")[1] for note in notices] == [" 1 of its facts do not count"]
