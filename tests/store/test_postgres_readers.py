"""Whatever the command line reads, it reads alike on Postgres and DuckDB."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.engines.many import demo_facts
from tests.postgres_server import new_schema, server
from tieback.cli.explain import explained
from tieback.config import Settings
from tieback.metrics.cohorts import cohorts
from tieback.metrics.dimensions import DIMENSIONS
from tieback.metrics.health import fact_findings, opinion_findings
from tieback.metrics.lookup import find
from tieback.metrics.reconciliation import reconciliation
from tieback.metrics.reports import BASES, Question, report
from tieback.pipeline import refresh
from tieback.schema import TABLES
from tieback.store import DuckDB

pytest.importorskip("psycopg", reason="psycopg")
from tieback.store.postgres import opened

_FRACTION = re.compile(r"(?<![\w'.-])-?\d+\.\d+(?:e-?\d+)?")  # money, as Decimal('1.00'), is none
MODELS = ("linear", "last_touch")
SETTINGS = Settings()


def reports(store: Any) -> list[Any]:
    """By every dimension that needs no accounts, on every basis."""
    by = [dimension for dimension in DIMENSIONS.values() if dimension.group != "account"]
    return [report(store.rows, Question((dimension,), MODELS, basis)) for dimension in by for basis in BASES]


def explanations(store: Any) -> list[Any]:
    """Of the first conversions by id."""
    ids = store.rows("SELECT conversion_id FROM conversions ORDER BY conversion_id LIMIT 5")
    return [
        (find(store.rows, row["conversion_id"]), explained(store, SETTINGS, row["conversion_id"], MODELS))
        for row in ids
    ]


READERS: list[Callable[[Any], Any]] = [
    reports,
    explanations,
    lambda store: cohorts(store.rows, Question((DIMENSIONS["channel"],), MODELS)),
    lambda store: reconciliation(store.rows, MODELS, 2),
    lambda store: fact_findings(store.rows, SETTINGS),
    lambda store: opinion_findings(store.rows),
]


def test_every_reader_gives_the_same() -> None:
    """Reports, cohorts, explanations, look-ups, reconciliation and what doctor finds, over the demo company."""
    with DuckDB(None) as one, opened(server().url(new_schema())) as other:
        for store in (one, other):
            for name, rows in demo_facts(300).items():
                store.load(TABLES[name], rows)
            refresh(store, SETTINGS)
        for number, reader in enumerate(READERS):
            (said, numbers), (expected, their_numbers) = _parted(reader(other)), _parted(reader(one))
            assert said == expected, number
            assert numbers == pytest.approx(their_numbers, rel=1e-9, abs=1e-9), number


def _parted(answer: Any) -> tuple[str, list[float]]:
    """What an answer says without its fractions, whose last digit hangs on the order they were added in; and those."""
    parts = answer if isinstance(answer, list) else [answer]
    lines = [sorted(map(repr, part.lines)) if hasattr(part, "lines") else repr(part) for part in parts]
    text = repr(lines)
    return _FRACTION.sub("…", text), [float(number) for number in _FRACTION.findall(text)]
