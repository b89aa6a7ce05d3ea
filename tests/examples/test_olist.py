"""The Olist walk-through, on a handful of rows with the real files' columns and traps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).parents[2] / "examples" / "olist" / "run.sh"

LEADS = """\
mql_id,first_contact_date,landing_page_id,origin
a1,2018-01-01,page1,organic_search
a2,2018-01-02,page1,organic_search
b1,2018-01-03,page2,paid_search
c1,2018-01-04,page2,unknown
c2,2018-01-05,page2,
d1,2018-03-20,page1,social
"""
# b1 was won 100 days after its first contact, d1 before it.
CLOSED = """\
mql_id,seller_id,sr_id,won_date,business_segment
a1,s1,r1,2018-01-10 19:58:54,pet
b1,s2,r1,2018-04-13 20:17:59,toys
c2,s3,r2,2018-01-20 10:00:00,pet
d1,s4,r2,2018-03-06 19:38:55,health
"""
REVENUE = """\
mql_id,seller_id,origin,first_contact_date,won_date,business_segment,gmv_90d_brl,order_items_90d,orders_90d,first_order_date
a1,s1,organic_search,2018-01-01,2018-01-10 19:58:54,pet,100.01,3.0,2.0,2018-02-01
b1,s2,paid_search,2018-01-03,2018-04-13 20:17:59,toys,0.99,1.0,1.0,2018-05-01
c2,s3,missing,2018-01-05,2018-01-20 10:00:00,pet,7.5,1.0,1.0,2018-02-01
"""


def tieback(*arguments: object) -> Any:
    """What a command prints as JSON."""
    command = [sys.executable, "-m", "tieback", *map(str, arguments), "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The walk-through, run once."""
    folder = tmp_path_factory.mktemp("olist")
    (folder / "olist_marketing_qualified_leads_dataset.csv").write_text(LEADS)
    (folder / "olist_closed_deals_dataset.csv").write_text(CLOSED)
    (folder / "olist_deal_revenue_90d.csv").write_text(REVENUE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", RUN, folder, folder / "made"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return folder / "made"


def test_every_lead_and_deal_is_in_and_revenue_is_by_channel(workspace: Path) -> None:
    """Leads, customers and revenue by channel are those that the files hold, to the cent."""
    rows = tieback("-w", workspace, "report", "--by", "channel", "--model", "first_touch")
    assert {row["channel"]: (row["leads"], row["customers"], row["revenue"]) for row in rows} == {
        "Organic Search": (2, 1, "100.01"),
        "Paid Search": (1, 1, "0.99"),
        "Unassigned": (2, 1, "7.50"),
        "Organic Social": (1, 0, "0.00"),
        "Unattributed": (0, 1, "0.00"),
    }


def test_a_win_before_its_first_contact_is_unattributed_and_says_so(workspace: Path) -> None:
    """No touch can have caused what came before it."""
    told = tieback("-w", workspace, "explain", "d1")
    assert [(touch["included"], touch["reason"]) for touch in told["touches"]] == [(False, "after the conversion")]
    assert {credit["share"] for credit in told["unattributed"].values()} == {1.0}
    assert any("after it" in note for note in told["notes"])


def test_a_second_import_changes_nothing(workspace: Path) -> None:
    """The same files again: no fact is new, and the report is the same."""
    before = tieback("-w", workspace, "report", "--by", "channel", "--model", "all")
    data = workspace.parent
    for table, mapping, file in (
        ("events", "leads", "olist_marketing_qualified_leads_dataset"),
        ("deals", "closed_deals", "olist_closed_deals_dataset"),
        ("orders", "revenue", "olist_deal_revenue_90d"),
    ):
        taken = tieback("-w", workspace, "import", table, data / f"{file}.csv", "--map", RUN.parent / f"{mapping}.toml")
        assert [row["facts_added"] for row in taken] == [0]
    assert tieback("-w", workspace, "report", "--by", "channel", "--model", "all") == before
