"""The tracker in a real browser, on the demo shop, before a real collector."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright

from tests.browser.conftest import AGENT, ARGUMENTS, CHROMIUM, Collector, Site
from tests.cli.test_serve import comes, tieback
from tieback.cli.warehouse import opened
from tieback.config import open_workspace

Sites = Callable[..., Site]
Device = Callable[[], BrowserContext]
pytestmark = pytest.mark.xdist_group("browser")  # one collector and one browser serve all
KEPT = "Object.keys(localStorage)"


def of(events: list[dict[str, Any]], kind: str, name: str = "") -> list[dict[str, Any]]:
    """The events of one kind, and of one name if one is given."""
    return [each for each in events if each["kind"] == kind and (not name or each.get("name") == name)]


def cookie(context: BrowserContext, host: str = "127.0.0.1") -> dict[str, Any]:
    """The cookie that the server set for `host`; empty for none."""
    return next((dict(each) for each in context.cookies() if (each["name"], each["domain"]) == ("tb_id", host)), {})


def now(page: Page) -> datetime:
    """The time by the browser's clock."""
    return datetime.fromisoformat(page.evaluate("new Date().toISOString()"))


def answered(page: Page) -> None:
    """Wait until the server has answered all that `page` told: an event is in the inbox before its answer is."""
    page.wait_for_function("JSON.parse(localStorage.tb_queue).length === 0")


def test_the_server_keeps_the_visitor_in_a_cookie(page: Page, sites: Sites, collector: Collector) -> None:
    """Out of reach of scripts, for 400 days, and the visitor's id on every event."""
    page.goto(sites().at("?utm_source=cookie"))
    [first] = collector.comes("cookie", lambda events: of(events, "page"))
    answered(page)
    found = cookie(page.context)
    assert (found["httpOnly"], found["sameSite"], found["path"]) == (True, "Lax", "/")
    assert abs(found["expires"] - time.time() - 400 * 86_400) < 600
    assert first["anonymous_id"] == found["value"]
    assert page.evaluate("document.cookie") == ""


def test_a_browser_whose_storage_was_cleared_is_known_by_its_cookie(
    page: Page, sites: Sites, collector: Collector
) -> None:
    """Some browsers clear what scripts keep after a week."""
    page.goto(sites().at("?utm_source=cleared"))
    answered(page)
    page.evaluate("localStorage.clear()")
    page.goto(sites().at("product.html"))
    events = collector.comes("cleared", lambda events: len(of(events, "page")) == 2)
    assert {each["anonymous_id"] for each in events} == {cookie(page.context)["value"]}


