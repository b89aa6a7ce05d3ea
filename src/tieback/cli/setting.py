"""One setting, written into tieback.toml; the rest of the file stays as it was."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tieback.config import settings_from
from tieback.errors import ConfigError

_NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)
_TEXT = r""""(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
_VALUE = rf"{_TEXT}|\[(?:{_TEXT}|[\s,])*\]"


def with_setting(file: Path, section: str, key: str, value: str | Sequence[str]) -> str:
    """The text of the settings in `file` with `value` under [section] `key`, comments and all else kept.

    Raises ConfigError when that place cannot be found by its looks.
    """
    before = file.read_bytes().decode("utf-8-sig")
    chosen = value if isinstance(value, str) else tuple(value)
    after = _written(before, section, key, json.dumps(chosen, ensure_ascii=False))
    wanted = settings_from(before, str(file))
    changed = msgspec.structs.replace(getattr(wanted, section), **{key: chosen})
    try:
        is_right = settings_from(after, str(file)) == msgspec.structs.replace(wanted, **{section: changed})
    except ConfigError:
        is_right = False
    if not is_right:
        raise ConfigError(
            f"{file} has [{section}] in a form in which `{key}` cannot be set for you. Give it a section of its own, "
            f"[{section}] on one line and its keys below, and try again."
        )
    return after


def rewrite(file: Path, section: str, key: str, value: str | Sequence[str]) -> None:
    """Put `value` into `file`, in one step: cut off anywhere, the file is as it was or as it shall be.

    Raises ConfigError as `with_setting` does.
    """
    text = with_setting(file, section, key, value)
    place = file.resolve()  # a link stays one
    aside = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        with aside.open("wb") as out:
            out.write(text.encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())
        aside.chmod(place.stat().st_mode & 0o7777)
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


def _written(text: str, section: str, key: str, value: str) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    head = re.search(rf"^[ \t]*\[[ \t]*{section}[ \t]*\][^\n]*\n?", text, re.MULTILINE)
    if not head:
        gap = "" if not text or text.endswith("\n") else end
        return f"{text}{gap}{end}[{section}]{end}{key} = {value}{end}"
    held = re.compile(rf"^([ \t]*{key}[ \t]*=[ \t]*)({_VALUE})", re.MULTILINE)
    following = _NEXT.search(text, head.end())
    stop = following.start() if following else len(text)
    found = held.search(text, head.end(), stop)
    if found:
        return text[: found.end(1)] + value + text[found.end() :]
    gap = "" if head[0].endswith("\n") else end
    return f"{text[: head.end()]}{gap}{key} = {value}{end}{text[head.end() :]}"
