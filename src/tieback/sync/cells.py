"""How one cell is read: from text to the type that its column declares, or a sentence why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tieback.config.mapping import Rule, Written
from tieback.errors import ConfigError
from tieback.schema import Column
from tieback.sync.readers import sql_text

_TRUE = "('true', 't', 'yes', 'y', '1', 'ja', 'oui', 'si')"
_FALSE = "('false', 'f', 'no', 'n', '0', 'nein', 'non')"
BLOT = "[e-mail]"  # what stands where an address stood
_ADDRESS = r"[^\s\"/?&=:;,<>]+(@|%(25)*40)[^\s\"/?&=:;,<>@]+\.\p{L}{2,}"
_DIRECTIVE = re.compile(r"%(?:-[djmyHIMS]|[abcdfghjmnpuwxyzABGHIMSTUVWXYZ%])")  # those that the engine can read
_LOWER = {
    ("events", "kind"),
    ("orders", "kind"),
    ("links", "left_kind"),
    ("links", "right_kind"),
}
_SPAN = "NOT BETWEEN {type} '1900-01-01' AND {type} '2199-12-31'"


@dataclass(frozen=True)
class Named:
    """SQL text under a column's name."""

    name: str
    text: str


@dataclass(frozen=True)
class Reading:
    """How a cell is read.

    value: SQL, NULL where it cannot be read. reason: SQL of the sentence then.
    doubt: SQL that, put behind the value, is true of one that cannot be believed.
    """

    value: str
    reason: str = ""
    doubt: str = ""


def reading(table: str, column: Column, rule: Rule, written: Written) -> Reading:
    """How `column` of `table` is read from its text r_<name>."""
    raw = f"r_{column.name}"
    if column.type in ("decimal", "int", "float"):
        return _number(column, raw, rule, written)
    if column.type == "timestamp":
        return _instant(raw, rule, written)
    if column.type == "date":
        return _date(raw, rule, written)
    if column.type == "boolean":
        value = f"CASE WHEN lower({raw}) IN {_TRUE} THEN true WHEN lower({raw}) IN {_FALSE} THEN false END"
        return Reading(value, quoted(raw) + sql_text(" is neither true nor false"))
    if column.type == "json":
        return Reading(f"CASE WHEN json_valid({raw}) THEN {raw} END", quoted(raw) + sql_text(" is not JSON"))
    return _text(table, column.name, raw)


def quoted(raw: str) -> str:
    """SQL that begins a sentence with the cell in quotes; what may be an address is not repeated."""
    return f"'\"' || CASE WHEN {_may_hold_one(raw)} THEN '…' ELSE left({raw}, 60) END || '\"' || "


def without_addresses(text: str) -> str:
    """SQL of `text` with e-mail addresses in it blotted out, also ones coded for a URL, once or again and again."""
    blotted = f"regexp_replace({text}, '{_ADDRESS}', '{BLOT}', 'gi')"
    return f"CASE WHEN {_may_hold_one(text)} THEN {blotted} ELSE {text} END"


def has_address(text: str) -> str:
    """SQL that is true where there is an e-mail address in `text`."""
    return f"CASE WHEN {_may_hold_one(text)} THEN regexp_matches({text}, '{_ADDRESS}', 'i') ELSE false END"


def _may_hold_one(text: str) -> str:
    """A cheap look comes first: the regular expression would cost more than reading the file."""
    return f"contains({text}, '@') OR contains({text}, '%40') OR contains({text}, '%25')"


def _text(table: str, name: str, raw: str) -> Reading:
    if name in ("currency", "base_currency"):
        value = f"CASE WHEN regexp_full_match({raw}, '[A-Za-z]{{3}}') THEN upper({raw}) END"
        return Reading(value, quoted(raw) + sql_text(" is no currency code of three letters, such as EUR"))
    if name == "country":
        return Reading(f"CASE WHEN length({raw}) = 2 THEN upper({raw}) ELSE {without_addresses(raw)} END")
    if name in ("email_hash", "phone_hash"):
        value = f"CASE WHEN regexp_full_match(lower({raw}), '[0-9a-f]{{64}}') THEN lower({raw}) END"
        return Reading(value, sql_text(f"it is no SHA-256 hash; give the address or number itself, as {name[:-5]}"))
    if (table, name) in _LOWER or name in ("referrer_domain", "click_id_kind"):
        return Reading(f"lower({without_addresses(raw)})")
    return Reading(without_addresses(raw))


