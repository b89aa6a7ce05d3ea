"""How much a source may send: a bucket of events that fills up again by the second."""

from __future__ import annotations

import time
from collections.abc import Callable

_BURST_SECONDS = 10.0  # what a source that was quiet may send at once


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
