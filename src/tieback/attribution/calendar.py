"""The day of an instant in the workspace's time zone, in SQL that every engine reads alike.

Engines differ in their time-zone functions and in the age of their zone data, so the zone's shifts are worked out here,
from Python's own zone data, and written into the statement as plain comparisons.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import ibis
from ibis.expr import types as ir

_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2041, 1, 1, tzinfo=UTC)


def local_date(instant: ir.TimestampColumn, time_zone: str) -> ir.DateColumn:
    """The calendar day of `instant` (UTC) in `time_zone` (an IANA name).

    Exact from 2000 to 2040; before and after, the first and last shift known in that span hold.
    `instant` is repeated in the statement for each shift of the zone: hand in a column, not a long expression.
    """
    return _day(instant, _shifts(time_zone))


@cache
def _shifts(time_zone: str) -> tuple[tuple[datetime, int], ...]:
    """When the zone's distance from UTC changes, and to how many seconds; the first holds from the start."""
    zone = ZoneInfo(time_zone)
    shifts = [(_FROM, _offset(_FROM, zone))]
    moment = _FROM
    while moment < _UNTIL:
        following = moment + timedelta(days=1)
        if _offset(following, zone) != shifts[-1][1]:
            changed_at = _change(moment, following, zone)
            shifts.append((changed_at, _offset(changed_at, zone)))
        moment = following
    return tuple(shifts)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of (before, after] with the distance of `after`."""
    target = _offset(after, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        before, after = (before, middle) if _offset(middle, zone) == target else (middle, after)
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _day(instant: ir.TimestampColumn, shifts: tuple[tuple[datetime, int], ...]) -> ir.DateColumn:
    """A balanced tree of comparisons, so that a row meets seven of them rather than eighty."""
    if len(shifts) == 1:
        seconds = shifts[0][1]
        step = ibis.interval(seconds=abs(seconds))
        return (instant + step if seconds > 0 else instant - step if seconds else instant).date()
    middle = len(shifts) // 2
    boundary = ibis.literal(shifts[middle][0].replace(tzinfo=None), "timestamp")
    return (instant < boundary).ifelse(_day(instant, shifts[:middle]), _day(instant, shifts[middle:]))
