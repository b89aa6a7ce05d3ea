"""A value in tieback.toml that is not of its type, or a key that nobody knows, told as the file itself names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import reduce
from typing import Any

import msgspec

from tieback.errors import did_you_mean

Sections = Mapping[str, type[msgspec.Struct]]

_HEADS = {"": "the top level", "channels": "[[channels]]", "conversions": "[conversions.KIND]"}
_TYPES = {
    **{"object": "a table", "array": "a list", "str": "a text", "bool": "true or false"},
    **{"int": "a whole number", "float": "a number"},
}
_WANTED = {
    "memory": 'a size such as "1.5GB"',
    "phone_region": 'a country of two capital letters such as "US"',
    "public_url": 'an address such as "https://acme.example"',
    "server": "uvicorn or granian",
}


def misfit(error: msgspec.ValidationError, raw: dict[str, Any], sections: Sections) -> str:
    """What `error` says of the tables `raw`, as a sentence: the place, what was expected, and the nearest known key.

    sections: what each section may hold, by its name; "" is the whole file.
    """
    text, _, path = str(error).partition(" - at `$")
    steps: list[str] = []
    for step in re.findall(r"\[\.\.\.\]|[^.\[\]`]+", path):
        steps.append(_failing(raw, steps, sections[""]) if step == "[...]" else step)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text)
    if unknown:
        place = _place(steps) or _HEADS[""]
        return f"unknown key {unknown[1]!r} in {place}. {_nearest(unknown[1], steps[0] if steps else '', sections)}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    if missing:
        return f"{_place(steps)} has no {missing[1]!r}. Add it and try again."
    is_section = steps[:-1] == ["channels"]
    if steps[-1].isdigit() and not is_section:
        steps.pop()  # which item of a list is seen at once
    place = _place(steps) if is_section else f"{_place(steps[:-1])} {steps[-1]}".strip()
    wanted = f"expected {_WANTED[steps[-1]]}" if "regex" in text else text[0].lower() + text[1:]
    plain = re.sub(r"`(\w+)`", lambda name: _TYPES.get(name[1], repr(name[1])), wanted)
    return f"{place}: {plain}. Mend it and try again."


def _failing(raw: dict[str, Any], steps: list[str], whole: type[msgspec.Struct]) -> str:
    """The key in the table at `steps` whose value does not fit; msgspec names the table alone."""
    for key, value in reduce(lambda table, step: table[step], steps, raw).items():
        try:
            msgspec.convert(reduce(lambda part, step: {step: part}, reversed(steps), {key: value}), whole)
        except msgspec.ValidationError:
            return str(key)
    return "…"


def _place(steps: list[str]) -> str:
    """The section at `steps` as tieback.toml writes it; empty for the top level."""
    if steps[:1] == ["channels"] and len(steps) > 1:
        return f"[[channels]] number {int(steps[1]) + 1}"
    names = [step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else f'"{step}"' for step in steps]
    return f"[{'.'.join(names)}]" if steps else ""


def _nearest(key: str, section: str, sections: Sections) -> str:
    """The known key that is meant: one of the `section` itself, or else of another."""
    own = sections[section].__struct_fields__
    if not get_close_matches(key, own):
        for other, part in sections.items():
            for near in get_close_matches(key, part.__struct_fields__, n=1, cutoff=0.8):
                return f"Did you mean {near!r} in {_HEADS.get(other, f'[{other}]')}?"
    return did_you_mean(key, own)