def test_nothing_is_kept_or_sent_before_consent(page: Page, sites: Sites, collector: Collector) -> None:
    """And then everything, with the times at which it happened."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(sites('data-consent="wait"').at("product.html?utm_source=waits"))
    page.click("#colour-red")
    page.wait_for_timeout(300)
    assert [each for each in sent if "/v1/" in each] == []
    assert (page.context.cookies(), page.evaluate(KEPT)) == ([], [])
    agreed_at = now(page)
    page.evaluate("tieback('consent', {analytics_storage: 'granted', ad_storage: 'denied'})")
    events = collector.comes("waits", lambda events: len(of(events, "page")) == 2)
    assert all(datetime.fromisoformat(each["occurred_at"]) < agreed_at for each in events)
    assert events[0]["consent_signals"] == "ad_storage=denied analytics_storage=granted"
    assert (events[0]["consent_analytics"], events[0]["consent_attribution"]) == (True, False)
    answered(page)
    assert cookie(page.context)
    # It is asked once: the next page knows.
    page.goto(sites('data-consent="wait"').at("index.html"))
    collector.comes("waits", lambda events: len(of(events, "page")) == 3)


def test_what_is_refused_leaves_no_trace(page: Page, sites: Sites, collector: Collector) -> None:
    """What was held is dropped, and what was kept by an earlier consent is forgotten."""
    site = sites('data-consent="wait"')
    page.goto(site.at("?utm_source=refuses"))
    page.evaluate("tieback('consent', {analytics_storage: 'denied'}); tieback('track', 'seen')")
    page.goto(site.at("?utm_source=agrees"))
    page.evaluate("tieback('consent', {analytics_storage: 'granted'})")
    collector.comes("agrees", lambda events: of(events, "page"))
    answered(page)
    assert cookie(page.context)
    with page.expect_response("**/v1/events"):
        page.evaluate("tieback('consent', {analytics_storage: 'denied'}); tieback('track', 'after')")
    page.goto(site.at("thanks.html"))
    assert (page.context.cookies(), page.evaluate(KEPT)) == ([], [])
    assert collector.told("refuses") == []
    assert [each["kind"] for each in collector.told("agrees")] == ["page"]


def test_a_site_without_cookies_keeps_nothing(page: Page, sites: Sites, collector: Collector) -> None:
    """A visitor is the same on each page of the day, and nothing is left in the browser."""
    page.goto(sites("data-cookieless").at("?utm_source=cookieless"))
    collector.comes("cookieless", lambda events: of(events, "page"))
    page.goto(sites("data-cookieless").at("product.html?utm_source=cookieless"))
    events = collector.comes("cookieless", lambda events: len(of(events, "page")) == 2)
    assert len({each["anonymous_id"] for each in events}) == 1
    assert (page.context.cookies(), page.evaluate(KEPT)) == ([], [])


def test_a_single_page_app_tells_each_page_once(page: Page, sites: Sites, collector: Collector) -> None:
    """What brought the visitor stays with the first; the next came from the one before."""
    page.goto(sites().at("product.html?utm_source=single"), referer="https://search.example/")
    for colour in ("red", "red", "blue"):
        page.click(f"#colour-{colour}")
    page.go_back()
    events = collector.comes("single", lambda events: len(of(events, "page")) == 4)
    seen = [(each["url"].partition("?")[2], each["referrer"].rpartition("?")[2]) for each in of(events, "page")]
    assert seen == [
        ("utm_source=single", "https://search.example/"),
        ("colour=red", "utm_source=single"),
        ("colour=blue", "colour=red"),
        ("colour=red", "colour=blue"),
    ]


def test_click_ids_come_with_the_address_as_seen(page: Page, sites: Sites, collector: Collector) -> None:
    """Every one of them, in full, at the time of the click; also one that nobody has heard of."""
    query = "utm_source=clicks&utm_term=caf%C3%A9&gclid=Cj0_-x&wbraid=w.1&fbclid=F%20b&ttclid=t&newclid=n"
    before = now(page)
    page.goto(sites().at(f"?{query}"))
    [seen] = collector.comes("clicks", lambda events: of(events, "page"))
    assert seen["url"] == sites().at(f"?{query}")
    assert before <= datetime.fromisoformat(seen["occurred_at"]) <= now(page)


def test_what_a_redirect_passes_over_is_kept(page: Page, sites: Sites, collector: Collector) -> None:
    """A page that sends on at once still tells who came, from where."""
    page.goto(sites().at("redirect.html?utm_source=redirect&gclid=g1"), referer="https://search.example/")
    events = collector.comes("redirect", lambda events: len(of(events, "page")) == 2)
    first, second = of(events, "page")
    assert first["referrer"] == "https://search.example/"
    assert second["url"] == sites().at("index.html")


def test_reading_and_leaving_are_told(page: Page, sites: Sites, collector: Collector) -> None:
    """Time and depth when the page is left; links that lead away, and downloads, without their queries."""
    page.goto(sites().at("?utm_source=leaves"))
    page.evaluate("addEventListener('click', (click) => click.preventDefault())")
    page.click("#away")
    page.click("#catalogue")
    page.goto(sites().at("product.html"))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(100)
    page.goto("about:blank")
    events = collector.comes("leaves", lambda events: len(of(events, "track", "page_read")) == 2)
    assert of(events, "track", "outbound_link")[0]["properties"] == {"href": "https://reviews.example/acme"}
    assert of(events, "track", "download")[0]["properties"] == {"href": sites().at("catalogue.pdf")}
    left = of(events, "track", "page_read")[1]
    assert "url" not in left
    assert left["properties"]["page"] == sites().at("product.html")
    assert left["properties"]["scroll"] == 100
    assert left["properties"]["seconds"] >= 0.1


def test_leaving_is_told_once(page: Page, sites: Sites, collector: Collector) -> None:
    """Though browsers say twice that a page is left."""
    page.goto(sites().at("?utm_source=once"))
    answered(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', {value: true});
            dispatchEvent(new Event('pagehide'));
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    collector.comes("once", lambda events: of(events, "track", "page_read"))
    answered(page)
    assert [each.count("page_read") for each in sent] == [1]


def test_an_event_too_large_holds_up_no_other(page: Page, sites: Sites, collector: Collector) -> None:
    """A browser refuses to send so much while a page leaves."""
    page.goto(sites().at("?utm_source=large"))
    page.evaluate("tieback('track', 'large', {told: 'ж'.repeat(40000)}); tieback('track', 'next')")
    collector.comes("large", lambda events: of(events, "track", "next"))


def test_a_marked_form_tells_who_filled_it_in_and_no_other_does(page: Page, sites: Sites, collector: Collector) -> None:
    """Nor does it tell what else stood in it."""
    page.goto(sites().at("form.html?utm_source=forms"))
    page.fill("#search input", "spy@acme.example")
    page.click("#find")
    page.wait_for_url("**/index.html*")
    page.goto(sites().at("form.html"))
    page.fill("form [type=email]", "ann@acme.example")
    page.fill("form [type=tel]", "+44 20 7946 0000")
    page.fill("form [name=note]", "My secret")
    page.click("#book")
    page.wait_for_url("**/thanks.html*")
    events = collector.comes("forms", lambda events: of(events, "form"))
    [form] = of(events, "form")
    assert (form["name"], form["email"], form["phone"]) == ("test-ride", "ann@acme.example", "+44 20 7946 0000")
    assert "My secret" not in str(events)
    assert "ann@acme.example" not in str([each for each in events if each is not form])


def test_addresses_and_numbers_leave_as_their_sha_256_where_the_tag_asks_for_it(
    device: Device, sites: Sites, collector: Collector
) -> None:
    """Of forms and logins, also one that is an address itself, of any length and script; nothing keeps them raw."""
    context = device()
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append((request.post_data or "") if "/v1/" in request.url else ""))
    page.goto(sites("data-hash").at("form.html?utm_source=hashes"))
    page.fill("form [type=email]", " Ann@Acme.example")
    page.fill("form [type=tel]", "0044 (0)20 7946-0000")
    page.click("#book")
    page.wait_for_url("**/thanks.html*")
    long = f"{'münchen.' * 20}x@acme.example"
    page.evaluate("(long) => { tieback('identify', 'Ann@acme.example'); tieback('identify', 7, {email: long}) }", long)
    page.evaluate("tieback('identify', 8, {email: 'none', phone: '030 123456'})")
    page.evaluate("tieback('identify', 9, {phone: '+49 000 0000000'})")
    events = collector.comes("hashes", lambda events: of(events, "form"))
    [form] = of(events, "form")
    ann = sha256(b"ann@acme.example").hexdigest()
    assert (form["email"], form["phone"]) == (ann, sha256(b"+442079460000").hexdigest())
    collector.comes("hashes", lambda events: of(events, "identify"))
    answered(page)
    logins = {
        (row.get("user_id"), row.get("email"), row.get("phone"))
        for row in collector.rows()
        if row["kind"] == "identify"
    }
    assert logins >= {
        (None, ann, None),
        ("7", sha256(long.encode()).hexdigest(), None),
        ("8", None, None),
        ("9", None, None),
    }
    held = str([*sent, *page.evaluate("Object.values(localStorage)")]).lower()
    assert ann in held
    assert [raw for raw in ("@acme.example", "7946", "123456") if raw in held] == []


def test_revenue_group_and_privacy_signal_come_along(device: Device, sites: Sites, collector: Collector) -> None:
    """With what else the site says of an event of its own."""
    context = device()
    context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    page = context.new_page()
    page.goto(sites().at("checkout.html?utm_source=pays"))
    page.click("#pay")
    page.evaluate("tieback('group', 'acme')")
    events = collector.comes("pays", lambda events: of(events, "group"))
    [order] = of(events, "track", "order")
    assert (order["value"], order["currency"], order["properties"]) == (1490, "EUR", {"items": 1})
    assert (order["consent_signals"], order["consent_ads"]) == ("gpc=1", False)
    assert of(events, "group")[0]["group_id"] == "acme"


def test_what_is_refused_for_a_whole_visit_comes_with_the_next_page(
    page: Page, sites: Sites, collector: Collector
) -> None:
    """Each event once, under its own id and with its own time."""
    before = collector.refused_busy()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    holder = sqlite3.connect(collector.folder / "ledger.sqlite")
    holder.execute("BEGIN IMMEDIATE")
    try:
        with page.expect_response("**/v1/events") as refused:
            page.goto(sites().at("?utm_source=refused"))
        assert refused.value.status == 503
        with page.expect_response("**/v1/events"):
            page.goto(sites().at("product.html"))
        queued = json.loads(page.evaluate("localStorage.tb_queue"))
        page.goto("about:blank")
        # What two pages told as they left, a browser names to nobody; it is refused as well before there is room.
        comes(lambda: collector.refused_busy() - before >= len(asked) + 2)
    finally:
        holder.rollback()
        holder.close()
    assert collector.told("refused") == []
    page.goto(sites().at("thanks.html"))
    events = collector.comes("refused", lambda events: len(of(events, "page")) == 3)
    came = {each["event_id"].partition(":")[2]: each["occurred_at"][:19] for each in events}
    assert {each["event_id"]: each["occurred_at"][:19] for each in queued}.items() <= came.items()
    assert [each["url"] for each in of(events, "page")] == [
        sites().at("?utm_source=refused"),
        sites().at("product.html"),
        sites().at("thanks.html"),
    ]


def test_blocked_cookies_and_storage_break_nothing(
    playwright: Playwright, tmp_path: Path, sites: Sites, collector: Collector
) -> None:
    """Neither the page nor what it tells, in a browser that is set to keep nothing: each page is then by somebody."""
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(settings))
    context = playwright.chromium.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=ARGUMENTS, user_agent=AGENT
    )
    try:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(sites().at("checkout.html?utm_source=blocked"))
        assert page.evaluate("(() => { try { localStorage; return '' } catch (error) { return error.name } })()") == (
            "SecurityError"
        )
        page.click("#pay")
        events = collector.comes("blocked", lambda events: of(events, "track", "order"))
        assert len({each["anonymous_id"] for each in events}) == 1
        assert (errors, context.cookies()) == ([], [])
    finally:
        context.close()


def test_what_happens_before_the_answer_is_the_same_visitors(
    device: Device, sites: Sites, collector: Collector
) -> None:
    """Where the cookie alone remembers, a page learns its visitor from the first answer."""
    context = device()
    context.add_init_script(
        """
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError') }});
        const send = window.fetch;
        window.fetch = (...given) => new Promise((done) => setTimeout(done, 300)).then(() => send(...given));
        addEventListener('load', () => setTimeout(() => tieback('track', 'early'), 150));
        """
    )
    page = context.new_page()
    for path in ("product.html?utm_source=early", "checkout.html?utm_source=early"):
        page.goto(sites().at(path))
        page.wait_for_timeout(1000)
    events = collector.comes("early", lambda events: len(of(events, "page")) == 2)
    assert [each["anonymous_id"] for each in of(events, "track", "early")] == [cookie(context)["value"]] * 2


def test_a_collector_of_the_same_site_has_its_cookie_too(page: Page, sites: Sites, collector: Collector) -> None:
    """On another host or port of it."""
    page.goto(sites(f'src="{collector.url}/tb.js"').at("?utm_source=beside"))
    [seen] = collector.comes("beside", lambda events: of(events, "page"))
    answered(page)
    assert cookie(page.context)["value"] == seen["anonymous_id"]


def test_a_collector_of_another_site_sets_no_cookie(page: Page, sites: Sites, collector: Collector) -> None:
    """There the script remembers the visitor."""
    site = sites(f'src="{collector.url}/tb.js"')
    for path in ("?utm_source=third", "product.html"):
        page.goto(site.at(path, "localhost"))
        answered(page)
    events = collector.comes("third", lambda events: len(of(events, "page")) == 2)
    assert {each["anonymous_id"] for each in events} == {json.loads(page.evaluate("localStorage.tb"))["id"]}
    assert page.context.cookies() == []


def test_a_link_to_another_site_of_ours_carries_the_visitor_along(
    page: Page, sites: Sites, collector: Collector
) -> None:
    """The address is clean again when it is told, and the other site's cookie is the same."""
    site = sites('data-domains="shop.example"')
    ours = sites(f'data-domains="localhost:{site.port}"')
    page.goto(ours.at("?utm_source=domains"))
    answered(page)
    page.evaluate(f"document.getElementById('product').href = {site.at('product.html?a=1', 'localhost')!r}")
    page.click("#product")
    page.wait_for_url("http://localhost:*/**")
    events = collector.comes("domains", lambda events: len(of(events, "page")) == 2)
    assert of(events, "page")[1]["url"] == site.at("product.html?a=1", "localhost") == page.url
    answered(page)
    assert cookie(page.context, "localhost")["value"] == cookie(page.context)["value"]


