"""Where tables live: one file per engine.

Comes in: Ibis expressions and rows to keep. Goes out: tables, as Arrow or as relations to build on.
"""

from __future__ import annotations

from tieback.store.duckdb import DuckDB
from tieback.store.engine import Builder, Engine, StatementError
from tieback.store.engines import open_engine
from tieback.store.intake import Intake
from tieback.store.merge import Merged, merge, remember, remember_replaced, replaced_facts

__all__ = [
    "Builder",
    "DuckDB",
    "Engine",
    "Intake",
    "Merged",
    "StatementError",
    "merge",
    "open_engine",
    "remember",
    "remember_replaced",
    "replaced_facts",
]
