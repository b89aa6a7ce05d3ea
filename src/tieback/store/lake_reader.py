"""A lake that this machine sees, read by an embedded DuckDB: small questions need no cluster."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tieback.schema.ddl import COLUMN_TYPES
from tieback.store.engine import statement_error
from tieback.store.lake import Held, Lake


class LakeReader:
    """The tables of `lake`, which lies in `folder`: as they stand, also within its transaction.

    With what its session keeps for itself.
    """

    def __init__(self, lake: Lake, folder: Path) -> None:
        self._lake = lake
        self._folder = folder
        self._door = duckdb.connect(":memory:")
        self._door.execute("SET TimeZone = 'UTC'")
        self._door.execute("SET enable_progress_bar_print = false")  # it would stand in the midst of what we print
        self._seen: dict[str, Held] = {}

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a SELECT in DuckDB's dialect, as dictionaries, whole numbers as such however large."""
        for name, held in self._lake.tables.items():
            if name in sql and self._seen.get(name) is not held:
                self._door.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {self._select(held)}")
                self._seen[name] = held
        try:
            cursor = self._door.execute(sql, parameters)
        except duckdb.Error as error:
            raise statement_error("duckdb", "", str(error), sql) from error
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def keep(self, name: str, path: str) -> None:
        """Read the Parquet files in `path`, below the lake, under `name`."""
        self._forget(name)
        self._door.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {self._scan([path])}")

    def keep_rows(self, name: str, rows: pa.Table) -> None:
        """Read Arrow `rows` under `name`."""
        self._door.register("arrow_rows", rows)
        self._forget(name)
        self._door.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arrow_rows")
        self._door.unregister("arrow_rows")

    def _forget(self, name: str) -> None:
        """Free the name, whether a view or a table has it."""
        for kind in ("VIEW", "TABLE"):
            with suppress(duckdb.CatalogException):  # it is of the other kind
                self._door.execute(f"DROP {kind} IF EXISTS {name}")

    def close(self) -> None:
        """Let go of the files."""
        self._door.close()

    def _select(self, held: Held) -> str:
        types = COLUMN_TYPES["duckdb"]
        nothing = ", ".join(f"NULL::{types[kind]} AS {name}" for name, kind in held.columns.items())
        found = f"SELECT {nothing} WHERE false"
        columns = ", ".join(held.columns)
        for removed_by, parts in held.layers():
            scan = self._scan([part.path for part in parts])
            if removed_by:
                same = " AND ".join(f"held.{name} IS NOT DISTINCT FROM gone.{name}" for name in removed_by)
                found = f"SELECT * FROM ({found}) held WHERE NOT EXISTS (SELECT 1 FROM ({scan}) gone WHERE {same})"
            else:
                found = f"{found} UNION ALL SELECT {columns} FROM ({scan})"
        return found

    def _scan(self, paths: list[str]) -> str:
        found = (file for path in paths for file in sorted((self._folder / path).rglob("*.parquet")))
        files = ", ".join("'" + str(file).replace("'", "''") + "'" for file in found)
        return f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"
