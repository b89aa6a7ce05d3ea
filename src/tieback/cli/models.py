"""tieback models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tieback.cli.output import console, emit, format_option
from tieback.cli.warehouse import settings_of
from tieback.errors import UsageError, did_you_mean


@click.command("models")
@click.argument("model", required=False)
@format_option
@click.pass_obj
def command(folder: Path, model: str | None, form: str) -> None:
    """The attribution models at hand.

    With MODEL, its card: what it assumes, when it misleads, its formula and its source. In a workspace, says which
    models run there and with which parameters; elsewhere, those of a new workspace.
    """
    rows = _rows(folder)
    if model is None:
        emit(rows, form)
        return
    chosen = [row for row in rows if row["model"] == model]
    if not chosen:
        raise UsageError(f"There is no model {model!r}. {did_you_mean(model, [row['model'] for row in rows])}")
    from tieback.attribution.models import card, types

    text = card(types()[chosen[0]["type"]])
    if form == "table":
        console().print(f"{model}  {chosen[0]['parameters']}\n\n{text}", markup=False)
    else:
        emit([{**chosen[0], "card": text}], form)


def _rows(folder: Path) -> list[dict[str, Any]]:
    """One row for each model that runs, then for each that could."""
    from dataclasses import fields

    from tieback.attribution.models import card, load, types

    enabled = load(settings_of(folder).models)
    kinds = {kind: name for name, kind in types().items()}
    at_hand = {**enabled, **{name: kind() for name, kind in types().items() if name not in enabled}}
    return [
        {
            "model": name,
            "type": kinds[type(model)],
            "enabled": name in enabled,
            "parameters": ", ".join(f"{each.name} = {_shown(getattr(model, each.name))}" for each in fields(model)),
            "meaning": card(type(model)).splitlines()[0],
        }
        for name, model in at_hand.items()
    ]


def _shown(value: Any) -> str:
    """A parameter as tieback.toml writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {item:g}' for key, item in value.items()) + " }" if value else "{}"
    return f"{value:g}" if isinstance(value, float) else str(value)
