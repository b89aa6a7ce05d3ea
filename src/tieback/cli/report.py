"""tieback report."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tieback.cli.finished_run import run_option
from tieback.cli.output import emit, format_option, say
from tieback.cli.warehouse import finished

if TYPE_CHECKING:
    from tieback.config import Settings
    from tieback.metrics.reports import Question
    from tieback.store import Engine

_ATTRIBUTES = "scratch_attributes"
_BY_ACCOUNT = "scratch_by_account"
_EPILOG = (
    "Examples: tieback report --by channel,month --model linear,last_touch · "
    "tieback report --by campaign --basis spend --from 2026-01-01 --to 2026-03-31 --sort roas"
)


@click.command("report", epilog=_EPILOG)
@click.option("--by", default="channel", show_default=True, help="Dimensions, separated by commas.")
@click.option(
    "--model", "models", default="", help="Models, separated by commas, or `all`; by default, [report] model."
)
@click.option("--from", "start", default="", metavar="DAY", help="First day, as 2026-01-31.")
@click.option("--to", "end", default="", metavar="DAY", help="Last day, included.")
@click.option(
    "--basis",
    type=click.Choice(["conversion", "touch", "spend"]),
    default="conversion",
    show_default=True,
    help="Whose day credit belongs to: the conversion's, the touch's, or the touch's where there is spend.",
)
@click.option("--metrics", default="", help="Metrics, separated by commas.")
@click.option("--sort", default="", metavar="NAME", help="Metric (largest first) or dimension; `-NAME` turns it round.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows for each model; totals are of all.")
@click.option(
    "--cohorts",
    "is_cohorts",
    is_flag=True,
    help="Revenue per lead by age, for the leads of each month; not with --basis, --metrics or --sort.",
)
@run_option
@format_option
@click.pass_obj
def command(
    folder: Path,
    by: str,
    models: str,
    start: str,
    end: str,
    basis: Any,
    metrics: str,
    sort: str,
    limit: int | None,
    is_cohorts: bool,
    run: str,
    form: str,
) -> None:
    """What each channel cost and earned, by model.

    Cost and revenue in one ratio cover the same days on the same basis, which the heading names. A row that rests on
    few conversions says so; what no touch could be credited with stands as Unattributed.
    """
    from tieback.cli.finished_run import named_models, settings_of_run
    from tieback.config import open_workspace
    from tieback.metrics.dimensions import dimensions
    from tieback.metrics.reports import Question

    if is_cohorts:
        _refuse_beside_cohorts("basis", "metrics", "sort")
    workspace = open_workspace(folder)
    chosen, first, last = dimensions(_names(by)), _day(start, "--from"), _day(end, "--to")
    _check_window(first, last)
    with finished(workspace, run) as store:
        settings = settings_of_run(store, workspace.settings)
        asked = Question(
            by=chosen,
            models=named_models(models, settings, workspace.settings),
            basis=basis,
            start=first,
            end=last,
            decimals=settings.decimals,
            few=settings.report.few_conversions,
        )
        if is_cohorts:
            _print_cohorts(store, asked, settings, limit, form)
        else:
            _print_report(store, asked, settings, _names(metrics), sort, limit, form)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _day(text: str, option: str) -> date | None:
    from tieback.errors import UsageError

    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a day. Write it as year-month-day, such as 2026-01-31.") from None


def _refuse_beside_cohorts(*options: str) -> None:
    from click.core import ParameterSource

    from tieback.errors import UsageError

    for option in options:
        if click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{option} means nothing beside --cohorts, which shows revenue per lead by age, month after month. "
                "Leave one of the two out."
            )


def _check_window(start: date | None, end: date | None) -> None:
    from tieback.errors import UsageError

    if start and end and start > end:
        raise UsageError(f"--from {start} comes after --to {end}. Swap them, or widen the window.")


def _print_report(
    store: Engine, asked: Question, settings: Settings, metrics: list[str], sort: str, limit: int | None, form: str
) -> None:
    from tieback.cli.report_rows import chosen_metrics, footnotes, heading, sorted_rows
    from tieback.cli.report_table import print_table, table_rows
    from tieback.metrics.reports import report

    chosen = chosen_metrics(metrics)
    table, attributes = _sources(store, asked)
    answer = report(store.rows, asked, table, attributes)
    rows, hidden = sorted_rows(answer, asked, settings.currency, chosen, sort, limit)
    columns = [*(dimension.name for dimension in asked.by), "model", "currency", *chosen, "note"]
    if form == "table":
        shown = table_rows(rows, answer, asked, settings.currency, chosen, fixed=bool(metrics))
        print_table(shown.rows, shown.columns, heading(answer, asked, settings), spared=shown.spared)
    else:
        emit(rows, form, columns=columns)
        say(heading(answer, asked, settings))
    for note in footnotes(answer, asked, settings, hidden):
        say(note)


def _print_cohorts(store: Engine, asked: Question, settings: Settings, limit: int | None, form: str) -> None:
    from tieback.cli.cohort_rows import (
        SPARED,
        cohort_columns,
        cohort_footnotes,
        cohort_heading,
        cohort_rows,
        show_cohort,
    )
    from tieback.cli.report_table import print_table
    from tieback.metrics.cohorts import cohorts

    _, attributes = _sources(store, asked)
    answer = cohorts(store.rows, asked, attributes)
    rows, columns, hidden = cohort_rows(answer, asked, settings.currency, limit)
    title = cohort_heading(answer, asked, settings)
    if form == "table":
        print_table(rows, cohort_columns(columns, asked), title, show_cohort, SPARED)
    else:
        emit(rows, form, columns=columns)
        say(title)
    for note in cohort_footnotes(answer, settings, hidden):
        say(note)


def _sources(store: Engine, asked: Question) -> tuple[str, str]:
    """The table to add up, and that of the account attributes; by account, credit is added up anew."""
    if not any(dimension.group == "account" for dimension in asked.by):
        return "performance", ""
    import ibis

    from tieback.metrics.accounts import ATTRIBUTES, account_attributes
    from tieback.metrics.performance import BASES, celled, cells, credit_lines, earned, sold_by_steps
    from tieback.schema import FACTS, OPINIONS
    from tieback.schema.facts import ACCOUNTS
    from tieback.schema.relations import current, relations

    at = relations((*FACTS, *OPINIONS))
    attributes = store.scratch(
        "attributes", account_attributes(at.conversions, at.people, current(at.accounts, ACCOUNTS))
    )
    credit = at.credits.filter(at.credits.model.isin(asked.models))
    kept = [column for column in at.conversions.columns if column not in ATTRIBUTES]
    conversions = at.conversions.select(*kept).left_join(attributes, "conversion_id")
    conversions = conversions.select(*kept, *ATTRIBUTES)
    named = store.scratch("cells", cells(at.touchpoints))
    touches = store.scratch("celled", celled(at.touchpoints.semi_join(credit, "touch_id"), named))
    sold = sold_by_steps(store, conversions, at.journeys, ATTRIBUTES)
    lines = store.scratch("lines", credit_lines(credit, touches, *sold, ATTRIBUTES))
    rows = (earned(lines, named, at.costs, basis, ATTRIBUTES) for basis in BASES)
    store.scratch("by_account", ibis.union(*rows))
    return _BY_ACCOUNT, _ATTRIBUTES
