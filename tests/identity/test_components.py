"""Components of ties, against an independent answer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.facts import warehouse
from tests.identity.build import build, groups
from tests.identity.rows import event, link
from tieback.identity.components import labels
from tieback.store import DuckDB

Edge = tuple[int, int]


def settled(edges: set[Edge]) -> tuple[set[frozenset[int]], dict[int, int], int]:
    """Components of `edges` between numbered nodes, the label of each node, and the number of steps it took."""
    ordered = sorted(edges)
    left, right = [pa.array([edge[side] for edge in ordered], pa.int64()) for side in (0, 1)]
    store = DuckDB(None)
    steps = 0
    start, step, mark = labels(store.scratch_rows("pairs", pa.table({"left_node": left, "right_node": right})))

    def counted(now: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(now)

    rows = store.read(store.fixpoint("components", start, counted, mark)).to_pylist()
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row["label"], set()).add(row["node"])
    assert len(rows) == len({row["node"] for row in rows})
    return {frozenset(each) for each in found.values()}, {row["node"]: row["label"] for row in rows}, steps


@settings(max_examples=10)
@given(
    st.sets(
        st.tuples(st.integers(1, 60), st.integers(1, 60)).filter(lambda edge: edge[0] < edge[1]),
        min_size=1,
        max_size=50,
    )
)
def test_components_are_those_of_an_independent_library(edges: set[Edge]) -> None:
    """Labels part the nodes as networkx does, and each is the smallest node of its own component."""
    found, label, _ = settled(edges)
    assert found == {frozenset(each) for each in nx.connected_components(nx.Graph(edges))}
    assert all(label[node] == min(each) for each in found for node in each)


@pytest.mark.parametrize("stride", [1, 367, 619])
def test_a_chain_of_a_thousand_settles_in_about_log_steps(stride: int) -> None:
    """A chain of 1,000 nodes, numbered along it or all over it, takes as many steps as doublings and a look."""
    chain = [1 + place * stride % 1000 for place in range(1000)]
    edges = {(min(pair), max(pair)) for pair in pairwise(chain)}
    found, _, steps = settled(edges)
    assert [len(each) for each in found] == [1000]
    assert steps <= 12


def test_a_star_of_thousands_settles_at_once() -> None:
    """A shared identifier with 5,000 others is one component after a few looks, whichever number its centre has."""
    found, _, steps = settled({(ray, 5001) for ray in range(1, 5001)})
    assert [len(each) for each in found] == [5001]
    assert steps <= 4


def test_a_shared_device_gives_way_not_the_people() -> None:
    """A kiosk that 5,000 people log in on is one person's at most; nobody is merged with anybody."""
    store = warehouse(events=[event(user_id=f"u{number}", anonymous_id="kiosk") for number in range(5000)])
    build(store)
    assert sorted(len(each) for each in groups(store))[-2:] == [1, 2]
    assert store.rows("SELECT count(*) AS n FROM link_cuts") == [{"n": 4999}]


identifier = st.tuples(st.sampled_from(["email", "phone", "customer", "anonymous"]), st.integers(1, 9))


@settings(max_examples=6)
@given(st.lists(st.tuples(identifier, identifier), min_size=1, max_size=8))
def test_without_broken_rules_people_are_the_components(ties: list[Any]) -> None:
    """Where no rule is broken, people are exactly the connected components of the ties."""
    named = [(f"{left[0]}:v{left[1]}", f"{right[0]}:v{right[1]}") for left, right in ties]
    known = {frozenset(tie): tie for tie in named}  # a fact is kept once per key
    store = warehouse(links=[link(*tie) for tie in known.values()])
    graph = nx.Graph(named)
    build(store)
    assert {frozenset(f"{kind}:{value}" for kind, value in each) for each in groups(store)} == {
        frozenset(each) for each in nx.connected_components(graph)
    }
    assert store.rows("SELECT * FROM link_cuts") == []
