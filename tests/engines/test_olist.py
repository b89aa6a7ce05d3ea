"""Olist's marketing funnel on every engine: real files where they are at hand, and else as many rows of their form.

The files may not be passed on, so they are no part of this repository: examples/olist/README.md says where they come
from. They are looked for in the folder that OLIST names, or beside the repository.
"""

from __future__ import annotations

import csv
import os
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.cli.company import tieback
from tests.engines.same import Row, assert_same, opinions
from tieback.config import Settings, open_workspace
from tieback.pipeline import refresh
from tieback.schema import FACTS, TABLES
from tieback.store import DuckDB, Engine

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("OLIST", ROOT.parent / "shared" / "data" / "olist"))
EXAMPLE = ROOT / "examples" / "olist"
LEADS, CLOSED, REVENUE = (
    *("olist_marketing_qualified_leads_dataset.csv", "olist_closed_deals_dataset.csv"),
    "olist_deal_revenue_90d.csv",
)
IMPORTS = (("events", "leads", LEADS), ("deals", "closed_deals", CLOSED), ("orders", "revenue", REVENUE))


@cache
def imported() -> tuple[dict[str, Any], Settings]:
    """The facts of the funnel, as Arrow by table, and the settings of its workspace."""
    with TemporaryDirectory() as name:
        folder, data = Path(name), REAL
        if not (REAL / LEADS).exists():
            data = folder
            write_funnel(data)
        (folder / "tieback.toml").write_bytes((EXAMPLE / "tieback.toml").read_bytes())
        for table, mapping, file in IMPORTS:
            came = tieback(folder, "import", table, "--map", str(EXAMPLE / f"{mapping}.toml"), str(data / file))
            assert came.exit_code == 0, came.output
        workspace = open_workspace(folder)
        with DuckDB(folder / "warehouse.duckdb", read_only=True) as store:
            return {table.name: store.query(f"SELECT * FROM {table.name}") for table in FACTS}, workspace.settings


def write_funnel(folder: Path, leads: int = 8000) -> None:
    """Leads with the columns, gaps and oddities of Olist's, of which every tenth is won and every other of those sells.

    Some have no channel, some were won months later or before they were first seen, and amounts have odd cents.
    """
    dice = Random(2018)
    origins = ["organic_search", "paid_search", "social", "email", "direct_traffic", "unknown", "other", ""]
    first = [datetime(2017, 6, 1) + timedelta(days=dice.randrange(520)) for _ in range(leads)]
    rows = [(f"lead-{n}", f"{at:%Y-%m-%d}", f"page{n % 9}", dice.choice(origins)) for n, at in enumerate(first)]
    _write(folder / LEADS, "mql_id,first_contact_date,landing_page_id,origin", rows)
    won = {
        n: f"{at + timedelta(days=dice.randrange(-3, 200), seconds=dice.randrange(86400))}"
        for n, at in enumerate(first)
        if n % 10 == 0
    }
    closed = [(f"lead-{n}", f"seller-{n}", f"rep-{n % 7}", at, "pet") for n, at in won.items()]
    _write(folder / CLOSED, "mql_id,seller_id,sr_id,won_date,business_segment", closed)
    sold = [
        (*(f"lead-{n}", f"seller-{n}", rows[n][3] or "missing", rows[n][1], at, "pet"), f"{dice.uniform(1, 900):.2f}")
        for n, at in won.items()
        if n % 20 == 0
    ]
    _write(folder / REVENUE, "mql_id,seller_id,origin,first_contact_date,won_date,business_segment,gmv_90d_brl", sold)


def _write(path: Path, columns: str, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split(","))
        writer.writerows(rows)


def made(engine: Engine) -> dict[str, list[Row]]:
    """Every opinion of the funnel as the engine makes it."""
    facts, settings = imported()
    with engine.transaction():
        for name, rows in facts.items():
            engine.load(TABLES[name], rows)
    refresh(engine, settings)
    return opinions(engine)


@cache
def expected() -> dict[str, list[Row]]:
    """What DuckDB makes of it."""
    with DuckDB(None) as store:
        return made(store)


def test_the_funnel(engine: Engine) -> None:
    """All opinions: equal to the cent, shares to 1e-9."""
    assert_same(made(engine), expected())


def test_the_funnel_is_worth_comparing() -> None:
    """Thousands of leads, hundreds of sales, and credit for them."""
    facts, settings = imported()
    assert facts["events"].num_rows == 8000
    assert len(expected()["credits"]) > 8000 * len(settings.models)
    assert sum(row[-1] != 0 for row in expected()["performance"])
