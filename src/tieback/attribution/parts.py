"""Work in parts, for what would not fit into memory as a whole."""

from __future__ import annotations

from ibis.expr import types as ir


def in_part(rows: ir.Table, key: ir.Column, part: int, parts: int) -> ir.Table:
    """The `rows` of one of so many `parts`, the first being 0; rows of the same `key` are in the same part."""
    # The engine's own hash, which may be negative: who is in which part changes nothing but the order of the work.
    return rows if parts == 1 else rows.filter((key.hash() % parts).abs() == part)
