"""A floor of an import: DuckDB alone, writing the finished rows of `events` once more, with nothing to read or parse."""

import sys

import duckdb

held, fresh, memory = sys.argv[1:4]
door = duckdb.connect(fresh, config={"memory_limit": memory})
door.execute("SET enable_progress_bar_print = false; SET preserve_insertion_order = false")
door.execute(f"ATTACH '{held}' AS held (READ_ONLY)")
door.execute("CREATE TABLE events AS FROM held.events")
door.execute("CHECKPOINT")
