"""tieback doctor --live: the four steps of the loop, driven against a running site and its collector."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tieback.cli.live_visit import Page, Told, Tracker, asked, told
from tieback.cli.warehouse import opened
from tieback.errors import TiebackError
from tieback.metrics.health import Finding

if TYPE_CHECKING:
    from tieback.config import Settings, Workspace

_WAIT_SECONDS = 60
_LONG_DAYS = 390  # browsers keep a cookie for 400 days at most
_EARLIER = timedelta(hours=2)  # so that the second page begins a visit of its own, which must be nobody's referral
_ARRIVE, _BROWSE, _FORM, _WON = "1 arrive", "2 browse", "3 form", "4 deal won"


@dataclass
class _Visit:
    """What is known so far of the visitor who is played."""

    name: str
    tracker: Tracker
    cookie: str = ""

    def send(self, page: Page, step: int, at: datetime, **event: Any) -> Told:
        """Tell the collector of one event."""
        said = {"event_id": f"{self.name}-{step}", "occurred_at": at.isoformat(), **event}
        answer = told(self.tracker, page, self.name, self.cookie, said)
        self.cookie = answer.cookie or self.cookie
        return answer


def live_findings(workspace: Workspace, url: str, say: Callable[[str], None]) -> Iterator[Finding]:
    """One finding a thing looked at; a step that fails ends the walk, since the next ones need it.

    What is sent is a robot's, and counts nowhere: its deal is won in a warehouse of its own, which is thrown away.
    Raises UsageError for what is no address.
    """
    name = f"doctor-{secrets.token_hex(6)}"
    tags = {"utm_source": "tieback-doctor", "utm_medium": "check", "utm_campaign": name, "gclid": name}
    page = asked(f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(tags)}")
    walk = [*_arrival(page, tags)]
    yield from walk
    tracker = page.tracker()
    if tracker is None or any(finding.state == "fault" for finding in walk):
        return
    visit, now = _Visit(name, tracker), datetime.now(UTC)
    for step in (
        _first_event(visit, page, now - _EARLIER),
        _second_page(visit, page, now),
        _filled_form(visit, page, now + timedelta(seconds=1)),
    ):
        for finding in step:
            yield finding
            if finding.state == "fault":
                return
    say("Waiting for the loader to make facts of it …")
    events = _facts(workspace, name)
    if len(events) < 3:
        missing = f"of 3 events that were acknowledged, {len(events)} became facts within {_WAIT_SECONDS} s"
        yield Finding(_FORM, "fault", missing, "Run `tieback load`, or `tieback serve` without --no-load.")
        return
    yield Finding(_FORM, "ok", "all three events are facts, and the address is known as a hash alone")
    yield from _won(events, workspace.settings, name)


def _arrival(page: Page, tags: dict[str, str]) -> Iterator[Finding]:
    if page.status != 200:
        why = f"the page answers {page.status}" if page.status else f"nobody answers ({page.text})"
        yield Finding(_ARRIVE, "fault", why, "Name a page that visitors can reach.")
        return
    lost = [name for name in tags if name not in page.parameters]
    if lost:
        remedy = "Let redirects carry the query on: without it paid visits become Direct."
        yield Finding(_ARRIVE, "fault", f"the redirect to {page.origin} loses {', '.join(lost)}", remedy)
    else:
        yield Finding(_ARRIVE, "ok", "tags and click id survive the way to the page")
    tracker = page.tracker()
    if tracker is None:
        remedy = 'Put <script defer src="/tb.js" data-key="KEY"></script> into its head.'
        yield Finding(_ARRIVE, "fault", "the page does not carry the tracker", remedy)
        return
    script = asked(tracker.address)
    if script.status != 200 or "javascript" not in script.headers.get("content-type", ""):
        why = f"the tracker at {urlsplit(tracker.address).path} is not served ({script.status or script.text})"
        yield Finding(_ARRIVE, "fault", why, "Let your web server hand /tb.js and /v1/ on to the collector.")
    for directive, address in (("script-src", tracker.address), ("connect-src", tracker.collector)):
        if page.forbids(directive, address):
            why = f"the page's Content-Security-Policy blocks the tracker ({directive})"
            yield Finding(_ARRIVE, "fault", why, f"Add the collector's host to {directive}.")


def _first_event(visit: _Visit, page: Page, at: datetime) -> Iterator[Finding]:
    answer = visit.send(page, 1, at, kind="page", url=page.address)
    if answer.status != 200:
        why = f"the collector does not take the visit: {answer.status} {answer.reason}"
        yield Finding(_ARRIVE, "fault", why, "See `tieback source list` for keys and the sites that may send.")
        return
    yield Finding(_ARRIVE, "ok", "the visit is on the collector's disk")
    if answer.cookie_days >= _LONG_DAYS:
        yield Finding(_ARRIVE, "ok", f"the server's cookie lasts {answer.cookie_days:.0f} days")
    else:
        why = (
            f"the server's cookie lasts {answer.cookie_days:.0f} days" if answer.cookie else "the server sets no cookie"
        )
        remedy = "Serve the collector from the site's own host: what a script keeps, Safari forgets after 7 days."
        yield Finding(_ARRIVE, "warn", why, remedy)


def _second_page(visit: _Visit, page: Page, at: datetime) -> Iterator[Finding]:
    following = asked(page.next_page())
    if following.tracker() is None:
        where = urlsplit(following.address).path
        yield Finding(_BROWSE, "warn", f"{where} does not carry the tracker", "Put it on every page.")
    answer = visit.send(following, 2, at, kind="page", url=following.address, referrer=page.address)
    if answer.status != 200 or (answer.visitor and answer.visitor != visit.name):
        why = f"the second page is another visitor's ({answer.status} {answer.reason})"
        yield Finding(_BROWSE, "fault", why, "Let your web server pass cookies on to the collector, and back.")
    else:
        yield Finding(_BROWSE, "ok", "the second page is the same visitor's")


def _filled_form(visit: _Visit, page: Page, at: datetime) -> Iterator[Finding]:
    address = f"{visit.name}@tieback.invalid"
    answer = visit.send(page, 3, at, kind="form", name="tieback doctor", url=page.address, email=address)
    if answer.status == 200:
        yield Finding(_FORM, "ok", "the form is on the collector's disk")
    else:
        why = f"the collector does not take the form: {answer.status} {answer.reason}"
        yield Finding(_FORM, "fault", why, "Call again; `/readyz` of the collector says what is wrong.")


def _facts(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """The facts that were made of what was sent, once all are there or time is up."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + _WAIT_SECONDS
    while len(found) < 3 and time.monotonic() < until:
        time.sleep(0.5)
        try:
            with opened(workspace, read_only=True) as store:
                found = store.rows("SELECT * FROM events WHERE contains(event_id, ?)", [f":{name}-"])
        except TiebackError:  # the loader holds the workspace, or has not made it yet
            continue
    return found


