"""From events to possible touches: web sessions, and single touches such as calls, webinars and ad clicks.

Ten million events pass through here, so the windows see few and narrow columns: events that neither begin a session nor
say anything new about it leave before sessions are numbered, and the details of a session's first event are joined back
at the end.
"""

from __future__ import annotations

import ibis
from ibis.expr import types as ir

from tieback.attribution.exclusions import agreed, barred, matches_glob
from tieback.attribution.parts import in_part
from tieback.attribution.rulebook import rulebook, whole
from tieback.config import Settings
from tieback.schema.facts import EVENTS
from tieback.schema.identifiers import IDENTIFIERS
from tieback.schema.remembered import remembered

# A device's visit is what it does on pages; a call or chat joins it when the browser or the page is known.
_BESIDE_PAGES = ("call", "chat")
_ALWAYS_KEPT = ("ad_view", "email_open")

# Whose touch it is, strongest first. An identifier's key is its rank (one digit) and its value: the least key is the
# strongest.
_IDENTIFIERS = {kind: column for kind, column in IDENTIFIERS.items() if column in EVENTS.names}

_TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "click_id_kind", "click_id")
_PURPOSES = ("consent_analytics", "consent_attribution")
_DETAILS = (*_TAGS, "referrer_domain", "landing_page", "ad", "keyword")

# Someone who pays or signs in elsewhere comes back to the same visit, however long it took, within a day.
_LONGEST_DETOUR_SECONDS = 86_400


@remembered
def possible_touches(events: ir.Table, junk: ir.Table, settings: Settings) -> ir.Table:
    """What may become a touch, one narrow row each: a web session, or an event that is a touch of its own.

    events: the fact; junk: the `junk_identifiers` among theirs. Out: touch_id, begins_at, bot_reason, consent_… (1
    unless any of its events refuses), login_key and device_key (rank and value of an identifier), kind. It is to be
    kept, as `sessions` looks at it several times.
    """
    events = events.mutate(
        bot_reason=barred(events.bot_reason, settings.exclude),
        **{name: agreed(events[name], settings).ifelse(1, 0) for name in _PURPOSES},
    )
    return _web_sessions(events, junk, settings).union(_single_touches(events, junk, settings))


@remembered
def sessions(
    touches: ir.Table, logins: ir.Table, events: ir.Table, people: ir.Table, staff: ir.Table, settings: Settings
) -> ir.Table:
    """The possible `touches` with whose they are and the details of their first event, before channels.

    logins: as `logins_between` these touches; events: the fact; people: the opinion (PEOPLE); staff: as
    `tieback.attribution.staff` finds them. Out:

    touch_id: event_id of the first event; occurred_at: its instant.
    kind: `form` if a form was filled in; `visit` if it began on a page; else the kind of its first event.
    person_id: person of the strongest identifier seen in it, or of its login in `logins` (`event:<touch_id>` where none
    is known); account_id.
    utm_…, click_id_kind, click_id, referrer_domain, landing_page, ad, keyword, origin: those of the first event.
    page_host: host of its page, lower case, without www.; "-" for a page without host; null when no page was seen.
    bot_reason: of any of its events that may not count; is_internal: of one of the workspace's own people or devices.
    is_refused: any of its events refuses attribution; is_measured: none of them refuses measurement.
    """
    touches = _with_person(_by_login(touches, logins), people)
    return _with_details(_with_internal(touches, staff, settings), events)


@remembered
def of_devices(events: ir.Table, junk: ir.Table, part: int, parts: int) -> ir.Table:
    """The events of one of so many `parts` of all devices, the first being 0; junk: the `junk_identifiers` of all."""
    if parts == 1:
        return events
    # An event's browser tells its part where it can: a condition on one column is met while reading, before the others.
    nobody = junk.filter(junk.junk_kind == "anonymous").select("junk_id")
    known = events.filter(events.anonymous_id.notnull() & in_part(events.anonymous_id, part, parts))
    known = known.anti_join(nobody, [known.anonymous_id == nobody.junk_id])
    unknown = events.filter(events.anonymous_id.isnull())
    junky = events.semi_join(nobody, [events.anonymous_id == nobody.junk_id])
    keyed = _keyed(unknown.union(junky), junk, *events.columns)
    return known.union(keyed.filter(in_part(keyed.device_key, part, parts)).select(*events.columns))


