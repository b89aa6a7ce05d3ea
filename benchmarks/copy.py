"""The rival of an import: DuckDB's own COPY of the file into a table."""

import sys

import duckdb

database, file, memory = sys.argv[1:4]
door = duckdb.connect(database, config={"memory_limit": memory})
door.execute("SET enable_progress_bar_print = false")
door.execute(
    "CREATE TABLE events (event_id VARCHAR, occurred_at TIMESTAMP, kind VARCHAR, name VARCHAR, "
    "anonymous_id VARCHAR, user_id VARCHAR, url VARCHAR, referrer VARCHAR)"
)
door.execute(f"COPY events FROM '{file}' (HEADER)")
door.execute("CHECKPOINT")
