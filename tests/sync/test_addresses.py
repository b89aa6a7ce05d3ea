"""E-mail addresses live in the vault alone, wherever in a file they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sync.files import csv_text, facts, taken
from tieback.schema import FACTS, Table
from tieback.store import DuckDB

RAW = ("jane@acme.example", "Boss <jane@acme.example>", "jane%40acme.example", "jane%2540acme.example")
RAW += ("jane%25252540acme.example", "ask jane@acme.example, please", "jane@acme.рф", "mailto:jane@acme.example")
MADE = ("email_hash", "phone_hash", "referrer_domain", "email_domain", "currency", "base_currency")


@pytest.mark.parametrize("raw", RAW)
@pytest.mark.parametrize("table", [table for table in FACTS if table.name != "links"], ids=lambda table: table.name)
def test_no_text_of_any_fact_holds_an_address(table: Table, raw: str, store: DuckDB, tmp_path: Path) -> None:
    """Whatever column of text it stands in: names, owners, reasons, tags, pages, keys and ids."""
    plain = {"kind": "order", "currency": "EUR", "base_currency": "USD"}
    values = {"decimal": "1", "int": "1", "float": "1", "boolean": "true", "json": json.dumps({"by": raw})}
    values |= {"date": "2025-01-01", "timestamp": "2025-01-01", "string": raw}
    row = {c.name: values[c.type] for c in table.columns if c.name not in (*MADE, "origin", "received_at")}
    row |= {name: word for name, word in plain.items() if name in row or name in table.names}
    row |= {"more": f"by {raw}"}
    if table.name == "events":
        page = f"https://x.example/?by={raw.replace('рф', 'example')}"
        row |= {"url": page, "referrer": page, "kind": raw}
    delivery = taken(store, tmp_path, table.name, csv_text([row]))
    assert delivery.facts_added == 1, facts(store, "quarantine", "reason")
    assert "jane" not in str(facts(store, table.name)).lower()


def test_addresses_for_ids_stay_apart_and_tie_as_before(store: DuckDB, tmp_path: Path) -> None:
    """Blotted out, two of them would become one; hashed, each is the same in every table, whatever its letter case."""
    taken(store, tmp_path, "accounts", "account_id,domain,changed_at\na@x.com,Jane@Mail.Acme.co.uk,2025-01-01\n")
    taken(store, tmp_path, "deals", "deal_id,account_id,changed_at\na@d.com,A@x.com,2025-01-01\nb@d.com,,2025-01-01\n")
    tie = "left_kind,left_value,right_kind,right_value,observed_at\naccount,a@x.com,user,u,2025-01-01\n"
    taken(store, tmp_path, "links", tie)
    assert facts(store, "accounts", "account_id") == facts(store, "deals", "account_id")[:1]
    assert facts(store, "links", "left_value") == facts(store, "accounts", "account_id")
    assert facts(store, "accounts", "domain") == ["acme.co.uk"]
    assert len(set(facts(store, "deals", "deal_id"))) == 2
    spend = (
        "spend_date,platform,ad_account,keyword,cost\n2025-01-01,g,a@x.com,shoes @ 5.99,1\n2025-01-01,g,b@x.com,,2\n"
    )
    taken(store, tmp_path, "spend", spend)
    assert facts(store, "spend", "cost::INT") == [1, 2]
    assert facts(store, "spend", "keyword") == ["shoes @ 5.99", None]
