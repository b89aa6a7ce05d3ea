"""Links and webhooks as a user makes them: one command, a collector, and what is then in the report and the facts."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.cli.test_serve import comes, made, serving, tieback, visits

HOOK = """
keep_rest = false

[signature]
header = "X-Signature"
secret = "${CALLS_SECRET}"

[columns]
event_id = "id"
kind = { const = "call" }
phone = "from"
"""


def facts(folder: Path) -> list[tuple[str, str]]:
    """Kind and name of each event that is a fact."""
    import duckdb

    try:
        with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as store:
            return store.execute("SELECT kind, coalesce(name, '') FROM events ORDER BY ALL").fetchall()
    except duckdb.Error:  # the loader holds it just now, or has not made it yet
        return []


def test_a_link_leads_on_and_its_click_becomes_a_fact(tmp_path: Path) -> None:
    """But no touch: the visit that it leads to is one."""
    folder, key = made(tmp_path)
    tags = ("--utm-source", "news", "--utm-medium", "email", "--utm-campaign", "Mai & Juni")
    url = tieback(folder, "link", "https://acme.example/?a=1", "--name", "newsletter-may", *tags).strip()
    with serving(folder, key) as served:
        path = httpx.URL(url).raw_path.decode()
        told = httpx.get(served.url + path, headers={"user-agent": "Mozilla/5.0 (X11) Firefox/140.0"})
        target = "https://acme.example/?a=1&utm_source=news&utm_medium=email&utm_campaign=Mai%20%26%20Juni"
        assert (told.status_code, told.headers["location"]) == (302, target)
        assert httpx.get(served.url + path[:-1]).status_code == 400
        served.send({"kind": "page", "event_id": "1", "anonymous_id": "a", "url": target})
        assert comes(lambda: len(facts(folder)) == 2 and facts(folder)) == [("click", "newsletter-may"), ("page", "")]
        assert comes(lambda: visits(folder)) == {"Email": 1}


def test_a_link_says_whose_it_is(tmp_path: Path) -> None:
    """And leads to an address that a browser knows."""
    folder, _ = made(tmp_path)
    tieback(folder, "source", "add", "shop")
    tieback(folder, "link", "https://acme.example", "--name", "x", code=2)
    tieback(folder, "link", "https://acme.example", "--name", "x", "--source", "webb", code=2)
    for url in ("acme.example", f"https://acme.example/{'x' * 5000}"):
        tieback(folder, "link", url, "--name", "x", "--source", "web", code=2)
    (folder / "tieback.toml").write_text('[collect]\npublic_url = "https://go.acme.example/"\n')
    assert tieback(folder, "link", "https://acme.example", "--name", "x", "--source", "web").startswith(
        "https://go.acme.example/r/"
    )


def test_a_webhook_is_added_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And answered once the collector knows its secret."""
    monkeypatch.setenv("CALLS_SECRET", "s3cret")
    folder, key = made(tmp_path)
    (tmp_path / "calls.toml").write_text(HOOK)
    tieback(folder, "source", "add", "calls", "--webhook", str(tmp_path / "calls.toml"))
    body = json.dumps({"id": "1", "from": "+4930123456"}).encode()
    digest = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    with serving(folder, key) as served:
        for _ in range(2):
            told = httpx.post(f"{served.url}/hooks/calls", content=body, headers={"x-signature": digest})
            assert (told.status_code, told.json()) == (200, {"taken": 1, "refused": 0})
        assert httpx.post(f"{served.url}/hooks/calls", content=body + b" ").status_code == 401
        assert comes(lambda: facts(folder)) == [("call", "")]
    monkeypatch.delenv("CALLS_SECRET")
    assert "CALLS_SECRET" not in os.environ
    tieback(folder, "serve", "--port", "0", code=3)


def test_a_webhook_file_that_is_not_right_makes_no_source(tmp_path: Path) -> None:
    """It is looked at first."""
    folder, _ = made(tmp_path)
    (tmp_path / "calls.toml").write_text(HOOK.replace("header", "hedder"))
    tieback(folder, "source", "add", "calls", "--webhook", str(tmp_path / "calls.toml"), code=3)
    assert "calls" not in tieback(folder, "source", "list", "--format", "csv")
