"""What RudderStack has beyond Segment's API: beacons of leaving browsers, and pixels.

Its clients post all else to `/v1/…`, which is Segment's file.
Spec: https://www.rudderstack.com/docs/api/
"""

from __future__ import annotations

from typing import Any

import msgspec

from tieback.collect import segment_spec
from tieback.collect.cells import PIXEL, Asked, RefusedError
from tieback.collect.requests import Answer, Batch, Collected, Malformed, Request, Route

_DIALECT = segment_spec.Dialect(segment_spec.RUDDER_MOST)


class _RudderStack:
    name = "rudderstack"
    routes = (Route("/beacon/v1/batch"), Route("/pixel/v1/page", ("GET",)), Route("/pixel/v1/track", ("GET",)))

    def read(self, request: Request) -> Batch:
        """What `request` holds. A beacon sets no headers, so its key stands in the query, as a pixel's does."""
        key = request.query.get("writeKey", "")
        if request.method != "GET":
            return segment_spec.read(request, "", _DIALECT, key)
        kind = request.path.rpartition("/")[2]
        told = {name: value for name, value in request.query.items() if name != "writeKey"}
        try:
            return Asked(key, (_seen(kind, told, request),), answer=PIXEL)
        except RefusedError as refusal:
            return Asked(key, (), (Malformed(str(refusal), msgspec.json.encode(told)),), answer=PIXEL)

    def accepted(self, batch: Batch) -> Answer:
        """An image for a pixel, RudderStack's bare OK otherwise."""
        if isinstance(batch, Asked):
            return batch.answer
        return Answer(body=b"OK", content_type="text/plain")


wire = _RudderStack()


def _seen(kind: str, told: dict[str, str], request: Request) -> Collected:
    """The call that a query tells by names such as `context.page.url` and `properties.plan`."""
    call: dict[str, Any] = {}
    for name, value in told.items():
        place = call
        *outer, last = name.split(".", 2)
        for part in outer:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise RefusedError("The query uses one name for a value and for what holds others")
            place = inner
        place[last] = value.replace("\x00", "")
    try:
        event = msgspec.convert(call, segment_spec.Event)
    except msgspec.ValidationError as error:
        raise RefusedError(f"The query is no call: {error}") from None
    return segment_spec.told(event, kind, request, _DIALECT)
