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
def labels(pairs: ir.Table) -> tuple[ir.Table, Callable[[ir.Table], ir.Table]]:
    """Start and step of a fixpoint that gives each component one label: the number of its smallest identifier.

    Both have the columns id_kind, id_value, node, label. A label is a node of the same component that is not larger.
    A step first follows labels to their own (so distances double), then hooks each label to the smallest one across a
    tie: a chain of n settles in about log2(n) steps, and only ties between different labels cost more than a look.
    Source: Shiloach and Vishkin 1982, in the simple form of FastSV (Zhang, Azad, Hu 2020).
    """
    ends = ibis.union(
        pairs.select(id_kind="left_kind", id_value="left_value", node="left_node", other="right_node"),
        pairs.select(id_kind="right_kind", id_value="right_value", node="right_node", other="left_node"),
    )
    nodes = ends.group_by("node").aggregate(
        id_kind=ends.id_kind.min(), id_value=ends.id_value.min(), near=ends.other.min()
    )
    start = nodes.select("id_kind", "id_value", "node", label=ibis.least(nodes.node, nodes.near))
    ties = pairs.select("left_node", "right_node")

    def step(now: ir.Table) -> ir.Table:
        followed = now.select("id_kind", "id_value", "node", via="label").inner_join(
            now.select(via="node", label="label"), "via"
        )
        followed = followed.select("id_kind", "id_value", "node", "label")
        hooks = _hooks(ties, followed)
        both = followed.left_join(hooks, [("label", "hooked")])
        return both.select("id_kind", "id_value", "node", label=ibis.coalesce(both.to, both.label))

    return start, step


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
def settled(components: ir.Table, suspects: ir.Table, parted: ir.Table) -> ir.Table:
    """The person of each tied identifier: id_kind, id_value, person_id (the name of the smallest that it is tied to).

    components, and of those that `suspects` are in what became of them without the cut ties (`parted`): as `labels`
    come to.
    """
    ends = (suspects.select(suspect=f"{side}_node") for side in ("left", "right"))
    unbroken = components.anti_join(ibis.union(*ends), [("node", "suspect")])
    whole = unbroken.union(parted.select(*components.columns))
    smallest = whole.filter(whole.node == whole.label)
    smallest = smallest.select(person="node", person_id=name_of(smallest))
    return whole.inner_join(smallest, [("label", "person")]).select("id_kind", "id_value", "person_id")


@remembered
def suspects(pairs: ir.Table, components: ir.Table, identity: Identity) -> ir.Table:
    """The `pairs` of those components that hold more identifiers of a kind than one person may have."""
    too_many = ibis.or_(
        *((components.id_kind == kind).ifelse(1, 0).sum() > most for kind, most in limits(identity).items())
    )
    broken = components.group_by("label").having(too_many).aggregate(size=components.count()).select(broken="label")
    members = components.inner_join(broken, [("label", "broken")]).select(left_node="node")
    return pairs.inner_join(members, "left_node").select(*pairs.columns)
