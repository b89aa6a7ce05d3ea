"""tieback explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.finished_run import run_option
from tieback.cli.output import emit, emit_json, format_option, printable
from tieback.cli.warehouse import finished

if TYPE_CHECKING:
    from tieback.config import Settings
    from tieback.metrics.explanation import Explanation
    from tieback.store import Engine

_COLUMNS = (
    *("touch_id", "occurred_at", "channel", "campaign", "included", "reason", "model", "share", "value"),
    "conversion_id",
)


@click.command("explain")
@click.argument("wanted", metavar="CONVERSION_OR_DEAL_ID")
@click.option("--model", "models", default="", help="Only these models, separated by commas; all unless told.")
@run_option
@format_option
@click.pass_obj
def command(folder: Path, wanted: str, models: str, run: str, form: str) -> None:
    """Why each touch of a deal got its credit, to the cent.

    Every touch of the people behind the conversion, in order of time, in or out with the reason; and each model's
    shares with their arithmetic. A deal's id explains the conversion that earned its revenue, or else its furthest
    stage.
    """
    from tieback.cli.finished_run import named_models, settings_of_run
    from tieback.config import open_workspace
    from tieback.metrics.explanation import document
    from tieback.metrics.story import story

    workspace = open_workspace(folder)
    with finished(workspace, run) as store:
        settings = settings_of_run(store, workspace.settings)
        chosen = named_models(models or "all", settings, workspace.settings)
        found = explained(store, settings, wanted, chosen)
    if form == "json":
        emit_json(document(found))
    elif form == "table":
        click.echo("\n".join(printable(line) for line in story(found, settings.time_zone)))
    else:
        emit(_rows(found), form, columns=_COLUMNS)


def explained(store: Engine, settings: Settings, wanted: str, models: tuple[str, ...]) -> Explanation:
    """The explanation of the conversion that `wanted` means, by the rule that made the journeys.

    Raises UsageError when there is none.
    """
    from tieback.attribution import candidates, members
    from tieback.metrics.explanation import explanation
    from tieback.metrics.lookup import find
    from tieback.schema import FACTS, OPINIONS
    from tieback.schema.relations import relations

    meant = find(store.rows, wanted)
    conversion_id = meant.conversion["conversion_id"]
    at = relations((*FACTS, *OPINIONS))
    ids = {conversion_id, meant.conversion["journey_id"]} - {None}
    conversions = at.conversions.filter(at.conversions.conversion_id.isin(sorted(ids)))
    met = candidates(at.touchpoints, conversions, members(conversions, at.people, at.deal_contacts), settings)
    store.scratch("candidates", met.filter(met.conversion_id == conversion_id))
    return explanation(
        meant.conversion,
        store.rows(_TOUCHES),
        store.rows(_CREDITS.format(marks=", ".join("?" for _ in models)), [conversion_id, *models]),
        models=models,
        base_currency=settings.currency,
        decimals=settings.decimals,
        others=meant.others,
    )


def _rows(found: Explanation) -> list[dict[str, Any]]:
    """One row for each touch and model that credited it (or none did), and for what stayed unattributed."""
    rows = []
    for touch in found.touches:
        facts = {name: getattr(touch, name) for name in _COLUMNS[:6]}
        for model, credit in touch.credits.items() or [(None, None)]:
            earned = {"model": model, "share": credit.share, "value": credit.value} if credit else {}
            rows.append(facts | earned)
    for model, credit in found.unattributed.items():
        rows.append({"channel": "Unattributed", "model": model, "share": credit.share, "value": credit.value})
    return [row | {"conversion_id": found.conversion["conversion_id"]} for row in rows]


_TOUCHES = """
SELECT c.touch_id, c.occurred_at, c.kind, c.channel, c.person_id, c.seconds_before, c.reason, t.campaign, d.file
FROM scratch_candidates c
JOIN touchpoints t ON t.touch_id = c.touch_id
LEFT JOIN deliveries d ON d.delivery_id = t.origin
ORDER BY c.occurred_at, c.touch_id
"""
_CREDITS = "SELECT * FROM credits WHERE conversion_id = ? AND model IN ({marks})"
