"""A shop that knows Ann, by two devices, a login, a contact, an address and a number.

Bob once used her laptop. She has a deal and an order, two refused rows name her, and her visits came through the inbox.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import msgspec
from click.testing import CliRunner, Result

from tests.laws import checks
from tieback.cli import group
from tieback.cli.setting import rewrite
from tieback.cli.warehouse import engine_at, opened
from tieback.config import INTAKE_NAME, open_workspace
from tieback.schema import FACTS, OPINIONS, TABLES
from tieback.schema.relations import relation
from tieback.store import DuckDB, Engine, moving
from tieback.store.ledger import open_ledger
from tieback.store.ledger.inbox import Incoming

ANN, NUMBER, PHONE, LAPTOP = "ann.smith@acme.example", "+4930123456789", "device-of-ann-phone", "device-of-ann-laptop"


def visit(number: int, device: str, **more: Any) -> dict[str, Any]:
    """A visit by a tagged link, on a day of January 2026."""
    url = "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring"
    seen = {"occurred_at": f"2026-01-{number:02}T12:00:00Z", "anonymous_id": device, "url": url}
    return {"kind": "page", "event_id": f"web:visit-{number}", **seen, **more}


VISITS = (
    visit(1, PHONE),
    visit(2, PHONE, kind="form", email="Ann.Smith@ACME.example", phone=NUMBER),
    visit(3, LAPTOP, user_id="login-of-ann"),
    visit(4, LAPTOP, user_id="login-of-ann", email=sha256(ANN.encode()).hexdigest()),  # as some clients tell it
    visit(5, "device-of-bob", email="bob@acme.example"),
    visit(6, LAPTOP, user_id="login-of-bob"),
)
FILES = {
    "contacts": f"contact_id,email,phone,changed_at\ncontact-of-ann,{ANN},{NUMBER},2026-01-05\n",
    "deals": "deal_id,contact_id,stage,amount,currency,changed_at\nD1,contact-of-ann,won,900,USD,2026-02-01\n",
    "orders": "order_id,kind,email,amount,currency,occurred_at\n"
    f"O1,order,{ANN},100.50,USD,2026-02-02\nO2,order,{ANN},no number,USD,2026-02-02\n",
    "links": "left_kind,left_value,right_kind,right_value,observed_at\n"
    "user,login-of-ann,customer,customer-of-ann,2026-01-06\n",
}


MODELS = ("linear", "last_touch")  # each costs Spark seconds


def tieback(folder: Path, *words: str, code: int = 0) -> Result:
    """The outcome of a command, called in this process."""
    result = CliRunner().invoke(group, ["-w", str(folder), *words])
    ended = getattr(result.exception, "exit_code", result.exit_code)
    assert ended == code, (result.exception, result.output)
    return result


def shop(folder: Path, url: str = "") -> Path:
    """A copy of the shop in `folder`, which is made; with a URL, its facts and opinions are on that engine."""
    shutil.copytree(_built(), folder)
    if url:
        workspace = open_workspace(folder)
        with opened(workspace) as source, engine_at(url) as target:
            assert isinstance(source, DuckDB)
            with target.transaction():  # as a move does it, but at once and unproved
                for table in filter(lambda table: source.has(table.name), moving.CARRIED):
                    target.make(table)
                    if (rows := source.read(relation(table))).num_rows:
                        target.load(table, rows)
            moving.hand_over(source, target)
            moving.make_door(source, folder / INTAKE_NAME)
        rewrite(folder / "tieback.toml", "warehouse", "url", url)
        workspace.warehouse.unlink()
        shutil.rmtree(workspace.runs)
    return folder


@cache
def _built() -> Path:
    folder = Path(mkdtemp(prefix="tieback_ann_")) / "shop"
    tieback(folder, "init")
    with (folder / "tieback.toml").open("a") as settings:
        settings.write("\n".join(f"[models.{name}]" for name in MODELS))
    tieback(folder, "source", "add", "web")
    assert all(put(folder))
    for table, text in FILES.items():
        (folder.parent / f"{table}.csv").write_text(text)
        tieback(folder, "import", table, str(folder.parent / f"{table}.csv"))
    tieback(folder, "load")
    return folder


def put(folder: Path) -> list[bool]:
    """Have the collector take in all visits and a message that is none; which of them are new."""
    at = datetime.now(UTC).replace(tzinfo=None)
    came = [Incoming("web", each["event_id"][4:], at, json.dumps(each).encode()) for each in VISITS]
    came.append(Incoming("web", "refused", at, json.dumps({"kind": 7, "email": ANN}).encode(), "The kind is no text"))
    ledger = open_ledger(open_workspace(folder).ledger)
    try:
        return ledger.put(came)
    finally:
        ledger.close()


def exported(folder: Path, named: str = ANN) -> dict[str, Any]:
    """All that is told of Ann."""
    told: dict[str, Any] = json.loads(tieback(folder, "privacy", "export", named).stdout)
    return told


def words_of(told: dict[str, Any]) -> set[str]:
    """All that names her."""
    words = {each["value"] for each in told["identifiers"]} | set(told["raw_values"])
    words |= {sha256(raw.encode()).hexdigest() for raw in told["raw_values"]}
    assert len(words) >= 8
    return words


def with_retention(folder: Path) -> Path:
    """The workspace, which keeps events since the 5th of January 2026, and contacts for a day after they changed."""
    days = (datetime.now(UTC).date() - date(2026, 1, 5)).days
    with (folder / "tieback.toml").open("a") as settings:
        settings.write(f"\n[retention]\nevents = {days}\ncontacts = 1\nquarantine = 36500\nvault = 36500\n")
    return folder


def revenue(folder: Path) -> dict[str, float]:
    """Revenue by channel."""
    told = json.loads(tieback(folder, "report", "--metrics", "revenue", "--format", "json").stdout)
    return {row["channel"]: float(row["revenue"]) for row in told if row.get("revenue")}


def traces(words: set[str], *places: Path) -> list[str]:
    """The files in these places that hold any of the words, and which one."""
    found = []
    for path in sorted(path for place in places for path in place.rglob("*") if path.is_file()):
        with suppress(FileNotFoundError):  # engines remove files of their own meanwhile
            text = path.read_bytes().lower()
            found += [f"{path.name}: {word}" for word in words if word.lower().encode() in text]
    return found


def held(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every fact and opinion, in an order of its own."""
    rows = {table.name: engine.read(relation(table)).to_pylist() for table in (*FACTS, *OPINIONS)}
    return {name: sorted(found, key=str) for name, found in rows.items()}


def laws_hold(engine: Engine) -> None:
    """Of what the engine made, carried to a DuckDB."""
    with DuckDB(None) as store:
        for table in (*FACTS, *OPINIONS):
            store.make(TABLES[table.name])
            store.load(table, engine.read(relation(table)))
        few = msgspec.structs.replace(checks.SETTINGS, models={name: {} for name in MODELS})
        with patch.object(checks, "SETTINGS", few):
            for law in (checks.credit_is_revenue, checks.touches_are_in_order, checks.all_is_explained):
                law(store)


def proof(result: Result) -> str:
    """The sentence by which the command says what was searched."""
    found = re.search(r"Searched .*", result.stderr)
    assert found, result.stderr
    return found[0]
