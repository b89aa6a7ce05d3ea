"""The tracker as browsers fetch it, built from `tracker/` by `make tracker`."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/tb.js"
_CACHED = "public, max-age=3600"


def script_route() -> Route:
    """Where the tracker lies: packed for whoever takes that, and not sent again to whoever has it."""
    plain = files("tieback.collect").joinpath("tracker.js").read_bytes()
    packed = gzip.compress(plain, mtime=0)
    tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'

    async def script(request: Request) -> Response:
        headers = {"etag": tag, "cache-control": _CACHED, "vary": "accept-encoding"}
        # Proxies that pack by themselves make a tag weak.
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, headers={**headers, "content-encoding": "gzip"}, media_type="text/javascript")
        return Response(plain, headers=headers, media_type="text/javascript")

    return Route(PATH, script)
