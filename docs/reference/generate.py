"""Write the reference pages that are made from the code: tables, commands, settings, models, metrics.

`make docs` runs it; a test fails when a page is not what the code says now.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import click

from tieback.attribution.models import Model, card, types
from tieback.cli import COMMANDS, group
from tieback.cli.init import commented_settings
from tieback.collect.openapi import document
from tieback.metrics.cohorts import AGES
from tieback.metrics.dimensions import DIMENSIONS
from tieback.metrics.measures import METRICS, Metric
from tieback.schema import TABLES, Table

HERE = Path(__file__).parent
MADE = "<!-- Made from the code by docs/reference/generate.py. -->"

_MODELS_HEAD = """\
# Attribution models

A model says how much each touch of a journey weighs. tieback does the rest alike for all: [windows, shares and
cents](../explanation/credit.md). `tieback models` lists them with the parameters your workspace gives them, and
`tieback models NAME` shows a card. This page is made from the code.

`[models.NAME]` in `tieback.toml` runs a model; `type` runs one rule under another name, with parameters of its own:

```toml
[models.linear]

[models.sixty_forty]
type = "position_based"
first = 0.6
last = 0.4
```
"""
_PARTS = ("Assumes", "Misleads", "Formula", "Source")

_METRICS_HEAD = """\
# Metrics and dimensions

Every number of `tieback report` is worked out by one function from sums of the table `performance`.
Money is in the workspace's base currency. Where a divisor is zero the metric is undefined: a dash in a table,
`null` in JSON. Which day a number belongs to is the [date basis](../explanation/date-basis.md); a ratio has one only.
This page is made from the code.

## Metrics
"""

_UNITS = {
    "money": "base currency",
    "count": "number (by share of credit, so not always whole)",
    "ratio": "ratio (0.25 is 25 %)",
    "days": "days",
}

_DIMENSIONS = """\
## Dimensions

Any mix of them, as in `--by channel,month`.

| name | meaning |
|---|---|
"""

_COHORTS = """\
## Revenue per lead by age of cohort

`tieback report --cohorts` groups leads by the month in which they came. For each cohort it shows the leads and what one
of them has brought in by the age of {ages} and {last} days, and to date.

- Formula: revenue of the cohort's leads up to that age ÷ leads of the cohort
- Unit: base currency
- Misleads: leads and revenue are each credited to their own touches, so a channel that starts leads and another that
  closes them share out differently; a cell stays empty until the youngest lead of the cohort has reached that age.
"""


def pages() -> dict[Path, str]:
    """Each made page's path and text."""
    return {
        HERE / "tables.md": _tables(),
        HERE / "commands.md": _commands(),
        HERE / "settings.md": _settings(),
        HERE / "models.md": _models(),
        HERE / "metrics.md": _metrics(),
        HERE / "openapi.json": json.dumps(document(), indent=1, ensure_ascii=False) + "\n",
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
        "`NO_COLOR` turns colours off. The table of `tieback report` is at most 100 columns wide, or as wide as the "
        "terminal (or `COLUMNS`): names are shortened in the middle, then metrics left out, unless `--metrics` asks "
        "for them. What would steer a terminal stands in tables as an escape, such as `\\x1b`; other formats keep it.",
        "| exit code | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed |\n| 2 | wrong usage |\n| 3 | configuration |\n"
        "| 4 | input |\n| 5 | workspace missing, locked or full |\n| 6 | a check did not hold |\n"
        "| 130 | interrupted |\n| 141 | the reader of the output went away, as in `tieback report \\| head -1` |",
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


def _models() -> str:
    return "\n".join([_MODELS_HEAD, *(_model(name, kind) for name, kind in types().items())])


def _model(name: str, kind: type[Model]) -> str:
    text = card(kind)
    for part in _PARTS:
        text = text.replace(f"\n{part}: ", f"\n\n**{part}:** ", 1).replace("\n\n\n", "\n\n")
    parameters = ", ".join(f"`{field.name} = {_default(field)}`" for field in dataclasses.fields(kind))
    return f"## {name}\n\n{text}\n\n**Parameters:** {parameters or 'none'}\n"


def _default(field: dataclasses.Field[Any]) -> str:
    return "{}" if field.default is dataclasses.MISSING else f"{field.default:g}"


def _metrics() -> str:
    dimensions = "\n".join(f"| `{dimension.name}` | {dimension.meaning} |" for dimension in DIMENSIONS.values())
    return "\n".join(
        [
            _METRICS_HEAD,
            *(_metric(metric) for metric in METRICS.values()),
            _COHORTS.format(ages=", ".join(map(str, AGES[:-1])), last=AGES[-1]),
            _DIMENSIONS + dimensions + "\n",
        ]
    )


def _metric(metric: Metric) -> str:
    meaning, _, rest = inspect.cleandoc(metric.of.__doc__ or "").partition("\n\n")
    formula, _, misleads = rest.partition("Misleads: ")
    lines = [
        f"### {metric.name}",
        "",
        " ".join(meaning.split()),
        "",
        f"- Formula: {' '.join(formula.removeprefix('Formula: ').split())}",
        f"- Unit: {_UNITS[metric.unit] if metric.by_account else _UNITS[metric.unit].partition(' (by share')[0]}",
        f"- Misleads: {' '.join(misleads.split())}",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
