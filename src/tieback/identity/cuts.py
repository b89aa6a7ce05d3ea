"""Which ties give way where a component breaks a rule."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tieback.config import Identity
from tieback.identity.observed import STATEMENT
from tieback.identity.rules import limits, reason
from tieback.schema.opinions import LINK_CUTS

_WEIGHT = ("strength", "times_seen", "last_seen_at")


def cuts(suspects: pa.Table, identity: Identity) -> pa.Table:
    """The ties of `suspects` that are not believed, with the reason of each (LINK_CUTS).

    Ties are taken strongest first (then most often seen, then most recently, then by the identifiers themselves, so the
    order in which facts came does not matter); one that would break a rule is cut. Near-linear in the number of ties.
    """
    rows = zip(*(suspects[name].to_pylist() for name in (*STATEMENT, *_WEIGHT)), strict=True)
    by_name = sorted(rows)
    strongest_first = sorted(by_name, key=lambda row: row[len(STATEMENT) :], reverse=True)  # stable: names still ascend
    groups = _Groups(limits(identity))
    lost: list[tuple[str, ...]] = []
    for tie in (row[: len(STATEMENT)] for row in strongest_first):
        why = groups.join(tie[:2], tie[2:])
        if why:
            lost.append((*tie, why))
    columns: list[Any] = list(zip(*lost, strict=True)) or [() for _ in LINK_CUTS.names]
    return pa.table(
        {name: pa.array(values, pa.string()) for name, values in zip(LINK_CUTS.names, columns, strict=True)}
    )


class _Groups:
    """Disjoint groups of identifiers, each with how many of every kind it holds (union-find)."""

    def __init__(self, most: dict[str, int]) -> None:
        self._most = list(most.items())
        self._place = {kind: place for place, kind in enumerate(most)}
        self._parent: dict[tuple[str, str], tuple[str, str]] = {}
        self._held: dict[tuple[str, str], list[int]] = {}
        self._named: dict[tuple[str, str], dict[str, str]] = {}  # the login and contact of a group

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> str:
        """Make one group of the two identifiers' groups, or say why that must not be."""
        first, second = self._root(one), self._root(other)
        if first == second:
            return ""
        mine, theirs = self._held[first], self._held[second]
        together = [a + b for a, b in zip(mine, theirs, strict=True)]
        for (kind, most), number in zip(self._most, together, strict=True):
            if number > most:
                return reason(kind, most, (self._named[first].get(kind, ""), self._named[second].get(kind, "")))
        if sum(mine) < sum(theirs):
            first, second = second, first
        self._parent[second] = first
        self._held[first] = together
        self._named[first] = self._named[first] | self._named.pop(second)
        del self._held[second]
        return ""

    def _root(self, identifier: tuple[str, str]) -> tuple[str, str]:
        """The identifier that stands for the group; one never seen before becomes a group of its own."""
        parent = self._parent
        if identifier not in parent:
            kind, value = identifier
            parent[identifier] = identifier
            self._held[identifier] = [int(place == self._place[kind]) for place in range(len(self._most))]
            self._named[identifier] = {kind: value} if kind in ("user", "contact") else {}
        while parent[identifier] != identifier:
            parent[identifier] = parent[parent[identifier]]
            identifier = parent[identifier]
        return identifier
