"""A whole world, played and written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tieback.simulate import crm, events, truth
from tieback.simulate.behaviour import Outcome, play
from tieback.simulate.files import monthly, write
from tieback.simulate.people import People
from tieback.simulate.people import people as population
from tieback.simulate.sales import Sales, sales
from tieback.simulate.spend import RESTATED, Spend, fx_rates, rate_rows, spend
from tieback.simulate.truth import Effect, Totals
from tieback.simulate.visits import Touches, touches
from tieback.simulate.world import DAY, START, SWITCHABLE, Floats

_REFUSED: dict[str, Sequence[Mapping[str, str]]] = {
    "events-2025-09": (
        {"event_id": "bad-1", "occurred_at": "yesterday", "kind": "page", "anonymous_id": "d0000000001"},
        {"event_id": "bad-2", "occurred_at": "2025-09-12 10:00:00Z", "kind": "", "anonymous_id": "d0000000002"},
    ),
    "deals-2026": ({"deal_id": "D99999", "stage": "SQL", "changed_at": ""},),
    "orders": (
        {
            "order_id": "O999999-1",
            "kind": "renewal",
            "amount": "12,5O0",
            "occurred_at": "2026-05-04 09:00:00Z",
            "changed_at": "2026-05-04 09:00:00Z",
        },
    ),
    "spend-google_ads": (
        {"spend_date": "2026-02-30", "platform": "google_ads", "cost": "10.00", "synced_at": "2026-03-01 06:00:00Z"},
        {"spend_date": "2026-03-01", "platform": "google_ads", "cost": "n/a", "synced_at": "2026-03-02 06:00:00Z"},
    ),
}


@dataclass(frozen=True)
class World:
    """What was written: (table, file) in the order to import them, and what any honest count of them must come to.

    refused: rows that cannot be read and belong in quarantine. effects: what each channel truly caused.
    """

    folder: Path
    files: tuple[tuple[str, Path], ...]
    people: int
    seed: int
    totals: Totals
    effects: tuple[Effect, ...]
    refused: int

    @property
    def truth(self) -> Path:
        """The folder that holds what no import may see."""
        return self.folder / "truth"


@dataclass(frozen=True)
class Played:
    """The real world and, in `outcomes` and `sold` after it, those with channels off in the order of SWITCHABLE."""

    world: People
    seen: Touches
    outcomes: list[Outcome]
    sold: list[Sales]
    rates: Floats
    costs: Spend
    seed: int


def write_world(
    folder: Path,
    people: int = 5000,
    seed: int = 7,
    progress: Callable[[str, int, int], Any] = lambda part, done, total: None,
) -> World:
    """Play a year of a company that sells support software, and write its exports and the truth to `folder`.

    The same people and seed give the same bytes. progress hears a part's name, steps done and steps in all.
    """
    played = play_worlds(people, seed, progress)
    progress("writing files", 0, 1)
    site = events.website(played.world, played.seen, played.outcomes[0], seed)
    mails, mail_ids = events.newsletter(played.world, played.seen)
    webinars, webinar_ids = events.webinars(played.world, played.seen)
    files = _write_exports(
        folder, played, _in_time(site.rows, events.strangers(max(5, people // 50), seed)), mails, webinars
    )
    worlds = [
        truth.totals(sold, played.rates, played.world.companies, int(played.costs.cost_minor.sum()))
        for sold in played.sold
    ]
    found = truth.effects(worlds, played.costs.cost_minor)
    refused = sum(len(rows) for rows in _REFUSED.values())
    world = World(folder, tuple(files), people, seed, worlds[0], found, refused)
    _write_truth(world, played, truth.touch_rows(played.world, played.seen, site.opened_by, mail_ids, webinar_ids))
    progress("writing files", 1, 1)
    return world


def play_worlds(people: int, seed: int, progress: Callable[[str, int, int], Any]) -> Played:
    """The real world, and one with each channel off in turn, and one with all of them off."""
    world = population(people, seed)
    off = [*((name,) for name in SWITCHABLE), SWITCHABLE]
    meetings, outcomes = play(world, seed, off, progress=lambda done, total: progress("living a year", done, total))
    seen, rates = touches(world, meetings, outcomes[0], seed), fx_rates(seed)
    sold = [sales(world, outcome, seed) for outcome in outcomes]
    return Played(world, seen, outcomes, sold, rates, spend(meetings, seen, rates, seed), seed)


def _write_exports(
    folder: Path, played: Played, site: pa.Table, mails: pa.Table, webinars: pa.Table
) -> list[tuple[str, Path]]:
    world, outcome, sold, seen = played.world, played.outcomes[0], played.sold[0], played.seen
    deals = crm.deals(world, sold, played.seed)
    at = deals["changed_at"].cast(pa.int64()).to_numpy() // 1_000_000
    year_end = START + 184 * DAY
    named: list[tuple[str, str, pa.Table]] = [
        ("fx_rates", "fx_rates.csv", rate_rows(played.rates)),
        ("accounts", "accounts.csv", crm.accounts(world, outcome, sold)),
        ("contacts", "contacts.csv", crm.contacts(world, seen, outcome)),
        ("deals", "deals-2025.csv", deals.filter(pa.array(at < year_end))),
        ("deals", "deals-2026.csv", deals.filter(pa.array(at >= year_end - 14 * DAY))),
        ("deal_contacts", "deal_contacts.jsonl", crm.deal_contacts(world, outcome, sold)),
        ("orders", "orders.csv", crm.orders(world, sold)),
    ]
    for number, (month, rows) in enumerate(monthly(site, played.seed).items()):
        named.append(("events", f"events-{month}.{'parquet' if number % 6 == 5 else 'csv.gz'}", rows))
    named.append(("events", "newsletter.csv.gz", mails))
    named.append(("events", "webinars.jsonl", webinars))
    named.append(("links", "links.jsonl", crm.links(world, seen, outcome)))
    named += _spend_files(played.costs)
    return [
        (table, write(folder / name, rows, _REFUSED.get(name.partition(".")[0], ()))) for table, name, rows in named
    ]


def _spend_files(costs: Spend) -> list[tuple[str, str, pa.Table]]:
    """A file for each platform; Google's last word on its last month came in a file of its own."""
    platform = np.array(costs.rows["platform"].to_pylist())
    found = []
    for name in sorted(set(platform)):
        own = platform == name
        if name == "google_ads":
            restated = own & (costs.day >= RESTATED) & costs.is_last
            found.append(("spend", "spend-google_ads.csv", costs.rows.filter(pa.array(own & ~restated))))
            found.append(("spend", "spend-google_ads-restated.csv", costs.rows.filter(pa.array(restated))))
        else:
            ending = {"linkedin_ads": "parquet", "webinars": "csv.gz"}.get(name, "csv")
            found.append(("spend", f"spend-{name}.{ending}", costs.rows.filter(pa.array(own))))
    return found


def _write_truth(world: World, played: Played, touched: pa.Table) -> None:
    won = truth.conversions(played.world, played.sold[0], played.rates)
    write(world.truth / "conversions.parquet", won)
    write(world.truth / "journeys.parquet", truth.journeys(won, touched))
    write(world.truth / "identifiers.parquet", truth.identifiers(played.world, played.seen, played.outcomes[0]))
    write(
        world.truth / "channels.csv",
        pa.Table.from_pylist([asdict(effect) | {"roas": effect.roas} for effect in world.effects]),
    )
    summary = {"people": world.people, "seed": world.seed, "refused_rows": world.refused, **asdict(world.totals)}
    (world.truth / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")


def _in_time(*tables: pa.Table) -> pa.Table:
    return pa.concat_tables(tables).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
