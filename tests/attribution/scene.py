"""A small scene of touches and conversions, and what each touch earned of it."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from typing import Any

from tests.facts import put, warehouse
from tieback import attribution
from tieback.config import DEFAULT_MODELS, Settings
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.relations import relations
from tieback.store import Engine

Earned = dict[
    str, dict[str | None, tuple[float, int]]
]  # conversion -> touch (None: Unattributed) -> share, minor units

MODELS: dict[str, dict[str, Any]] = {**DEFAULT_MODELS, "custom": {"first": 2, "lead": 1, "channels": {"Direct": 0}}}
AT = relations((*FACTS, *OPINIONS))
DEFAULT = Settings()


def touch(touch_id: str, at: str, channel: str = "Email", **given: Any) -> dict[str, Any]:
    """A touch of the person ada, unless told."""
    filled = {"person_id": "ada", "kind": "visit", "is_measured": True, "is_paid": channel.startswith("Paid"), **given}
    fixed = {"channel_rule": "rule", "rules_version": "1", "touch_date": at[:10]}
    return {"touch_id": touch_id, "occurred_at": at, "channel": channel, **fixed, **filled}


def sale(conversion_id: str, at: str, value_minor: int = 100_00, **given: Any) -> dict[str, Any]:
    """A conversion of the person ada, unless told; its journey is its own, and its kind what its id begins with."""
    filled = {"person_id": "ada", "journey_id": conversion_id, "kind": conversion_id.partition(":")[0], **given}
    filled.setdefault("subject_id", filled.get("account_id") or filled["person_id"] or conversion_id)
    fixed = {"conversion_date": at[:10], "is_revenue": True, "is_new_customer": False}
    return {"conversion_id": conversion_id, "occurred_at": at, "value_minor": value_minor, **fixed, **filled}


def credit(touches: list[Any], sales: list[Any], model: str, settings: Settings = DEFAULT, **parameters: Any) -> Earned:
    """What each of the `touches` earned of the `sales` under `model`."""
    journey_rows(touches, sales, settings)
    found: Earned = {}
    chosen = {model: parameters or MODELS.get(model, {})}
    (loaded,) = attribution.models.load(chosen).values()
    for row in scene().read(attribution.credits(AT.journeys, AT.conversions, model, loaded)).to_pylist():
        found.setdefault(row["conversion_id"], {})[row["touch_id"]] = (row["share"], row["value_minor"])
    return found


def minor(found: Earned, conversion_id: str) -> dict[str | None, int]:
    """What each touch earned of one conversion, in minor units."""
    return {touch_id: value for touch_id, (_, value) in found[conversion_id].items()}


def journey_rows(
    touches: list[Any], sales: list[Any], settings: Settings = DEFAULT, **tables: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of `journeys`, in order of path and position. tables: rows of people and deal_contacts."""
    store = scene()
    given = {"people": [], "deal_contacts": [], **tables, "touchpoints": touches, "conversions": sales}
    with store.transaction():  # at once: some engines take long to begin a change
        for name, rows in given.items():
            store.make(TABLES[name])
            if rows:
                put(store, name, rows)
        members = store.scratch("members", attribution.members(AT.conversions, AT.people, AT.deal_contacts))
        known = (AT.touchpoints, AT.conversions, members, settings)
        store.save(TABLES["journeys"], attribution.converted_paths(*known))
        store.append(TABLES["journeys"], attribution.open_paths(*known))
    return store.rows("SELECT * FROM journeys ORDER BY path_id, position")


def scene() -> Engine:
    """The warehouse in which all scenes play, one after the other: to open one for each takes longer."""
    return STAGE.get() or _embedded()


STAGE: ContextVar[Engine | None] = ContextVar("STAGE", default=None)  # another engine on which to play the scenes


@cache
def _embedded() -> Engine:
    return warehouse()
