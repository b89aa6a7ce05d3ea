"""tieback reconcile."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tieback.cli.finished_run import run_option
from tieback.cli.output import emit, format_option, say
from tieback.cli.warehouse import finished

_COLUMNS = ("model", "revenue", "credited", "unattributed", "difference")


@click.command("reconcile")
@run_option
@format_option
@click.pass_obj
def command(folder: Path, run: str, form: str) -> None:
    """Show that credit adds up to revenue, to the cent.

    For every model: revenue = credited + unattributed + difference. Each conversion and each roll-up is
    checked as well. Ends with code 6 when anything does not add up.
    """
    from tieback.cli.finished_run import settings_of_run
    from tieback.config import open_workspace
    from tieback.errors import CheckError
    from tieback.metrics.reconciliation import reconciliation

    workspace = open_workspace(folder)
    with finished(workspace, run) as store:
        settings = settings_of_run(store, workspace.settings)
        found = reconciliation(store.rows, tuple(settings.models), settings.decimals)
    emit(
        [asdict(account) for account in found.models],
        form,
        columns=_COLUMNS,
        title=f"Revenue and credit · all data · {settings.currency}",
        show=_show,
    )
    if found.faults:
        raise CheckError(
            f"The numbers do not add up. {'. '.join(found.faults)}. Rebuild them with `tieback run --full`; "
            "if that does not mend it, it is a fault of tieback: please report it."
        )
    say("Everything adds up: each conversion, each model, and performance by day of conversion and of touch.")


def _show(_: str, value: Any) -> str:
    return f"{value:,}" if isinstance(value, Decimal) else str(value)