def _won(events: list[dict[str, Any]], settings: Settings, name: str) -> Iterator[Finding]:
    """Win a deal for whoever filled in the form, in a warehouse of its own, and see what earned it."""
    touches, credits = _credited(events, settings)
    own = [row for row in touches if row["campaign"] != name and row["channel"] == "Referral"]
    if own:
        remedy = f"Add its domain to [traffic] own_domains: {own[0]['source']}"
        yield Finding(_BROWSE, "fault", "the site refers visitors to itself", remedy)
    else:
        yield Finding(_BROWSE, "ok", "the site is not taken for a referral of its own")
    share = sum(row["share"] for row in credits if row["campaign"] == name)
    if share > 0:
        yield Finding(_WON, "ok", f"a deal won by the form's address credits the tagged visit with {share:.0%}")
    else:
        remedy = "See `tieback channels` for the rules, [consent] for what visitors agreed to."
        yield Finding(_WON, "fault", "a deal won by the form's address does not credit the tagged visit", remedy)


def _credited(events: list[dict[str, Any]], settings: Settings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The touchpoints of `events`, and the credit of a deal that their person won just now, by the first model."""
    import msgspec
    import pyarrow as pa

    from tieback.config import DEFAULT_CONVERSIONS, Exclude, Warehouse
    from tieback.pipeline import build
    from tieback.schema import TABLES
    from tieback.store import DuckDB

    now = max(row["occurred_at"] for row in events) + timedelta(seconds=1)
    form = next(row for row in events if row["kind"] == "form")
    fact = {"origin": "doctor", "received_at": now, "changed_at": now, "contact_id": "doctor"}
    contact = {**fact, "email_hash": form["email_hash"], "email_domain": form["email_domain"]}
    stage = next(iter(settings.stages.get("customer", ("won",))))
    deal = {**fact, "deal_id": "doctor", "stage": stage, "amount": 1, "currency": settings.currency}
    plain = msgspec.structs.replace(
        settings,
        exclude=Exclude(bots=False),
        warehouse=Warehouse(),
        conversions={"customer": DEFAULT_CONVERSIONS["customer"]},
        models=dict(list(settings.models.items())[:1]),
    )
    with DuckDB(None) as store:
        for name, rows in (("events", events), ("contacts", [contact]), ("deals", [deal])):
            table = TABLES[name]
            filled = [{column: row.get(column) for column in table.names} for row in rows]
            store.keep_rows("doctor_rows", pa.Table.from_pylist(filled))
            store.execute(f"INSERT INTO {name} SELECT {', '.join(table.names)} FROM doctor_rows")
        for name in ("people", "touchpoints", "conversions", "journeys", "credits"):
            build(name, store, plain)
        touches = store.rows("SELECT channel, source, campaign FROM touchpoints")
        credit = "SELECT t.campaign, c.share FROM credits c JOIN touchpoints t ON t.touch_id = c.touch_id"
        return touches, store.rows(credit)
