"""A refresh that costs what changed: the opinions about whom and what a change touches, worked out anew.

Stage by stage, as in `tieback.pipeline` and by the same expressions, over the facts near the change alone. What is near
is closed (see `affected.py` in the rooms), so that the rest of each table stands as a full run would build it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import ibis
from ibis.expr import types as ir

from tieback import attribution, identity, metrics
from tieback.attribution import affected as sold
from tieback.attribution.affected import Replaced
from tieback.config import Settings
from tieback.identity import affected as known
from tieback.identity.people import located
from tieback.schema import TABLES
from tieback.schema.relations import fitted
from tieback.store import Engine

OnStage = Callable[[str], Any]

_OF_SPEND = {"costs", "performance"}


@dataclass(frozen=True)
class Near:
    """What lies near a change: identifiers, the facts that carry them, their rows of PEOPLE as they were and are."""

    ids: ir.Table
    keys: SimpleNamespace
    facts: SimpleNamespace
    was: ir.Table
    now: ir.Table
    persons: ir.Table


@dataclass(frozen=True)
class Parties:
    """The parties that a change touches, closed; their rows of PEOPLE; the keys and versions of all their records."""

    ids: ir.Table
    people: ir.Table
    keys: SimpleNamespace
    records: SimpleNamespace


@dataclass(frozen=True)
class Walked:
    """The touches of the parties, the paths that went and came, and the conversions that are credited again."""

    touches: ir.Table
    paths: Replaced
    again: ir.Table


class Update:
    """One incremental refresh of the opinions in `engine`.

    at: the declared tables as relations. since: by fact table, the newest received_at that the last run had seen;
    None for a table that was empty. stale: the opinions that are out of date.
    """

    def __init__(
        self, engine: Engine, at: Any, settings: Settings, since: Mapping[str, datetime | None], stale: Collection[str]
    ) -> None:
        self.engine, self.at, self.settings = engine, at, settings
        self.changed = self._kept(
            "new", SimpleNamespace(**{name: _after(at.__dict__[name], mark) for name, mark in since.items()})
        )
        self.before = SimpleNamespace(**{name: _until(at.__dict__[name], mark) for name, mark in since.items()})
        self.stale = stale
        self.rows: dict[str, int] = {}

    def run(self, on_stage: OnStage) -> dict[str, int]:
        """Bring every opinion up to date; returns how many rows of each were built. `on_stage` hears each name."""
        touches = sales = walked = credit = None
        if not set(self.stale) <= _OF_SPEND:
            on_stage("people")
            near = self._people()
            on_stage("touchpoints")
            seen = self._touchpoints(near)
            parties = self._parties(near, seen)
            touches, others = self._touched(near, seen, parties)
        on_stage("costs")
        costs = self._costs() if "costs" in self.stale else self._nothing("costs")
        if touches:
            on_stage("conversions")
            sales = self._conversions(parties)
            on_stage("journeys")
            walked = self._journeys(touches, others, parties, sales)
            on_stage("credits")
            self.rows["credits"] = 0
            if self._count(walked.again):  # most visits come after what they could be credited with
                credit = self._credits(sales, walked)
        on_stage("performance")
        self._performance(costs, touches, sales, walked, credit)
        return self.rows

    # --- people ---

    def _people(self) -> Near:
        rules, at, engine = self.settings.identity, self.at, self.engine
        ids = engine.scratch("ids", known.named(self.changed, rules))
        while True:
            ids = engine.fixpoint("kin", ids, lambda now: known.with_their_people(now, at.people, at.link_cuts))
            keys = self._kept("key", known.carriers(at, ids, self.changed))
            facts = self._kept("near", known.near(at, keys, ids))
            marks = (*known.carried(ids, tuple(at.events.columns)), self.changed.events.select("event_id"))
            facts.events = engine.pick("near_events", TABLES["events"], *marks)
            wider = ids.union(known.named(facts, rules), distinct=True)
            seen = engine.scratch("together", identity.together(facts, rules))
            settled, cuts = identity.solved(engine, seen, facts.links, rules)
            addresses = engine.scratch("addresses", identity.owned_addresses(seen, settled, rules))
            domains = engine.scratch("domains", identity.company_domains(seen, at.accounts, self.changed, rules))
            companies = engine.scratch("companies", self._companies(at, settled, ids, domains))
            if self._count(known.moved(addresses, at.people, self.changed)):
                wider = wider.union(self._shifted(companies, settled, ids, domains), distinct=True)
            wider = engine.scratch("wider", wider)
            if self._count(wider) == self._count(ids):
                break
            ids = engine.scratch("ids", wider)
        was = engine.scratch("was_people", at.people.semi_join(ids, ["id_kind", "id_value"]).select(*at.people.columns))
        claims = identity.owned_claims(seen, facts.links, settled, rules)
        accounts = identity.accounts(claims, addresses, companies)
        found = identity.identifiers(facts).semi_join(ids, ["id_kind", "id_value"])  # what no fact has any more is gone
        now = engine.scratch("now_people", identity.people(found, settled, accounts, rules))
        self.rows["people"] = engine.replace(TABLES["people"], ids.select("id_kind", "id_value"), now)
        engine.replace(TABLES["link_cuts"], ids.select(left_kind="id_kind", left_value="id_value"), cuts)
        persons = was.select("person_id").union(now.select("person_id"), distinct=True)
        return Near(ids, keys, facts, was, now, engine.scratch("persons", persons))

    def _companies(self, facts: Any, settled: ir.Table, ids: ir.Table, domains: ir.Table) -> ir.Table:
        """The companies that `domains` stand for by `facts`: persons of `ids` as `settled`, others as known before."""
        told = known.of_domains(facts, domains)
        rules = self.settings.identity
        addresses = identity.company_addresses(identity.together(told, rules), rules).semi_join(domains, "domain")
        persons = located(addresses, self.at.people, settled, ids)
        return identity.companies(persons, facts.accounts, rules)

    def _shifted(self, companies: ir.Table, settled: ir.Table, ids: ir.Table, domains: ir.Table) -> ir.Table:
        """The addresses of which `companies` tell something else than before: id_kind, id_value."""
        nothing, nobody = (rows.filter(ibis.literal(value=False)) for rows in (settled, ids))
        past = self.engine.scratch("past_companies", self._companies(self.before, nothing, nobody, domains))
        shifted = companies.difference(past).union(past.difference(companies)).select(domain="company").distinct()
        rules = self.settings.identity
        addresses = identity.company_addresses(identity.together(self.at, rules), rules)
        return addresses.semi_join(shifted, "domain").select("id_kind", "id_value")

    # --- touchpoints and costs ---

    def _touchpoints(self, near: Near) -> ir.Table:
        settings, engine = self.settings, self.engine
        staff = engine.scratch("staff", attribution.staff(near.facts, near.now, settings.exclude))
        events, people = near.facts.events, near.now
        junk = engine.scratch("junk", identity.junk_identifiers(events, settings.identity))
        found = attribution.sessions_by_steps(engine, events, people, (junk, staff), settings)
        found = attribution.touchpoints_by_steps(engine, found, settings)
        return engine.scratch("now_touchpoints", fitted(found, TABLES["touchpoints"]))

    def _touched(self, near: Near, seen: ir.Table, parties: Parties) -> tuple[Replaced, ir.Table]:
        """Put the touches `seen` of the persons near in place of theirs; those of others among the parties stand."""
        engine, table = self.engine, TABLES["touchpoints"]
        anybody = parties.ids.select(person_id="party").union(near.persons, distinct=True)
        held = engine.pick("held_touchpoints", table, engine.scratch("anybody", anybody))
        was = engine.scratch("was_touchpoints", held.semi_join(near.persons, "person_id").select(*held.columns))
        replaced = was.select("person_id").union(seen.select("person_id"))
        others = engine.scratch("others", held.anti_join(replaced, "person_id").select(*held.columns))
        self.rows["touchpoints"] = engine.replace(table, near.persons, seen)
        return Replaced(was, seen), others

    def _costs(self) -> Replaced:
        settings, engine, at = self.settings, self.engine, self.at
        rates = self.changed.fx_rates.select(spend_date="rate_date")
        days = engine.scratch("days", self.changed.spend.select("spend_date").union(rates, distinct=True))
        was = engine.scratch("was_costs", at.costs.semi_join(days, "spend_date").select(*at.costs.columns))
        spend = engine.scratch("spend", at.spend.semi_join(days, "spend_date").select(*at.spend.columns))
        attribution.refuse_missing(engine.read, attribution.rates_of_spend(spend), at.fx_rates, settings)
        now = engine.scratch("now_costs", attribution.costs(spend, at.fx_rates, settings))
        self.rows["costs"] = engine.replace(TABLES["costs"], days, now)
        return Replaced(was, now)

    # --- conversions, journeys, credits ---

    def _parties(self, near: Near, seen: ir.Table) -> Parties:
        engine, at = self.engine, self.at
        parties, keys = engine.scratch("parties", self._first_parties(near, seen)), near.keys
        while True:
            parties = engine.fixpoint("kin", parties, lambda now: sold.with_their_kin(now, at.people, at.conversions))
            people = engine.scratch("people_of", sold.people_of(at.people, parties))
            found = self._kept("record", sold.record_keys(at, people, at.conversions, parties, keys))
            keys = self._kept("sale", sold.with_their_sales(at, found))
            records = self._kept("of", sold.records(at, keys, near.facts.events))
            wider = engine.scratch("wider", parties.union(sold.parties_of_records(records, at.people), distinct=True))
            if self._count(wider, keys.deals, keys.orders) == self._count(parties, found.deals, found.orders):
                return Parties(parties, people, keys, records)
            parties = engine.scratch("parties", wider)

    def _first_parties(self, near: Near, seen: ir.Table) -> ir.Table:
        new, sales, base = self.changed, self.at.conversions, self.settings.currency
        companies = (new.deals, new.orders, new.accounts)
        dated = sales.filter(sales.currency != base).semi_join(
            new.fx_rates, sales.conversion_date == new.fx_rates.rate_date
        )
        found = [
            sold.parties_of_people(near.was),
            sold.parties_of_people(near.now),
            sold.parties_of_touches(seen),
            sold.parties_of_conversions(dated),
            *(sold.parties_of_crm_accounts(rows) for rows in companies),
        ]
        return ibis.union(*found, distinct=True)

    def _conversions(self, parties: Parties) -> Replaced:
        settings, engine, at, records = self.settings, self.engine, self.at, parties.records
        was = engine.scratch("was_conversions", sold.conversions_of(at.conversions, parties.ids, parties.keys))
        by_event = any(each.source == "events" for each in settings.conversions.values())
        if not by_event and not self._count(was, records.deals, records.orders):
            self.rows["conversions"] = 0
            return Replaced(was, was)
        found = attribution.conversions_by_steps(engine, records, at, parties.people, settings)
        now = engine.scratch("now_conversions", fitted(found, TABLES["conversions"]))
        self.rows["conversions"] = engine.replace(TABLES["conversions"], self._sold(Replaced(was, now)), now)
        return Replaced(was, now)

    def _journeys(self, touches: Replaced, others: ir.Table, parties: Parties, sales: Replaced) -> Walked:
        engine = self.engine
        members = attribution.members(sales.now, parties.people, parties.records.deal_contacts)
        walked = engine.scratch("walked", others.union(touches.now))
        was = engine.pick("was_journeys", TABLES["journeys"], self._sold(sales))
        known = (walked, sales.now, engine.scratch("members", members), self.settings)
        found = attribution.converted_paths(*known).union(attribution.open_paths(*known))
        now = engine.scratch("now_journeys", fitted(found, TABLES["journeys"]))
        again = engine.scratch("again", sold.credited_again(sales, Replaced(was, now), touches))
        paths = again.select(path_id="conversion_id").union(sold.open_paths(parties.ids))
        self.rows["journeys"] = engine.replace(TABLES["journeys"], paths, now.semi_join(paths, "path_id"))
        return Walked(walked, Replaced(was, now), again)

    def _credits(self, sales: Replaced, walked: Walked) -> Replaced:
        engine, again = self.engine, walked.again
        was = engine.pick("was_credits", TABLES["credits"], again)
        models = attribution.models.load(self.settings.models)
        steps, sold_now = self._of(again, "paths", walked.paths.now), self._of(again, "sales", sales.now)
        found = [attribution.credits(steps, sold_now, name, model) for name, model in models.items()]
        fit = [fitted(each, TABLES["credits"]) for each in found]
        now = engine.scratch("now_credits", ibis.union(*fit) if len(fit) > 1 else fit[0])
        self.rows["credits"] = engine.replace(TABLES["credits"], again, now)
        return Replaced(was, now)

    def _sold(self, sales: Replaced) -> ir.Table:
        """The conversions that went or came: conversion_id."""
        either = sales.was.select("conversion_id").union(sales.now.select("conversion_id"), distinct=True)
        return self.engine.scratch("sold", either)

    def _of(self, again: ir.Table, name: str, rows: ir.Table) -> ir.Table:
        """The rows of the conversions that are credited again."""
        return self.engine.scratch(f"again_{name}", rows.semi_join(again, "conversion_id").select(*rows.columns))

    # --- performance ---

    def _performance(
        self,
        costs: Replaced,
        touches: Replaced | None,
        sales: Replaced | None,
        walked: Walked | None,
        credit: Replaced | None,
    ) -> None:
        engine, at, table = self.engine, self.at, TABLES["performance"]
        seen = touches or self._nothing("touchpoints")
        was = fitted(metrics.observed(seen.was, costs.was), table)
        now = fitted(metrics.observed(seen.now, costs.now), table)
        if touches and sales and walked and credit:
            columns = touches.was.columns
            past = touches.was.union(walked.touches.anti_join(touches.was, "touch_id").select(*columns))
            was = was.union(self._added_up("was", walked.again, credit.was, past, sales.was, walked.paths.was))
            now = now.union(
                self._added_up("now", walked.again, credit.now, walked.touches, sales.now, walked.paths.now)
            )
        change = engine.scratch("difference", metrics.difference(was, now))
        self.rows["performance"] = engine.replace(
            table, change.select(*table.key), metrics.replaced(at.performance, change)
        )
        spent = (metrics.cells_of_spend(each) for each in (costs.was, costs.now))
        cells = engine.scratch("cells", metrics.changed_cells(change, *spent))
        held = at.performance.mutate(cell_campaign=at.performance.campaign.fill_null(""))
        held = held.semi_join(cells, ["date", "channel", "cell_campaign"]).select(*at.performance.columns)
        gone = held.filter(held.basis == "spend").select("basis", "date", "channel", "campaign")
        self.rows["performance"] += engine.replace(table, gone, metrics.on_spend(held, at.costs))

    def _added_up(
        self, when: str, again: ir.Table, credit: ir.Table, touches: ir.Table, sales: ir.Table, paths: ir.Table
    ) -> ir.Table:
        cells = self.engine.scratch("cells", metrics.cells(touches))
        credited = self.engine.scratch("celled", metrics.celled(touches.semi_join(credit, "touch_id"), cells))
        sales, paths = self._of(again, "sales", sales), self._of(again, "paths", paths)
        known_sales = metrics.sold_by_steps(self.engine, sales, paths)
        lines = self.engine.scratch("lines", metrics.credit_lines(credit, credited, *known_sales))
        rows = (metrics.earned(lines, cells, self.at.costs, basis) for basis in ("conversion", "touch"))
        return self.engine.scratch(
            f"{when}_performance", ibis.union(*(fitted(each, TABLES["performance"]) for each in rows))
        )

    # --- small things ---

    def _kept(self, prefix: str, tables: SimpleNamespace) -> SimpleNamespace:
        """The expressions of `tables` as scratch tables; declared tables among them stay what they are."""
        kept = {
            name: table if table is self.at.__dict__.get(name) else self.engine.scratch(f"{prefix}_{name}", table)
            for name, table in vars(tables).items()
        }
        return SimpleNamespace(**kept)

    def _nothing(self, name: str) -> Replaced:
        """No rows of an opinion, for one of which nothing changed."""
        none = self.engine.scratch(f"no_{name}", self.at.__dict__[name].filter(ibis.literal(value=False)))
        return Replaced(none, none)

    def _count(self, *tables: ir.Table) -> int:
        """The rows of `tables` together."""
        counts = [table.count().name("rows").as_table() for table in tables]
        whole = ibis.union(*counts) if len(counts) > 1 else counts[0]
        return sum(self.engine.read(whole)["rows"].to_pylist())


def _after(facts: ir.Table, mark: datetime | None) -> ir.Table:
    """What came in after `mark`; all of it, where there was nothing before."""
    return facts if mark is None else facts.filter(facts.received_at > ibis.literal(mark, "timestamp"))


def _until(facts: ir.Table, mark: datetime | None) -> ir.Table:
    """What had come in by `mark`."""
    known = ibis.literal(value=False) if mark is None else facts.received_at <= ibis.literal(mark, "timestamp")
    return facts.filter(known)
