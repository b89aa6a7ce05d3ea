"""The examples of the page on mapping files work as printed."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

from tests.sync.files import facts, taken
from tieback.store import DuckDB
from tieback.sync import mapping_from

PAGE = (Path(__file__).parents[2] / "docs/reference/mapping.md").read_text("utf-8")
EXAMPLES = [dedent(block).strip() for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, flags=re.M)]


def test_the_main_example_maps_a_file_of_deals(tmp_path: Path) -> None:
    """Read as written, renamed, put together and filtered, as the comments beside each line say."""
    written, columns = EXAMPLES[:2]
    when, sections = columns.split("\n", 1)
    rows = (
        "mql_id;contact;properties;Status;why;won_date;Betrag;owner\n"
        '7;c1;{""plan"": ""Pro""};Won;;02.07.2025 10:00;1.234,50;Ann\n'
        "8;c2;;Open;;02.07.2025 10:00;5,00;Bob\n"
    ).replace('{""plan"": ""Pro""}', '"{""plan"": ""Pro""}"')
    store = DuckDB(None)
    mapping = f"{when}\n{written}\n{sections}"
    delivery = taken(store, tmp_path, "deals", rows.encode("latin-1"), mapping)
    assert (delivery.rows_read, delivery.facts_added, delivery.rows_refused) == (2, 1, 0)
    found = facts(
        store, "deals", "deal_id", "contact_id", "name", "currency", "stage", "lost_reason", "amount", "owner"
    )
    assert found == [("crm-7", "c1", "Pro", "BRL", "customer", "not told", Decimal("1234.500000"), None)]
    assert [at.isoformat() for at in facts(store, "deals", "changed_at")] == [f"{date(2025, 7, 2)}T08:00:00"]


def test_every_other_example_is_a_mapping_file() -> None:
    """Each block with sections is valid as it stands."""
    whole = [example for example in EXAMPLES[2:] if "[columns]" in example]
    assert whole
    for example in whole:
        mapping_from(example, "deals")
