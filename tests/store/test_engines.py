"""Engines are found by their URL's scheme, and no error gives a password away."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tieback.errors import ConfigError, TiebackError, WorkspaceError
from tieback.store import DuckDB, Engine, open_engine
from tieback.store import engines as engines_module
from tieback.store.engines import resolved, shown


def test_a_duckdb_file_elsewhere_is_an_engine(tmp_path: Path) -> None:
    """It is made when it is missing, and holds what it was given."""
    url = f"duckdb://{tmp_path}/there.duckdb?memory=300MB"
    with open_engine(url, {}) as store:
        assert isinstance(store, DuckDB)
        assert store.rows("SELECT current_setting('memory_limit') AS held")[0]["held"] == "286.1 MiB"
    with open_engine(url, {}, read_only=True) as store, pytest.raises(TiebackError), store.transaction():
        store.make(engines_tables())


def engines_tables() -> object:
    """Any table."""
    from tieback.schema import TABLES

    return TABLES["events"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("duckdb://relative.duckdb", "whole path"),
        ("duckdb:///no/such/folder/file.duckdb", "no folder /no/such/folder"),
        ("duckdb:///tmp/x.duckdb?threads=2", "takes no 'threads'"),
        ("duckbd:///tmp/x.duckdb", "Did you mean 'duckdb'"),
        ("nonsense", "No engine is called 'nonsense'"),
        ("", "No engine is called ''"),
    ],
)
def test_a_url_that_leads_nowhere_is_told(url: str, told: str) -> None:
    """What is wrong with it, in a sentence."""
    with pytest.raises(ConfigError, match=told):
        open_engine(url, {})


def test_variables_stand_for_the_whole_url_or_a_part_of_it() -> None:
    """A password may hold any sign; a host, a port or a whole URL is taken as it is."""
    variables = {"PASSWORD": "p@ss/w:rd", "HOST": "db.example:5432", "URL": "postgresql://me:x@db/y"}
    assert resolved("postgresql://me:${PASSWORD}@${HOST}/y", variables) == (
        "postgresql://me:p%40ss%2Fw%3Ard@db.example:5432/y"
    )
    assert resolved("${URL}", variables) == "postgresql://me:x@db/y"
    with pytest.raises(ConfigError, match="environment variable NO_SUCH,"):
        resolved("postgresql://me:${NO_SUCH}@db/y", variables)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:secret@db:5432/y", "postgresql://me:***@db:5432/y"),
        ("postgresql://me:sec@ret@db/y", "postgresql://me:***@db/y"),
        ("clickhouse://db/y?user=me&password=secret&secure=1", "clickhouse://db/y?user=me&password=***&secure=1"),
        ("sc://host:15002/;token=abc;x=1", "sc://host:15002/;token=***;x=1"),
        ("postgresql://me:${PASSWORD}@db/y", "postgresql://me:***@db/y"),
        ("duckdb:///srv/x.duckdb", "duckdb:///srv/x.duckdb"),
        ("local[2]", "local[2]"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, told: str) -> None:
    """Wherever it stands in it."""
    assert shown(url) == told


def failing(url: str, *, read_only: bool = False) -> Engine:
    """An engine that cannot be reached, and says too much about it."""
    raise WorkspaceError(f"cannot reach {url} with p@ss and p%40ss")


def points(value: str) -> object:
    """Entry points of which one has the scheme `here`."""
    return lambda group: [EntryPoint("here", value, group)]


def test_an_engines_own_errors_hide_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands in the URL, and as it is meant; whatever came from the environment, too."""
    monkeypatch.setattr(engines_module, "entry_points", points(f"{__name__}:failing"))
    monkeypatch.setattr(EntryPoint, "load", lambda self: failing)
    with pytest.raises(WorkspaceError) as told:
        open_engine("here://me:${PASSWORD}@db/y?token=abc", {"PASSWORD": "p@ss"})
    assert str(told.value) == "cannot reach here://me:***@db/y?token=*** with *** and ***"
    assert told.value.__cause__ is None


def test_an_engine_whose_extra_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra stands behind the entry point."""
    monkeypatch.setattr(engines_module, "entry_points", points("no_such_driver:opened [here]"))
    with pytest.raises(ConfigError, match=r'no_such_driver is missing.*pip install "tieback\[here\]"'):
        open_engine("here://db", {})
