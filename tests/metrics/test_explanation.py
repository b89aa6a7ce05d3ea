"""The story of a conversion, told from its rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.metrics import hand
from tieback.errors import UsageError
from tieback.metrics.explanation import Explanation, document, explanation
from tieback.metrics.lookup import find
from tieback.metrics.story import arithmetic, story

SALE = hand.conversion("customer:1", "2026-02-11", 10_000, account_id=None, order_id=None, event_id=None)


def met(touch_id: str, days_before: float, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A touch that was met on the way, as candidates() gives it."""
    return {
        "touch_id": touch_id,
        "occurred_at": datetime(2026, 1, 5, 12),
        "kind": "visit",
        "channel": "Email",
        "campaign": "news",
        "person_id": "user:ann",
        "seconds_before": round(days_before * 86_400),
        "reason": reason,
        "file": "events.csv",
        **more,
    }


def explained(touches: list[Any], credits: list[Any], conversion: dict[str, Any] | None = None) -> Explanation:
    """The explanation of a sale of 100.00 EUR under two models."""
    row = {"excluded_reason": None, **SALE, **(conversion or {})}
    row["occurred_at"] = datetime(2026, 2, 11, 12)
    return explanation(
        row, touches, credits, models=("linear", "last_touch"), base_currency="EUR", decimals=2, others=()
    )


def unattributed(value: int = 10_000) -> list[Any]:
    """All of the conversion to no touch, under both models."""
    return [hand.credit(model, "customer:1", None, 1.0, value) for model in ("linear", "last_touch")]


def test_the_contract_of_the_document() -> None:
    """Others rely on these keys: no more, no fewer."""
    credits = [hand.credit("linear", "customer:1", "t1", 1.0, 10_000)]
    found = document(explained([met("t1", 37)], credits))
    assert list(found) == ["conversion", "touches", "unattributed", "notes"]
    assert found["touches"] == [
        {
            "touch_id": "t1",
            "occurred_at": datetime(2026, 1, 5, 12),
            "channel": "Email",
            "campaign": "news",
            "included": True,
            "reason": None,
            "credits": {"linear": {"share": 1.0, "value": Decimal("100.00")}},
        }
    ]
    assert found["unattributed"] == {}


def test_a_sale_before_its_first_contact_says_so() -> None:
    """Nothing that comes later can have led to it: all is Unattributed, and the note says why."""
    found = explained([met("t1", -5, "after the conversion")], unattributed())
    assert {model: credit.value for model, credit in found.unattributed.items()} == {
        "linear": Decimal("100.00"),
        "last_touch": Decimal("100.00"),
    }
    assert found.notes[0] == (
        "All of it is Unattributed: every touch comes after it, the first one 5 days later; "
        "what comes later cannot have led to it."
    )


def test_a_sale_without_any_touch_says_so() -> None:
    """No touch known is told apart from touches that do not count."""
    assert explained([], unattributed()).notes == [
        "All of it is Unattributed: no touch of the people behind it is known."
    ]
    touches = [met("t1", 400, "too old"), met("t2", 3, "bot"), met("t3", 2, "bot")]
    assert explained(touches, unattributed()).notes == [
        "All of it is Unattributed: none of its touches may earn credit (2 × bot; 1 × too old)."
    ]


def test_a_model_that_gives_no_weight_says_so() -> None:
    """Where touches are in but a model credits none of them, that model is named."""
    credits = [hand.credit("linear", "customer:1", "t1", 1.0, 10_000), unattributed()[1]]
    assert explained([met("t1", 3)], credits).notes == [
        "Unattributed under last_touch: to no touch that is in does that model give weight."
    ]


def test_a_conversion_that_is_left_out_credits_nothing() -> None:
    """Touches of a test deal are out, for the deal's reason."""
    found = explained([met("t1", 3)], [], {"excluded_reason": "test deal"})
    assert (found.touches[0].included, found.touches[0].reason) == (False, "the conversion is left out: test deal")
    assert found.notes == ["It is left out of all numbers: test deal."]


def test_a_foreign_currency_and_a_refund_are_told() -> None:
    """The rate's work and the sale that a refund follows are part of the story."""
    credits = [hand.credit("linear", "customer:1", "t1", 1.0, -2_000)]
    row = {"value_minor": -2_000, "value": Decimal(-110), "currency": "BRL", "journey_id": "order:2"}
    assert explained([met("t1", 3)], credits, row).notes == [
        "It gives back what order:2 earned, so it follows the credit of that sale.",
        "-110.00 BRL are -20.00 EUR by the rate of its day.",
    ]


