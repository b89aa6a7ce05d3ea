"""The day of an instant follows the workspace's time zone, on every engine alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import ibis
import pytest

from tests.facts import warehouse
from tieback.attribution.calendar import _shifts, local_date
from tieback.schema import TABLES
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import relation
from tieback.store.compiler import compiled

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)


@pytest.mark.parametrize("time_zone", ZONES)
def test_days_agree_with_zone_data_around_every_shift_and_every_midnight(time_zone: str) -> None:
    """A second before, at and after each change of the clocks and each local midnight, the day is that of the zone."""
    zone = ZoneInfo(time_zone)
    instants = {changed_at + timedelta(seconds=step) for changed_at, _ in _shifts(time_zone) for step in (-1, 0, 1)}
    for year in range(2001, 2040, 3):
        for month in range(1, 13):
            midnight = datetime(year, month, 15, tzinfo=zone).astimezone(UTC)
            instants |= {midnight + timedelta(seconds=step) for step in (-1, 0, 1)}
    ordered = sorted(instants)
    events = [{"event_id": str(i), "kind": "page", "occurred_at": at.isoformat()} for i, at in enumerate(ordered)]
    with warehouse(events=events) as store:
        rows = relation(TABLES["events"])
        days = store.read(rows.select(at=rows.occurred_at, day=local_date(rows.occurred_at, time_zone)).order_by("at"))
    assert days["day"].to_pylist() == [instant.astimezone(zone).date() for instant in ordered]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_engine_is_given_plain_comparisons(dialect: str) -> None:
    """The statement names no time zone, so that no engine's own zone data can decide."""
    events = ibis.table({"at": "timestamp"}, name="events")
    assert "Berlin" not in compiled(events.select(day=local_date(events.at, "Europe/Berlin")), dialect)