def _number(column: Column, raw: str, rule: Rule, written: Written) -> Reading:
    decimal, thousands = rule.decimal or written.decimal, rule.thousands or written.thousands
    bare = raw
    if thousands:
        if thousands == decimal:
            raise ConfigError(f"decimal and thousands are both {decimal!r} in the mapping. Give each its own sign.")
        gap = "[ \u00a0\u202f]" if thousands == " " else f"[{re.escape(thousands)}]"
        part = f"([{re.escape(decimal or '.')}][0-9]*)?" if (decimal or ".") != thousands else ""
        grouped = sql_text(f"[+-]?([0-9]{{1,3}}({gap}[0-9]{{3}})*|[0-9]+){part}")
        bare = f"CASE WHEN regexp_full_match({raw}, {grouped}) THEN {raw} END"
        bare = f"replace({bare}, {sql_text(thousands)}, '')"
        if thousands == " ":
            bare = f"replace(replace({bare}, chr(160), ''), chr(8239), '')"
    if decimal and decimal != ".":
        if not thousands:  # a point is then no decimal sign
            bare = f"CASE WHEN NOT contains({bare}, '.') THEN {bare} END"
        bare = f"replace({bare}, {sql_text(decimal)}, '.')"
    exact = f"try_cast({bare} AS DECIMAL(18, 6))"
    large = f"CASE WHEN try_cast({bare} AS DOUBLE) IS NOT NULL AND NOT isnan(try_cast({bare} AS DOUBLE)) THEN"
    other = "ELSE ' is not a number' END"
    if column.type == "float":
        is_rate = column.name == "rate"
        said = sql_text(" is not a number" + (" above 0" if is_rate else ""))
        doubt = "NOT BETWEEN 1e-12 AND 1e12" if is_rate else "NOT BETWEEN -1e300 AND 1e300"
        return Reading(f"try_cast({bare} AS DOUBLE)", quoted(raw) + said, doubt)
    if column.type == "int":
        said = f"CASE WHEN {exact} IS NOT NULL THEN ' is not a whole number' ELSE {large} ' is too large' {other} END"
        return Reading(f"CASE WHEN {exact} = floor({exact}) THEN {exact}::BIGINT END", quoted(raw) + said)
    return Reading(exact, quoted(raw) + f"{large} ' is too large' {other}")


def _instant(raw: str, rule: Rule, written: Written) -> Reading:
    formats, zone = _formats(rule, written), rule.time_zone or written.time_zone
    _check_zone(zone)
    doubt = _SPAN.format(type="TIMESTAMP")
    if formats in (("epoch_s",), ("epoch_ms",)):
        return Reading(
            _epoch(raw, formats[0]), quoted(raw) + sql_text(f" is no time in {formats[0][6:]} since 1970"), doubt
        )
    if formats:
        each_way = ", ".join(_parsed(raw, each, zone) for each in formats)
        return Reading(
            f"coalesce({each_way})", quoted(raw) + sql_text(f" is no time written as {' or '.join(formats)}"), doubt
        )
    said = quoted(raw) + sql_text(
        " is no time such as 2025-03-04T10:00:00Z; if it is one written otherwise, give its format in a mapping"
    )
    digits = f"length(split_part({raw}, '.', 1))"
    by_length = f"CASE {digits} WHEN 10 THEN {_epoch(raw, 'epoch_s')} WHEN 13 THEN {_epoch(raw, 'epoch_ms')} END"
    with_zone = f"try_cast({raw} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    if zone and zone != "UTC":
        has_zone = f"regexp_matches({raw}, ':\\d\\d.*([Zz]|[+-]\\d\\d(:?\\d\\d)?| [A-Za-z/_]+)$')"
        with_zone = (
            f"CASE WHEN {has_zone} THEN {with_zone} ELSE {_from_zone(f'try_cast({raw} AS TIMESTAMP)', zone)} END"
        )
    # A cast to TIMESTAMP drops the offset of a text in silence, so only a text in UTC may take that faster way.
    value = (
        f"CASE WHEN ends_with({raw}, 'Z') THEN try_cast({raw} AS TIMESTAMP) ELSE coalesce({with_zone}, {by_length}) END"
    )
    return Reading(value, said, doubt)


def _date(raw: str, rule: Rule, written: Written) -> Reading:
    formats = _formats(rule, written)
    doubt = _SPAN.format(type="DATE")
    if formats:
        value = f"try_strptime({raw}, [{', '.join(map(sql_text, formats))}])::DATE"
        return Reading(value, quoted(raw) + sql_text(f" is no date written as {' or '.join(formats)}"), doubt)
    said = sql_text(" is no date such as 2025-03-04; if it is one written otherwise, give its format in a mapping")
    return Reading(f"try_cast({raw} AS DATE)", quoted(raw) + said, doubt)


def _formats(rule: Rule, written: Written) -> tuple[str, ...]:
    given = rule.formats or (
        (written.dates,) if isinstance(written.dates, str) and written.dates else tuple(written.dates)
    )
    for each in given:
        unknown = _DIRECTIVE.sub("", each)
        if "%" in unknown:
            raise ConfigError(
                f"The time format {each!r} has a {unknown[unknown.index('%') :][:2]!r} that means nothing. "
                "Write it as in %d.%m.%Y %H:%M; %% stands for a percent sign."
            )
        if "%" not in each and each not in ("epoch_s", "epoch_ms"):
            raise ConfigError(
                f"The time format {each!r} has no % in it. Write it as in %d.%m.%Y %H:%M, or epoch_s, epoch_ms."
            )
    return given


def _epoch(raw: str, unit: str) -> str:
    number = f"try_cast({raw} AS DOUBLE)"
    limit, micros = ("7258118400", "1e6") if unit == "epoch_s" else ("7258118400000", "1e3")
    return f"CASE WHEN {number} BETWEEN 0 AND {limit} THEN make_timestamp(({number} * {micros})::BIGINT) END"


def _parsed(raw: str, format: str, zone: str) -> str:
    parsed = f"try_strptime({raw}, {sql_text(format)})"
    return f"{parsed} AT TIME ZONE 'UTC'" if "%z" in format or "%Z" in format else _from_zone(parsed, zone)


def _from_zone(naive: str, zone: str) -> str:
    return naive if zone in ("", "UTC") else f"({naive} AT TIME ZONE {sql_text(zone)}) AT TIME ZONE 'UTC'"


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"time_zone {zone!r} is no IANA name such as Europe/Berlin. Mend it in the mapping."
        ) from None
