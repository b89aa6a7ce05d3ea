"""What sales and billing would export: accounts, contacts, deals, buying groups, orders, and ties."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tieback.simulate.behaviour import Outcome
from tieback.simulate.events import devices, instants, user_ids
from tieback.simulate.people import INDUSTRIES, SIZES, People, company_names, domains, emails, joined, numbered, phones
from tieback.simulate.sales import NEVER, STAGES, Sales
from tieback.simulate.visits import DEVICES, Touches
from tieback.simulate.world import DAY, END, START, Bools, Floats, Ints, rng

_WORDS = ("New", "Marketing Qualified Lead", "SQL", "Proposal", "Closed Won")  # the CRM's own words for STAGES
_OWNERS = ("Iris", "Jamal", "Kira", "Luis")
_REASONS = ("price", "timing", "chose another tool", "no answer")
_CENTS = pa.decimal128(18, 2)
_NOTHING = pa.scalar(None, pa.string())


def accounts(world: People, outcome: Outcome, sold: Sales) -> pa.Table:
    """CRM accounts: one for each company from which somebody asked; some were put into another segment later."""
    company = np.nonzero(sold.primary[: world.companies] >= 0)[0]
    at = outcome.lead_at[sold.primary[company]] + 60
    again = (company % 9 == 0) & (at + 40 * DAY < END)
    rows, when = np.concatenate([company, company[again]]), np.concatenate([at, at[again] + 40 * DAY])
    is_later = np.arange(len(rows)) >= len(company)
    table = {
        "account_id": account_ids(rows),
        "name": company_names(rows),
        "domain": domains(rows),
        "industry": pa.array(INDUSTRIES).take(pa.array(rows % len(INDUSTRIES))),
        "segment": pc.if_else(pa.array(is_later), "target", "standard"),
        "country": pc.if_else(pa.array(world.is_european[rows]), "DE", "US"),
        "size": pa.array(SIZES).take(pa.array(world.size[rows])),
        "owner": pa.array(_OWNERS).take(pa.array(rows % len(_OWNERS))),
        "changed_at": instants(when),
    }
    return _ordered(table, when, rows)


def contacts(world: People, seen: Touches, outcome: Outcome) -> pa.Table:
    """CRM contacts: everybody who asked for a company; a later change adds the login of those who tried the product."""
    person = np.nonzero((outcome.lead_at >= 0) & (outcome.lead_at < END) & world.has_company)[0]
    at = outcome.lead_at[person] + 90
    tried = np.isin(person, seen.visits.person[seen.visits.logs_in]) & (at + DAY < END)
    rows, when = np.concatenate([person, person[tried]]), np.concatenate([at, at[tried] + DAY])
    is_later = pa.array(np.arange(len(rows)) >= len(person))
    table = {
        "contact_id": contact_ids(rows),
        "email": emails(world, rows),
        "phone": phones(rows),
        "user_id": pc.if_else(is_later, user_ids(rows), _NOTHING),
        "account_id": account_ids(world.company[rows]),
        "lifecycle_stage": pc.if_else(is_later, "trial", "lead"),
        "owner": pa.array(_OWNERS).take(pa.array(world.company[rows] % len(_OWNERS))),
        "changed_at": instants(when),
    }
    return _ordered(table, when, rows)


def deals(world: People, sold: Sales, seed: int) -> pa.Table:
    """Every change of every deal, with test deals and deals entered twice (and deleted) among them."""
    steps = [(sold.stage_at[number], word, number) for number, word in enumerate(_WORDS)]
    steps.append((sold.lost_at, "Closed Lost", len(_WORDS)))
    handed_on = np.where(np.arange(world.buyers) % 10 == 3, sold.sold_at + 3 * DAY, NEVER)
    steps.append((np.where(handed_on < END, handed_on, NEVER), "Closed Won", len(_WORDS) + 1))
    tables: list[pa.Table] = []
    order: list[tuple[Ints, Ints]] = []
    for at, word, number in steps:
        company = np.nonzero(at[: world.companies] < NEVER)[0]
        tables.append(_deal_change(sold, company, at[company], word, number))
        order.append((at[company], company))
    lead = np.nonzero(sold.stage_at[0][: world.companies] < NEVER)[0]
    for table, at, extra in _not_counted(sold, lead, seed):
        tables.append(table)
        order.append((at, extra))
    when, who = (np.concatenate(column) for column in zip(*order, strict=True))
    return pa.concat_tables(tables).take(pa.array(np.lexsort((who, when))))


def deal_contacts(world: People, outcome: Outcome, sold: Sales) -> pa.Table:
    """The buying group of each deal: who asked before it was decided."""
    person = np.nonzero((outcome.lead_at >= 0) & (outcome.lead_at < END) & world.has_company)[0]
    company = world.company[person]
    person = person[outcome.lead_at[person] <= np.minimum(sold.sold_at, sold.lost_at)[company]]
    company, at = world.company[person], outcome.lead_at[person]
    table = {
        "deal_id": deal_ids(company),
        "contact_id": contact_ids(person),
        "role": pc.if_else(
            pa.array(sold.primary[company] == person),
            "decision maker",
            pc.choose(pa.array(person % 2), "influencer", "user"),
        ),
        "changed_at": instants(at),
    }
    return _ordered(table, at, person)


def orders(world: People, sold: Sales) -> pa.Table:
    """Subscriptions of private buyers, and everybody's renewals, expansions and refunds.

    A few amounts were first booked wrong, and corrected by a later change.
    """
    private = np.arange(world.buyers) >= world.companies
    kinds = [("subscription", 0, np.where(private, sold.sold_at, NEVER), sold.amount)]
    kinds += [(later.kind, number, later.at, later.amount) for number, later in enumerate(sold.follow_ups, start=1)]
    tables: list[pa.Table] = []
    order: list[tuple[Ints, Ints]] = []
    for kind, number, at, amount in kinds:
        buyer = np.nonzero(at < NEVER)[0]
        final = _order_rows(world, sold, buyer, (kind, number), at[buyer], amount[buyer], at[buyer] + 60)
        wrong = buyer[buyer % 23 == 5]
        booked = _order_rows(world, sold, wrong, (kind, number), at[wrong], amount[wrong] * 2, at[wrong] + 30)
        tables += [final, booked]
        order += [(at[buyer] + 60, buyer), (at[wrong] + 30, wrong)]
    when, who = (np.concatenate(column) for column in zip(*order, strict=True))
    return pa.concat_tables(tables).take(pa.array(np.lexsort((who, when))))


def links(world: People, seen: Touches, outcome: Outcome) -> pa.Table:
    """Ties of browser and login or address that only the product knows, and a few that were wrong and taken back."""
    person = seen.told // DEVICES
    at = np.minimum(outcome.lead_at[person] + 2 * DAY, END - 1)
    right = _link_rows(seen.told, emails(world, person), at, np.zeros(len(person), bool))
    known = np.unique(seen.visits.slot[seen.visits.asks])
    wrong = known[:: max(1, len(known) // 4)][:4]
    other = known[1 :: max(1, len(known) // 4)][:4] // DEVICES
    count = min(len(wrong), len(other))
    address, noon = emails(world, other[:count]), np.full(count, START + 200 * DAY + 43_200)
    made = _link_rows(wrong[:count], address, noon, np.zeros(count, bool))
    undone = _link_rows(wrong[:count], address, noon + DAY, np.ones(count, bool))
    return pa.concat_tables([right, made, undone])


def account_ids(company: Ints) -> pa.Array:
    """CRM account ids."""
    return numbered("A", company, 5)


def contact_ids(person: Ints) -> pa.Array:
    """CRM contact ids."""
    return numbered("C", person, 6)


def deal_ids(company: Ints) -> pa.Array:
    """CRM deal ids; a company buys once."""
    return numbered("D", company, 5)


def order_ids(buyer: Ints, number: int) -> pa.Array:
    """Order ids; `number` 0 is the subscription itself."""
    return joined(numbered("O", buyer, 6), f"-{number}")


def _deal_change(sold: Sales, company: Ints, at: Ints, word: str, number: int) -> pa.Table:
    won = number in (len(STAGES) - 1, len(STAGES) + 1)
    amount = sold.amount[company] if won else sold.opening[company]
    is_valued = won | (sold.stage_at[3][company] <= at)
    is_lost = number == len(STAGES)
    owner = (company + (number > len(STAGES))) % len(_OWNERS)
    return _deal_rows(
        deal_id=deal_ids(company),
        name=joined(company_names(company), " support desk"),
        account_id=account_ids(company),
        contact_id=contact_ids(sold.primary[company]),
        stage=pa.repeat(word, len(company)),
        amount=_money(amount, is_valued),
        currency=pc.if_else(pa.array(sold.is_euro[company]), "EUR", "USD"),
        lost_reason=pc.if_else(
            pa.scalar(is_lost), pa.array(_REASONS).take(pa.array(company % len(_REASONS))), _NOTHING
        ),
        owner=pa.array(_OWNERS).take(pa.array(owner)),
        changed_at=instants(at),
        deleted=pa.repeat(False, len(company)),
    )


def _not_counted(sold: Sales, lead: Ints, seed: int) -> list[tuple[pa.Table, Ints, Ints]]:
    """Test deals of the sales team, and deals entered twice: made, then deleted."""
    dice = rng(seed, "not counted")
    tests = np.arange(3 + len(lead) // 100)
    test_at = dice.integers(START, END, len(tests))
    twice = lead[7::60]
    at = np.minimum(sold.stage_at[0][twice] + 300, END - 2)
    found = [(_extra("T", tests, "TEST please ignore", "Closed Won", test_at, deleted=False), test_at, tests)]
    found += [(_extra("X", twice, "Entered twice", "New", at, deleted=False), at, twice)]
    found += [(_extra("X", twice, "Entered twice", "New", at + 1, deleted=True), at + 1, twice)]
    return found


def _extra(prefix: str, number: Ints, name: str, stage: str, at: Ints, *, deleted: bool) -> pa.Table:
    count = len(number)
    nothing = pa.nulls(count, pa.string())
    return _deal_rows(
        deal_id=numbered(prefix, number, 5),
        name=pa.repeat(name, count),
        account_id=nothing,
        contact_id=nothing,
        stage=pa.repeat(stage, count),
        amount=_money(np.full(count, 99_999.0), np.full(count, prefix == "T")),
        currency=pa.repeat("USD", count),
        lost_reason=nothing,
        owner=pa.repeat(_OWNERS[0], count),
        changed_at=instants(at),
        deleted=pa.repeat(deleted, count),
    )


def _deal_rows(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def _order_rows(
    world: People, sold: Sales, buyer: Ints, kind: tuple[str, int], at: Ints, amount: Floats, changed: Ints
) -> pa.Table:
    name, number = kind
    is_private = pa.array(buyer >= world.companies)
    person = sold.primary[buyer]
    company = np.minimum(buyer, world.companies - 1)
    sale = pc.if_else(is_private, order_ids(buyer, 0), deal_ids(company))
    return pa.table(
        {
            "order_id": order_ids(buyer, number),
            "kind": pa.repeat(name, len(buyer)),
            "sale_id": sale if number else pa.nulls(len(buyer), pa.string()),
            "customer_id": numbered("K", buyer, 6),
            "user_id": pc.if_else(is_private, user_ids(person), _NOTHING),
            "contact_id": pc.if_else(is_private, _NOTHING, contact_ids(person)),
            "account_id": pc.if_else(is_private, _NOTHING, account_ids(company)),
            "email": pc.if_else(is_private, emails(world, person), _NOTHING),
            "amount": _money(amount),
            "margin": _money(np.round(amount * 0.8, 2)),
            "currency": pc.if_else(pa.array(sold.is_euro[buyer]), "EUR", "USD"),
            "occurred_at": instants(at),
            "changed_at": instants(changed),
        }
    )


def _link_rows(slot: Ints, address: pa.Array, at: Ints, deleted: Bools) -> pa.Table:
    return pa.table(
        {
            "left_kind": pa.repeat("anonymous", len(slot)),
            "left_value": devices(slot),
            "right_kind": pa.repeat("email", len(slot)),
            "right_value": address,
            "observed_at": instants(at),
            "deleted": pa.array(deleted),
        }
    )


def _money(amount: Floats, is_known: Bools | None = None) -> pa.Array:
    """Amounts to the cent; empty where not known."""
    mask = None if is_known is None else ~is_known
    return pc.cast(pc.round(pa.array(amount, mask=mask), 2), _CENTS)


def _ordered(columns: dict[str, pa.Array], at: Ints, number: Ints) -> pa.Table:
    return pa.table(columns).take(pa.array(np.lexsort((number, at))))
