"""Where the warehouse is, written into tieback.toml; the rest of the file stays as it was."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec

from tieback.config import settings_from
from tieback.errors import ConfigError

_HEAD = re.compile(r"^[ \t]*\[[ \t]*warehouse[ \t]*\][^\n]*\n?", re.MULTILINE)
_NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)
_URL = re.compile(r"""^([ \t]*url[ \t]*=[ \t]*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*')""", re.MULTILINE)


def with_url(file: Path, url: str) -> str:
    """The text of the settings in `file` with `url` under [warehouse], comments and all else kept.

    Raises ConfigError when that place cannot be found by its looks.
    """
    before = file.read_bytes().decode("utf-8-sig")
    after = _written(before, json.dumps(url, ensure_ascii=False))
    wanted = settings_from(before, str(file))
    wanted = msgspec.structs.replace(wanted, warehouse=msgspec.structs.replace(wanted.warehouse, url=url))
    try:
        is_right = settings_from(after, str(file)) == wanted
    except ConfigError:
        is_right = False
    if not is_right:
        raise ConfigError(
            f"{file} has [warehouse] in a form in which `url` cannot be set for you. Give it a section of its own, "
            "[warehouse] on one line and its keys below, and try again."
        )
    return after


def rewrite(file: Path, url: str) -> None:
    """Put `url` into `file`, in one step: cut off anywhere, the file is as it was or as it shall be."""
    text = with_url(file, url)
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


def _written(text: str, value: str) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    head = _HEAD.search(text)
    if not head:
        gap = "" if not text or text.endswith("\n") else end
        return f"{text}{gap}{end}[warehouse]{end}url = {value}{end}"
    following = _NEXT.search(text, head.end())
    stop = following.start() if following else len(text)
    held = _URL.search(text, head.end(), stop)
    if held:
        return text[: held.end(1)] + value + text[held.end() :]
    gap = "" if head[0].endswith("\n") else end
    return f"{text[: head.end()]}{gap}url = {value}{end}{text[head.end() :]}"
