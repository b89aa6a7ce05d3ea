"""Attributes of the account behind each conversion."""

from __future__ import annotations

from tests.facts import warehouse
from tests.metrics import hand
from tieback.metrics.accounts import account_attributes
from tieback.schema import FACTS, OPINIONS
from tieback.schema.relations import relations


def test_a_domain_of_two_accounts_has_the_attributes_of_neither() -> None:
    """By the CRM's id; by the domain where one account has it; two accounts of one domain leave it open."""
    accounts = [
        {"account_id": "A1", "domain": "one.test", "industry": "Steel"},
        {"account_id": "A2", "domain": "two.test", "industry": "Glass"},
        {"account_id": "A3", "domain": "two.test", "industry": "Paper"},
    ]
    owners = {"order:1": "crm:A3", "order:2": "domain:one.test", "order:3": "domain:two.test", "order:4": None}
    conversions = [
        hand.conversion(name, "2026-01-01", account_id=account, person_id=f"user:{name}")
        for name, account in owners.items()
    ]
    at = relations((*FACTS, *OPINIONS))
    dated = [{**row, "changed_at": "2026-01-01"} for row in accounts]
    with warehouse(accounts=dated, conversions=conversions, people=[]) as store:
        rows = store.read(account_attributes(at.conversions, at.people, at.accounts)).to_pylist()
    assert {row["conversion_id"]: row["industry"] for row in rows} == {
        "order:1": "Paper",
        "order:2": "Steel",
        "order:3": None,
        "order:4": None,
    }
