"""A small scene of touches and conversions, and what each touch earned of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import ibis

from tests.facts import put, warehouse
from tieback import attribution
from tieback.config import DEFAULT_MODELS, Settings
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.relations import fitted, relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled

Earned = dict[
    str, dict[str | None, tuple[float, int]]
]  # conversion -> touch (None: Unattributed) -> share, minor units

MODELS: dict[str, dict[str, Any]] = {**DEFAULT_MODELS, "custom": {"first": 2, "lead": 1, "channels": {"Direct": 0}}}
AT = relations((*FACTS, *OPINIONS))
DEFAULT = Settings()


def touch(touch_id: str, at: str, channel: str = "Email", **given: Any) -> dict[str, Any]:
    """A touch of the person ada, unless told."""
    filled = {"person_id": "ada", "kind": "visit", "is_paid": channel.startswith("Paid"), **given}
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
    for row in scene().rows(_credit_statement(model, json.dumps(parameters))):
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
    for name, rows in given.items():
        store.execute(f"DELETE FROM {name}")
        if rows:
            put(store, name, rows)
    members, journeys = _journey_statements(_Key(settings))
    store.execute(f"CREATE OR REPLACE TEMP TABLE scratch_members AS {members}")
    store.execute("DELETE FROM journeys")
    store.execute(f"INSERT INTO journeys {journeys}")
    return store.rows("SELECT * FROM journeys ORDER BY path_id, position")


@cache
def scene() -> DuckDB:
    """The warehouse in which all scenes play, one after the other: to open one for each takes longer."""
    return warehouse(touchpoints=[], conversions=[], people=[], journeys=[])


class _Key:
    """Settings as a key: equal when they say the same."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __hash__(self) -> int:
        return hash(repr(self.settings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.settings == other.settings


@cache
def _journey_statements(key: _Key) -> tuple[str, str]:
    members = attribution.members(AT.conversions, AT.people, AT.deal_contacts)
    kept = ibis.table(members.schema(), name="scratch_members")
    journeys = attribution.journeys(AT.touchpoints, AT.conversions, kept, key.settings)
    return compiled(members, "duckdb"), compiled(fitted(journeys, TABLES["journeys"]), "duckdb")


@cache
def _credit_statement(model: str, parameters: str) -> str:
    settings = {model: json.loads(parameters) or MODELS.get(model, {})}
    (loaded,) = attribution.models.load(settings).values()
    return compiled(attribution.credits(AT.journeys, AT.conversions, model, loaded), "duckdb")
