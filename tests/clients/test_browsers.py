"""The clients for browsers, unmodified, in Chromium on a page of another origin than the collector's."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.cli.test_serve import Served, comes, serving, tieback
from tests.clients.story import PACKAGES, SCRIPTS, arrived, fresh, keys, matched, needed, outcomes

Rows = list[dict[str, Any]]

pytestmark = pytest.mark.xdist_group("clients for browsers")  # one collector and one browser serve all
QUERY = "utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=G-2001"
TAGS = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "click_id_kind": "gclid"}
VISIT = {"kind": "page", "click_id": "G-2001", "url": True, **TAGS}
USER = {"anonymous_id": True, "user_id": "user-1"}
SALE = {"kind": "track", "value": 199.5, "currency": "EUR"}
SPEC = [
    VISIT | {"name": "Pricing", "anonymous_id": True, "user_id": None},
    USER | {"kind": "identify", "email_hash": True},
    USER | SALE | {"name": "Order Completed"},
]
ON_LEAVE = ("$pageleave", "engagement")
STORIES = {
    "segment_browser": SPEC,
    "rudder_browser": SPEC,
    "snowplow_browser": [
        VISIT | {"anonymous_id": True, "user_id": None},
        USER | {"kind": "form", "name": "demo", "email_hash": True},
        USER | {"kind": "track", "name": "purchase", "value": 199.5},
    ],
    "posthog_browser": [
        VISIT | {"anonymous_id": True, "user_id": None},
        USER | {"kind": "identify", "email_hash": True},
        USER | SALE | {"name": "purchase"},
        USER | {"kind": "track", "name": "$pageleave"},
    ],
    "plausible_browser": [VISIT, SALE | {"name": "purchase"}, {"kind": "track", "name": "engagement", "value": None}],
}
CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The clients are silent to whoever says that it is driven by a program.
    "--disable-blink-features=AutomationControlled",
]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *arguments: Any) -> None: ...


@contextmanager
def shop(folder: Path) -> Iterator[str]:
    """The address at which `folder` is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def pages(folder: Path, served: Served, key_of: dict[str, str]) -> None:
    """A page for each client in `folder`, with its script as a bundler makes it."""
    scripts = [str(shutil.copy(SCRIPTS / f"{client}.mjs", folder)) for client in STORIES]
    (folder / "node_modules").symlink_to(PACKAGES)
    bundler = PACKAGES / ".bin" / "esbuild"
    options = ("--bundle", "--format=esm", "--log-level=error", "--out-extension:.js=.js", f"--outdir={folder}")
    subprocess.run([str(bundler), *scripts, *options], check=True)
    for client, key in key_of.items():
        collector = json.dumps({"url": served.url, "key": key})
        (folder / f"{client}.html").write_text(
            f"<!doctype html><title>Pricing</title><script>window.collector = {collector}</script>"
            f'<script type="module" src="/{client}.js"></script>'
        )


def visited(browser: Browser, address: str, served: Served, client: str) -> None:
    """Opens a client's page as a visitor does, and leaves it when all that it tells until then is taken in."""
    context = browser.new_context(user_agent=AGENT)
    page = context.new_page()
    page.goto(f"{address}/{client}.html?{QUERY}")

    def taken_in() -> int:
        return outcomes(served, client).get("accepted", 0)

    told = len(STORIES[client])
    at_the_end = sum(event.get("name") in ON_LEAVE for event in STORIES[client])
    comes(lambda: taken_in() >= told - at_the_end)
    page.close(run_before_unload=True)  # the context lives on: what a page tells as it is left may still be on its way
    comes(lambda: taken_in() >= told)
    context.close()


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """What every client told one collector, by its name."""
    needed()
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("Chromium (the package chromium)")
    base = tmp_path_factory.mktemp("browsers")
    folder, site = base / "shop", base / "site"
    site.mkdir()
    tieback(folder, "init")
    key_of = keys(folder, list(STORIES))
    with serving(folder, "", "--no-load") as served, shop(site) as address, sync_playwright() as playwright:
        pages(site, served, key_of)
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        for client in STORIES:
            visited(browser, address, served, client)
        browser.close()
    return arrived(folder)


@pytest.mark.parametrize("client", STORIES)
def test_every_event_arrives_with_its_fields(client: str, facts: dict[str, Rows]) -> None:
    """Who, what, where from, and for how much, just now; nothing is missing, and nothing is there twice."""
    rows = facts[client]
    matched(rows, STORIES[client])
    fresh(rows)


@pytest.mark.parametrize("client", [client for client in STORIES if client != "plausible_browser"])
def test_a_visitor_is_one_before_and_after_the_login(client: str, facts: dict[str, Rows]) -> None:
    """All of a browser's events carry its one anonymous id."""
    assert len({row["anonymous_id"] for row in facts[client]}) == 1
