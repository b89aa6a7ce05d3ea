"""Consent: what is said of signals and categories becomes purposes, and a refusal always narrows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieback.collect.consent import signals, with_purposes
from tieback.config import SIGNALS, Consent

ALL = dict.fromkeys(SIGNALS, True)


def purposes(row: dict[str, Any], headers: dict[str, str] | None = None, needs: Consent | None = None) -> list[Any]:
    """What `row` comes to for analytics, attribution and ads."""
    told = with_purposes(row, headers or {}, needs or Consent())
    return [told.get(f"consent_{purpose}") for purpose in ("analytics", "attribution", "ads")]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [None, None, None]),
        (ALL, [True, True, True]),
        (ALL | {"analytics_storage": False}, [False, True, True]),
        (ALL | {"ad_storage": False}, [True, False, True]),
        (ALL | {"ad_user_data": False}, [True, True, False]),
        ({"ad_storage": True}, [None, True, None]),
    ],
)
def test_each_purpose_has_its_signal(said: dict[str, bool], expected: list[bool | None]) -> None:
    """What is not told of a purpose is not known."""
    assert purposes({"consent": said}) == expected


def test_global_privacy_control_refuses_feedback_alone() -> None:
    """Told by the browser's header or by the tracker; measuring goes on."""
    for row, headers in (({"consent": ALL}, {"sec-gpc": "1"}), ({"consent": ALL, "gpc": True}, {})):
        assert purposes(row, headers) == [True, True, False]
    assert purposes({"kind": "page"}, {"sec-gpc": "1"}) == [None, None, False]
    assert purposes({"kind": "page"}, {"sec-gpc": "0"}) == [None, None, None]


def test_all_seven_signals_and_gpc_are_kept() -> None:
    """In one text, in the order of the alphabet; the protocol's own cells are gone."""
    told = with_purposes({"kind": "page", "consent": ALL | {"ad_storage": False}, "gpc": True}, {}, Consent())
    assert told["consent_signals"] == (
        "ad_personalization=granted ad_storage=denied ad_user_data=granted analytics_storage=granted "
        "functionality_storage=granted personalization_storage=granted security_storage=granted gpc=1"
    )
    assert not {"consent", "gpc"} & told.keys()


def test_a_site_may_ask_more_of_a_purpose() -> None:
    """Every signal that a purpose needs must be granted; one that is not told leaves it open."""
    needs = Consent(attribution=("ad_storage", "ad_personalization"))
    assert purposes({"consent": {"ad_storage": True, "ad_personalization": False}}, needs=needs)[1] is False
    assert purposes({"consent": {"ad_storage": True}}, needs=needs)[1] is None


@given(st.dictionaries(st.sampled_from(SIGNALS), st.booleans()), st.sampled_from(["analytics", "attribution", "ads"]))
def test_a_refusal_by_the_row_itself_stays(said: dict[str, bool], purpose: str) -> None:
    """Signals never widen what the event says of a purpose."""
    column = f"consent_{purpose}"
    assert with_purposes({column: False, "consent": said}, {}, Consent())[column] is False


def test_words_of_banners() -> None:
    """Letter case and type do not matter; of two answers to one signal the refusal counts; strangers say nothing."""
    said = [("Marketing", "granted"), ("AD_STORAGE", "Denied"), ("tarot", True), ("analytics", None), (7, True)]
    assert signals(said) == {"ad_personalization": True, "ad_storage": False, "ad_user_data": True}
