"""What a visitor agreed to: the signals of Consent Mode, in the words of any client, and the purposes they serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from tieback.collect.cells import text
from tieback.config import PURPOSES, SIGNALS, Consent

_ADS = ("ad_personalization", "ad_storage", "ad_user_data")
# Categories are named by whoever set the banner up: these are the words of common ones.
_CATEGORIES = {
    **dict.fromkeys(("analytics", "c0002", "measurement", "performance", "statistics"), ("analytics_storage",)),
    **dict.fromkeys(("ads", "advertising", "c0004", "marketing", "targeting"), _ADS),
    **dict.fromkeys(("functional", "functionality", "preferences"), ("functionality_storage",)),
    **dict.fromkeys(("personalisation", "personalization"), ("personalization_storage",)),
    "c0003": ("functionality_storage", "personalization_storage"),
    **dict.fromkeys(("c0001", "essential", "necessary", "security", "strictly necessary"), ("security_storage",)),
    **{signal: (signal,) for signal in SIGNALS},
}
_SAID = {"granted": True, "denied": False, "true": True, "false": False}
_REMEMBERED = 10_000  # ways to answer
_Found = TypeVar("_Found")


def signals(said: Iterable[tuple[Any, Any]]) -> dict[str, bool]:
    """The signals that categories or signals and what was said of each come to; a single refusal of one refuses it.

    said: True and False, or `granted` and `denied`. Anything else says nothing.
    """
    found: dict[str, bool] = {}
    for name, answer in said:
        agreed = answer if isinstance(answer, bool) else _looked_up(_SAID, answer)
        if agreed is not None:
            for signal in _looked_up(_CATEGORIES, name) or ():
                found[signal] = agreed and found.get(signal, True)
    return found


def _looked_up(known: Mapping[str, _Found], said: Any) -> _Found | None:
    """What `known` has for that word, letter case and blanks around it ignored."""
    found = known.get(said) if isinstance(said, str) else None  # as nearly all say it
    return known.get(text(said).lower()) if found is None else found


def of_banner(consent: Any, consent_management: Any) -> dict[str, bool]:
    """The signals, from the two ways in which the Segment family tells them.

    consent: Segment's and Jitsu's `context.consent`, whose `categoryPreferences` are booleans by category.
    consent_management: RudderStack's `context.consentManagement`, with lists of allowed and denied categories.
    """
    said: list[tuple[Any, Any]] = []
    if isinstance(consent, dict) and isinstance(preferences := consent.get("categoryPreferences"), dict):
        said += [each for each in preferences.items() if isinstance(each[1], bool)]
    if isinstance(consent_management, dict):
        for field, answer in (("allowedConsentIds", True), ("deniedConsentIds", False)):
            names = consent_management.get(field)
            said += [(name, answer) for name in names] if isinstance(names, list) else []
    return signals(said) if said else {}


def with_purposes(row: dict[str, Any], headers: Mapping[str, str], needs: Consent) -> dict[str, Any]:
    """`row` with the columns consent_… in place of the cells `consent` (signals) and `gpc` that a protocol may give.

    headers: of the request, where a browser says Sec-GPC. A purpose is refused when a signal that it needs is denied,
    and agreed to when all are granted; what the row itself says of a purpose only narrows that.
    """
    given = dict(row)
    said, has_gpc = given.pop("consent", {}), given.pop("gpc", False) is True or headers.get("sec-gpc") == "1"
    if not said and not has_gpc:
        return given
    given["consent_signals"], answers = _told(tuple(said.items()), has_gpc, needs)
    for column, agreed in answers:
        if given.get(column) is not False:
            given[column] = agreed
    return given


@lru_cache(_REMEMBERED)
def _told(
    said: tuple[tuple[str, bool], ...], has_gpc: bool, needs: Consent
) -> tuple[str, tuple[tuple[str, bool], ...]]:
    """The signals in words, and the columns consent_… of the purposes that they agree to or refuse."""
    known = dict(said)
    words = [f"{signal}={'granted' if known[signal] else 'denied'}" for signal in SIGNALS if signal in known]
    answers = []
    for purpose in PURPOSES:
        needed = [known.get(signal) for signal in getattr(needs, purpose)]
        if False in needed or (purpose == "ads" and has_gpc):
            answers.append((f"consent_{purpose}", False))
        elif needed and all(needed):
            answers.append((f"consent_{purpose}", True))
    return " ".join([*words, *(["gpc=1"] if has_gpc else [])]), tuple(answers)
