"""Which facts tie which identifiers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.facts import warehouse
from tests.identity.build import TIGHT, build, groups, persons
from tests.identity.rows import contact, event, link, order
from tieback.config import Identity
from tieback.identity.identifiers import JUNK, junk_identifiers
from tieback.identity.observed import together
from tieback.identity.ties import nodes, pairs, ties
from tieback.schema import FACTS
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.relations import relations


def people(rules: Identity | None = None, **facts: list[dict[str, Any]]) -> list[str]:
    """The people of `facts`, each as its identifiers in order, written `kind:value kind:value`."""
    store = warehouse(**facts)
    build(store, rules)
    return sorted(" ".join(sorted(f"{kind}:{value}" for kind, value in group)) for group in groups(store))


def tied(**facts: list[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    """The believed ties of `facts`: both ends, strength and how often seen."""
    at, rules = relations(FACTS), Identity()
    seen = together(at, rules)
    found = ties(seen, at.links, rules)
    rows = warehouse(**facts).read(pairs(found, nodes(found))).to_pylist()
    ends = [(f"{r['left_kind']}:{r['left_value']}", f"{r['right_kind']}:{r['right_value']}") for r in rows]
    return sorted((*end, row["strength"], row["times_seen"]) for end, row in zip(ends, rows, strict=True))


def test_an_event_ties_its_identifiers_to_the_strongest() -> None:
    """Identifiers on one event tie in a star around the strongest, and the tie is worth what its weaker end is."""
    full = event(user_id="u", contact_id="c", email_hash="e", phone_hash="p", anonymous_id="a")
    assert tied(events=[full, event(anonymous_id="a", email_hash="e")]) == [
        ("anonymous:a", "email:e", 14, 1),
        ("anonymous:a", "user:u", 16, 1),
        ("contact:c", "user:u", 56, 1),
        ("email:e", "user:u", 46, 1),
        ("phone:p", "user:u", 26, 1),
    ]


def test_a_contact_ties_what_the_crm_holds_of_it_now() -> None:
    """A CRM contact is tied to its present e-mail, phone, login and customer number, not to those it had."""
    states = [
        contact("c", "2026-01-01", email_hash="old"),
        contact("c", "2026-02-01", email_hash="new", phone_hash="p", user_id="u", customer_id="k"),
    ]
    assert people(contacts=states) == ["contact:c customer:k email:new phone:p user:u", "email:old"]
    assert [tie[:2] for tie in tied(contacts=states)] == [
        ("contact:c", "customer:k"),
        ("contact:c", "email:new"),
        ("contact:c", "phone:p"),
        ("contact:c", "user:u"),
    ]


def test_a_deleted_contact_ties_nothing() -> None:
    """What the CRM has removed ties no more, yet its identifiers remain known."""
    states = [contact("c", email_hash="e"), contact("c", "2026-02-01", email_hash="e", deleted=True)]
    assert people(contacts=states) == ["contact:c", "email:e"]


def test_an_order_ties_its_customer() -> None:
    """An order ties customer number, login, contact, e-mail and phone of whoever placed it."""
    placed = order(customer_id="k", email_hash="e", phone_hash="p")
    assert people(orders=[placed]) == ["customer:k email:e phone:p"]


def test_a_deal_ties_nobody() -> None:
    """The contacts of a deal are different persons; each is known all the same."""
    deal = {"deal_id": "d", "contact_id": "c1", "changed_at": "2026-01-01"}
    other = {"deal_id": "d", "contact_id": "c2", "changed_at": "2026-01-01"}
    assert people(deals=[deal], deal_contacts=[other]) == ["contact:c1", "contact:c2"]


def test_an_identifier_tied_to_none_is_a_person() -> None:
    """Every event finds its person, also one that carries a single identifier never seen elsewhere."""
    assert people(events=[event(anonymous_id="a"), event(user_id="u")]) == ["anonymous:a", "user:u"]


def test_the_person_is_named_after_the_smallest_identifier() -> None:
    """person_id is the smallest of the group's identifiers, written kind:value."""
    store = warehouse(events=[event(user_id="u", anonymous_id="z")], contacts=[contact("c", user_id="u")])
    build(store)
    assert set(persons(store).values()) == {"anonymous:z"}


def test_an_explicit_tie_joins_either_way_round() -> None:
    """A tie may name its ends in any order, twice over, or tie a thing to itself: it is one tie or none."""
    both = [link("user:u", "anonymous:a"), link("anonymous:a", "user:u", "2026-01-02"), link("user:u", "user:u")]
    assert tied(links=both) == [("anonymous:a", "user:u", 16, 2)]


@pytest.mark.parametrize("kind", ["group", "account"])
def test_a_company_joins_no_people(kind: str) -> None:
    """Two persons of one group or account stay two."""
    assert people(links=[link("user:u1", f"{kind}:g"), link(f"{kind}:g", "user:u2")]) == ["user:u1", "user:u2"]


