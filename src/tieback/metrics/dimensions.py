"""What a report can be broken down by, and where each dimension is read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tieback.errors import UsageError, did_you_mean

UNATTRIBUTED = "Unattributed"  # the channel of what no touch could be credited with

Group = Literal["touch", "time", "account"]


@dataclass(frozen=True)
class Dimension:
    """One way to break a report down.

    group: `touch` (of the touch that earned the credit), `time` (the row's day), `account` (of the conversion).
    column: what it is read from; for `time`, the SQL over the column `date`.
    """

    name: str
    group: Group
    column: str
    meaning: str


DIMENSIONS: dict[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        Dimension("channel", "touch", "channel", "Channel of the touch, by the channel rules"),
        Dimension("source", "touch", "source", "Where the visitor came from, such as google or newsletter"),
        Dimension("medium", "touch", "medium", "Kind of traffic, such as cpc or email"),
        Dimension("campaign", "touch", "campaign", "Campaign"),
        Dimension("ad", "touch", "ad", "Ad or creative, where the source names it"),
        Dimension("keyword", "touch", "keyword", "Bidded keyword, where the source names it"),
        Dimension("landing_page", "touch", "landing_page", "Path of the first page of the visit"),
        Dimension("content", "touch", "content", "Content or creative, as tagged in utm_content"),
        Dimension("month", "time", "date_trunc('month', date)", "Month of the day, as 2026-03"),
        Dimension("week", "time", "date_trunc('week', date)", "Week of the day, by its Monday"),
        Dimension("day", "time", "date", "Day, by the date basis, in the workspace's time zone"),
        Dimension("account_industry", "account", "industry", "Industry of the converting account"),
        Dimension("account_segment", "account", "segment", "Segment or tier of the converting account"),
        Dimension("account_country", "account", "country", "Country of the converting account"),
        Dimension("account_size", "account", "size", "Size class of the converting account"),
        Dimension("account_owner", "account", "owner", "Who looks after the converting account"),
    )
}


def dimensions(names: Iterable[str]) -> tuple[Dimension, ...]:
    """The dimensions of those names, in that order, each once.

    Raises UsageError for a name that is none.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in DIMENSIONS:
            raise UsageError(f"There is no dimension {name!r}. {did_you_mean(name, DIMENSIONS)}")
        found.append(DIMENSIONS[name])
    return tuple(found)
