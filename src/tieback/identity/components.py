"""Identifiers joined by ties, directly or through others: components, by a fixpoint over tables."""

from __future__ import annotations

from collections.abc import Callable

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.identifiers import name_of
from tieback.identity.rules import limits
from tieback.schema.remembered import remembered


@remembered
def labels(pairs: ir.Table) -> tuple[ir.Table, Callable[[ir.Table], ir.Table], str]:
    """Start, step and mark of a fixpoint that gives each component one label: the number of its smallest identifier.

    Start and step have the columns node and label. A label is a node of the same component that is not larger; a step
    makes some labels smaller and none larger, so that their sum moves with every change.
    A step first follows labels to their own (so distances double), then hooks each label to the smallest one across a
    tie: a chain of n settles in about log2(n) steps, and only ties between different labels cost more than a look.
    Source: Shiloach and Vishkin 1982, in the simple form of FastSV (Zhang, Azad, Hu 2020).
    """
    ends = ibis.union(
        pairs.select(node="left_node", other="right_node"), pairs.select(node="right_node", other="left_node")
    )
    nodes = ends.group_by("node").aggregate(near=ends.other.min())
    start = nodes.select("node", label=ibis.least(nodes.node, nodes.near))
    ties = pairs.select("left_node", "right_node")

    def step(now: ir.Table) -> ir.Table:
        followed = now.select("node", via="label").inner_join(now.select(via="node", label="label"), "via")
        followed = followed.select("node", "label")
        hooks = _hooks(ties, followed)
        both = followed.left_join(hooks, [("label", "hooked")])
        return both.select("node", label=ibis.coalesce(both.to, both.label))

    return start, step, "label"


def _hooks(ties: ir.Table, labelled: ir.Table) -> ir.Table:
    """For each label with a smaller one across a tie: `hooked`, and the smallest such as `to`."""
    left = labelled.select(left_node="node", left_label="label")
    right = labelled.select(right_node="node", right_label="label")
    across = ties.inner_join(left, "left_node").inner_join(right, "right_node")
    across = across.filter(across.left_label != across.right_label)
    low, high = ibis.least(across.left_label, across.right_label), ibis.greatest(across.left_label, across.right_label)
    crossing = across.select(hooked=high, to=low)
    return crossing.group_by("hooked").aggregate(to=crossing.to.min())


@remembered
def settled(components: ir.Table, suspects: ir.Table, parted: ir.Table, nodes: ir.Table) -> ir.Table:
    """The person of each tied identifier: id_kind, id_value, person_id (the name of the smallest that it is tied to).

    components, and of those that `suspects` are in what became of them without the cut ties (`parted`): as `labels`
    come to. nodes: whose numbers these are.
    """
    ends = (suspects.select(suspect=f"{side}_node") for side in ("left", "right"))
    unbroken = components.anti_join(ibis.union(*ends), [("node", "suspect")])
    whole = unbroken.union(parted.select(*components.columns))
    persons = nodes.select(person="node", person_id=name_of(nodes))
    named = whole.inner_join(persons, [("label", "person")]).select("node", "person_id")
    return nodes.inner_join(named, "node").select("id_kind", "id_value", "person_id")


@remembered
def suspects(pairs: ir.Table, components: ir.Table, nodes: ir.Table, identity: Identity) -> ir.Table:
    """The `pairs` of those components that hold more identifiers (`nodes`) of a kind than one person may have."""
    held = components.inner_join(nodes.select("node", "id_kind"), "node").select("label", "id_kind")
    too_many = ibis.or_(*((held.id_kind == kind).ifelse(1, 0).sum() > most for kind, most in limits(identity).items()))
    broken = held.group_by("label").having(too_many).aggregate(size=held.count()).select(broken="label")
    members = components.inner_join(broken, [("label", "broken")]).select(left_node="node")
    return pairs.inner_join(members, "left_node").select(*pairs.columns)