def _keyed(events: ir.Table, junk: ir.Table, *columns: str) -> ir.Table:
    """The `columns` of `events` with two keys, for which junk counts as absent.

    login_key: the strongest identifier other than the browser; null without one.
    device_key: the browser, or else the login_key, or else the event itself.
    """
    joined = events.select(*dict.fromkeys(("event_id", *_IDENTIFIERS.values(), *columns)))
    for kind, column in _IDENTIFIERS.items():
        of_kind = junk.filter(junk.junk_kind == kind).select(**{f"junk_{kind}": "junk_id"})
        joined = joined.left_join(of_kind, joined[column] == of_kind[f"junk_{kind}"])
    joined = joined.select(
        *dict.fromkeys(("event_id", *_IDENTIFIERS.values(), *columns)), *(f"junk_{kind}" for kind in _IDENTIFIERS)
    )
    keys = [
        joined[f"junk_{kind}"].isnull().ifelse(ibis.literal(f"{rank}:").concat(joined[column]), ibis.null("string"))
        for rank, (kind, column) in enumerate(_IDENTIFIERS.items(), start=1)
    ]
    login_key = ibis.coalesce(*keys[:-1])
    device_key = ibis.coalesce(keys[-1], login_key, ibis.literal("event:").concat(joined.event_id))
    return joined.select(*columns, login_key=login_key, device_key=device_key)


def _is_web(events: ir.Table, settings: Settings) -> ir.BooleanValue:
    """True for what belongs to a web session: pages, and what else is known to have happened in a browser.

    A `track` without page is a server's or a goal's: it must not make a visit of its own.
    """
    in_browser = events.url.notnull() | events.anonymous_id.notnull()
    beside = [kind for kind in _BESIDE_PAGES if kind in settings.touches.kinds]
    return (
        (events.kind == "page")
        | ((events.kind == "track") & events.url.notnull())
        | (events.kind.isin(["form", *beside]) & in_browser)
    )


def _web_sessions(events: ir.Table, junk: ir.Table, settings: Settings) -> ir.Table:
    """One row per web session: touch_id, begins_at, bot_reason, consent_…, login_key, device_key, kind."""
    web = events.filter(_is_web(events, settings))
    web = web.mutate(
        kind=(web.kind.isin(["page", "track"]) | (web.url.notnull() & (web.kind != "form"))).ifelse("visit", web.kind),
        returns=_returns(web, settings),
        tags=_joined_tags(web),
    )
    columns = ("event_id", "occurred_at", "session_key", "bot_reason", *_PURPOSES, "kind", "returns", "tags")
    numbered = _numbered(_keyed(web, junk, *columns), settings.touches.session_minutes * 60)
    begins = numbered.begins == 1
    grouped = numbered.group_by("device_key", "session_number").agg(
        touch_id=begins.ifelse(numbered.event_id, ibis.null("string")).max(),
        begins_at=numbered.occurred_at.min(),
        first_kind=begins.ifelse(numbered.kind, ibis.null("string")).max(),
        form=(numbered.kind == "form").ifelse(1, 0).max(),
        bot_reason=numbered.bot_reason.min(),
        **{name: numbered[name].min() for name in _PURPOSES},
        login_key=numbered.login_key.min(),
    )
    return grouped.select(
        "touch_id",
        "begins_at",
        "bot_reason",
        *_PURPOSES,
        "login_key",
        "device_key",
        kind=(grouped.form == 1).ifelse("form", grouped.first_kind),
    )


def _joined_tags(events: ir.Table) -> ir.StringColumn:
    """All tags and the click id in one text; null without any."""
    first, *others = (events[name].fill_null("") for name in _TAGS)
    joined = first.concat(*(part for other in others for part in (ibis.literal("\t"), other)))
    return ibis.or_(*(events[name].notnull() for name in _TAGS)).ifelse(joined, ibis.null("string"))