def test_a_second_login_on_a_shared_device_is_somebody_else(page: Page, sites: Sites, collector: Collector) -> None:
    """After a logout, or without one; and the server's cookie follows."""
    page.goto(sites().at("checkout.html?utm_source=shared"))
    answered(page)
    first = cookie(page.context)["value"]
    for user in ("ann", "ann", "bob"):
        page.fill("[name=user]", user)
        page.click("#enter")
    page.click("#leave")
    page.fill("[name=user]", "cid")
    page.click("#enter")
    answered(page)
    ids = {
        user: {row["anonymous_id"] for row in collector.rows() if row.get("user_id") == user}
        for user in ("ann", "bob", "cid")
    }
    assert ids["ann"] == {first}
    assert len(set.union(*ids.values())) == 3
    assert {cookie(page.context)["value"]} == ids["cid"]


def test_two_devices_become_one_person_and_two_logins_stay_two(
    device: Device, sites: Sites, collector: Collector
) -> None:
    """All the way into the run: by a form and a login on either, and by logins in turn on one."""
    for number in (1, 2):
        page = device().new_page()
        page.goto(sites().at(f"form.html?utm_source=device{number}"))
        page.fill("form [type=email]", "dora@acme.example")
        page.click("#book")
        page.wait_for_url("**/thanks.html*")
        collector.comes(f"device{number}", lambda events: of(events, "form"))
    shared = device().new_page()
    shared.goto(sites().at("checkout.html?utm_source=turns"))
    for user in ("eve", "finn"):
        shared.fill("[name=user]", user)
        shared.click("#enter")
    answered(shared)
    devices = [collector.told(f"device{number}")[0]["anonymous_id"] for number in (1, 2)]
    tieback(collector.folder, "load")
    with opened(open_workspace(collector.folder), read_only=True) as store:
        rows = store.rows("SELECT id_value, person_id FROM people")
    people = {row["id_value"]: row["person_id"] for row in rows}
    assert devices[0] != devices[1]
    assert people[devices[0]] == people[devices[1]]
    assert people["eve"] != people["finn"]
