"""`tieback doctor --live` against a running site and collector: each step passes, or says what stands in its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from tests.cli.test_serve import Served, made, serving, tieback, visits
from tieback.cli.live_visit import Page

pytestmark = pytest.mark.xdist_group("doctor live")  # one collector serves all


@dataclass
class Site:
    """A site of two pages. moved: where its first page redirects to, the query left out."""

    tag: str
    moved: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def running(site: Site) -> Iterator[str]:
    """The address of `site` while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            moves = site.moved and urlsplit(self.path).path == "/"
            self.send_response(302 if moves else 200)
            for name, value in {**site.headers, **({"Location": site.moved} if moves else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            page = f'<html><head>{site.tag}</head><body><a href="/shoes.html">Shoes</a></body></html>'
            self.wfile.write(page.encode())

        def log_message(self, format: str, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Served]]:
    """A workspace, and its collector while it runs."""
    folder, key = made(tmp_path_factory.mktemp("live"))
    with serving(folder, key) as served:
        yield folder, served


def script(served: Served) -> str:
    """The line that a site owner adds."""
    return f'<script defer src="{served.url}/tb.js" data-key="{served.key}"></script>'


def looked(folder: Path, url: str, code: int) -> list[tuple[str, str, str]]:
    """Step, state and finding of all that it looked at."""
    told = json.loads(tieback(folder, "doctor", "--live", url, "--format", "json", code=code))
    return [(row["check"], row["state"], row["finding"]) for row in told]


def test_the_four_steps_pass_and_count_in_no_number(collector: tuple[Path, Served]) -> None:
    """From the tagged link to the credit of a won deal; the site's own numbers do not see it."""
    folder, served = collector
    with running(Site(script(served))) as url:
        found = looked(folder, url, 0)
    assert {state for _, state, _ in found} == {"ok"}
    assert sorted({step for step, _, _ in found}) == ["1 arrive", "2 browse", "3 form", "4 deal won"]
    assert ("1 arrive", "ok", "the server's cookie lasts 400 days") in found
    assert found[-1][2] == "a deal won by the form's address credits the tagged visit with 100%"
    assert visits(folder) == {}


def test_each_obstacle_on_the_way_is_named(collector: tuple[Path, Served]) -> None:
    """The step that fails is the last one, and says what to do."""
    folder, served = collector
    elsewhere = '<script defer src="/tb.js" data-key="tb_x"></script>'
    strict = {"Content-Security-Policy": "default-src 'self'"}
    for site, finding in (
        (Site(""), "the page does not carry the tracker"),
        (Site(script(served), moved="/home.html"), "loses utm_source, utm_medium, utm_campaign, gclid"),
        (Site(elsewhere), "the tracker at /tb.js is not served (200)"),
        (Site(script(served), headers=strict), "the page's Content-Security-Policy blocks the tracker (script-src)"),
        (Site(script(served).replace(served.key, "tb_nobody")), "the collector does not take the visit: 401"),
    ):
        with running(site) as url:
            faults = [(step, told) for step, state, told in looked(folder, url, 6) if state == "fault"]
        assert faults
        assert {step for step, _ in faults} == {"1 arrive"}
        assert finding in faults[0][1]


def test_what_is_no_page_is_said_to_be_none(collector: tuple[Path, Served]) -> None:
    """A file is no page of the web; a site that is down is a finding."""
    folder, _ = collector
    tieback(folder, "doctor", "--live", "file:///etc/hosts", code=2)
    [(_, state, finding)] = looked(folder, "http://127.0.0.1:9/", 6)
    assert (state, "nobody answers" in finding) == ("fault", True)


@pytest.mark.parametrize(
    ("policy", "forbids"),
    [
        ("", False),
        ("default-src *", False),
        ("default-src 'self'", True),
        ("default-src 'self'; script-src https://tb.acme.example", False),
        ("script-src tb.acme.example:443 tb.acme.example", False),
        ("script-src https:", False),
        ("img-src 'self'", False),
        ("script-src 'none'", True),
    ],
)
def test_a_policy_that_keeps_the_tracker_out(policy: str, forbids: bool) -> None:
    """By its own directive, or else by the default."""
    page = Page("https://acme.example/", 200, headers={"content-security-policy": policy})
    assert page.forbids("script-src", "https://tb.acme.example/tb.js") is forbids
    assert Page("https://acme.example/", 200, headers={"content-security-policy": "default-src 'self'"}).forbids(
        "script-src", "https://acme.example/tb.js"
    ) is (False)


def test_a_page_cannot_make_us_read_files() -> None:
    """A tracker is fetched from the web alone."""
    page = Page("https://acme.example/", 200, '<script src="file:///etc/tb.js" data-key="k"></script>')
    assert page.tracker() is None
