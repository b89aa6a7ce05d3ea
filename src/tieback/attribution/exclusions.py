"""What never counts: bots and the workspace's own people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce

import ibis
from ibis.expr import types as ir


def matches_glob(value: ir.StringColumn, patterns: Iterable[str]) -> ir.BooleanValue:
    """True where `value` matches one of the globs (`*` any text, `?` one character) whole, letter case ignored.

    False for a null value and without patterns.
    """
    chosen = [pattern.strip().lower() for pattern in patterns if pattern.strip()]
    if not chosen:
        return ibis.literal(value=False)
    text = value.fill_null("").lower()
    exact = [pattern for pattern in chosen if not re.search(r"[*?]", pattern)]
    globs = [text.re_search("^" + "".join(map(_portable, pattern)) + "$") for pattern in chosen if pattern not in exact]
    return reduce(lambda left, right: left | right, ([text.isin(exact)] if exact else []) + globs)


def _portable(character: str) -> str:
    """One character of a glob as a regular expression that every engine reads alike."""
    if character in "*?":
        return ".*" if character == "*" else "."
    return f"[{character}]" if character in ".+()|${}" else re.escape(character) if character in "[]^\\" else character
