"""tieback doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tieback.cli.output import emit, format_option, say
from tieback.cli.warehouse import intake, opened
from tieback.errors import CheckError

if TYPE_CHECKING:
    from tieback.config import Workspace
    from tieback.metrics.health import Finding
    from tieback.store import Engine

_MARKS = {"ok": "ok", "note": "·", "warn": "look", "fault": "FAULT"}


@click.command("doctor")
@click.option(
    "--live", "url", metavar="URL", help="Walk the loop on a running site: arrive, browse, fill in a form, win a deal."
)
@format_option
@click.pass_obj
def command(folder: Path, url: str | None, form: str) -> None:
    """What is set up, fresh, matched and missing, each with its remedy.

    Ends with code 6 when something is at fault; what merely deserves a look does not change the code. Settings that
    could not run end it with code 3, as they end every command. With --live, what it sends to the site's collector is
    a robot's, and counts in no number.
    """
    from tieback import freshness
    from tieback.attribution.models import load
    from tieback.attribution.rulebook import rulebook
    from tieback.config import open_workspace
    from tieback.metrics.health import Finding, fact_findings, opinion_findings
    from tieback.store.engines import shown

    workspace = open_workspace(folder)
    settings = workspace.settings
    load(settings.models)
    rulebook(settings)
    if url:
        from tieback.cli.doctor_live import live_findings

        _tell(list(live_findings(workspace, url, say)), form)
        return
    findings = [Finding("settings", "ok", f"{settings.name}: {settings.currency}, {settings.time_zone}")]
    if settings.warehouse.url:
        findings.append(Finding("warehouse", "ok", shown(settings.warehouse.url)))
    with opened(workspace, read_only=True) as store:
        findings += fact_findings(store.rows, settings)
        findings += _at_the_door(workspace)
        findings += _kept_for_too_long(workspace, store)
        last = freshness.last_run(store)
        if last is None:
            findings.append(Finding("run", "fault", "nothing has been worked out yet", "Run `tieback run`."))
        else:
            stale = freshness.outdated(store, settings)
            late = Finding(
                "run", "warn", f"out of date since run {last.run_id}: {', '.join(stale)}", "Run `tieback run`."
            )
            findings.append(
                late if stale else Finding("run", "ok", f"run {last.run_id} of {last.finished_at} is up to date")
            )
            findings += opinion_findings(store.rows)
    _tell(findings, form)


def _tell(findings: list[Finding], form: str) -> None:
    from dataclasses import asdict

    rows = [asdict(finding) for finding in findings]
    emit(rows, form, show=lambda name, value: _MARKS[value] if name == "state" else value)
    faults = sum(finding.state == "fault" for finding in findings)
    if faults:
        raise CheckError(
            f"{faults} {'thing is' if faults == 1 else 'things are'} at fault; each has its remedy beside it."
        )


def _at_the_door(workspace: Workspace) -> list[Finding]:
    """What could not be taken in; where nothing was ever taken in here, there is no door yet."""
    from tieback.metrics.health import intake_findings

    if not workspace.intake.exists():
        return []
    with intake(workspace, read_only=True) as door:
        return intake_findings(door.rows)


def _kept_for_too_long(workspace: Workspace, store: Engine) -> list[Finding]:
    """Rows beyond [retention]."""
    from tieback.config import Retention
    from tieback.metrics.health import Finding
    from tieback.store import DuckDB
    from tieback.sync import now, retention

    kept = workspace.settings.retention
    if kept == Retention():
        return []
    if workspace.settings.warehouse.url:
        is_there = workspace.intake.exists()
        with intake(workspace, read_only=True) if is_there else DuckDB(None) as door:
            found = retention.expired(store, door, kept, now())
    else:
        assert isinstance(store, DuckDB)
        found = retention.expired(store, store, kept, now())
    if not found:
        return [Finding("retention", "ok", "no row is older than it may be")]
    told = ", ".join(f"{rows:,} of {name}" for name, rows in found.items())
    return [Finding("retention", "warn", f"rows that should be gone: {told}", "Run `tieback privacy prune`.")]
