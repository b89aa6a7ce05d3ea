"""Jitsu's HTTP API: Segment's spec under paths and a header of its own.

Spec: https://docs.jitsu.com/sending-data/http
"""

from __future__ import annotations

from tieback.collect import segment_spec
from tieback.collect.requests import Answer, Batch, Request, Route

# The client lays a group's traits under the person's, and it may not ask for ids before a visitor has agreed.
_DIALECT = segment_spec.Dialect(1024 * 1024, needs_identifier=False, has_group_traits=True)
_MASK = "***"
_KINDS = {kind: kind for kind in segment_spec.KINDS} | {"event": ""}


class _Jitsu:
    name = "jitsu"
    routes = tuple(Route(f"/api/s/{way}{last}") for way in ("", "s2s/") for last in _KINDS)

    def read(self, request: Request) -> Batch:
        """What `request` holds. The client writes its key as `key:secret`: the first half is the write key.

        In the body it is masked, so a body's key serves only where no header brings one.
        """
        kind = _KINDS.get(request.path.rpartition("/")[2], "")
        found = segment_spec.read(request, kind, _DIALECT, request.headers.get("x-write-key", "").strip())
        key = found.key.partition(":")[0]
        return Batch("" if key == _MASK else key, found.collected, found.malformed)

    def accepted(self, batch: Batch) -> Answer:
        """What Jitsu itself says."""
        return Answer(body=b'{"ok": true}')


wire = _Jitsu()
