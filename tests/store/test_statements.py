"""What `tieback sql` prints builds the very tables that a run builds."""

from __future__ import annotations

import pytest

from tests.cli.company import FACTS, SETTINGS
from tests.facts import warehouse
from tieback.config import settings_from
from tieback.pipeline import build, refresh
from tieback.store.statements import Statements


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
        for statement in statements.written:
            store.execute(statement)
        assert built
        assert store.rows(f"FROM {name} ORDER BY ALL") == built
