"""Segment's HTTP API, to which the clients of RudderStack post as well.

Spec: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from tieback.collect import segment_spec
from tieback.collect.requests import Answer, Batch, Request, Route, basic_key

# The browser's client posts to the first letter. The calls of a batch name their kinds themselves.
_KINDS = (
    {kind: kind for kind in segment_spec.KINDS}
    | {kind[0]: kind for kind in segment_spec.KINDS}
    | dict.fromkeys(("batch", "b", "import"), "")
)
_DIALECT = segment_spec.Dialect(segment_spec.SEGMENT_MOST)


class _Segment:
    """The body is JSON whatever its content type says: browsers send text/plain, which needs no preflight."""

    name = "segment"
    routes = tuple(Route(f"/v1/{last}") for last in _KINDS)

    def read(self, request: Request) -> Batch:
        """What `request` holds; its path names the kind of a single call."""
        kind = _KINDS.get(request.path.rpartition("/")[2], "")
        return segment_spec.read(request, kind, _DIALECT, basic_key(request.headers))

    def accepted(self, batch: Batch) -> Answer:
        """What Segment itself says; RudderStack's clients look at the status alone."""
        return Answer(body=b'{"success": true}')


wire = _Segment()
