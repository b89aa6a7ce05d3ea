"""`tieback privacy`: what is held of a person, and how to be rid of it so that no trace stays."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from tests.cli.test_serve import made, serving, tieback
from tests.laws.checks import all_is_explained, credit_is_revenue, touches_are_in_order
from tieback.cli import group
from tieback.store import DuckDB

pytestmark = pytest.mark.xdist_group("privacy")  # one workspace is copied for all
ANN, NUMBER, PHONE, LAPTOP = "ann.smith@acme.example", "+4930123456789", "device-of-ann-phone", "device-of-ann-laptop"


def visit(number: int, device: str, **more: Any) -> dict[str, Any]:
    """A visit by a tagged link."""
    url = "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring"
    at = f"2026-01-{number:02}T12:00:00Z"
    return {
        "kind": "page",
        "event_id": f"visit-{number}",
        "anonymous_id": device,
        "url": url,
        "occurred_at": at,
        **more,
    }


EVENTS = (
    visit(1, PHONE),
    visit(2, PHONE, kind="form", email="Ann.Smith@ACME.example", phone=NUMBER),
    visit(3, LAPTOP, user_id="login-of-ann"),
    visit(4, LAPTOP, user_id="login-of-ann", email=ANN),
    visit(5, "device-of-bob", email="bob@acme.example"),
    visit(6, LAPTOP, user_id="login-of-bob"),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ann, on two devices, with a deal and an order; Bob of the same company, who once used hers."""
    tmp_path = tmp_path_factory.mktemp("shop")
    folder, key = made(tmp_path)
    (tmp_path / "key").write_text(key)
    with serving(folder, key, "--no-load") as served:
        assert served.send(*EVENTS).json()["taken"] == len(EVENTS)
        assert served.send({"kind": 7, "email": ANN}).json()["refused"] == 1
    (tmp_path / "contacts.csv").write_text(
        f"contact_id,email,phone,changed_at\ncontact-of-ann,{ANN},{NUMBER},2026-01-05\n"
    )
    (tmp_path / "deals.csv").write_text(
        "deal_id,contact_id,stage,amount,currency,changed_at\nD1,contact-of-ann,won,900,USD,2026-02-01\n"
    )
    (tmp_path / "orders.csv").write_text(
        f"order_id,kind,email,amount,currency,occurred_at\nO1,order,{ANN},100.50,USD,2026-02-02\n"
        f"O2,order,{ANN},no number,USD,2026-02-02\n"
    )
    for table in ("contacts", "deals", "orders"):
        tieback(folder, "import", table, str(tmp_path / f"{table}.csv"))
    tieback(folder, "load")
    for _ in range(2):
        tieback(folder, "run", "--full")
    return tmp_path


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path / "shop"


def revenue(folder: Path) -> dict[str, str]:
    """Revenue by channel."""
    told = json.loads(tieback(folder, "report", "--metrics", "revenue", "--format", "json"))
    return {row["channel"]: row["revenue"] for row in told if row.get("revenue")}


def facts(folder: Path) -> list[str]:
    """The events that are held."""
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as door:
        return [row[0] for row in door.execute("SELECT event_id FROM events ORDER BY ALL").fetchall()]


def left(folder: Path) -> str:
    """All that the files of the workspace hold, as text."""
    return "\n".join(
        path.read_bytes().decode("latin-1").lower() for path in sorted(folder.rglob("*")) if path.is_file()
    )


def test_everything_held_is_shown(shop: Path) -> None:
    """By any identifier the same, raw values from the vault among it; others are not in it."""
    told = json.loads(tieback(shop, "privacy", "export", ANN))
    assert ANN in told["raw_values"]
    assert sorted(row["event_id"] for row in told["facts"]["events"]) == [f"web:visit-{n}" for n in (1, 2, 3, 4, 6)]
    assert [row["order_id"] for row in told["facts"]["orders"]] == ["O1"]
    assert told["opinions"]["credits"]
    assert "bob@" not in json.dumps(told)
    for other in ("login-of-ann", PHONE, "contact-of-ann", NUMBER, "user:login-of-ann"):
        assert json.loads(tieback(shop, "privacy", "export", other))["identifiers"] == told["identifiers"]


def test_an_erased_person_leaves_no_trace(shop: Path) -> None:
    """No byte of any identifier is in any file, revenue is what it was, now unattributed, and every law holds."""
    before = revenue(shop)
    known = json.loads(tieback(shop, "privacy", "export", ANN))
    words = {each["value"] for each in known["identifiers"]} | set(known["raw_values"])
    assert len(words) >= 7
    tieback(shop, "privacy", "erase", ANN, "--yes")
    text = left(shop)
    assert [word for word in words if word.lower() in text] == []
    after = revenue(shop)
    assert sum(float(value) for value in after.values()) == sum(float(value) for value in before.values())
    assert float(after["Unattributed"]) > float(before.get("Unattributed", 0))
    with DuckDB(shop / "warehouse.duckdb", read_only=True) as store:
        for law in (credit_is_revenue, touches_are_in_order, all_is_explained):
            law(store)
    assert facts(shop) == ["web:visit-5", "web:visit-6"]
    tieback(shop, "privacy", "export", ANN, code=2)


def test_what_was_erased_does_not_come_back_when_it_is_sent_again(shop: Path, tmp_path: Path) -> None:
    """The collector knows the messages still, by their digests alone."""
    tieback(shop, "privacy", "erase", "login-of-ann", "--yes")
    with serving(shop, (tmp_path / "key").read_text(), "--no-load") as served:
        assert served.send(*EVENTS).json()["taken"] == len(EVENTS)
    tieback(shop, "load")
    assert LAPTOP not in left(shop)
    assert "web:visit-1" not in json.dumps(facts(shop))


def test_asking_and_looking_change_nothing(shop: Path) -> None:
    """A dry run, and whoever is nobody."""
    before = left(shop).count(LAPTOP)
    tieback(shop, "privacy", "erase", ANN, "--dry-run")
    tieback(shop, "privacy", "erase", "nobody@acme.example", "--yes", code=2)
    assert left(shop).count(LAPTOP) == before


def test_what_was_kept_for_long_enough_is_pruned(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves facts, vault and files, and no other row; what it earned becomes Unattributed; `doctor` had warned."""
    tieback(shop, "privacy", "prune", code=2)
    with (shop / "tieback.toml").open("a") as settings:
        settings.write(
            f"\n[retention]\nevents = {(datetime.now(UTC).date() - date(2026, 1, 5)).days}\nquarantine = 36500\n"
        )
    before = revenue(shop)
    assert "should be gone: 4 of events" in tieback(shop, "doctor", code=6)
    tieback(shop, "privacy", "prune", "--dry-run")
    assert len(facts(shop)) == 6
    # Cut off after the rows are gone, the same command ends it.
    monkeypatch.setattr("tieback.store.rewriting._copy", lambda store, fresh: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(group, ["-w", str(shop), "privacy", "prune"], catch_exceptions=False)
    monkeypatch.undo()
    assert facts(shop) == ["web:visit-5", "web:visit-6"]
    tieback(shop, "privacy", "prune")
    with DuckDB(shop / "warehouse.duckdb", read_only=True) as store:
        assert PHONE not in str(store.rows("SELECT * FROM events"))
    assert PHONE.encode() not in (shop / "warehouse.duckdb").read_bytes()
    after = revenue(shop)
    assert sum(map(float, after.values())) == sum(map(float, before.values()))
    assert float(after["Unattributed"]) > float(before.get("Unattributed", 0))
    assert "no row is older than it may be" in tieback(shop, "doctor", code=6)
