"""A small workspace, from facts to a finished run.

Ann (ACME, industry Software) clicks an ad, reads a newsletter, comes back directly and buys for 1,000.00.
Bob buys for 500.00 before anyone has ever seen him; his only visit comes five days later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.facts import put
from tieback.cli import group
from tieback.cli.warehouse import opened
from tieback.config import open_workspace
from tieback.pipeline import refresh
from tieback.store.publishing import publication

SETTINGS = """\
name = "small"
currency = "EUR"
time_zone = "Europe/Berlin"

[models.linear]
[models.last_touch]
[models.last_paid]
"""


def visit(event_id: str, at: str, contact: str, **more: Any) -> dict[str, Any]:
    """A page view of a known contact."""
    return {
        "event_id": event_id,
        "occurred_at": at,
        "kind": "page",
        "anonymous_id": f"browser-{contact}",
        "contact_id": contact,
        "url": "https://shop.example/offer",
        "landing_page": "/offer",
        "origin": "d1",
        **more,
    }


def stage(
    deal_id: str, name: str, at: str, contact: str, account: str | None = None, amount: float = 0
) -> dict[str, Any]:
    """A deal's change of stage."""
    return {
        "deal_id": deal_id,
        "stage": name,
        "changed_at": at,
        "contact_id": contact,
        "account_id": account,
        "amount": amount,
        "currency": "EUR",
    }


PAID = {
    "utm_source": "google",
    "utm_medium": "cpc",
    "utm_campaign": "brand",
    "click_id_kind": "gclid",
    "click_id": "x1",
}
EVENTS = [
    visit("e1", "2026-01-05T11:00:00", "ann", **PAID),
    visit("e2", "2026-01-20T11:00:00", "ann", utm_source="news", utm_medium="email", utm_campaign="january"),
    visit("e3", "2026-02-10T11:00:00", "ann"),
    visit("e4", "2026-02-13T11:00:00", "ann", utm_source="news", utm_medium="email", utm_campaign="february"),
    visit("e5", "2026-02-20T11:00:00", "bob", **PAID),
]
DEALS = [
    stage("D1", "lead", "2026-01-21T11:00:00", "ann", "A1"),
    stage("D1", "won", "2026-02-11T11:00:00", "ann", "A1", 1000),
    stage("D2", "lead", "2026-02-01T11:00:00", "bob"),
    stage("D2", "won", "2026-02-15T11:00:00", "bob", None, 500),
]
FACTS: dict[str, list[dict[str, Any]]] = {
    "events": EVENTS,
    "contacts": [
        {"contact_id": "ann", "account_id": "A1", "changed_at": "2026-01-01T00:00:00"},
        {"contact_id": "bob", "changed_at": "2026-01-01T00:00:00"},
    ],
    "accounts": [{"account_id": "A1", "name": "ACME", "industry": "Software", "changed_at": "2026-01-01T00:00:00"}],
    "deals": DEALS,
    "spend": [
        {
            "spend_date": "2026-01-05",
            "platform": "google_ads",
            "campaign": "brand",
            "cost": 40,
            "currency": "EUR",
            "impressions": 400,
            "clicks": 4,
            "synced_at": "2026-01-06T00:00:00",
        }
    ],
    "deliveries": [
        {
            "delivery_id": "d1",
            "file": "events.csv",
            "table_name": "events",
            "mapping": "",
            "facts_added": 5,
            "rows_read": 5,
            "facts_known": 0,
            "rows_refused": 0,
        }
    ],
}


def workspace(folder: Path, *, run: bool = True, **facts: list[dict[str, Any]]) -> Path:
    """A workspace in `folder` with these facts (the company's unless given), run unless told."""
    (folder / "tieback.toml").write_text(SETTINGS)
    made = open_workspace(folder)
    with opened(made) as store:
        for name, rows in (FACTS | facts).items():
            put(store, name, rows)
        if run:
            refresh(store, made.settings)
    return folder


def tieback(folder: Path, *arguments: str) -> Result:
    """The outcome of a command; errors of the user are on `exception`."""
    return CliRunner().invoke(group, ["-w", str(folder), *arguments])


def tamper(folder: Path, sql: str) -> None:
    """Change what was worked out in the workspace, behind its back, and publish that."""
    made = open_workspace(folder)
    with opened(made) as store:
        store.execute(sql)
        publication(store, made.runs, None).show(keep_runs=1)
