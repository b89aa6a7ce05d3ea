"""Whose X-Forwarded-For `tieback serve` believes, told by the country that it finds for a visitor."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.cli.test_serve import made, serving, tieback
from tests.collect.mmdb import written
from tieback.store.ledger import open_ledger

COUNTRIES = {"203.0.113.0/24": "DE", "198.51.100.0/24": "JP", "127.0.0.0/8": "US"}
BROWSER = {"user-agent": "Mozilla/5.0", "origin": "https://acme.example"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A workspace with a database of countries, its write key, and its settings, to which each test adds."""
    folder, key = made(tmp_path_factory.mktemp("proxies"))
    (folder / "countries.mmdb").write_bytes(written(COUNTRIES))
    return folder, key, (folder / "tieback.toml").read_text()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "country", "network"),
    [
        ([], ["203.0.113.7"], "US", "127.0.0.0"),
        (["10.0.0.0/8"], ["203.0.113.7"], "US", "127.0.0.0"),
        (["127.0.0.1"], ["203.0.113.7"], "DE", "203.0.113.0"),
        (["127.0.0.1"], ["198.51.100.9, 203.0.113.7"], "DE", "203.0.113.0"),
        (["127.0.0.0/8", "10.0.0.0/8"], ["127.0.0.1, 198.51.100.9, 203.0.113.7, 10.1.2.3"], "DE", "203.0.113.0"),
        (["127.0.0.1"], ["198.51.100.9", "203.0.113.7"], "DE", "203.0.113.0"),
        (["127.0.0.1"], [], "US", "127.0.0.0"),
    ],
)
def test_only_a_named_proxy_says_who_comes(
    shop: tuple[Path, str, str], proxies: list[str], forwarded: list[str], country: str, network: str
) -> None:
    """Of what it hands on, the last address that is no proxy's: what stands before it anybody may have written."""
    folder, key, settings = shop
    chosen = f'\n[collect]\ncountries = "countries.mmdb"\nkeep_masked_ip = true\nproxies = {proxies}\n'
    (folder / "tieback.toml").write_text(settings + chosen)
    body = {"key": key, "events": [{"kind": "page", "url": "https://acme.example/"}]}
    headers = [*BROWSER.items(), *(("x-forwarded-for", each) for each in forwarded)]
    with serving(folder, key, "--no-load") as served:
        assert httpx.post(f"{served.url}/v1/events", json=body, headers=headers, timeout=30).status_code == 200
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    row = json.loads(ledger.waiting(100)[-1].payload)
    ledger.close()
    assert (row["country"], row["properties"]) == (country, {"ip": network})


def test_a_database_of_countries_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    """With a sentence that names it, and the code for settings that are not right."""
    folder, _ = made(tmp_path)
    with (folder / "tieback.toml").open("a") as settings:
        settings.write('\n[collect]\ncountries = "nowhere.mmdb"\n')
    tieback(folder, "serve", "--port", "0", "--no-load", code=3)
