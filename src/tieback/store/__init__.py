"""Where tables live: one file per engine.

Comes in: Ibis expressions and rows to keep. Goes out: tables, as Arrow or as relations to build on.
"""

from __future__ import annotations

from tieback.store.duckdb import DuckDB
from tieback.store.engine import Engine, StatementError
from tieback.store.engines import open_engine, resolved
from tieback.store.manifest import Manifest, manifests, sizes
from tieback.store.merge import Merged, merge, remember, remember_replaced, replaced_facts
from tieback.store.parts import views
from tieback.store.published import Published, fact_states, tell_fact_states

__all__ = [
    "DuckDB",
    "Engine",
    "Manifest",
    "Merged",
    "Published",
    "StatementError",
    "fact_states",
    "manifests",
    "merge",
    "open_engine",
    "remember",
    "remember_replaced",
    "replaced_facts",
    "resolved",
    "sizes",
    "tell_fact_states",
    "views",
]
