"""The DDL of each engine, made from the declared tables."""

from __future__ import annotations

from tieback.schema.types import Column, Table, Type

_GENERIC: dict[Type, str] = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "int": "BIGINT",
    "float": "DOUBLE",
    "decimal": "DECIMAL(18, 6)",
    "boolean": "BOOLEAN",
    "json": "VARCHAR",
}

COLUMN_TYPES: dict[str, dict[Type, str]] = {
    "duckdb": _GENERIC,
    "trino": _GENERIC | {"timestamp": "TIMESTAMP(6)"},
    "postgres": _GENERIC | {"string": "TEXT", "float": "DOUBLE PRECISION", "decimal": "NUMERIC(18, 6)", "json": "TEXT"},
    "databricks": _GENERIC | {"string": "STRING", "timestamp": "TIMESTAMP_NTZ", "json": "STRING"},
    "bigquery": _GENERIC
    | {"string": "STRING", "timestamp": "DATETIME", "int": "INT64", "float": "FLOAT64", "decimal": "NUMERIC(18, 6)"}
    | {"boolean": "BOOL", "json": "STRING"},
    "snowflake": _GENERIC | {"timestamp": "TIMESTAMP_NTZ", "decimal": "NUMBER(18, 6)"},
    "clickhouse": {
        "string": "String",
        "timestamp": "DateTime64(6)",
        "date": "Date32",
        "int": "Int64",
        "float": "Float64",
        "decimal": "Decimal(18, 6)",
        "boolean": "Bool",
        "json": "String",
    },
}
DIALECTS = tuple(sorted(COLUMN_TYPES))


def create_table(table: Table, dialect: str = "duckdb", name: str = "", *, collation: str = "") -> str:
    """The CREATE TABLE statement of `table` for one of `DIALECTS`.

    name: overrides the table's own. collation: of texts, where the engine would not order them by code point.
    """
    lines = ",\n".join(f"  {_column(column, dialect, collation)}" for column in table.columns)
    ending = "\nENGINE = MergeTree ORDER BY tuple()" if dialect == "clickhouse" else ""
    return f"CREATE TABLE {name or table.name} (\n{lines}\n){ending}"


def _column(column: Column, dialect: str, collation: str) -> str:
    kind = COLUMN_TYPES[dialect][column.type]
    if collation and column.type in ("string", "json"):
        kind = f"{kind} COLLATE {collation}"
    if dialect == "clickhouse":
        return f"{column.name} {kind if column.required else f'Nullable({kind})'}"
    return f"{column.name} {kind}{' NOT NULL' if column.required else ''}"
