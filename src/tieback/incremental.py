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
from tieback.identity.people import located, some_people
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
        touches = sales = paths = credit = None
        if not set(self.stale) <= _OF_SPEND:
            on_stage("people")
            near = self._people()
            on_stage("touchpoints")
            touches = self._touchpoints(near)
        on_stage("costs")
        costs = self._costs() if "costs" in self.stale else self._nothing("costs")
        if touches:
            on_stage("conversions")
            parties, keys, records = self._parties(near, touches)
            sales = self._conversions(parties, keys, records)
            on_stage("journeys")
            paths = self._journeys(near, touches, parties, records, sales)
            on_stage("credits")
            self.rows["credits"] = 0
            if self._count(self.again):  # most visits come after what they could be credited with
                credit = self._credits(sales, paths)
        on_stage("performance")
        self._performance(costs, touches, sales, paths, credit)
        return self.rows

    # --- people ---

    def _people(self) -> Near:
        rules, at, engine = self.settings.identity, self.at, self.engine
        ids = engine.scratch("ids", known.named(self.changed, rules))
        while True:
            ids = engine.fixpoint("kin", ids, lambda now: known.with_their_people(now, at.people, at.link_cuts))
            keys = self._kept("key", known.carriers(at, ids, self.changed))
            facts = self._kept("near", known.near(at, keys, ids))
            wider = ids.union(known.named(facts, rules), distinct=True)
            settled, cuts = identity.solved(engine, facts, rules)
            domains = identity.company_domains(facts, self.changed, rules)
            companies, shifted = self._companies(settled, ids, engine.scratch("domains", domains))
            wider = engine.scratch("wider", wider.union(shifted, distinct=True))
            if self._count(wider) == self._count(ids):
                break
            ids = engine.scratch("ids", wider)
        was = engine.scratch("was_people", at.people.semi_join(ids, ["id_kind", "id_value"]).select(*at.people.columns))
        now = engine.scratch("now_people", some_people(settled, facts, ids, companies, rules))
        self.rows["people"] = engine.replace(TABLES["people"], ids.select("id_kind", "id_value"), now)
        engine.replace(TABLES["link_cuts"], ids.select(left_kind="id_kind", left_value="id_value"), cuts)
        persons = was.select("person_id").union(now.select("person_id"), distinct=True)
        return Near(ids, keys, facts, was, now, engine.scratch("persons", persons))

    def _companies(self, settled: ir.Table, ids: ir.Table, domains: ir.Table) -> tuple[ir.Table, ir.Table]:
        """The companies that `domains` stand for now, and the identifiers of all whom a shift among them touches."""
        rules, at = self.settings.identity, self.at

        def told(facts: Any, persons: Callable[[ir.Table], ir.Table]) -> tuple[ir.Table, ir.Table]:
            addresses = identity.company_addresses(facts, rules).semi_join(domains, "domain")
            return addresses, identity.companies(persons(addresses), facts.accounts, rules)

        nobody = ids.filter(ibis.literal(value=False))
        addresses, now = told(at, lambda rows: located(rows, at.people, settled, ids))
        _, was = told(
            self.before, lambda rows: located(rows, at.people, settled.filter(ibis.literal(value=False)), nobody)
        )
        kept = self.engine.scratch("companies", now)
        past = self.engine.scratch("past_companies", was)
        shifted = kept.difference(past).union(past.difference(kept)).select(domain="company").distinct()
        return kept, addresses.semi_join(shifted, "domain").select("id_kind", "id_value")

    # --- touchpoints and costs ---

    def _touchpoints(self, near: Near) -> Replaced:
        settings, engine, table = self.settings, self.engine, self.at.touchpoints
        was = engine.scratch("was_touchpoints", table.semi_join(near.persons, "person_id").select(*table.columns))
        staff = engine.scratch("staff", attribution.staff(near.facts, near.now, settings.exclude))
        sessions = engine.scratch("sessions", attribution.sessions(near.facts.events, near.now, staff, settings))
        found = attribution.touchpoints(sessions, settings)
        now = engine.scratch("now_touchpoints", fitted(found, TABLES["touchpoints"]))
        self.rows["touchpoints"] = engine.replace(TABLES["touchpoints"], near.persons, now)
        return Replaced(was, now)

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

    def _parties(self, near: Near, touches: Replaced) -> tuple[ir.Table, SimpleNamespace, SimpleNamespace]:
        """The parties that the change touches, closed, with the keys and the versions of all their records."""
        engine, at = self.engine, self.at
        parties = engine.scratch("parties", self._first_parties(near, touches))
        keys, held = near.keys, -1
        while True:
            parties = engine.fixpoint("kin", parties, lambda now: sold.with_their_kin(now, at.people, at.conversions))
            keys = self._kept("record", sold.record_keys(at, at.people, at.conversions, parties, keys))
            sales = self._kept("sale", sold.with_their_sales(at, keys))
            keys = SimpleNamespace(deals=sales.deals, orders=sales.orders, events=keys.events)
            records = self._kept("of", sold.records(at, keys, near.facts.events))
            wider = sold.parties_of_records(records, at.people)
            parties = engine.scratch("parties", parties.union(wider, distinct=True))
            found = self._count(parties, keys.deals, keys.orders)
            if found == held:
                return parties, keys, records
            held = found

    def _first_parties(self, near: Near, touches: Replaced) -> ir.Table:
        new, sales, base = self.changed, self.at.conversions, self.settings.currency
        companies = (new.deals, new.orders, new.accounts)
        dated = sales.filter(sales.currency != base).semi_join(
            new.fx_rates, sales.conversion_date == new.fx_rates.rate_date
        )
        found = [
            sold.parties_of_people(near.was),
            sold.parties_of_people(near.now),
            sold.parties_of_touches(touches.now),
            sold.parties_of_conversions(dated),
            *(sold.parties_of_crm_accounts(rows) for rows in companies),
        ]
        return ibis.union(*found, distinct=True)

    def _conversions(self, parties: ir.Table, keys: SimpleNamespace, records: SimpleNamespace) -> Replaced:
        settings, engine, at = self.settings, self.engine, self.at
        was = engine.scratch("was_conversions", sold.conversions_of(at.conversions, parties, keys))
        by_event = any(each.source == "events" for each in settings.conversions.values())
        if not by_event and not self._count(was, records.deals, records.orders):
            self.rows["conversions"], self.gone = 0, was.select("conversion_id")
            return Replaced(was, was)
        moments = engine.scratch("moments", attribution.moments(records, settings))
        attribution.refuse_missing(engine.read, attribution.rates_of_moments(moments, settings), at.fx_rates, settings)
        people = self._people_of(parties)
        staff = engine.scratch("staff", attribution.staff(at, people, settings.exclude))
        found = attribution.conversions(moments, people, staff, at.fx_rates, settings)
        now = engine.scratch("now_conversions", fitted(found, TABLES["conversions"]))
        self.gone = engine.scratch(
            "gone", was.select("conversion_id").union(now.select("conversion_id"), distinct=True)
        )
        self.rows["conversions"] = engine.replace(TABLES["conversions"], self.gone, now)
        return Replaced(was, now)

    def _journeys(
        self, near: Near, touches: Replaced, parties: ir.Table, records: SimpleNamespace, sales: Replaced
    ) -> Replaced:
        engine, at = self.engine, self.at
        members = attribution.members(sales.now, self._people_of(parties), records.deal_contacts)
        known = near.persons.union(touches.now.select("person_id"), distinct=True)
        others = parties.anti_join(known, parties.party == known.person_id)
        walked = at.touchpoints.semi_join(others, at.touchpoints.person_id == others.party)
        columns = at.touchpoints.columns
        self.touches = engine.scratch("walked", walked.select(*columns).union(touches.now.select(*columns)))
        was = at.journeys.semi_join(self.gone, "conversion_id").select(*at.journeys.columns)
        was = engine.scratch("was_journeys", was)
        found = attribution.journeys(self.touches, sales.now, engine.scratch("members", members), self.settings)
        now = engine.scratch("now_journeys", fitted(found, TABLES["journeys"]))
        self.again = engine.scratch("again", sold.credited_again(sales, Replaced(was, now), touches))
        paths = self.again.select(path_id="conversion_id").union(
            parties.select(path_id=ibis.literal("open:").concat(parties.party))
        )
        self.rows["journeys"] = engine.replace(TABLES["journeys"], paths, now.semi_join(paths, "path_id"))
        return Replaced(was, now)

    def _credits(self, sales: Replaced, paths: Replaced) -> Replaced:
        engine, table = self.engine, self.at.credits
        was = engine.scratch("was_credits", table.semi_join(self.again, "conversion_id").select(*table.columns))
        models = attribution.models.load(self.settings.models)
        steps, sold_now = self._of_again("paths", paths.now), self._of_again("sales", sales.now)
        found = [attribution.credits(steps, sold_now, name, model) for name, model in models.items()]
        fit = [fitted(each, TABLES["credits"]) for each in found]
        now = engine.scratch("now_credits", ibis.union(*fit) if len(fit) > 1 else fit[0])
        self.rows["credits"] = engine.replace(TABLES["credits"], self.again, now)
        return Replaced(was, now)

    def _of_again(self, name: str, rows: ir.Table) -> ir.Table:
        """The rows of the conversions that are credited again."""
        return self.engine.scratch(f"again_{name}", rows.semi_join(self.again, "conversion_id").select(*rows.columns))

    def _people_of(self, parties: ir.Table) -> ir.Table:
        people = self.at.people
        return self.engine.scratch(
            "people_of", people.semi_join(parties, people.person_id == parties.party).select(*people.columns)
        )

    # --- performance ---

    def _performance(
        self,
        costs: Replaced,
        touches: Replaced | None,
        sales: Replaced | None,
        paths: Replaced | None,
        credit: Replaced | None,
    ) -> None:
        engine, at, table = self.engine, self.at, TABLES["performance"]
        seen = touches or self._nothing("touchpoints")
        was = fitted(metrics.observed(seen.was, costs.was), table)
        now = fitted(metrics.observed(seen.now, costs.now), table)
        if touches and sales and paths and credit:
            past = touches.was.union(self.touches.anti_join(touches.was, "touch_id").select(*touches.was.columns))
            was = was.union(self._added_up("was", credit.was, past, sales.was, paths.was))
            now = now.union(self._added_up("now", credit.now, self.touches, sales.now, paths.now))
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

    def _added_up(self, when: str, credit: ir.Table, touches: ir.Table, sales: ir.Table, paths: ir.Table) -> ir.Table:
        credited = self.engine.scratch("credited_touches", metrics.credited_touches(credit, touches))
        sales, paths = self._of_again("sales", sales), self._of_again("paths", paths)
        rows = fitted(metrics.earned(credit, credited, sales, paths), TABLES["performance"])
        return self.engine.scratch(f"{when}_performance", rows)

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
