"""From facts to persons: the one part of identity that an engine must repeat until it settles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pyarrow as pa
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.components import labels, settled, suspects
from tieback.identity.cuts import cuts
from tieback.identity.ties import kept, nodes, pairs, ties


class Solver(Protocol):
    """What this needs of an engine; see `tieback.store.Builder`."""

    def scratch(self, name: str, expression: ir.Table) -> ir.Table: ...
    def scratch_rows(self, name: str, rows: pa.Table) -> ir.Table: ...
    def fixpoint(self, name: str, start: ir.Table, step: Callable[[ir.Table], ir.Table], mark: str) -> ir.Table: ...
    def read(self, expression: ir.Table) -> pa.Table: ...


def solved(engine: Solver, rows: ir.Table, links: ir.Table, rules: Identity) -> tuple[ir.Table, ir.Table]:
    """The person of each identifier that facts tie, as `settled` tells, and the ties that were cut (LINK_CUTS).

    rows: what stands `together` on facts. links: as declared.
    """
    seen = engine.scratch("ties", ties(rows, links, rules))
    numbered = engine.scratch("nodes", nodes(seen))
    tied = engine.scratch("pairs", pairs(seen, numbered))
    components = engine.fixpoint("components", *labels(tied))
    doubtful = engine.scratch("suspects", suspects(tied, components, numbered, rules))
    cut = engine.scratch_rows("cuts", cuts(engine.read(doubtful), rules))
    parted = engine.fixpoint("parted", *labels(engine.scratch("kept", kept(doubtful, cut))))
    return engine.scratch("settled", settled(components, doubtful, parted, numbered)), cut
