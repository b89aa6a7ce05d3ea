"""What gives way where a rule would be broken."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.facts import warehouse
from tests.identity.build import TIGHT, build, groups, persons, reasons
from tests.identity.rows import contact, event, link, order
from tieback.config import Identity
from tieback.identity.cuts import cuts
from tieback.identity.rules import limits

identifiers = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["u1", "u2", "u3"]),
        "contact_id": st.sampled_from(["c1", "c2", "c3"]),
        "email_hash": st.sampled_from(["e1", "e2", "e3"]),
        "phone_hash": st.sampled_from(["p1", "p2"]),
        "anonymous_id": st.sampled_from(["a1", "a2", "a3", "a4"]),
    },
)
days = st.integers(1, 4).map("2026-01-{:02}".format)
many_events = st.lists(st.tuples(identifiers, days), min_size=3, max_size=14)
ends = st.sampled_from(["user:u1", "user:u2", "anonymous:a1", "anonymous:a3", "customer:k1", "customer:k2", "email:e1"])
many_links = st.lists(
    st.tuples(ends, ends, days, st.booleans()), max_size=6, unique_by=lambda tie: (tie[0], tie[1], tie[2])
)


def outcome(rules: Identity, **facts: list[dict[str, Any]]) -> Any:
    """People and cuts of `facts`, each in an order of its own."""
    store = warehouse(**facts)
    build(store, rules)
    return sorted(persons(store).items()), sorted(map(str, store.rows("SELECT * FROM link_cuts"))), groups(store)


@settings(max_examples=8)
@given(many_events, many_links, st.integers(0, 99))
def test_no_person_breaks_a_rule_whatever_came_in_whatever_order(events: Any, ties: Any, seed: int) -> None:
    """No person has two logins, two contacts or more of a kind than its cap; shuffled facts change nothing."""
    facts = {
        "events": [event(at, **carried) for carried, at in events],
        "links": [link(left, right, at, deleted=deleted) for left, right, at, deleted in ties],
        "contacts": [contact("c1", email_hash="e1"), contact("c2", email_hash="e1"), contact("c3", user_id="u1")],
    }
    first = outcome(TIGHT, **facts)
    for person in first[2]:
        for kind, most in limits(TIGHT).items():
            assert sum(1 for each, _ in person if each == kind) <= most
    chance = random.Random(seed)
    shuffled = {name: chance.sample(rows, len(rows)) for name, rows in facts.items()}
    assert outcome(TIGHT, **shuffled) == first


@settings(max_examples=6)
@given(many_events, many_links, st.sampled_from(["a1", "a2", "a3"]), st.sampled_from(["k1", "k2"]))
def test_unmerge_restores_whatever_was(events: Any, ties: Any, device: str, customer: str) -> None:
    """A tie that came and was removed leaves people and cuts as if it had never come."""
    wrong = (f"anonymous:{device}", f"customer:{customer}")
    known = [event("2026-01-01", anonymous_id=each) for each in ("a1", "a2", "a3")]
    before = {
        "events": [*known, *(event(at, **carried) for carried, at in events)],
        "links": [link(*ends, at, deleted=gone) for *ends, at, gone in ties if set(ends) != set(wrong)],
        "orders": [order(customer_id=each, email_hash="e1") for each in ("k1", "k2")],
    }
    wrongs = [link(*wrong, "2026-02-01"), link(*reversed(wrong), "2026-02-02", deleted=True)]
    after = {**before, "links": [*before["links"], *wrongs]}
    assert outcome(TIGHT, **after) == outcome(TIGHT, **before)


def together(store: Any, *names: str) -> bool:
    """True when the identifiers written kind:value are one person's."""
    person = persons(store)
    return len({person[(name.split(":")[0], name.split(":")[1])] for name in names}) == 1


def test_two_logins_on_one_browser_are_two_persons() -> None:
    """A browser goes to the login seen on it most often; the other tie is cut and says so."""
    seen = [event(user_id="rare", anonymous_id="a"), *(event(user_id="often", anonymous_id="a") for _ in range(2))]
    store = warehouse(events=seen)
    build(store)
    assert together(store, "user:often", "anonymous:a")
    assert not together(store, "user:rare", "anonymous:a")
    assert reasons(store) == ["It would have made one person of two logins: often and rare."]


