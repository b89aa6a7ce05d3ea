"""Properties without personal data: addresses and numbers belong into the columns `email` and `phone` alone."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from tieback.collect.addresses import masked

_ADDRESS_KEY = re.compile(r"(?:^|[._$-])ip(?:[._-]?address)?$|ipaddress$|remote_addr$", re.IGNORECASE)
_KEY = re.compile(r"e-?mail|phone|mobile|telefon|@", re.IGNORECASE)
# Whole runs are looked at, each once: a pattern that tries an address at every letter may take minutes.
_RUN = re.compile(r"[^\s\"/?&=:;,<>()]+")
_AT = re.compile(r"[^@](?:@|%(?:25)*40)")
_DIALLED = re.compile(r"(?<![\w.%/-])(?:\+[1-9][\d ()./-]{5,22}|00[1-9][\d ()./-]{8,22})\d")
_QUAD = re.compile(r"(?<![\w./-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)")
_GROUPS = re.compile(r"(?<![\w.:/-])[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*(?![\w-])")
_DEEPEST = 32
_PERSONAL, _ADDRESS = "personal", "address"  # sorts of fields
_NAMES_KNOWN, _LONGEST_KNOWN = 10_000, 64


def without_personal(given: dict[str, Any]) -> dict[str, Any]:
    """`given` without fields named after an address or a number, and with those in texts blotted out.

    Of internet addresses, and of whatever else reads like one, the network alone is left.

    Raises RecursionError when it is nested deeper than 32 levels.
    """
    return _fields(given, 0)


def _fields(given: dict[str, Any], depth: int) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        sort = _sort(name) if len(name) <= _LONGEST_KNOWN else _sort.__wrapped__(name)
        if value is None or sort == _PERSONAL:
            continue
        found[name] = masked(value) if sort == _ADDRESS and isinstance(value, str) else _cleaned(value, depth)
    return found


@lru_cache(_NAMES_KNOWN)
def _sort(name: str) -> str:
    """What a field of that name holds."""
    return _PERSONAL if _KEY.search(name) else _ADDRESS if _ADDRESS_KEY.search(name) else ""


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _blotted(value)
    if isinstance(value, (dict, list)):
        if depth == _DEEPEST:
            raise RecursionError
        return _fields(value, depth + 1) if isinstance(value, dict) else [_cleaned(each, depth + 1) for each in value]
    return value


def _blotted(text: str) -> str:
    if "@" in text or "40" in text:
        text = _RUN.sub(lambda run: "[e-mail]" if _AT.search(run[0]) else run[0], text)
    if "+" in text or "00" in text:
        text = _DIALLED.sub("[phone]", text)
    if text.count(".") >= 3:
        text = _QUAD.sub(_network, text)
    return _GROUPS.sub(_network, text) if text.count(":") >= 2 else text


def _network(found: re.Match[str]) -> str:
    return masked(found[0]) or found[0]
