"""Which company a person belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.facts import warehouse
from tests.identity.build import TIGHT, account_of, build
from tests.identity.rows import account, contact, event, link, order
from tieback.config import Identity
from tieback.identity.accounts import free_mail_domains


def account_id(identifier: str, rules: Identity | None = None, **facts: list[dict[str, Any]]) -> Any:
    """The account of the person with the identifier written kind:value."""
    store = warehouse(**facts)
    build(store, rules)
    return account_of(store, *identifier.split(":", 1))


def test_the_crm_outranks_a_group_and_a_group_the_address() -> None:
    """CRM account before the group that a source names, before the domain of the e-mail address."""
    address = {"email_hash": "e", "email_domain": "acme.com"}
    facts: dict[str, list[dict[str, Any]]] = {"events": [event(user_id="u", anonymous_id="a", **address)]}
    assert account_id("anonymous:a", **facts) == "domain:acme.com"
    facts["events"].append(event("2026-01-01", user_id="u", group_id="g"))
    assert account_id("anonymous:a", **facts) == "group:g"
    facts["links"] = [link("user:u", "group:later", "2026-03-01")]
    assert account_id("anonymous:a", **facts) == "group:later"
    facts["orders"] = [order("2026-02-01", user_id="u", account_id="3")]
    assert account_id("anonymous:a", **facts) == "crm:3"
    facts["links"].append(link("account:2", "user:u"))
    assert account_id("anonymous:a", **facts) == "crm:2"
    facts["contacts"] = [contact("c", "2025-01-01", user_id="u", account_id="1")]
    assert account_id("anonymous:a", **facts) == "crm:1"


def test_a_contact_moves_with_its_latest_change() -> None:
    """A contact belongs to the account that the CRM holds for it now; a deleted contact to none."""
    states = [contact("c", account_id="old"), contact("c", "2026-02-01", account_id="new")]
    assert account_id("contact:c", contacts=states) == "crm:new"
    assert (
        account_id("contact:c", contacts=[*states, contact("c", "2026-03-01", account_id="new", deleted=True)]) is None
    )


def test_of_two_groups_the_later_counts_and_of_two_at_once_the_smaller() -> None:
    """The latest word wins; what is said at one instant is decided by the id, never by the order of arrival."""
    groups = [event("2026-01-02", user_id="u", group_id=name) for name in ("y", "x")]
    assert account_id("user:u", events=[*groups, event("2026-01-01", user_id="u", group_id="a")]) == "group:x"
    assert account_id("user:u", events=[*reversed(groups)]) == "group:x"


def test_a_removed_membership_is_silent() -> None:
    """Removing the tie of a person and a company takes the person out of it, until it is stated again."""
    joined = [link("user:u", "group:g"), link("group:g", "user:u", "2026-01-02", deleted=True)]
    seen = [event("2026-01-01", user_id="u", group_id="g")]
    assert account_id("user:u", events=seen, links=joined) is None
    assert (
        account_id("user:u", events=[*seen, event("2026-01-03", user_id="u", group_id="g")], links=joined) == "group:g"
    )


@pytest.mark.parametrize("name", ["null", "0", "'None'"])
def test_a_junk_group_is_no_company(name: str) -> None:
    """A group called null or 0 is none."""
    assert account_id("user:u", events=[event(user_id="u", group_id=name)]) is None


def test_a_free_mail_address_says_nothing_of_a_company() -> None:
    """Free-mail domains, the built-in and those of the workspace, make no account; letter case does not matter."""
    rows = [
        event(email_hash=f"e{at}", email_domain=name)
        for at, name in enumerate(["GMail.com", "isp.example", "acme.com"])
    ]
    found = [account_id(f"email:e{place}", TIGHT, events=rows) for place in range(3)]
    assert found == [None, None, "domain:acme.com"]


def test_the_free_mail_list_is_clean() -> None:
    """Each domain of the list stands there once, in lower case, with a dot and no blank."""
    domains = free_mail_domains()
    assert len(domains) > 150
    assert all(domain == domain.strip().lower() and "." in domain and "@" not in domain for domain in domains)
    assert {"gmail.com", "outlook.com", "web.de", "qq.com"} <= domains


def test_a_domain_that_one_crm_account_has_is_that_account() -> None:
    """An address at the domain of exactly one CRM account belongs to that account; where two have it, to the domain."""
    rows = [event(email_hash="e", email_domain="acme.com")]
    one = account("A", domain="ACME.com ")
    assert account_id("email:e", events=rows, accounts=[one]) == "crm:A"
    assert account_id("email:e", events=rows, accounts=[one, account("B", domain="acme.com")]) == "domain:acme.com"
    gone = {**account("B", domain="acme.com"), "deleted": True}
    assert account_id("email:e", events=rows, accounts=[one, gone]) == "crm:A"


def test_a_domain_of_too_many_people_is_no_company() -> None:
    """At max_account_people a domain is still a company, with one person more it is none."""
    rows = [event(email_hash=f"e{place}", email_domain="big.example") for place in range(3)]
    assert account_id("email:e0", TIGHT, events=rows[:2]) == "domain:big.example"
    assert account_id("email:e0", TIGHT, events=rows) is None
    one_person = [*rows[:2], event(email_hash="e2", email_domain="big.example", user_id="u")]
    same = [event(email_hash="e1", user_id="u")]
    assert account_id("email:e0", TIGHT, events=[*one_person, *same]) == "domain:big.example"
