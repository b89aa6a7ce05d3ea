"""The clients for servers, unmodified, against a collector that runs: every event arrives with the right fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_serve import serving, tieback
from tests.clients.story import arrived, beside_packages, ended, fresh, keys, matched, needed, started

Rows = list[dict[str, Any]]

pytestmark = pytest.mark.xdist_group("clients for servers")  # one collector serves all
TAGS = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "click_id_kind": "gclid"}
FROM_GOOGLE = {"kind": "page", "referrer": "https://www.google.com/", **TAGS}
ADDRESS = "https://{}/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid={}"
EXAMPLE = {"url": ADDRESS.format("www.example.com", "abc123"), "click_id": "abc123"}


def spec(client: str, number: int, *, alias: bool = True) -> Rows:
    """What a client that speaks Segment's spec tells in its script."""
    anonymous, user = {"anonymous_id": f"5f0c1d6e-{client}"}, {"user_id": f"user-{number}"}
    click = f"G-{number}"
    page = FROM_GOOGLE | {"name": "Pricing", "url": ADDRESS.format("shop.example", click), "click_id": click}
    told = [
        page | anonymous | {"user_id": None},
        {"kind": "identify", "email_hash": True} | anonymous | user,
        {"kind": "group", "group_id": "acme", "value": None} | user,
        {"kind": "track", "name": "Order Completed", "value": 199.5, "currency": "EUR"} | user,
    ]
    return [*told, {"kind": "identify", "email_hash": None} | anonymous | user] if alias else told


def matomo() -> Rows:
    """A visit of nobody known, then what one with an address as login does; Matomo's clients send no currency."""
    visitor = {"anonymous_id": "0123456789abcdef", **EXAMPLE}
    known = visitor | {"kind": "track", "email_hash": True, "user_id": None}
    return [
        FROM_GOOGLE | visitor | {"email_hash": None},
        known | {"name": "asked", "value": 3.0},
        known | {"name": "goal 2", "value": 20.0},
        known | {"name": "order", "value": 49.5},
    ]


def snowplow() -> Rows:
    """A visit, a form that holds an address, and a purchase in a structured event, which has no currency."""
    visitor = {"anonymous_id": "b2f0a1d6-27a4-4a5c-9a0e-6d3b6c1f0e11"}
    known = visitor | {"user_id": "user-1"}
    return [
        FROM_GOOGLE | EXAMPLE | visitor | {"user_id": None},
        known | {"kind": "form", "name": "demo", "email_hash": True},
        known | {"kind": "track", "name": "purchase", "value": 49.5},
    ]


def posthog(*others: dict[str, Any]) -> Rows:
    """A visit, a login with an address, the tie of both, and a purchase."""
    browser, login = {"anonymous_id": "01890f5e-7b1a-7c3d-9e2f-1a2b3c4d5e6f"}, {"user_id": "user-1"}
    return [
        FROM_GOOGLE | EXAMPLE | browser | {"user_id": None},
        {"kind": "identify", "email_hash": True} | login,
        {"kind": "identify", "email_hash": None} | browser | login,
        {"kind": "track", "name": "purchase", "value": 49.5, "currency": "EUR", "anonymous_id": None} | login,
        *others,
    ]


UMAMI = [
    FROM_GOOGLE | EXAMPLE,
    {"kind": "track", "name": "purchase", "value": 49.5, "currency": "EUR"} | EXAMPLE,
    {"kind": "identify", "email_hash": True},
]
STORIES = {
    "segment_python.py": spec("segment-python", 1001),
    "segment_node.mjs": spec("segment-node", 1003),
    "rudder_python.py": spec("rudder-python", 1002),
    "rudder_node.mjs": spec("rudder-node", 1004),
    "jitsu_node.mjs": spec("jitsu-node", 1005, alias=False),
    "matomo_node.mjs": matomo(),
    "snowplow_python.py": snowplow(),
    "snowplow_node.mjs": snowplow(),
    "posthog_python.py": posthog({"kind": "track", "name": "price list sent", "anonymous_id": None, "user_id": None}),
    "posthog_node.mjs": posthog({"kind": "group", "group_id": "acme", "user_id": "user-1"}),
    "umami_node.mjs": UMAMI,
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """What every client told one collector, by the name of its script."""
    needed()
    base = tmp_path_factory.mktemp("servers")
    folder, scripts = base / "shop", beside_packages(base / "scripts")
    tieback(folder, "init")
    key_of = keys(folder, [Path(script).stem for script in STORIES])
    with serving(folder, "", "--no-load") as served:
        running = [started(script, scripts, served.url, key_of[Path(script).stem]) for script in STORIES]
        for each in running:
            ended(each)
    return arrived(folder)


@pytest.mark.parametrize("script", STORIES)
def test_every_event_arrives_with_its_fields(script: str, facts: dict[str, Rows]) -> None:
    """Who, what, where from, and for how much, just now; nothing is missing, and nothing is there twice."""
    rows = facts[Path(script).stem]
    matched(rows, STORIES[script])
    fresh(rows)


def test_an_address_is_one_person_whatever_client_tells_it(facts: dict[str, Rows]) -> None:
    """Two people stand in the scripts, and two hashes in the facts."""
    assert len({row["email_hash"] for rows in facts.values() for row in rows if "email_hash" in row}) == 2