def _numbered(narrow: ir.Table, silence_seconds: int) -> ir.Table:
    """The web events that begin a session (begins = 1) or add to one, with session_number, from 1 on each device."""
    narrow = narrow.mutate(is_tagged=narrow.tags.notnull())
    order = [narrow.occurred_at, narrow.event_id]
    along = ibis.window(group_by=narrow.device_key, order_by=order)
    along_tagged = ibis.window(group_by=[narrow.device_key, narrow.is_tagged], order_by=order)
    stepped = narrow.mutate(
        before_at=narrow.occurred_at.lag().over(along),
        key_before=narrow.session_key.lag().over(along),
        tags_before=narrow.tags.lag().over(along_tagged),
    )
    arrives = stepped.is_tagged & (stepped.tags_before.isnull() | (stepped.tags != stepped.tags_before))
    # Whole seconds: some engines give fractions.
    silence = stepped.occurred_at.epoch_seconds().floor() - stepped.before_at.epoch_seconds().floor()
    detour = (stepped.returns == 1) & (silence <= _LONGEST_DETOUR_SECONDS)
    new_key = (stepped.session_key != stepped.key_before).fill_null(ibis.literal(value=False))
    begins = stepped.before_at.isnull() | arrives | (((silence > silence_seconds) | new_key) & ~detour)
    marked = stepped.mutate(begins=begins.ifelse(1, 0))
    refuses = (marked.consent_analytics == 0) | (marked.consent_attribution == 0)
    adds = marked.login_key.notnull() | marked.bot_reason.notnull() | (marked.kind == "form") | refuses
    telling = marked.filter((marked.begins == 1) | adds).select(
        "event_id", "occurred_at", "device_key", "login_key", "bot_reason", *_PURPOSES, "kind", "begins"
    )
    so_far = ibis.cumulative_window(group_by=telling.device_key, order_by=[telling.occurred_at, telling.event_id])
    return telling.mutate(session_number=telling.begins.sum().over(so_far))


def _returns(web: ir.Table, settings: Settings) -> ir.IntegerColumn:
    """1 for a page reached from a payment provider or a sign-in redirect."""
    book = rulebook(settings)
    passed_through = web.referrer_domain.re_search(whole(f"{book.payment}|{book.sign_in}"))
    return passed_through.fill_null(ibis.literal(value=False)).ifelse(1, 0)


def _single_touches(events: ir.Table, junk: ir.Table, settings: Settings) -> ir.Table:
    """The touches of a single event, as `_web_sessions`: forms, calls, chats without browser, the settings' kinds."""
    kinds = {*settings.touches.kinds, *_ALWAYS_KEPT, "form"} - {"page", "track"}
    single = events.filter(events.kind.isin(sorted(kinds)) & ~_is_web(events, settings))
    keyed = _keyed(single, junk, "event_id", "occurred_at", "bot_reason", *_PURPOSES, "kind")
    return keyed.select(*keyed.columns, touch_id="event_id", begins_at="occurred_at").select(
        "touch_id", "begins_at", "bot_reason", *_PURPOSES, "login_key", "device_key", "kind"
    )


@remembered
def shared_devices(touches: ir.Table) -> ir.Table:
    """The devices of which the possible `touches` name several logins: device_key."""
    known = touches.filter(touches.login_key.notnull())
    each = known.group_by("device_key").agg(least=known.login_key.min(), greatest=known.login_key.max())
    return each.filter(each.least != each.greatest).select("device_key")


@remembered
def logins_between(touches: ir.Table, devices: ir.Table) -> ir.Table:
    """Whose a touch without login is on one of the `devices` that logins share: told_id (its touch_id), told_key.

    That is whoever was logged in last before it, or else whoever was first. Few touches are such.
    """
    shared = touches.semi_join(devices, "device_key").select(*touches.columns)
    so_far = ibis.cumulative_window(group_by=shared.device_key, order_by=[shared.begins_at, shared.touch_id])
    turns = shared.mutate(turn=shared.login_key.notnull().ifelse(1, 0).sum().over(so_far))
    turns = turns.select("touch_id", "device_key", "login_key", turn=ibis.greatest(turns.turn, 1))
    logins = turns.filter(turns.login_key.notnull()).select(
        on_device="device_key", on_turn="turn", turn_key="login_key"
    )
    told = turns.filter(turns.login_key.isnull()).inner_join(logins, [("device_key", "on_device"), ("turn", "on_turn")])
    return told.select(told_id="touch_id", told_key="turn_key")


