"""What a page address and a referrer say, cut out in SQL once, at the door.

Cutting is done with positions behind cheap guards: regular expressions would cost more than reading the file.
"""

from __future__ import annotations

from collections.abc import Iterable

from tieback.schema.click_ids import CLICK_IDS
from tieback.sync.cells import without_addresses

TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

_WRITTEN = {"sccid": "ScCid"}  # where the platform writes it otherwise

Layer = dict[str, str]


def derived(given: Iterable[str]) -> tuple[list[Layer], dict[str, str]]:
    """What the columns r_url and r_referrer say where a row leaves the columns `given` empty, or the file has none.

    Returns layers of columns to be worked out one after the other, and the SQL of each derived fact over the last.
    """
    known = set(given)
    layers: list[Layer] = [{}, {}, {}, {}, {}, {}]
    facts: dict[str, str] = {}
    if "url" in known:
        layers[0]["u_url"] = without_addresses("r_url")
        facts["url"] = "u_url"
        layers[1]["u_rest"] = _without_scheme("u_url")
        # Positions count from 1; 0 is nowhere. A query ends with &, so that every value does.
        layers[2]["u_mark"] = "strpos(u_rest, '?')"
        layers[2]["u_hash"] = "strpos(u_rest, '#')"
        _landing_page(layers, facts)
        _query(layers, facts)
        _click(known, layers, facts)
    if "referrer" in known:
        layers[0]["u_referrer"] = without_addresses("r_referrer")
        facts["referrer"] = "u_referrer"
        _referrer(layers, facts)
    for name in (*TAGS, "landing_page", "referrer_domain"):
        if name in known and name in facts:
            facts[name] = f"coalesce(t_{name}, {facts[name]})"
    return [layer for layer in layers if layer], facts


def _landing_page(layers: list[Layer], facts: dict[str, str]) -> None:
    layers[2]["u_slash"] = "strpos(u_rest, '/')"
    ends = "CASE WHEN u_mark > 0 AND (u_hash = 0 OR u_mark < u_hash) THEN u_mark WHEN u_hash > 0 THEN u_hash END"
    layers[3]["u_end"] = ends
    facts["landing_page"] = (
        "CASE WHEN u_slash > 0 AND (u_end IS NULL OR u_slash < u_end) "
        "THEN CASE WHEN u_end IS NULL THEN substr(u_rest, u_slash) ELSE substr(u_rest, u_slash, u_end - u_slash) END "
        "WHEN u_rest IS NOT NULL THEN '/' END"
    )


def _query(layers: list[Layer], facts: dict[str, str]) -> None:
    # A fragment comes after the query, but single-page applications put a query into the fragment.
    before = "substr(u_rest, u_mark + 1, u_hash - u_mark - 1)"
    ends = f"CASE WHEN u_hash > u_mark THEN {before} ELSE substr(u_rest, u_mark + 1) END"
    layers[3]["u_query"] = f"CASE WHEN u_mark > 0 THEN '&' || {ends} || '&' END"
    coded = "contains(u_query, '%') OR contains(u_query, '+')"
    layers[4]["u_is_coded"] = coded
    for tag in TAGS:
        mark = f"&{tag}="
        layers[4][f"u_{tag}_at"] = f"strpos(u_query, '{mark}')"
        layers[5][f"u_{tag}"] = f"CASE WHEN u_{tag}_at > 0 THEN substr(u_query, u_{tag}_at + {len(mark)}) END"
        facts[tag] = _value(f"u_{tag}")


def _click(known: set[str], layers: list[Layer], facts: dict[str, str]) -> None:
    """The click id and its kind: of the address, where the row gives neither; half of it only from the same click."""
    marks = {kind: f"&{_WRITTEN.get(kind, kind)}=" for kind in CLICK_IDS}
    kinds = " ".join(f"WHEN contains(u_query, '{mark}') THEN '{kind}'" for kind, mark in marks.items())
    rests = " ".join(f"WHEN '{kind}' THEN {_after('u_query', mark)}" for kind, mark in marks.items())
    odd = "".join(f" OR contains(u_query, '&{kind}=')" for kind in CLICK_IDS if not kind.endswith("id"))
    guard = f"contains(u_query, 'id='){odd}"
    layers[4]["u_click"] = f"CASE WHEN {guard} THEN CASE {kinds} END END"
    layers[5]["u_click_rest"] = f"CASE WHEN u_click IS NOT NULL THEN CASE u_click {rests} END END"
    seen_id = _value("u_click_rest")
    seen_kind = "CASE WHEN NOT starts_with(u_click_rest, '&') THEN u_click END"
    given_id, given_kind = (f"t_{name}" if name in known else "NULL" for name in ("click_id", "click_id_kind"))
    facts["click_id"], facts["click_id_kind"] = seen_id, seen_kind
    if "click_id" in known or "click_id_kind" in known:
        same = f"coalesce({given_id} = {seen_id}, true) AND coalesce({given_kind} = {seen_kind}, true)"
        facts["click_id"] = f"coalesce({given_id}, CASE WHEN {same} THEN {seen_id} END)"
        facts["click_id_kind"] = f"coalesce({given_kind}, CASE WHEN {same} THEN {seen_kind} END)"


def _referrer(layers: list[Layer], facts: dict[str, str]) -> None:
    # Without scheme, what has no point in its first part is no host: -, null, about:blank, javascript:…
    # A user name before the host is cut off below.
    bare = "contains(split_part(split_part(r_referrer, '/', 1), ':', 1), '.')"
    is_host = f"contains(r_referrer, '://') OR starts_with(r_referrer, '//') OR {bare}"
    layers[1]["u_from"] = f"CASE WHEN {is_host} THEN {_without_scheme('r_referrer')} END"
    layers[2]["u_from_slash"] = "strpos(u_from, '/')"
    layers[3]["u_host"] = "lower(CASE WHEN u_from_slash > 0 THEN substr(u_from, 1, u_from_slash - 1) ELSE u_from END)"
    layers[4]["u_domain"] = "CASE WHEN starts_with(u_host, 'www.') THEN substr(u_host, 5) ELSE u_host END"
    odd = " OR ".join([*(f"contains(u_domain, '{sign}')" for sign in ":?#@"), "ends_with(u_domain, '.')"])
    host = "rtrim(regexp_extract(u_domain, '^(?:[^@]*@)?(?:www\\.)?([^:?#@]*)', 1), '.')"
    facts["referrer_domain"] = f"nullif(CASE WHEN {odd} THEN {host} ELSE u_domain END, '')"


def _without_scheme(url: str) -> str:
    return (
        f"CASE WHEN starts_with({url}, 'https://') THEN substr({url}, 9) "
        f"WHEN starts_with({url}, 'http://') THEN substr({url}, 8) "
        f"WHEN starts_with({url}, '//') THEN substr({url}, 3) "
        f"WHEN starts_with({url}, '/') THEN {url} "
        f"WHEN contains({url}, '://') THEN substr({url}, strpos({url}, '://') + 3) ELSE {url} END"
    )


def _after(text: str, mark: str) -> str:
    return f"substr({text}, strpos({text}, '{mark}') + {len(mark)})"


def _value(rest: str) -> str:
    """What stands in `rest` before the next parameter, with %20 and + read as what they stand for; NULL when empty.

    What is no UTF-8 stays as it is.
    """
    value = f"substr({rest}, 1, strpos({rest}, '&') - 1)"
    plain = f"trim(coalesce(try(url_decode(replace({value}, '+', ' '))), {value}))"
    return f"nullif(CASE WHEN u_is_coded THEN {plain} ELSE {value} END, '')"