@pytest.mark.parametrize(
    ("share", "credited", "whole", "words"),
    [
        (1 / 3, "333.34", "1000.00", "1/3 of 1,000.00 = 333.33 + 0.01 rounding = 333.34"),
        (1 / 3, "333.33", "1000.00", "1/3 of 1,000.00 = 333.33"),
        (1.0, "1000.00", "1000.00", "all of 1,000.00"),
        (0.4, "400.00", "1000.00", "2/5 of 1,000.00 = 400.00"),
        (0.123456789, "123.46", "1000.00", "12.3457% of 1,000.00 = 123.45 + 0.01 rounding = 123.46"),
        (0.5, "-10.01", "-20.01", "1/2 of -20.01 = -10.00 − 0.01 rounding = -10.01"),
        (1 / 3, "75.00", "225.00", "1/3 of 225.00 = 75.00"),
        (1 / 3, "0", "0", "1/3 of it"),
        (0.5, "51", "101", "1/2 of 101 = 50 + 1 rounding = 51"),
    ],
)
def test_the_arithmetic_in_words(share: float, credited: str, whole: str, words: str) -> None:
    """A share of the whole, rounded down, and the cent that rounding adds."""
    assert arithmetic(share, Decimal(credited), Decimal(whole)) == words


def test_the_story_names_every_touch_and_every_cent() -> None:
    """In or out with the reason, where the raw fact is, and each model's arithmetic; times in the workspace's zone."""
    touches = [
        met("t1", 37),
        met("t2", 22),
        met("t3", -2, "after the conversion", occurred_at=datetime(2026, 2, 13, 12), campaign=None),
    ]
    credits = [
        hand.credit("linear", "customer:1", "t1", 0.5, 5_000),
        hand.credit("linear", "customer:1", "t2", 0.5, 5_000),
        hand.credit("last_touch", "customer:1", "t2", 1.0, 10_000),
    ]
    assert story(explained(touches, credits), "Europe/Berlin") == [
        "customer:1: customer of deal 1, 100.00 EUR, on 2026-02-11 13:00 (Europe/Berlin)",
        "Who: person user:ann",
        "",
        "What happened",
        "  #1   2026-01-05 13:00    37.0 days before  Email · news",
        "       in · visit, event t1, from events.csv",
        "  #2   2026-01-05 13:00    22.0 days before  Email · news",
        "       in · visit, event t2, from events.csv",
        "  #3   2026-02-13 13:00      2.0 days after  Email",
        "       out: after the conversion · visit, event t3, from events.csv",
        "",
        "What each model makes of it",
        "  linear           #1 #2: 1/2 of 100.00 = 50.00 each",
        "  last_touch       #2: all of 100.00",
        "",
    ]


def test_a_deal_means_the_conversion_that_earned_its_revenue() -> None:
    """By deal id: the sale before the lead; by its own id: that very conversion; the others are named."""
    with hand.company() as store:
        assert (find(store.rows, "1").conversion["conversion_id"], find(store.rows, "1").others) == (
            "customer:1",
            ["lead:1"],
        )
        assert (find(store.rows, "lead:1").conversion["conversion_id"], find(store.rows, "lead:1").others) == (
            "lead:1",
            ["customer:1"],
        )


def test_an_unknown_id_is_answered_with_what_is_known() -> None:
    """The nearest id, or that the deal is known but no conversion, or what an id looks like."""
    with hand.company() as store:
        with pytest.raises(UsageError, match=r"Did you mean 'customer:1'\?"):
            find(store.rows, "custome:1")
        with pytest.raises(UsageError, match=r"such as 'customer:1'"):
            find(store.rows, "zzz")
        hand.put(store, "deals", [{"deal_id": "77", "stage": "demo", "changed_at": "2026-01-01T00:00:00"}])
        with pytest.raises(UsageError, match=r"Deal '77' is known, but .* none of its stages \(demo\) counts"):
            find(store.rows, "77")
        hand.put(store, "deals", [{"deal_id": "77", "deleted": True, "changed_at": "2026-01-02T00:00:00"}])
        with pytest.raises(UsageError, match=r"Deal '77' was deleted where it came from, on 2026-01-02"):
            find(store.rows, "77")
