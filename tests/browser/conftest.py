"""A collector that runs, a browser, and the demo shop between them."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from examples.site.serve import shop
from tests.cli.test_serve import made, serving

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARGUMENTS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]  # it stays on this machine
# Chromium without a window names itself HeadlessChrome, which is taken for a bot.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
WAIT = 10.0  # seconds at most


@dataclass
class Collector:
    """A collector whose inbox is read, and never loaded by itself."""

    folder: Path
    url: str
    key: str

    def told(self, visit: str) -> list[dict[str, Any]]:
        """The events of whoever arrived with utm_source=`visit`, in order of time, and of nobody else."""
        rows = self.rows()
        marked = f"utm_source={visit}"
        who = {row.get("anonymous_id") for row in rows if marked in row.get("url", "")}
        found = [row for row in rows if row.get("anonymous_id") in who]
        return sorted(found, key=lambda row: datetime.fromisoformat(row["occurred_at"]))

    def rows(self) -> list[dict[str, Any]]:
        """All that was taken in, as facts will be made of it."""
        with closing(sqlite3.connect(self.folder / "ledger.sqlite")) as ledger:
            return [json.loads(row) for (row,) in ledger.execute("SELECT payload FROM inbox WHERE length(reason) = 0")]

    def refused_busy(self) -> int:
        """The requests refused so far because the ledger could not be written."""
        counts = httpx.get(f"{self.url}/metrics").text
        found = re.search(
            r'^tieback_refused_requests_total\{protocol="tieback",reason="busy"\} (\S+)', counts, re.MULTILINE
        )
        return int(float(found[1])) if found else 0

    def comes(self, visit: str, is_there: Callable[[list[dict[str, Any]]], Any]) -> list[dict[str, Any]]:
        """The same, as soon as `is_there` of them."""
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            found = self.told(visit)
            if is_there(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"It never came; there are {[(row['kind'], row.get('name')) for row in found]}")


@dataclass
class Site:
    """The shop, carried by one tag."""

    port: int

    def at(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One for all; what is loaded of it, a test loads itself."""
    folder, key = made(tmp_path_factory.mktemp("browser"))
    with serving(folder, key, "--no-load") as served:
        yield Collector(folder, served.url, key)


@pytest.fixture(scope="module")
def sites(collector: Collector) -> Iterator[Callable[[str], Site]]:
    """The shop by what its tag says beside the key."""
    running: dict[str, Any] = {}

    def site(attributes: str = "") -> Site:
        if attributes not in running:
            server = running[attributes] = shop(collector.key, collector.url, 0, attributes)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return Site(running[attributes].server_port)

    yield site
    for server in running.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives browsers."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium (Debian's package chromium)")
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One browser for all; each test is a stranger to it."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def device(chromium: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """A browser that was never here before, each time."""
    opened: list[BrowserContext] = []

    def one() -> BrowserContext:
        opened.append(chromium.new_context(user_agent=AGENT))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def page(device: Callable[[], BrowserContext]) -> Page:
    """A page in such a browser."""
    return device().new_page()
