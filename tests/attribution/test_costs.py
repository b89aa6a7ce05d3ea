"""Costs: current spend in the base currency, under the channel that its clicks would have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.facts import warehouse
from tieback.attribution import costs
from tieback.config import ChannelRule, Settings
from tieback.schema import FACTS, TABLES
from tieback.schema.ddl import DIALECTS
from tieback.schema.relations import fitted, relations
from tieback.store.compiler import compiled

TABLES_READ = relations(FACTS)


def spent(number: int = 1, **columns: Any) -> dict[str, Any]:
    """A day of Google Ads: 10 in the base currency."""
    given = {
        "spend_date": "2026-03-01",
        "platform": "google_ads",
        "campaign": f"c{number:02}",
        "cost": 10,
        "synced_at": "2026-03-02T00:00:00",
    }
    return given | columns


def found(
    spend: list[dict[str, Any]], rates: list[dict[str, Any]] | None = None, settings: Settings | None = None
) -> list[dict[str, Any]]:
    """The costs of `spend`, by campaign."""
    with warehouse(spend=spend, fx_rates=rates or []) as store:
        store.save(
            TABLES["costs"], costs(TABLES_READ.spend, TABLES_READ.fx_rates, settings or Settings(currency="EUR"))
        )
        return store.rows("SELECT * FROM costs ORDER BY campaign, spend_date, ad_group")


def channels(*spend: dict[str, Any], settings: Settings | None = None) -> list[tuple[str, str | None, str | None]]:
    """Channel, source and medium of each of these spends."""
    rows = found([spent(number, **columns) for number, columns in enumerate(spend)], settings=settings)
    return [(row["channel"], row["source"], row["medium"]) for row in rows]


def test_the_latest_statement_of_a_day_counts() -> None:
    """A later statement of the same day and keys replaces the earlier, whatever came first; other keys stay apart."""
    rows = found(
        [
            spent(cost=12, synced_at="2026-03-03T00:00:00", clicks=5, impressions=9),
            spent(cost=10),
            spent(cost=7, ad_group="other"),
            spent(cost=1, spend_date="2026-03-02"),
        ]
    )
    assert [
        (str(row["spend_date"]), row["ad_group"], row["cost_minor"], row["clicks"], row["impressions"]) for row in rows
    ] == [
        ("2026-03-01", "other", 700, 0, 0),
        ("2026-03-01", None, 1200, 5, 9),
        ("2026-03-02", None, 100, 0, 0),
    ]


def test_money_is_converted_by_the_rate_of_its_day() -> None:
    """Never by another day's or pair's; no currency means the base currency; half a cent goes away from zero."""
    pair = {"currency": "USD", "base_currency": "EUR"}
    rates = [
        {"rate_date": "2026-03-01", "rate": 0.5, **pair},
        {"rate_date": "2026-03-02", "rate": 2, **pair},
        {"rate_date": "2026-03-01", "rate": 9, "currency": "USD", "base_currency": "GBP"},
        {"rate_date": "2026-03-01", "rate": 9, "currency": "GBP", "base_currency": "EUR"},
        {"rate_date": "2026-03-01", "rate": 9, "currency": "EUR", "base_currency": "EUR"},
    ]
    rows = found(
        [
            spent(1, currency="USD"),
            spent(2, currency="USD", spend_date="2026-03-02"),
            spent(3, currency=""),
            spent(4, currency="EUR"),
            spent(5, currency="USD", cost="0.01"),
            spent(6, currency="USD", cost="-0.01"),
            spent(7, currency="EUR", cost="0.004999"),
        ],
        rates,
    )
    assert [row["cost_minor"] for row in rows] == [500, 2000, 1000, 1000, 1, -1, 0]


def test_minor_units_are_those_of_the_base_currency() -> None:
    """Yen have none, dinars have three places."""
    assert found([spent()], settings=Settings(currency="JPY"))[0]["cost_minor"] == 10
    assert found([spent()], settings=Settings(currency="KWD"))[0]["cost_minor"] == 10_000


def test_a_platform_has_the_channel_of_the_visits_it_sells() -> None:
    """By the same rules as touches."""
    assert channels(
        {"platform": "google_ads"},
        {"platform": "microsoft_ads"},
        {"platform": "meta_ads"},
        {"platform": "linkedin_ads"},
        {"platform": "tiktok_ads"},
        {"platform": "x_ads"},
        {"platform": "reddit_ads"},
        {"platform": "pinterest_ads"},
        {"platform": "youtube_ads"},
        {"platform": "Google_Ads", "campaign": "c09 Shopping EU"},
        {"platform": "google_ads", "campaign": "c10 cross-network"},
    ) == [
        ("Paid Search", "google", "cpc"),
        ("Paid Search", "bing", "cpc"),
        ("Paid Social", "facebook", "paid_social"),
        ("Paid Social", "linkedin", "paid_social"),
        ("Paid Social", "tiktok", "paid_social"),
        ("Paid Social", "x", "paid_social"),
        ("Paid Social", "reddit", "paid_social"),
        ("Paid Social", "pinterest", "paid_social"),
        ("Paid Video", "youtube", "paid_video"),
        ("Paid Shopping", "google", "cpc"),
        ("Cross-network", "google", "cpc"),
    ]


def test_spend_that_names_its_source_or_medium_is_taken_at_its_word() -> None:
    """Each of the two by itself."""
    assert channels({"medium": "Display"}, {"source": "bing"}, {"source": "partner", "medium": "affiliate"}) == [
        ("Display", "google", "display"),
        ("Paid Search", "bing", "cpc"),
        ("Affiliates", "partner", "affiliate"),
    ]


def test_an_unknown_platform_is_its_own_medium() -> None:
    """Email needs no platform; what no rule knows is Unassigned, and a rule of yours is enough to know it."""
    unknown = ({"platform": "email"}, {"platform": "acme_dsp", "medium": "cpm"}, {"platform": "podcast_sponsoring"})
    assert [channel for channel, *_ in channels(*unknown)] == ["Email", "Display", "Unassigned"]
    mine = Settings(currency="EUR", channels=(ChannelRule(channel="Podcasts", medium="podcast_.*", is_paid=True),))
    assert channels(*unknown, settings=mine)[2] == ("Podcasts", "podcast_sponsoring", "podcast_sponsoring")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_costs_compile_for_every_dialect(dialect: str) -> None:
    """One expression, seven warehouses."""
    expression = fitted(costs(TABLES_READ.spend, TABLES_READ.fx_rates, Settings(currency="EUR")), TABLES["costs"])
    assert "cost_minor" in compiled(expression, dialect)
