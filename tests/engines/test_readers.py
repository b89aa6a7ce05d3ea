"""Readers give the same answers on every engine: reports, cohorts, explanations, lookups, reconciliation, doctor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.engines.many import demo_facts
from tests.engines.same import CLOSE
from tieback import freshness
from tieback.cli.explain import explained
from tieback.cli.report import _sources
from tieback.config import Settings
from tieback.errors import UsageError
from tieback.metrics.cohorts import cohorts
from tieback.metrics.dimensions import DIMENSIONS, dimensions
from tieback.metrics.health import fact_findings, opinion_findings
from tieback.metrics.lookup import find
from tieback.metrics.reconciliation import reconciliation
from tieback.metrics.reports import BASES, Question, report
from tieback.pipeline import refresh
from tieback.schema import OPERATIONS, OPINIONS, TABLES
from tieback.store import DuckDB, Engine

SETTINGS = Settings()
MODELS = ("linear", "last_touch")
SPRING: dict[str, Any] = {"start": date(2026, 2, 1), "end": date(2026, 5, 31)}


@cache
def held() -> dict[str, Any]:
    """Every table of a finished run over the demo company, as Arrow."""
    with DuckDB(None) as store:
        with store.transaction():
            for name, rows in demo_facts(400).items():
                store.load(TABLES[name], rows)
        refresh(store, SETTINGS)
        kept = (*OPINIONS, *(table for table in OPERATIONS if table.name != "workspace"))
        tables = {table.name: store.query(f"SELECT * FROM {table.name}") for table in kept}
        return {**demo_facts(400), **tables}


def fill(engine: Engine) -> None:
    """Bring the run in, facts and all."""
    with engine.transaction():
        for table in OPINIONS:
            engine.make(table)
        for name, rows in held().items():
            engine.load(TABLES[name], rows)


def asked(by: str, **more: Any) -> Question:
    """A question by these dimensions."""
    return Question(by=dimensions(by.split(",") if by else ()), models=MODELS, **more)


def reports(engine: Engine) -> Any:
    """Every dimension by every basis, and a window."""
    questions = [asked(by, basis=basis) for by in ("", *DIMENSIONS) for basis in BASES]
    questions += [asked("month,channel", **SPRING), asked("channel,campaign", basis="spend", **SPRING)]
    return [_report(engine, question) for question in questions]


def _report(engine: Engine, question: Question) -> Any:
    answer = asdict(report(engine.rows, question, *_sources(engine, question)))
    return {**answer, "lines": _sorted(answer["lines"], "key", "model")}


def all_cohorts(engine: Engine) -> Any:
    """By month alone, by channel and by an attribute of the account."""
    questions = [asked(by, **window) for by in ("", "channel", "account_industry") for window in ({}, SPRING)]
    return [asdict(cohorts(engine.rows, question, _sources(engine, question)[1])) for question in questions]


def explanations(engine: Engine) -> Any:
    """Conversions of each kind, and a deal by its own id."""
    found = engine.rows("SELECT kind, min(conversion_id) AS one, min(deal_id) AS deal FROM conversions GROUP BY kind")
    wanted = sorted({name for row in found for name in (row["one"], row["deal"]) if name})
    return [asdict(explained(engine, SETTINGS, name, MODELS)) for name in wanted]


def lookups(engine: Engine) -> Any:
    """What is said of ids that are none, and of one that is close to one."""
    one = engine.rows("SELECT min(conversion_id) AS id FROM conversions")[0]["id"]
    return [_refusal(engine, wanted) for wanted in ("nothing like it", one[:-1], one + "x", "")]


def _refusal(engine: Engine, wanted: str) -> str:
    with pytest.raises(UsageError) as refused:
        find(engine.rows, wanted)
    return str(refused.value)


def accounts(engine: Engine) -> Any:
    """Credit held against revenue; and after a cent was lost, what is wrong."""
    sound = asdict(reconciliation(engine.rows, MODELS, 2))
    with engine.transaction():
        engine.load(TABLES["credits"], _one_with_revenue())
    return sound, asdict(reconciliation(engine.rows, MODELS, 2))


def _one_with_revenue() -> pa.Table:
    """One credit; which comes first in the table is the engine's choice, and many are for leads, worth nothing."""
    credits = held()["credits"]
    return credits.filter(pc.greater(credits["value_minor"], 0)).slice(0, 1)


def health(engine: Engine) -> Any:
    """All findings of `tieback doctor`."""
    return [asdict(one) for one in (*fact_findings(engine.rows, SETTINGS), *opinion_findings(engine.rows))]


def runs(engine: Engine) -> Any:
    """What is known of the last run."""
    return [freshness.built_from(engine), freshness.last_run(engine), freshness.fingerprints(engine, SETTINGS)]


# `accounts` adds a row, so it comes last.
READERS: tuple[Callable[[Engine], Any], ...] = (
    *(reports, all_cohorts, explanations, lookups, health, runs),
    accounts,
)


@cache
def expected() -> dict[str, Any]:
    """The answers on DuckDB."""
    with DuckDB(None) as store:
        fill(store)
        return {reader.__name__: reader(store) for reader in READERS}


def test_every_reader(engine: Engine) -> None:
    """Equal texts, days and cents, and fractions to 1e-9."""
    fill(engine)
    for reader in READERS:
        _assert_equal(reader(engine), expected()[reader.__name__], reader.__name__)


def test_the_answers_are_worth_comparing() -> None:
    """Equal is not equally empty."""
    found = expected()
    assert sum(bool(answer["lines"]) for answer in found["reports"]) > 40
    assert sum(bool(answer["cohorts"]) for answer in found["all_cohorts"]) > 4
    assert len(found["explanations"]) > 3
    assert any(not one["included"] for answer in found["explanations"] for one in answer["touches"])
    assert not found["accounts"][0]["faults"]
    assert found["accounts"][1]["faults"]
    assert len({one["check"] for one in found["health"]}) > 5


def _assert_equal(mine: Any, theirs: Any, at: str) -> None:
    """Fail with the place where two answers part."""
    if isinstance(theirs, dict):
        assert mine.keys() == theirs.keys(), at
        for key in theirs:
            _assert_equal(mine[key], theirs[key], f"{at}.{key}")
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), f"{at}: {mine} and {theirs}"
        for place, pair in enumerate(zip(mine, theirs, strict=True)):
            _assert_equal(*pair, f"{at}[{place}]")
    elif isinstance(theirs, float):
        assert isinstance(mine, float), at
        assert abs(mine - theirs) <= CLOSE * max(1.0, abs(theirs)), f"{at}: {mine} and {theirs}"
    else:
        assert type(mine) is type(theirs), f"{at}: {mine!r} and {theirs!r}"
        assert mine == theirs, at


def _sorted(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str([row[name] for name in names]))
