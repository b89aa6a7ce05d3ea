"""A workspace of the first schema, kept as text: this release opens it, and so must every later one."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from tests.cli.company import SETTINGS, tieback
from tieback.schema import FACTS, OPERATIONS, SCHEMA_VERSION
from tieback.schema.ddl import create_table

KEPT = Path(__file__).with_name("schema_1.sql")


def test_a_workspace_of_schema_1_opens_and_runs(tmp_path: Path) -> None:
    """Every fact, waiting row and remembered address is still there, and the numbers are those of its facts."""
    (tmp_path / "tieback.toml").write_text(SETTINGS)
    (tmp_path / "tieback.salt").write_text("ab" * 32)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as door:
        door.execute(KEPT.read_text())
    assert tieback(tmp_path, "run").exception is None
    reconciled = json.loads(tieback(tmp_path, "reconcile", "--format", "json").stdout)
    assert {row["revenue"] for row in reconciled} == {"1511.25"}
    waiting = json.loads(tieback(tmp_path, "quarantine", "list", "--format", "json").stdout)
    assert len(waiting) == 1
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as door:
        assert door.execute("FROM vault").fetchall() == [("email", "h", "ann@acme.example")]
        version = door.execute("SELECT value FROM workspace WHERE name = 'schema_version'").fetchall()
        assert version == [(str(SCHEMA_VERSION),)]


def test_schema_1_is_what_was_kept() -> None:
    """As long as the schema is the first one, it is exactly the kept one: a change needs a version and a migration."""
    if SCHEMA_VERSION > 1:
        return
    with duckdb.connect() as kept, duckdb.connect() as now:
        kept.execute(KEPT.read_text())
        for table in (*FACTS, *OPERATIONS):
            now.execute(create_table(table))
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() ORDER BY ALL"
        assert kept.execute(columns).fetchall() == now.execute(columns).fetchall()
