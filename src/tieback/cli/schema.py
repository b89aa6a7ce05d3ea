"""tieback schema."""

from __future__ import annotations

import click

from tieback.cli.output import emit, format_option
from tieback.errors import UsageError, did_you_mean
from tieback.schema import TABLES


@click.command("schema")
@click.argument("table", required=False)
@format_option
def command(table: str | None, form: str) -> None:
    """The tables, their columns and their meaning."""
    if table is None:
        rows = [{"table": t.name, "kind": t.kind, "grain": t.grain, "meaning": t.meaning} for t in TABLES.values()]
        emit(rows, form)
        return
    if table not in TABLES:
        raise UsageError(f"There is no table {table!r}. {did_you_mean(table, TABLES)}")
    declared = TABLES[table]
    columns = [
        {
            "column": column.name,
            "type": column.type,
            "unit": column.unit,
            "key": column.name in declared.key,
            "required": column.required,
            "meaning": column.meaning,
        }
        for column in declared.columns
    ]
    title = f"{declared.name} ({declared.kind}): {declared.grain}\n{declared.meaning}"
    emit(
        columns,
        form,
        title=title,
        show=lambda _, value: ("yes" if value else "") if isinstance(value, bool) else str(value),
    )
