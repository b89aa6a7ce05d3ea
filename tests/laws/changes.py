"""One new fact of each kind, for a workspace that holds the core world."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.laws.worlds import START

RATE = {"rate_date": START.date() + timedelta(days=100), "currency": "USD", "base_currency": "EUR", "rate": 1.0}
VISIT = {"event_id": "new", "occurred_at": START + timedelta(hours=3), "kind": "page", "anonymous_id": "a0"}
TIE = {"left_kind": "anonymous", "left_value": "a2", "right_kind": "anonymous", "right_value": "a3"}
DEAL = {"deal_id": "late", "contact_id": "c0", "stage": "won", "amount": 12.5, "currency": "EUR"}
SPENT = {"spend_date": date(2025, 1, 3), "platform": "google_ads", "campaign": "brand", "cost": 7.0, "currency": "EUR"}
_AT = START + timedelta(days=260)
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a visit": ("events", VISIT),
    "a visit of nobody": ("events", {**VISIT, "event_id": "nobody's", "anonymous_id": None}),
    "a tie of two people": ("links", {**TIE, "observed_at": _AT}),
    "a deal that moved": ("deals", {**DEAL, "changed_at": START + timedelta(days=70)}),
    "a role in a deal": ("deal_contacts", {"deal_id": "core", "contact_id": "c2", "changed_at": _AT}),
    "a company's domain": ("accounts", {"account_id": "acme", "domain": "acme.example", "changed_at": _AT}),
    "a contact's company": ("contacts", {"contact_id": "c1", "account_id": "acme", "changed_at": _AT}),
    "restated spend": ("spend", {**SPENT, "synced_at": _AT}),
    "a rate of exchange": ("fx_rates", RATE),
}
