"""The SQL that reads a table from its Parquet parts."""

from __future__ import annotations

from pathlib import Path

from tieback.schema import TABLES
from tieback.store.manifest import PARTS_FOLDER, Manifest, Parts


def views(folder: Path, manifest: Manifest, prefix: str = "") -> list[str]:
    """The statements that make the run's tables views of a DuckDB database, with `prefix` before their names."""
    place = folder.absolute() / PARTS_FOLDER
    return [
        f"CREATE VIEW {prefix}{name} AS {select(place, TABLES[name].names, parts)}"
        for name, parts in manifest.tables.items()
        if name in TABLES
    ]


def select(place: Path, names: tuple[str, ...], parts: Parts) -> str:
    """The SELECT of a table's rows from its files in the folder `place`."""
    columns = ", ".join(names)
    left = [f"NOT EXISTS (SELECT 1 FROM {file(place, each.file)} gone WHERE {same('held', each.columns)})"
            for each in parts.gone]  # fmt: skip
    held = f"SELECT {columns} FROM {file(place, parts.base)} held"
    if left:
        held += f" WHERE {' AND '.join(left)}"
    return f"{held} UNION ALL SELECT {columns} FROM {file(place, parts.came)}" if parts.came else held


def same(row: str, columns: tuple[str, ...]) -> str:
    """The condition that `row` equals a row of `gone` in `columns`, empty or not."""
    return " AND ".join(f"gone.{name} IS NOT DISTINCT FROM {row}.{name}" for name in columns)


def file(place: Path, name: str) -> str:
    """The part `name` in the folder `place` as something to select from."""
    quoted = str(place / name).replace("'", "''")
    return f"read_parquet('{quoted}')"
