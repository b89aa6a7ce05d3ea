"""Stages that make each expression once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import msgspec

_MOST_REMEMBERED = 64
Stage = TypeVar("Stage", bound=Callable[..., Any])


def remembered(stage: Stage) -> Stage:
    """A stage that makes each expression once: the same tables and settings give the same one.

    Making an expression takes longer than running it on small data, and a process may refresh many times.
    """
    made: dict[Any, Any] = {}

    @wraps(stage)
    def once(*given: Any) -> Any:
        key = tuple(_identity(each) for each in given)
        if key not in made:
            if len(made) >= _MOST_REMEMBERED:
                made.clear()
            made[key] = stage(*given)
        return made[key]

    return cast(Stage, once)


def _identity(given: Any) -> Any:
    """What makes an argument the same one: a table's operation, a namespace's tables, the content of anything else."""
    if hasattr(given, "op"):
        return given.op()
    if isinstance(given, SimpleNamespace):
        return tuple((name, table.op()) for name, table in vars(given).items())
    if isinstance(given, msgspec.Struct):
        return type(given), msgspec.json.encode(given)
    return given if isinstance(given, str) else (type(given), repr(given))
