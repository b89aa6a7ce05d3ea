"""What `tieback sql` prints builds the very tables that a run builds."""

from __future__ import annotations

import re

import pytest

from tests.cli.company import FACTS, SETTINGS
from tests.facts import warehouse
from tieback.config import Settings, settings_from
from tieback.pipeline import build, refresh
from tieback.schema.ddl import DIALECTS
from tieback.store import DuckDB
from tieback.store.statements import Statements

# Two logins tied by one browser, and an address that each of them gave: at least one tie has to give way.
BROKEN = [
    {"event_id": "1", "occurred_at": "2026-01-01", "kind": "page", "anonymous_id": "b", "user_id": "u1"},
    {"event_id": "2", "occurred_at": "2026-01-02", "kind": "page", "anonymous_id": "b", "user_id": "u2"},
    {"event_id": "3", "occurred_at": "2026-01-03", "kind": "form", "anonymous_id": "b2", "email_hash": "h"},
    {"event_id": "4", "occurred_at": "2026-01-04", "kind": "form", "user_id": "u2", "email_hash": "h"},
]


def run_by_hand(store: DuckDB, statements: list[str], filled: dict[str, str]) -> None:
    """Run the statements as they say: repeat a step until a number stays, fill what is worked out outside SQL.

    What a run has kept aside is dropped first: it would answer in place of what the statements make.
    """
    for kept in store.rows("SELECT table_name FROM duckdb_tables() WHERE temporary"):
        store.execute(f"DROP TABLE {kept['table_name']}")
    for place, statement in enumerate(statements):
        repeated = re.match(r"-- Replace (scratch_\w+) by .* until the number of the next one stays:\n", statement)
        outside = re.match(r"-- Fill (scratch_\w+) here", statement)
        if repeated:
            name, step, mark = repeated[1], statement[repeated.end() :].rstrip(";"), statements[place + 1]
            before, after = None, store.execute(mark).fetchall()
            while after != before:
                store.execute(f"CREATE TABLE next AS {step}; DROP TABLE {name}; ALTER TABLE next RENAME TO {name}")
                before, after = after, store.execute(mark).fetchall()
        elif outside:
            store.execute(f"INSERT INTO {outside[1]} BY NAME FROM {filled[outside[1]]}")
        else:
            store.execute(statement)


@pytest.mark.parametrize("name", ["touchpoints", "costs", "conversions", "journeys", "credits", "performance"])
def test_the_statements_of_a_table_build_what_a_run_builds(name: str) -> None:
    """Every statement runs as printed, and the rows are the same."""
    settings = settings_from(SETTINGS)
    statements = Statements("duckdb")
    build(name, statements, settings)
    with warehouse(**FACTS) as store:
        refresh(store, settings)
        built = store.rows(f"FROM {name} ORDER BY ALL")
        store.execute(f"DROP TABLE {name}")
        run_by_hand(store, statements.written, {})
        assert built
        assert store.rows(f"FROM {name} ORDER BY ALL") == built


def test_the_statements_of_people_apply_the_cuts() -> None:
    """With the ties that give way filled in where it says so, people and link_cuts are those of a run."""
    statements = Statements("duckdb")
    build("people", statements, Settings())
    with warehouse(events=BROKEN) as store:
        refresh(store, Settings())
        store.execute("CREATE TABLE found AS FROM link_cuts")
        built = [store.rows(f"FROM {name} ORDER BY ALL") for name in ("people", "link_cuts")]
        store.execute("DROP TABLE people; DROP TABLE link_cuts")
        run_by_hand(store, statements.written, {"scratch_cuts": "found"})
        assert len(built[1]) == 1
        assert [store.rows(f"FROM {name} ORDER BY ALL") for name in ("people", "link_cuts")] == built


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_where_to_fill_the_cuts(dialect: str) -> None:
    """The table is there, empty, with its columns, before anything reads it."""
    statements = Statements(dialect)
    build("people", statements, Settings())
    made = next(place for place, text in enumerate(statements.written) if text.startswith("CREATE TABLE scratch_cuts"))
    assert statements.written[made + 1].startswith("-- Fill scratch_cuts here")
