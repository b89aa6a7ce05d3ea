"""The version of a workspace's schema: made at this release's, refused when newer, brought up when older."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tieback.errors import WorkspaceError
from tieback.schema import FACTS, OPERATIONS, SCHEMA_VERSION, TABLES
from tieback.store.engine import StatementError
from tieback.store.merge import remember

if TYPE_CHECKING:
    from tieback.store.engine import Engine

Step = Callable[[Any], None]
_NAME = "schema_version"


def _with_purposes(engine: Engine) -> None:
    """2: events say what the visitor agreed to, signal by signal, and attribution is a purpose of its own."""
    import ibis

    from tieback.schema.relations import relation

    events = TABLES["events"]
    new = {"consent_signals": "string", "consent_attribution": "boolean"}
    now = relation(events)
    before = ibis.table({name: kind for name, kind in now.schema().items() if name not in new}, name="events")
    kept = engine.scratch("events_before", before)
    engine.save(events, kept.mutate(**{name: ibis.null(kind) for name, kind in new.items()}))


# The step under N takes a workspace from schema N to N + 1. A step is never changed once released.
STEPS: Mapping[int, Step] = {1: _with_purposes}


def make_workspace(engine: Engine) -> None:
    """Make the tables of facts and operations, of this release's schema, in one transaction."""
    import pyarrow as pa

    with engine.transaction():
        for table in (*FACTS, *OPERATIONS):
            engine.make(table)
        engine.load(TABLES["workspace"], pa.table({"name": [_NAME], "value": [str(SCHEMA_VERSION)]}))


def admit(engine: Engine, where: str, foreign: WorkspaceError, *, read_only: bool) -> None:
    """See to it that the workspace in `engine` is of this release's schema; an older one is brought up to date.

    where: what the workspace is called in a message. foreign: what to raise when the table `workspace` is none of
    tieback's. Raises WorkspaceError for a newer schema, and, to read only, for an older one.
    """
    version = _version(engine, foreign)
    if version > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{where} was written by a newer tieback (schema {version}; this release knows {SCHEMA_VERSION}). "
            "Upgrade tieback to open it."
        )
    if version < SCHEMA_VERSION and read_only:
        raise WorkspaceError(
            f"{where} was last written by an older tieback, and is brought up to date by the next command that "
            "writes: run `tieback run` first."
        )
    migrate(engine, version)


def migrate(engine: Engine, version: int, steps: Mapping[int, Step] = STEPS, target: int = SCHEMA_VERSION) -> None:
    """Take a workspace from schema `version` to `target`, one step a transaction.

    Cut off anywhere, it goes on from there.
    """
    for number in range(version, target):
        with engine.transaction():
            steps[number](engine)
            remember(engine, {_NAME: str(number + 1)})


def _version(engine: Engine, foreign: WorkspaceError) -> int:
    try:
        rows = engine.rows("SELECT value FROM workspace WHERE name = ?", [_NAME])
    except StatementError:
        raise foreign from None
    if not rows or not str(rows[0]["value"]).isdecimal():
        raise foreign
    return int(rows[0]["value"])
