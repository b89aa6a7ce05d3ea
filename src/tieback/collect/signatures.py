"""Whether a request was sent by whoever knows the secret: the ways in which vendors sign what they send."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from tieback.collect.requests import Request
from tieback.config.hooks import Signature

_ALGORITHMS = {"hmac-sha256": hashlib.sha256, "hmac-sha1": hashlib.sha1}


def flaw(request: Request, signature: Signature, secret: str, url: str) -> str:
    """Why `request` is not proved to come from whoever knows `secret`, in a sentence; empty when it is.

    url: the address that the sender was told to call.
    """
    header = request.headers.get(signature.header.lower(), "").strip()
    given, timestamp = header, request.headers.get(signature.timestamp.lower(), "").strip()
    if signature.part:
        pairs = dict(_pair(each) for each in header.split(","))
        given, timestamp = pairs.get(signature.part, ""), pairs.get(signature.timestamp, "")
    if not given.startswith(signature.prefix) or given == signature.prefix:
        return "The request is not signed"
    signed = _signed(request.body, signature, timestamp, url)
    digest = hmac.new(secret.encode(), signed, _ALGORITHMS[signature.algorithm]).digest()
    is_hex = signature.encoding == "hex"
    expected = digest.hex() if is_hex else base64.b64encode(digest).decode()
    said = given.removeprefix(signature.prefix)
    if not hmac.compare_digest((said.lower() if is_hex else said).encode(), expected.encode()):
        return "The signature is not that of this request"
    if signature.timestamp and not _is_recent(timestamp, request.received_at, signature.tolerance_seconds):
        return "The request was signed too long ago, or ahead of time"
    return ""


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value


def _signed(body: bytes, signature: Signature, timestamp: str, url: str) -> bytes:
    if signature.signs != "form":
        around = (
            each.replace("{url}", url).replace("{timestamp}", timestamp) for each in signature.signs.split("{body}", 1)
        )
        return body.join(each.encode() for each in around)
    fields = sorted(set(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    return (url + "".join(name + value for name, value in fields)).encode("utf-8", "replace")


def _is_recent(timestamp: str, received_at: datetime, tolerance_seconds: int) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 13):
        return False
    now = received_at.replace(tzinfo=UTC).timestamp()
    sent = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
    return abs(now - sent) <= tolerance_seconds
