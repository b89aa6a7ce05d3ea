"""The floor of a report: start Python and an empty DuckDB."""

import duckdb

duckdb.connect().execute("SELECT 1").fetchall()