def test_a_tie_seen_later_outlives_one_seen_as_often() -> None:
    """Of two logins seen equally often, the browser goes to the later one."""
    seen = [event("2026-01-02", user_id="z", anonymous_id="a"), event("2026-01-01", user_id="b", anonymous_id="a")]
    store = warehouse(events=seen)
    build(store)
    assert together(store, "user:z", "anonymous:a")


def test_crm_duplicates_stay_two_persons() -> None:
    """Two contacts with one e-mail are two persons; the one that changed last keeps the address."""
    store = warehouse(
        contacts=[contact("c1", "2026-01-09", email_hash="e"), contact("c2", "2026-01-02", email_hash="e")]
    )
    build(store)
    assert together(store, "contact:c1", "email:e")
    assert not together(store, "contact:c2", "email:e")
    assert reasons(store) == ["It would have made one person of two CRM contacts: c1 and c2."]


def test_two_logins_far_apart_are_cut_at_the_weakest_tie() -> None:
    """A chain between two logins breaks at its browser, not at its e-mail, however often the browser was seen."""
    seen = [event(user_id="u1", email_hash="e"), *(event(email_hash="e", anonymous_id="a") for _ in range(5))]
    store = warehouse(events=[*seen, *(event(user_id="u2", anonymous_id="a") for _ in range(9))])
    build(store)
    assert together(store, "user:u1", "email:e")
    assert together(store, "user:u2", "anonymous:a")
    assert reasons(store) == ["It would have made one person of two logins: u1 and u2."]


@pytest.mark.parametrize(
    ("column", "kind", "reason"),
    [
        ("anonymous_id", "anonymous", "It would have given one person more than 2 browsers or devices."),
        ("email_hash", "email", "It would have given one person more than 2 e-mail addresses."),
        ("phone_hash", "phone", "It would have given one person more than 1 phone number."),
        ("customer_id", "customer", "It would have given one person more than 1 customer number."),
    ],
)
def test_each_kind_has_a_cap(column: str, kind: str, reason: str) -> None:
    """A person has as many of each kind as its cap allows, those seen most often first, and each cut names the cap."""
    fact, table = (event, "events") if column == "anonymous_id" else (order, "orders")
    rows = [fact("2026-01-01", user_id="u", **{column: f"v{place}"}) for place in range(5) for _ in range(place + 1)]
    store = warehouse(**{table: rows})
    build(store, TIGHT)
    most = limits(TIGHT)[kind]
    assert together(store, "user:u", *(f"{kind}:v{place}" for place in range(5 - most, 5)))
    assert not together(store, "user:u", f"{kind}:v{4 - most}")
    assert reasons(store) == [reason] * (5 - most)


def seen_once(*ties: tuple[str, str]) -> pa.Table:
    """Suspect ties of a browser and a login, all alike but in their names."""
    rows = [
        {"left_kind": "anonymous", "left_value": browser, "right_kind": "user", "right_value": login}
        | {"strength": 16, "times_seen": 1, "last_seen_at": datetime(2026, 1, 1)}
        for browser, login in ties
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("seed", range(5))
def test_ties_alike_in_all_else_are_decided_by_name(seed: int) -> None:
    """Ties equally strong, frequent and recent give way by the names of their ends, not by where they stand."""
    ties = [(f"a{browser}", f"u{login}") for browser in range(3) for login in range(4)]
    lost = cuts(seen_once(*random.Random(seed).sample(ties, len(ties))), Identity()).to_pylist()
    assert {(f"a{browser}", "u0") for browser in range(3)} == set(ties) - {
        (tie["left_value"], tie["right_value"]) for tie in lost
    }


def test_a_hundred_thousand_ties_of_a_shared_device_are_parted() -> None:
    """Work grows with the number of ties, so that a component of 100,000 is no trouble; none but one tie is kept."""
    lost = cuts(seen_once(*(("kiosk", f"u{place:06}") for place in range(100_000))), Identity())
    assert lost.num_rows == 99_999
    assert "u000000" not in lost["right_value"].to_pylist()