def _by_login(touches: ir.Table, logins: ir.Table) -> ir.Table:
    """`touches` with a login_key for those that are in `logins`."""
    joined = touches.left_join(logins, [("touch_id", "told_id")])
    return joined.mutate(login_key=joined.login_key.fill_null(joined.told_key)).select(*touches.columns)


def _with_person(touches: ir.Table, people: ir.Table) -> ir.Table:
    """Touches with the person_id and account_id of their strongest identifier instead of the login_key."""
    ranks = ibis.cases(*((people.id_kind == kind, str(rank)) for rank, kind in enumerate(_IDENTIFIERS, start=1)))
    known = people.filter(people.id_kind.isin(list(_IDENTIFIERS))).select(
        "person_id", "account_id", "id_value", rank=ranks
    )
    strongest = touches.login_key.fill_null(touches.device_key)
    touches = touches.mutate(value=strongest.substr(2), rank=strongest.left(1))
    joined = touches.left_join(known, [("value", "id_value"), "rank"]).select(
        "touch_id", "kind", "bot_reason", *_PURPOSES, "device_key", "person_id", "account_id"
    )
    return joined.mutate(person_id=joined.person_id.fill_null(ibis.literal("event:").concat(joined.touch_id)))


def _with_internal(touches: ir.Table, staff: ir.Table, settings: Settings) -> ir.Table:
    """Adds is_internal: a device of [exclude], or one of the `staff`, in all their touches."""
    exclude = settings.exclude
    patterns = [f"{len(_IDENTIFIERS)}:{pattern}" for pattern in exclude.anonymous_ids]
    touches = touches.mutate(is_internal=matches_glob(touches.device_key, patterns))
    if not (exclude.email_domains or exclude.user_ids):
        return touches
    joined = touches.left_join(staff, [("person_id", "staff_id")])
    return joined.mutate(is_internal=joined.is_internal | joined.staff_id.notnull()).drop("staff_id")


def _with_details(touches: ir.Table, events: ir.Table) -> ir.Table:
    """Adds the details of the event that opened each touch."""
    opening = events.select("event_id", "occurred_at", "url", "origin", *_DETAILS)
    joined = opening.inner_join(touches, opening.event_id == touches.touch_id)
    joined = joined.mutate(is_refused=joined.consent_attribution == 0, is_measured=joined.consent_analytics == 1)
    known = ("touch_id", "person_id", "account_id", "occurred_at", "kind", *_DETAILS)
    columns = (*known, "origin", "bot_reason", "is_internal", "is_refused", "is_measured")
    return with_page_host(joined.select(*columns, "url")).select(*columns, "page_host")


def with_page_host(rows: ir.Table) -> ir.Table:
    """`rows` (url and others) with the host of the page, by plain text functions: URL functions differ between engines.

    Lower case, without port and www.; "-" for a page without host, null without a page.
    """
    # Each step is a SELECT of its own: in one expression of all, each would stand as often as the next one reads it.
    hosted = rows.mutate(page_host=rows.url.lower())
    for step in (_after_scheme, _until_slash, _without_www):
        hosted = hosted.mutate(page_host=step(hosted.page_host))
    return hosted


def _after_scheme(url: ir.StringColumn) -> ir.StringColumn:
    after = ibis.cases(
        (url.startswith("https://"), url.substr(8)), (url.startswith("http://"), url.substr(7)), else_=url
    )
    return after.replace("?", "/").replace("#", "/").replace(":", "/")


def _until_slash(text: ir.StringColumn) -> ir.StringColumn:
    return text.substr(0, text.concat("/").find("/"))


def _without_www(host: ir.StringColumn) -> ir.StringColumn:
    return ibis.cases((host.isin(["", "www."]), "-"), (host.startswith("www."), host.substr(4)), else_=host)
