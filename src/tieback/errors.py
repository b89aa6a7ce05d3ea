"""Everything that can go wrong and that a user can put right.

    TiebackError                 exit code 1
    ├── UsageError               2   the command was called with something that does not exist
    ├── ConfigError              3   tieback.toml or a mapping file is not right
    ├── InputError               4   a file cannot be read, or a fact is missing that the numbers need
    ├── WorkspaceError           5   the workspace is missing, locked, newer than this release, or its disk is full
    │   └── InUseError           5   another process holds it, and will let go
    └── CheckError               6   a check did not hold: numbers that do not reconcile, doctor found faults

An error says what happened, where, and what to do next, in one breath.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TiebackError(Exception):
    """Something a user can put right; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(TiebackError):
    """The command was called with something that does not exist."""

    exit_code = 2


class ConfigError(TiebackError):
    """tieback.toml or a mapping file is not right."""

    exit_code = 3


class InputError(TiebackError):
    """A file cannot be read, or a fact is missing that the numbers need."""

    exit_code = 4


class WorkspaceError(TiebackError):
    """The workspace is missing, locked, newer than this release, or its disk is full."""

    exit_code = 5


class InUseError(WorkspaceError):
    """Another process holds the workspace, and will let go of it."""


class CheckError(TiebackError):
    """A check did not hold: numbers that do not reconcile, or doctor found faults."""

    exit_code = 6


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest of the `known` names, or lists them when none is near."""
    choices = sorted(known)
    near = get_close_matches(name.lower(), choices, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(choices)}." if choices else "There are none yet."
