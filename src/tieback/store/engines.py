"""Engines by URL: each is found by its scheme among the entry points `tieback.engines`, whoever brought it.

An entry point's name is a scheme, its value `opened(url: str, *, read_only: bool = False) -> Engine`; the extra that it
needs stands behind it in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import cast
from urllib.parse import quote, unquote, urlsplit

from tieback.errors import ConfigError, TiebackError, did_you_mean
from tieback.store.engine import Engine

ENTRY_POINTS = "tieback.engines"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?::|\[|$)")  # spark://host:7077, duckdb:///file, local[2]
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER = re.compile(r"(://[^/@:?#]*):[^/?#]*@")  # up to the last @ before the path: a password may hold one
_SECRET = re.compile(r"([?&;][^=&;]*(?:password|passwd|token|secret|key)[^=&;]*=)[^&;#]*", re.IGNORECASE)


def open_engine(url: str, variables: Mapping[str, str], *, read_only: bool = False) -> Engine:
    """The warehouse that `url` names, `${NAME}` in it taken from `variables`, which are the environment's.

    Raises ConfigError for a variable that is not set, a scheme that nobody brought or whose extra is not installed;
    else what the engine raises. No error holds a password.
    """
    whole = resolved(url, variables)
    point = _point(url, whole)
    try:
        opened = point.load()
    except ModuleNotFoundError as error:
        needed = f"tieback[{point.extras[0]}]" if point.extras else str(error.name)
        raise ConfigError(
            f'The engine of {shown(url)} is not installed here ({error.name} is missing). pip install "{needed}"'
        ) from None
    try:
        return cast(Engine, opened(whole, read_only=read_only))
    except TiebackError as error:
        told = str(error)
        for secret in sorted(_secrets(url, whole, variables), key=len, reverse=True):
            told = told.replace(secret, "***")
        if told == str(error):
            raise
        raise type(error)(told) from None


def resolved(url: str, variables: Mapping[str, str], named: str = "url under [warehouse]") -> str:
    """`url` with each `${NAME}` replaced; before an @ it is a user or password, and may hold any sign.

    Raises ConfigError that names a variable which is not set, and the setting, `named`, that it stands in.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise ConfigError(
                f"The environment variable {found[1]}, which {named} in tieback.toml names, is not set. "
                f"Set it and try again: export {found[1]}=…"
            )
        is_login = "://" in url[: found.start()] and "@" in url[found.end() :]
        return quote(variables[found[1]], safe="") if is_login else variables[found[1]]

    return _VARIABLE.sub(value, url)


def shown(url: str) -> str:
    """`url` as it may be told: without a password."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1:***@", url))


def _point(url: str, whole: str) -> EntryPoint:
    found = _SCHEME.match(whole)
    scheme = found[1].lower() if found else ""
    points = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if scheme not in points:
        hint = did_you_mean(scheme, points)
        raise ConfigError(f"No engine is called {scheme!r}, as {shown(url)!r} under [warehouse] has it. {hint}")
    return points[scheme]


def _secrets(url: str, whole: str, variables: Mapping[str, str]) -> set[str]:
    """What must not be told of `whole`: its password, as it is written and as it is meant, and every variable."""
    try:
        password = urlsplit(whole).password or ""
    except ValueError:  # no URL: whoever opens it says so
        password = ""
    named = {variables[name] for name in _VARIABLE.findall(url)}
    hidden = {match.removeprefix("=") for match in re.findall(r"=[^&;#]*", "".join(_hidden_parts(whole)))}
    return {each for each in {password, unquote(password), *named, *hidden} if each}


def _hidden_parts(whole: str) -> list[str]:
    return [match[0] for match in _SECRET.finditer(whole)]
