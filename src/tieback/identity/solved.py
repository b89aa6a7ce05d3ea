"""From facts to persons: the one part of identity that an engine must repeat until it settles."""

from __future__ import annotations

from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.components import labels, settled, suspects
from tieback.identity.cuts import cuts
from tieback.identity.ties import kept, nodes, pairs, ties
from tieback.schema.builder import Builder


def solved(engine: Builder, rows: ir.Table, links: ir.Table, rules: Identity) -> tuple[ir.Table, ir.Table]:
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
