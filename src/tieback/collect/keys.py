"""Whose a write key is, remembered for a while: each request asks."""

from __future__ import annotations

import time
from collections.abc import Callable

from tieback.store.ledger import Source

_MOST = 10_000  # keys remembered; whoever tries more finds all forgotten


class Keys:
    """The ledger's sources by key. A key that was revoked is refused within `seconds`."""

    def __init__(
        self, ask: Callable[[str], Source | None], seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._seconds, self._clock = ask, seconds, clock
        self._known: dict[str, tuple[Source | None, float]] = {}

    def has_opened(self, key: str) -> bool:
        """True for a key that was somebody's when it was last asked for."""
        return self._known.get(key, (None, 0.0))[0] is not None

    def source_of(self, key: str) -> Source | None:
        """The source whose key this is; None for nobody's."""
        if not key:
            return None
        found, until = self._known.get(key, (None, 0.0))
        now = self._clock()
        if now < until:
            return found
        if len(self._known) >= _MOST:
            self._known.clear()
        found = self._ask(key)
        self._known[key] = (found, now + self._seconds)
        return found
