"""Facts in few words, for tests of who is whom."""

from __future__ import annotations

from itertools import count
from typing import Any

_numbers = count()


def event(at: str = "2026-01-01", **identifiers: Any) -> dict[str, Any]:
    """An event that carries `identifiers` (user_id="u1", email_hash="e1" …)."""
    return {"event_id": f"event {next(_numbers)}", "kind": "page", "occurred_at": at, **identifiers}


def contact(contact_id: str, at: str = "2026-01-01", **columns: Any) -> dict[str, Any]:
    """A state of a CRM contact."""
    return {"contact_id": contact_id, "changed_at": at, **columns}


def account(account_id: str, **columns: Any) -> dict[str, Any]:
    """A CRM account."""
    return {"account_id": account_id, "changed_at": "2026-01-01", **columns}


def order(at: str = "2026-01-01", **columns: Any) -> dict[str, Any]:
    """An order."""
    number = f"order {next(_numbers)}"
    return {"order_id": number, "kind": "order", "amount": 1, "occurred_at": at, "changed_at": at, **columns}


def link(left: str, right: str, at: str = "2026-01-01", *, deleted: bool = False) -> dict[str, Any]:
    """An explicit tie of two identifiers written as kind:value, or its removal."""
    (left_kind, left_value), (right_kind, right_value) = left.split(":", 1), right.split(":", 1)
    return {
        "left_kind": left_kind,
        "left_value": left_value,
        "right_kind": right_kind,
        "right_value": right_value,
        "observed_at": at,
        "deleted": deleted,
    }
