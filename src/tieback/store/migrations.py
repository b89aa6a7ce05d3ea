"""Steps that bring an older workspace to this release's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tieback.schema import SCHEMA_VERSION


class _Engine(Protocol):
    def transaction(self) -> Any: ...
    def execute(self, sql: str, parameters: list[Any] | None = None) -> Any: ...


Step = Callable[[_Engine], None]

# The step under N takes a workspace from schema N to N + 1. A step is never changed once released.
STEPS: Mapping[int, Step] = {}


def migrate(engine: _Engine, version: int, steps: Mapping[int, Step] = STEPS, target: int = SCHEMA_VERSION) -> None:
    """Take a workspace from schema `version` to `target`, one step a transaction.

    Cut off anywhere, it goes on from there.
    """
    for number in range(version, target):
        with engine.transaction():
            steps[number](engine)
            engine.execute("UPDATE workspace SET value = ? WHERE name = 'schema_version'", [str(number + 1)])
