"""Work in parts, for what would not fit into memory as a whole."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

_HASHES = 2**64  # of DuckDB, the only engine that works in parts so far; they are spread evenly


def in_part(key: ir.Column, part: int, parts: int) -> ir.BooleanValue:
    """True for the keys of one of so many `parts`, the first being 0; equal keys are in the same part.

    A range of hashes, and not a remainder: DuckDB looks at it before it reads the other columns. The first and the last
    part are open, so that no key is left out whatever an engine's hashes are. key: never null.
    """
    after = key.hash() >= ibis.literal(_HASHES * part // parts, "uint64")
    if part == parts - 1:
        return after
    before = key.hash() < ibis.literal(_HASHES * (part + 1) // parts, "uint64")
    return before if part == 0 else after & before
