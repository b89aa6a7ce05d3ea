"""The engines that the kit holds: a file on_NAME.py each, with `fresh()` and its gaps.

fresh: a context that gives an empty warehouse of that engine, with the tables of facts and operations made.
GAPS: tests of the kit that the engine does not pass, by their names, each with `notimpl:` (not written yet), `notyet:`
(the engine cannot do it yet) or `never:` and the reason. A gap that has closed is a failure.
NEEDS: the packages without which it is not run. SLOW: files and tests of the kit that take it too long for every day.
SERVER: the engine whose server it shares.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tieback.store import Engine

WHOLE = "ENGINES_WHOLE" in os.environ
NAMES = sorted(path.stem.removeprefix("on_") for path in Path(__file__).parent.glob("on_*.py"))


def on(name: str) -> ModuleType:
    """What the kit must know of an engine."""
    return importlib.import_module(f"tests.engines.on_{name}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hold every engine; those tests that one is too slow for wait for `make engines-whole`."""
    if "engine" in metafunc.fixturenames:
        file = metafunc.module.__name__.rpartition(".")[2]
        itself = {file, metafunc.function.__name__}
        slow = {name for name in NAMES if itself & set(getattr(on(name), "SLOW", ()))}
        chosen = [name for name in NAMES if WHOLE or name not in slow]
        # One server of each kind, not one a worker.
        marks = {name: pytest.mark.xdist_group(getattr(on(name), "SERVER", name)) for name in NAMES}
        given = [pytest.param(name, marks=marks[name]) for name in chosen]
        metafunc.parametrize("engine", given, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty warehouse of each engine."""
    module = on(request.param)
    for package in getattr(module, "NEEDS", ()):
        pytest.importorskip(package, reason=f"{package} (make engines)")
    reason = module.GAPS.get(request.node.originalname)
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    with module.fresh() as store:
        yield store


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_says_why(name: str) -> None:
    """Each gap is of a known kind and has a reason."""
    for reason in on(name).GAPS.values():
        kind, _, why = reason.partition(":")
        assert kind in ("notimpl", "notyet", "never")
        assert why.strip()
