"""The table that every report adds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics import hand
from tieback.schema import OPINIONS, TABLES
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import relations
from tieback.store import DuckDB
from tieback.store.compiler import compiled


@pytest.fixture(scope="module")
def store() -> DuckDB:
    """The company worked by hand."""
    return hand.company()


def summed(store: DuckDB, columns: str, where: str, by: str = "channel") -> dict[Any, tuple[Any, ...]]:
    """Sums of `performance` by one expression."""
    rows = store.execute(f"SELECT {by}, {columns} FROM performance WHERE {where} GROUP BY {by}").fetchall()
    return {row[0]: row[1:] for row in rows}


def test_by_conversion_credit_falls_on_the_day_of_the_conversion(store: DuckDB) -> None:
    """Basis conversion: all of customer:1 is of 11 February, whenever its touches were."""
    where = "basis = 'conversion' AND model = 'linear' AND revenue_minor <> 0"
    assert {str(day): value for day, (value,) in summed(store, "sum(revenue_minor)", where, "date").items()} == {
        "2026-02-11": 10_000,
        "2026-02-20": 3_000,
        "2026-03-01": 5_000,
        "2026-03-05": -2_000,
    }


def test_by_touch_credit_falls_on_the_day_of_the_touch(store: DuckDB) -> None:
    """Basis touch: t1 earned 33.34 on 5 January; what no touch earned stays on the conversion's day."""
    where = "basis = 'touch' AND model = 'linear' AND revenue_minor <> 0"
    assert {str(day): value for day, (value,) in summed(store, "sum(revenue_minor)", where, "date").items()} == {
        "2026-01-05": 3_334,
        "2026-01-20": 3_333,
        "2026-02-10": 3_333 + 5_000 - 2_000,
        "2026-02-20": 3_000,
    }


def test_by_spend_only_cells_with_a_cost_are_shown(store: DuckDB) -> None:
    """Basis spend: only t1 met a day, channel and campaign with a cost; the e-mail's cost was another campaign's."""
    where = "basis = 'spend' AND model = 'linear'"
    assert summed(store, "sum(revenue_minor), sum(leads)", where) == {"Paid Search": (3_334, 0.5)}


def test_measures_by_hand(store: DuckDB) -> None:
    """Every measure of the linear model, by channel, equals the one worked out on paper."""
    columns = (
        "round(sum(leads), 6), round(sum(customers), 6), round(sum(sales), 6), round(sum(repeat_customers), 6), "
        "sum(revenue_minor), sum(sales_minor), round(sum(cycle_days), 6), round(sum(cycles), 6), "
        "sum(lead_credits), sum(sale_credits)"
    )
    third = round(1 / 3, 6)
    assert summed(store, columns, "basis = 'conversion' AND model = 'linear'") == {
        "Paid Search": (0.5, third, third, third, 3_334, 3_334, round(37 / 3, 6), third, 1, 1),
        "Email": (0.5, third, third, third, 3_333, 3_333, round(37 / 3, 6), third, 1, 1),
        "Direct": (0.0, third, round(4 / 3, 6), third, 6_333, 8_333, round(37 / 3, 6), third, 0, 2),
        "Unattributed": (1.0, 1.0, 1.0, 0.0, 3_000, 3_000, 0.0, 0.0, 1, 1),
    }


def test_lifetime_revenue_adds_up_to_what_the_customers_brought(store: DuckDB) -> None:
    """Ann has brought 130.00 to date and Cy 30.00: every model shares out exactly that."""
    shared = summed(store, "sum(lifetime_minor)", "basis = 'conversion' AND model = 'linear'")
    assert shared == {"Paid Search": (4_333,), "Email": (4_334,), "Direct": (4_333,), "Unattributed": (3_000,)}
    whole = summed(store, "sum(lifetime_minor)", "model <> '' AND basis <> 'spend'", "model || ' ' || basis")
    assert set(whole.values()) == {(16_000,)}


@pytest.mark.parametrize("journey_id", ["order:2", None])
def test_a_refund_of_nothing_is_no_sale(journey_id: str | None) -> None:
    """A refund is one by its kind, not by its sign: one of 0.00 adds neither a sale nor a second purchase."""
    nothing = hand.conversion("refund:0", "2026-03-06", 0, journey_id=journey_id)
    credit = hand.credit("linear", "refund:0", "t3", 1.0)
    columns = "round(sum(sales), 6), round(sum(repeat_customers), 6), sum(sale_credits)"
    by_hand = summed(hand.company(), columns, "model = 'linear'")
    with hand.company(conversions=[*hand.CONVERSIONS, nothing], credits=[*hand.CREDITS, credit]) as store:
        assert summed(store, columns, "model = 'linear'") == by_hand


