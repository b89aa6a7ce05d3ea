"""The files are such as `tieback import` reads with no mapping."""

from __future__ import annotations

from collections import Counter

import pytest

from tieback import sync
from tieback.schema import TABLES
from tieback.simulate import World
from tieback.store import DuckDB

RAW = {"email", "phone"}  # hashed at the door


@pytest.fixture(scope="module")
def taken(world: World) -> tuple[DuckDB, list[sync.Delivery]]:
    """A warehouse that holds the world, and what came of each file."""
    store, at = DuckDB(None), sync.now()
    personal = sync.Personal("a fixed salt")
    return store, [
        sync.import_file(store, path, table, sync.mapping_for(table), personal, at) for table, path in world.files
    ]


def test_columns_are_named_as_declared(world: World) -> None:
    """Every column is one of its table's (or a raw address or number), and none that a row must have is missing."""
    door = DuckDB(None).door
    made = {"received_at", "origin"}
    for table, path in world.files:
        columns = set(door.sql(f"SELECT * FROM '{path}' LIMIT 1").columns)
        declared = TABLES[table]
        assert columns - set(declared.names) - RAW == set(), path.name
        assert {column.name for column in declared.columns if column.required} - columns - made == set(), path.name


def test_only_the_bad_rows_are_refused(world: World, taken: tuple[DuckDB, list[sync.Delivery]]) -> None:
    """Quarantine holds the rows made to be refused, each for one reason, and no other."""
    store, deliveries = taken
    assert sum(delivery.rows_refused for delivery in deliveries) == world.refused == 6
    reasons = store.rows("SELECT table_name, column_name FROM quarantine ORDER BY ALL")
    assert [tuple(row.values()) for row in reasons] == [
        ("deals", "changed_at"),
        ("events", "kind"),
        ("events", "occurred_at"),
        ("orders", "amount"),
        ("spend", "cost"),
        ("spend", "spend_date"),
    ]


def test_every_table_and_format_is_there(world: World) -> None:
    """A demo exercises each fact table and each way of writing a file."""
    assert {table for table, _ in world.files} == {name for name, table in TABLES.items() if table.kind == "fact"}
    endings = Counter("".join(path.suffixes) for _, path in world.files)
    assert set(endings) == {".csv", ".csv.gz", ".jsonl", ".parquet"}


def test_files_overlap(taken: tuple[DuckDB, list[sync.Delivery]]) -> None:
    """Exports hold rows that earlier ones held, and months hold events that came late."""
    store, deliveries = taken
    known = [delivery for delivery in deliveries if delivery.file.startswith("events-") and delivery.facts_known]
    assert len(known) >= 11
    late = store.rows(
        "SELECT count(*) AS events FROM events JOIN deliveries ON origin = delivery_id "
        "WHERE file LIKE 'events-%' AND strftime(occurred_at, '%Y-%m') < file[8:14]"
    )
    assert late[0]["events"] > 0


def test_what_must_not_count_is_there(taken: tuple[DuckDB, list[sync.Delivery]]) -> None:
    """Bots, colleagues, junk logins, test deals, deleted deals, wrong ties and corrected amounts exist."""
    store, _ = taken
    for sql in (
        "SELECT 1 FROM events WHERE bot_reason IS NOT NULL",
        "SELECT 1 FROM events WHERE email_domain = 'brightdesk.example'",
        "SELECT 1 FROM events WHERE user_id IN ('guest', 'undefined')",
        "SELECT 1 FROM deals WHERE name LIKE 'TEST%' AND stage = 'Closed Won'",
        "SELECT 1 FROM deals WHERE deleted",
        "SELECT 1 FROM links WHERE deleted",
        "SELECT 1 FROM orders WHERE kind = 'refund'",
        "SELECT 1 FROM spend WHERE currency = 'EUR'",
        "SELECT 1 FROM spend GROUP BY spend_date, platform, campaign, ad, keyword HAVING count(DISTINCT cost) > 1",
    ):
        assert store.rows(sql), sql
