"""Write the reference pages that are made from the code: tables, commands, settings.

`make docs` runs it; a test fails when a page is not what the code says now.
"""

from __future__ import annotations

from pathlib import Path

import click

from tieback.cli import COMMANDS, group
from tieback.cli.init import commented_settings
from tieback.schema import TABLES, Table

HERE = Path(__file__).parent
MADE = "<!-- Made from the code by docs/reference/generate.py. -->"


def pages() -> dict[Path, str]:
    """Each made page's path and text."""
    return {
        HERE / "tables.md": _tables(),
        HERE / "commands.md": _commands(),
        HERE / "settings.md": _settings(),
    }


def _tables() -> str:
    parts = [
        "# Tables",
        MADE,
        "*Facts* are what was observed; they are never rewritten. *Opinions* are worked out from facts and can always "
        "be rebuilt. *Operations* are what a workspace remembers about its own work. Instants are UTC; a column that "
        "ends in `_minor` holds whole minor units (cents) of the base currency. `tieback schema TABLE` shows the same.",
        *(_table(table) for table in TABLES.values()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    about = f"*{table.kind}* · one row is {table.grain} · key: {', '.join(table.key)}"
    head = f"## {table.name}\n\n{table.meaning}\n\n{about}"
    rows = []
    for column in table.columns:
        kind = column.type if column.required else f"{column.type}, may be empty"
        rows.append(f"| `{column.name}` | {kind} | {column.unit} | {column.meaning} |")
    return "\n".join([head, "", "| column | type | unit | meaning |", "|---|---|---|---|", *rows])


def _commands() -> str:
    parts = [
        "# Commands",
        MADE,
        "Data goes to stdout, talk to stderr. `-w DIR` names the workspace's folder; without it, the current one. "
        "`NO_COLOR` turns colours off.",
        "| exit code | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed |\n| 2 | wrong usage |\n| 3 | configuration |\n"
        "| 4 | input |\n| 5 | workspace missing, locked or full |\n| 6 | a check did not hold |\n| 130 | interrupted |",
    ]
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        parts += _help(command, f"tieback {name}")
    return "\n\n".join(parts) + "\n"


def _help(command: click.Command, path: str) -> list[str]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    parts = [f"## {path}", f"```text\n{command.get_help(context).rstrip()}\n```"]
    for name, child in sorted(getattr(command, "commands", {}).items()):
        parts += _help(child, f"{path} {name}")
    return parts


def _settings() -> str:
    text = commented_settings("acme", "EUR", "Europe/Berlin")
    return (
        f"# Settings\n\n{MADE}\n\nA workspace is a folder with a `tieback.toml`. `tieback init` writes this one:\n\n"
        f"```toml\n{text}```\n"
    )


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
