"""What a vendor sends becomes the row of an event, by the rules of a mapping file: its `from` are dotted paths here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tieback.collect.cells import RefusedError, fields, rest, row, since_epoch, text, written_at
from tieback.collect.requests import Collected
from tieback.config.mapping import Fact, Rule, When, Written
from tieback.schema.facts import EVENTS

_NUMBERS = {column.name for column in EVENTS.columns if column.type in ("decimal", "int", "float")}
_IN_BRACES = re.compile(r"\{([^{}]+)\}")


def event_of(given: dict[str, Any], fact: Fact, written: Written, received_at: datetime) -> Collected | None:
    """The event that `given` tells of; None where the mapping's `when` leaves it out.

    Without a rule for occurred_at it happened when it was received. Raises RefusedError for what cannot be read.
    """
    if not all(_holds(each, given) for each in fact.when):
        return None
    cells: dict[str, Any] = {}
    for column, rule in fact.rules.items():
        if not rule.skip and column not in ("occurred_at", "properties"):
            word = _word(given, rule)
            cells[column] = _plain_number(word, rule, written) if column in _NUMBERS else word
    kind = cells.pop("kind", "").lower()
    if not kind:
        raise RefusedError("It does not say of what kind it is, where the mapping looks for that")
    message_id = cells.pop("event_id", "")
    happened = _word(given, fact.rules["occurred_at"]) if "occurred_at" in fact.rules else ""
    occurred_at = _instant(happened, fact.rules["occurred_at"], written) if happened else received_at
    cells = row(occurred_at, received_at, kind=kind, properties=_properties(given, fact), **cells)
    return Collected(message_id, cells)


def at(given: Any, path: str) -> Any:
    """What stands at `path`: names, and places in lists from 0, with points between; None for nothing.

    A field whose own name has points in it is found by that name.
    """
    if isinstance(given, Mapping) and path in given:
        return given[path]
    head, _, tail = path.partition(".")
    if isinstance(given, Mapping):
        found = given.get(head)
    elif isinstance(given, list) and head.isascii() and head.isdigit() and len(head) < 6:
        found = given[int(head)] if int(head) < len(given) else None
    else:
        return None
    return at(found, tail) if tail else found


def _said(given: Any, path: str) -> str:
    found = at(given, path)
    return str(found).lower() if isinstance(found, bool) else text(found)


def _word(given: dict[str, Any], rule: Rule) -> str:
    if rule.const is not None:
        return _own(rule.const)
    if rule.template:
        parts = {path: _said(given, path) for path in _IN_BRACES.findall(rule.template)}
        word = _IN_BRACES.sub(lambda found: parts[found[1]], rule.template) if all(parts.values()) else ""
    else:
        word = _said(given, rule.column)
    if word and rule.values:
        ours = {theirs.lower(): _own(word) for theirs, word in rule.values.items()}
        if word.lower() in ours:
            word = ours[word.lower()]
        elif rule.unmapped == "refuse":
            raise RefusedError(f"What stands at {rule.column or rule.template!r} is none of the words in the mapping")
        elif rule.unmapped == "empty":
            word = ""
    return word or ("" if rule.default is None else _own(rule.default))


def _own(word: str | float | bool) -> str:
    return str(word).lower() if isinstance(word, bool) else str(word).strip()


def _holds(when: When, given: dict[str, Any]) -> bool:
    word = _said(given, when.column)
    if when.empty is not None:
        return when.empty is not bool(word)
    return word.lower() in {each.lower() for each in when.words}


def _plain_number(word: str, rule: Rule, written: Written) -> str:
    """`word` with a point before its decimals and no sign between thousands; whether it is a number is asked later."""
    decimal, thousands = rule.decimal or written.decimal, rule.thousands or written.thousands
    bare = word.replace(thousands, "") if thousands else word
    return bare.replace(decimal, ".") if decimal else bare


def _instant(word: str, rule: Rule, written: Written) -> datetime:
    zone = ZoneInfo(rule.time_zone or written.time_zone or "UTC")
    dates = (written.dates,) if isinstance(written.dates, str) else written.dates
    formats = rule.formats or tuple(each for each in dates if each)
    for each in formats:
        if each in ("epoch_s", "epoch_ms"):
            return since_epoch(word, 1 if each == "epoch_s" else 1000)
        try:
            found = datetime.strptime(word, each)  # noqa: DTZ007  # its zone is that of the mapping
        except ValueError:
            continue
        return _utc(found, zone)
    if formats:
        raise RefusedError(f"The event's time is not written as {' or '.join(formats)}")
    if word.isdigit() and len(word) in (10, 13):
        return since_epoch(word, 1 if len(word) == 10 else 1000)
    try:
        return _utc(datetime.fromisoformat(word), zone)
    except ValueError:
        return written_at(word)


def _utc(found: datetime, zone: ZoneInfo) -> datetime:
    try:
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise RefusedError("The event's time is beyond all times") from None


def _properties(given: dict[str, Any], fact: Fact) -> dict[str, Any]:
    if "properties" in fact.rules:
        return rest(fields(at(given, fact.rules["properties"].column)))
    if not fact.keep_rest:
        return {}
    paths = [path for rule in fact.rules.values() for path in (rule.column, *_IN_BRACES.findall(rule.template))]
    paths += [each.column for each in fact.when]
    return rest(given, {name for path in paths for name in (path, path.partition(".")[0])})
