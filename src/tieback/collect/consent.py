"""What a visitor agreed to, from the two ways in which the Segment family tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Categories are named by whoever set the banner up: these are the words of Consent Mode and of common banners.
_PURPOSES = {
    "consent_analytics": {"analytics", "analytics_storage", "c0002", "measurement", "performance", "statistics"},
    "consent_ads": {"ad_personalization", "ad_storage", "ad_user_data", "ads", "advertising", "c0004", "marketing"}
    | {"targeting"},
}


def consents(consent: Any, consent_management: Any) -> dict[str, bool]:
    """The columns consent_analytics and consent_ads, as far as they can be told.

    consent: Segment's and Jitsu's `context.consent`, whose `categoryPreferences` are booleans by category.
    consent_management: RudderStack's `context.consentManagement`, with lists of allowed and denied categories.
    Of several categories with one purpose a single refusal refuses it.
    """
    if not consent and not consent_management:
        return {}
    said: list[tuple[str, bool]] = []
    if isinstance(consent, dict) and isinstance(preferences := consent.get("categoryPreferences"), dict):
        said += [(name, agreed) for name, agreed in preferences.items() if isinstance(agreed, bool)]
    if isinstance(consent_management, dict):
        said += [(name, True) for name in _names(consent_management.get("allowedConsentIds"))]
        said += [(name, False) for name in _names(consent_management.get("deniedConsentIds"))]
    found: dict[str, bool] = {}
    for name, agreed in said:
        for column, words in _PURPOSES.items():
            if name.strip().lower() in words:
                found[column] = agreed and found.get(column, True)
    return found


def _names(given: Any) -> Iterable[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
