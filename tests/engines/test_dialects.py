"""What is compiled for engines that nobody here runs: every statement of the pipeline is read back without loss."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
import sqlglot
import sqlglot.expressions as sge
from sqlglot.tokens import TokenType

from tieback.config import settings_from
from tieback.pipeline import build
from tieback.schema import OPINIONS
from tieback.schema.ddl import DIALECTS
from tieback.store.compiler import compiler_dialect
from tieback.store.statements import Statements

RICH = settings_from(
    """
    currency = "EUR"
    time_zone = "Europe/Berlin"
    [[channels]]
    channel = "Podcast"
    source = "pod.*"
    [conversions.signup]
    source = "events"
    event = "signup"
    value = "5"
    is_revenue = true
    [exclude]
    email_domains = ["*.acme.com"]
    anonymous_ids = ["office-*"]
    [touches.lookback_days]
    call = 30
    """
)


@cache
def statements(stage: str, dialect: str) -> tuple[str, ...]:
    """The statements of a stage, comments left out."""
    engine = Statements(dialect)
    build(stage, engine, RICH)
    text = "\n".join(line for line in "\n".join(engine.written).splitlines() if not line.startswith("--"))
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stage", [table.name for table in OPINIONS if table.name != "link_cuts"])
def test_every_statement_is_read_back_without_loss(stage: str, dialect: str) -> None:
    """A parser of the dialect makes the same tree of what was written, knows every word of it, and writes it alike."""
    written_in = compiler_dialect(dialect)
    for sql in statements(stage, dialect):
        sql = re.sub(r"^INSERT INTO \w+\n", "", sql)  # one dialect writes WITH before it, and reads it in either place
        tree = sqlglot.parse_one(sql, read=written_in)
        assert not list(tree.find_all(sge.Command)), sql
        again = tree.sql(dialect=written_in)
        assert sqlglot.parse_one(again, read=written_in) == tree
        assert _words(again, written_in) == _words(sql, written_in)


def _words(sql: str, dialect: Any) -> Counter[str]:
    """Every name and text of a statement; types and operators may come back as a synonym, a default as none."""
    return Counter(token.text for token in sqlglot.tokenize(sql, read=dialect) if token.token_type in _TELLING)


_TELLING = (TokenType.IDENTIFIER, TokenType.STRING)


def test_there_is_something_to_read() -> None:
    """Every stage is at least one statement."""
    assert all(statements(table.name, "bigquery") for table in OPINIONS if table.name != "link_cuts")
