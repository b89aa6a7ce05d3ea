"""tieback diff."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.output import emit, emit_json, format_option, say
from tieback.cli.warehouse import published

if TYPE_CHECKING:
    from tieback.config import Settings
    from tieback.metrics.reports import Question
    from tieback.store import Published

_CONVERSIONS = ("conversion_id", "kind", "occurred_at", "change", "before", "after", "files")
_FACTS = ("received_at", "file", "table_name", "facts_added", "rows_refused")


@click.command("diff")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@click.option("--by", default="channel", show_default=True, help="Dimensions, separated by commas.")
@click.option("--model", default="", help="One model; by default, [report] model.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many conversions are listed."
)
@format_option
@click.pass_obj
def command(folder: Path, before: str, after: str, by: str, model: str, limit: int, form: str) -> None:
    """What changed in the numbers from one run to another, and which facts caused it.

    Runs are named as in `tieback runs`. First the metrics that differ; then the conversions behind that, with the files
    that brought facts about each; then all that was imported in between. JSON holds all three, CSV and Parquet the
    metrics alone.
    """
    from tieback.config import open_workspace
    from tieback.metrics import comparison

    workspace = open_workspace(folder)
    with published(workspace, after) as store, store.beside("before", before) as earlier:
        asked, changed = _question(workspace.settings, earlier, store, by, model)
        numbers, totals = comparison.numbers(earlier.rows, store.rows, asked)
        conversions = comparison.conversions(store.rows, asked.models[0], asked.decimals, limit)
        facts = comparison.facts(store.rows)
        runs = {"before": earlier.manifest.name, "after": store.manifest.name}
    columns = [*(dimension.name for dimension in asked.by), "model", "metric", "before", "after", "change"]
    if form == "json":
        parts = {"numbers": numbers, "totals": totals, "conversions": conversions, "facts": facts, "settings": changed}
        emit_json(runs | parts)
        return
    title = f"From run {runs['before']} to run {runs['after']}: what differs"
    named = [row | {columns[0]: "Total"} for row in totals] if form == "table" else []
    emit([*numbers, *named], form, columns=columns, title=title, show=_show)
    if form == "table":
        _print_causes(conversions, facts)
    if changed:
        say(f"These settings changed in between: {', '.join(changed)}.")
    if not numbers and not conversions:
        say("No number differs.")


def _question(
    settings: Settings, earlier: Published, later: Published, by: str, model: str
) -> tuple[Question, list[str]]:
    """What to ask of both runs, and the settings that changed from one to the other."""
    import msgspec

    from tieback import freshness
    from tieback.cli.finished_run import named_models
    from tieback.errors import UsageError
    from tieback.metrics import comparison
    from tieback.metrics.dimensions import dimensions
    from tieback.metrics.reports import Question

    was, now = (freshness.settings_of_last_run(run) for run in (earlier, later))
    if was.currency != now.currency:
        raise UsageError(
            f"Run {earlier.manifest.name} is in {was.currency}, run {later.manifest.name} in {now.currency}: "
            "their amounts cannot be compared."
        )
    models = named_models(model, now, settings)
    if len(models) != 1 or models[0] not in was.models:
        both = ", ".join(sorted({*was.models} & {*now.models}))
        raise UsageError(f"Name one model that both runs have. Known: {both}.")
    chosen = dimensions([name.strip() for name in by.split(",") if name.strip()])
    if any(dimension.group == "account" for dimension in chosen):
        raise UsageError("Runs are not compared by account attributes. Name other dimensions with --by.")
    plain = [msgspec.to_builtins(each) for each in (was, now)]
    return Question(by=chosen, models=models, decimals=now.decimals), comparison.settings_changed(*plain)


def _print_causes(conversions: list[dict[str, Any]], facts: list[dict[str, Any]]) -> None:
    if conversions:
        say("")
        told = [row | {"files": row["files"] or "(people, accounts or settings)"} for row in conversions]
        emit(told, "table", columns=_CONVERSIONS, title="Conversions behind it, the largest change first", show=_show)
    if facts:
        say("")
        emit(facts, "table", columns=_FACTS, title="Imported in between", show=_show)


def _show(_: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value}"
