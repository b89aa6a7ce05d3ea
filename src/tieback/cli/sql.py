"""tieback sql."""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli.warehouse import settings_of
from tieback.errors import UsageError, did_you_mean
from tieback.schema import TABLES
from tieback.schema.ddl import DIALECTS, create_table


@click.command("sql")
@click.argument("table")
@click.option("--dialect", default="duckdb", show_default=True, metavar="|".join(DIALECTS), help="Whose SQL to write.")
@click.pass_obj
def command(folder: Path, table: str, dialect: str) -> None:
    """The statement that builds a table, in the dialect of your warehouse.

    Facts and operations are created empty; opinions are built from them, under this workspace's settings
    (or the defaults, outside a workspace).
    """
    if dialect not in DIALECTS:
        raise UsageError(f"There is no dialect {dialect!r}. {did_you_mean(dialect, DIALECTS)}")
    if table not in TABLES:
        raise UsageError(f"There is no table {table!r}. {did_you_mean(table, TABLES)}")
    settings = settings_of(folder)
    if TABLES[table].kind != "opinion":
        click.echo(create_table(TABLES[table], dialect) + ";")
        return
    from tieback.pipeline import build
    from tieback.store.statements import Statements

    statements = Statements(dialect)
    build("people" if table == "link_cuts" else table, statements, settings)
    click.echo("\n\n".join(statements.written))
