"""The ties that are believed, and how strong each is."""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.config import Identity
from tieback.identity.identifiers import KINDS
from tieback.identity.observed import STATEMENT, observed_ties
from tieback.schema.remembered import remembered

_RANKS = [(kind, len(KINDS) - place) for place, kind in enumerate(KINDS)]  # user 6 … anonymous 1


@remembered
def ties(rows: ir.Table, links: ir.Table, identity: Identity) -> ir.Table:
    """What facts say of two identifiers of persons, each pair once, junk and what was taken back left out.

    rows: what stands `together`. links: as declared.
    """
    return observed_ties(rows, links, identity.junk)


@remembered
def nodes(seen: ir.Table) -> ir.Table:
    """The identifiers at either end of the ties `seen`: id_kind, id_value, and node, a number good within one run.

    From 1 in the order of kind and value.
    """
    ends = (seen.select(id_kind=f"{side}_kind", id_value=f"{side}_value") for side in ("left", "right"))
    each = ibis.union(*ends, distinct=True)
    number = ibis.row_number().over(order_by=[each.id_kind, each.id_value])
    return each.mutate(node=(number + 1).cast("int64"))


@remembered
def pairs(seen: ir.Table, nodes: ir.Table) -> ir.Table:
    """Believed ties, of the `ties` seen. Grain: one unordered pair of identifiers, left < right; `nodes`: as above.

    strength: ten times the rank of the weaker identifier's kind plus that of the stronger (user 6, contact 5, email 4,
    customer 3, phone 2, anonymous 1): a tie is worth what its weaker end is. times_seen, last_seen_at: over all facts.
    left_node, right_node: the identifiers' numbers.
    """
    left, right = (seen[f"{side}_kind"].cases(*_RANKS, else_=0) for side in ("left", "right"))
    weighed = seen.mutate(strength=(10 * ibis.least(left, right) + ibis.greatest(left, right)).cast("int64"))
    start = nodes.select(left_kind="id_kind", left_value="id_value", left_node="node")
    end = nodes.select(right_kind="id_kind", right_value="id_value", right_node="node")
    return (
        weighed.inner_join(start, ["left_kind", "left_value"])
        .inner_join(end, ["right_kind", "right_value"])
        .select(*STATEMENT, "strength", "times_seen", "last_seen_at", "left_node", "right_node")
    )


@remembered
def kept(pairs: ir.Table, cuts: ir.Table) -> ir.Table:
    """`pairs` without those in `cuts` (LINK_CUTS)."""
    gone = cuts.select(**{f"cut_{name}": cuts[name] for name in STATEMENT})
    both = pairs.left_join(gone, [(name, f"cut_{name}") for name in STATEMENT])
    return both.filter(both.cut_left_kind.isnull()).select(*pairs.columns)
