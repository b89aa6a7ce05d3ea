"""Credit adds up to revenue, and when it does not it is said where."""

from __future__ import annotations

from decimal import Decimal

from tests.metrics import hand
from tieback.metrics.reconciliation import Reconciled, reconciliation
from tieback.store import DuckDB

MODELS = ("linear", "last_touch")


def faults(store: DuckDB) -> list[str]:
    """What does not add up."""
    return reconciliation(store.rows, MODELS, 2).faults


def test_by_hand() -> None:
    """160.00 of revenue: 130.00 credited, 30.00 unattributed, nothing missing, under both models."""
    with hand.company() as store:
        found = reconciliation(store.rows, MODELS, 2)
    parts = Decimal("160.00"), Decimal("130.00"), Decimal("30.00"), Decimal("0.00")
    assert found.models == [Reconciled(model, *parts) for model in MODELS]
    assert found.faults == []


def test_a_missing_cent_is_found() -> None:
    """One cent less credit shows in the model's difference and names the conversion."""
    with hand.company() as store:
        store.execute("UPDATE credits SET value_minor = 3333 WHERE value_minor = 3334")
        found = reconciliation(store.rows, MODELS, 2)
    assert found.models[0].difference == Decimal("0.01")
    assert found.faults == [
        "linear: credit and revenue differ by 0.01",
        "linear: customer:1 is worth 100.00 and has credit for 99.99",
        "linear: performance by basis conversion shows 160.00 where credit is 159.99",
        "linear: performance by basis touch shows 160.00 where credit is 159.99",
    ]


def test_errors_that_cancel_out_are_found() -> None:
    """A cent too few here and a cent too many there is not reconciled."""
    with hand.company() as store:
        store.execute("UPDATE credits SET value_minor = value_minor - 1 WHERE value_minor = 3334")
        store.execute(
            "UPDATE credits SET value_minor = value_minor + 1 WHERE conversion_id = 'order:2' AND model = 'linear'"
        )
        found = faults(store)
    assert found[0] == "linear: customer:1 is worth 100.00 and has credit for 99.99 (and 1 more)"


def test_credit_for_what_is_left_out_is_found() -> None:
    """Credit for an excluded conversion, or for one that does not exist, is a difference."""
    with hand.company() as store:
        store.execute("INSERT INTO credits VALUES ('linear', 'customer:9', 't1', 1.0, 99900)")
        assert faults(store)[0] == "linear: credit and revenue differ by -999.00"
    with hand.company() as store:
        store.execute("INSERT INTO credits VALUES ('linear', 'customer:none', 't1', 1.0, 100)")
        assert faults(store)[0] == "linear: credit and revenue differ by -1.00"


def test_a_model_without_credit_is_found() -> None:
    """A model that should have been run and has no credit at all owes the whole revenue."""
    with hand.company() as store:
        store.execute("DELETE FROM credits WHERE model = 'last_touch'")
        assert faults(store)[0] == "last_touch: credit and revenue differ by 160.00"


def test_a_roll_up_that_lost_rows_is_found() -> None:
    """Performance that shows less than was credited is a fault, on the basis where it does."""
    with hand.company() as store:
        store.execute("DELETE FROM performance WHERE basis = 'touch' AND channel = 'Email' AND model = 'linear'")
        assert faults(store) == ["linear: performance by basis touch shows 126.67 where credit is 160.00"]