def test_cost_and_visits_belong_to_no_model(store: DuckDB) -> None:
    """Cost, impressions, clicks and visits stand once, on their own day; touches set aside are no visits."""
    columns = "sum(cost_minor), sum(impressions), sum(clicks), sum(visits)"
    assert summed(store, columns, "basis = '' AND model = ''") == {
        "Paid Search": (5_000, 500, 50, 2),
        "Email": (500, 50, 5, 1),
        "Direct": (0, 0, 0, 1),
    }
    assert store.rows(f"SELECT {columns} FROM performance") == store.rows(
        f"SELECT {columns} FROM performance WHERE basis = ''"
    )


def test_a_visit_is_counted_by_consent_to_measurement_alone() -> None:
    """A refusal of attribution leaves it a visit; one of measurement does not, though it may earn credit."""
    told = [
        hand.touch("t6", "2026-03-01", "Email", excluded_reason="no consent to attribution"),
        hand.touch("t7", "2026-03-01", "Direct", is_measured=False),
    ]
    with hand.company(touches=[*hand.TOUCHES, *told]) as store:
        visits = summed(store, "sum(visits)", "basis = '' AND model = ''")
    assert visits == {"Paid Search": (2,), "Email": (2,), "Direct": (1,)}


def test_a_row_is_named_by_its_key(store: DuckDB) -> None:
    """No two rows share the declared key."""
    keys = ", ".join(TABLES["performance"].key)
    assert store.rows(f"SELECT {keys} FROM performance GROUP BY {keys} HAVING count(*) > 1") == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_compiles_for_every_engine(dialect: str) -> None:
    """The stage is one portable expression."""
    at = relations(OPINIONS)
    assert "SELECT" in compiled(hand.whole_performance(at), dialect)


@st.composite
def credited(draw: st.DrawFn) -> tuple[list[hand.Row], list[hand.Row], list[hand.Row]]:
    """Touches, sales of a few customers and credits for them that sum to their value."""
    days = [f"2026-01-{day:02}" for day in range(1, 29)]
    channels = st.sampled_from(["Paid Search", "Email", "Direct"])
    campaigns = st.sampled_from([None, "a", "b"])
    touches = [
        hand.touch(f"t{number}", draw(st.sampled_from(days)), draw(channels), draw(campaigns)) for number in range(6)
    ]
    conversions, credits = [], []
    for number in range(draw(st.integers(1, 6))):
        subject = draw(st.sampled_from(["user:ann", "user:bob"]))
        is_new = all(other["subject_id"] != subject for other in conversions)
        value = draw(st.integers(0 if is_new else -5_000, 10_000))
        sale = hand.conversion(f"order:{number}", draw(st.sampled_from(days)), value)
        conversions.append({**sale, "subject_id": subject, "is_new_customer": is_new})
        chosen = draw(st.lists(st.sampled_from(touches), max_size=4, unique_by=lambda one: one["touch_id"]))
        parts = [value // len(chosen)] * len(chosen) if chosen else [value]
        parts[0] += value - sum(parts)
        for place, part in enumerate(parts):
            touch_id = chosen[place]["touch_id"] if chosen else None
            credits.append(hand.credit("linear", f"order:{number}", touch_id, 1 / len(parts), part))
    return touches, conversions, credits


@given(world=credited())
@settings(max_examples=10, deadline=None)
def test_roll_ups_agree_at_every_level(world: tuple[list[hand.Row], list[hand.Row], list[hand.Row]]) -> None:
    """Law 1: revenue and lifetime revenue are the same in total by either basis, whatever the touches and credit."""
    touches, conversions, credits = world
    with hand.company(touches, conversions, credits, [], []) as store:
        sums = "sum(revenue_minor), sum(lifetime_minor), round(sum(sales), 6)"
        by_basis = summed(store, sums, "model = 'linear'", "basis")
        revenue = sum(sale["value_minor"] for sale in conversions)
        sales = sum(sale["value_minor"] >= 0 for sale in conversions)
        assert by_basis == {"conversion": (revenue, revenue, sales), "touch": (revenue, revenue, sales)}
        per_channel = store.rows(
            "SELECT coalesce(t.channel, 'Unattributed') AS channel, sum(k.value_minor) AS credit "
            "FROM credits k LEFT JOIN touchpoints t ON t.touch_id = k.touch_id GROUP BY ALL"
        )
        shown = summed(store, "sum(revenue_minor)", "basis = 'touch'")
        assert shown == {row["channel"]: (row["credit"],) for row in per_channel}