def test_a_removed_tie_is_silent_wherever_it_was_seen() -> None:
    """A removal silences the tie in links and in other facts seen until then, whichever way round it is written."""
    facts: dict[str, list[dict[str, Any]]] = {
        "events": [event("2026-01-01", user_id="u", anonymous_id="a")],
        "links": [link("anonymous:a", "user:u", "2026-01-02")],
    }
    assert people(**facts) == ["anonymous:a user:u"]
    facts["links"].append(link("user:u", "anonymous:a", "2026-01-03", deleted=True))
    assert people(**facts) == ["anonymous:a", "user:u"]


@pytest.mark.parametrize(
    "again",
    [
        {"events": [event("2026-02-02", user_id="u", anonymous_id="a")]},
        {"links": [link("user:u", "anonymous:a", "2026-02-02")]},
    ],
    ids=["event", "link"],
)
def test_a_removed_tie_that_is_seen_again_counts_again(again: dict[str, list[dict[str, Any]]]) -> None:
    """The latest word wins: a tie seen after its removal is believed."""
    removal = link("user:u", "anonymous:a", "2026-02-01", deleted=True)
    facts = {**again, "links": [removal, *again.get("links", [])]}
    assert people(**facts) == ["anonymous:a user:u"]


def test_unmerge_restores_exactly_what_was() -> None:
    """People after a tie came and was removed are people as if it had never come."""
    before: dict[str, list[dict[str, Any]]] = {
        "events": [event(user_id="u1", anonymous_id="a1"), event(email_hash="e2", anonymous_id="a2")],
        "contacts": [contact("c2", email_hash="e2")],
    }
    wrong = [link("user:u1", "anonymous:a2", "2026-01-05")]
    gone = link("user:u1", "anonymous:a2", "2026-01-06", deleted=True)
    assert people(**before) != people(**before, links=wrong)
    assert people(**before) == people(**before, links=[*wrong, gone])


def _disguises() -> list[str]:
    plain = sorted(JUNK)
    quoted = [
        form.format(word) for word in ("null", "Guest", "0") for form in ('"{}"', "'{}'", " {}\t", '" {} "', "'\"{}\"'")
    ]
    dashes = ["", " ", "0", "-", "--", "000-000", "00000000-0000-0000-0000-000000000000", "''"]
    return [*plain, *(word.upper() for word in plain), *quoted, *dashes]


def test_junk_never_links_nor_is_anybody() -> None:
    """null, guest, 0 and their like, in any letter case, quotes or blanks, tie nobody and are nobody."""
    rows = [event(user_id=word, anonymous_id=f"a{place}") for place, word in enumerate(_disguises())]
    ties = [link(f"customer:{word}", f"anonymous:a{place}") for place, word in enumerate(_disguises())]
    expected = sorted(f"anonymous:a{place}" for place in range(len(rows)))
    assert people(events=rows, links=ties, orders=[order(customer_id="NULL", email_hash="e")]) == [*expected, "email:e"]


def test_what_only_looks_like_junk_is_somebody() -> None:
    """An identifier that merely contains a junk word, a zero or a dash is a person's."""
    near = ["annullat", "testa", "0-1", "-2", "n/ab", "guests", "10"]
    assert people(events=[event(user_id=word) for word in near]) == sorted(f"user:{word}" for word in near)


def test_a_workspace_names_junk_of_its_own() -> None:
    """identity.junk adds identifiers that never link, a shared address by its hash among them."""
    rows = [event(email_hash="INFO-hash", user_id="u1"), event(email_hash="info-hash", anonymous_id="a")]
    assert people(TIGHT, events=rows) == ["anonymous:a", "user:u1"]


def test_the_junk_of_events_is_whoever_they_name_that_is_nobody() -> None:
    """Told by the identifiers alone, each once, it is what stands in events but not among the people."""
    rows = [event(user_id=word, email_hash=f"h{place}") for place, word in enumerate(_disguises())]
    rows += [event(user_id="annullat", email_hash="INFO-hash", phone_hash="0", anonymous_id="a") for _ in range(2)]
    store = warehouse(events=rows)
    build(store, TIGHT)
    given = {(kind, row[column]) for row in rows for kind, column in IDENTIFIERS.items() if row.get(column) is not None}
    junk = store.read(junk_identifiers(relations(FACTS).events, TIGHT)).to_pylist()
    assert sorted((row["junk_kind"], row["junk_id"]) for row in junk) == sorted(given - persons(store).keys())
    assert ("phone", "0") in given - persons(store).keys()


def test_a_row_without_its_junk_login_ties_by_the_rest() -> None:
    """A junk login is as none: the row's e-mail is then its strongest identifier."""
    assert people(events=[event(user_id="null", email_hash="e", anonymous_id="a")]) == ["anonymous:a email:e"]


def test_an_event_that_refuses_attribution_ties_nobody() -> None:
    """A form that a visitor fills in all the same does not lead from the address back to the browser."""
    form = event(anonymous_id="a", email_hash="e", consent_attribution=False)
    assert people(events=[form]) == ["anonymous:a", "email:e"]
    assert people(events=[form, event(anonymous_id="a", email_hash="e", consent_attribution=True)]) == [
        "anonymous:a email:e"
    ]
