"""How much a source may send, and how often somebody may try keys: buckets that fill up again by the second.

They are those of one process: of several collectors, each has its own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from tieback.collect.addresses import masked

_BURST_SECONDS = 10.0  # what a source that was quiet may send at once
_MOST_NETWORKS = 10_000  # remembered; beyond, those that missed longest ago are forgotten


class Limits:
    """Limits of one process by the name of a source; there are as many as there are write keys.

    per_second: events; 0 for no limit.
    """

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._clock = per_second, clock
        self._left: dict[str, tuple[float, float]] = {}  # events, and when they were counted

    def wait_seconds(self, source: str, events: int) -> int:
        """0 when `source` may send so many events now, which then count; else after how many seconds to try again.

        What is more than a bucket holds is let in when the bucket is full: it would never be otherwise.
        """
        if not self._per_second:
            return 0
        most, now = self._per_second * _BURST_SECONDS, self._clock()
        left, at = self._left.get(source, (most, now))
        left = min(most, left + (now - at) * self._per_second)
        missing = min(events, most) - left
        if missing > 0:
            self._left[source] = (left, now)
            return int(missing / self._per_second) + 1
        self._left[source] = (left - events, now)
        return 0


class Guesses:
    """Requests with keys of nobody's, by the network (/24 or /48) that they come from.

    Each network may miss so many times at once, and then once a second. Beyond, only keys that `has_opened` knows are
    asked for: whoever shares an address with somebody who guesses goes on.

    at_once: 0 for no limit.
    """

    def __init__(
        self,
        at_once: int,
        has_opened: Callable[[str], bool] = lambda key: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once, self._has_opened, self._clock = at_once, has_opened, clock
        self._owed: OrderedDict[str, float] = OrderedDict()  # when a network will have made up for what it missed

    def wait_seconds(self, address: str, key: str) -> int:
        """0 when `key` may be asked for; else after how many seconds to try again."""
        if not self._at_once or not self._owed:
            return 0
        owed = self._owed.get(masked(address), 0.0) - self._clock()
        if owed <= self._at_once - 1 or self._has_opened(key):
            return 0
        return ceil(owed - self._at_once + 1)

    def missed(self, address: str) -> None:
        """Remember that somebody came from `address` with a key of nobody's."""
        network = masked(address)
        self._owed[network] = max(self._owed.get(network, 0.0), self._clock()) + 1.0
        self._owed.move_to_end(network)
        if len(self._owed) > _MOST_NETWORKS:
            self._owed.popitem(last=False)
