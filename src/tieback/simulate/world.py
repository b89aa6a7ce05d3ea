"""What the simulated world is made of: its calendar, its channels with their causal effects, and its dice."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIRST_DAY = date(2025, 7, 1)
LAST_DAY = date(2026, 6, 30)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
WEEKS = DAYS // 7
START = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
END = START + DAYS * 86_400  # the first second that nobody has seen yet
DAY = 86_400
HOUR = 3_600

OWN_DOMAIN = "brightdesk.example"
FREE_MAIL = ("mailbox.example", "freemail.example")


@dataclass(frozen=True)
class Leaf:
    """One ad (or one page that links here): what a visit through it carries in its address.

    weight: its share of the channel's traffic. keyword is set for search ads alone.
    """

    source: str
    medium: str
    campaign: str
    ad: str
    weight: float
    keyword: str = ""
    platform: str = ""
    landing_page: str = "/"
    click_id: str = ""
    referrer: str = ""


@dataclass(frozen=True)
class Channel:
    """One channel and what it truly does.

    reach: chance that an average person in the market meets it in a week.
    selection: how much more often those with higher intent meet it (exponent per unit of intent).
    visit_rate: chance that meeting it leads to a visit that is seen.
    effect: added log-odds of becoming a lead, per log(1 + stock of recent meetings). win_effect: the same for winning.
    mediated: how much a stock of display and social raises the reach.
    cost: USD per person met; click_cost: USD per visit.
    """

    name: str
    reach: float
    selection: float
    visit_rate: float
    effect: float
    leaves: tuple[Leaf, ...] = ()
    win_effect: float = 0.0
    mediated: float = 0.0
    cost: float = 0.0
    click_cost: float = 0.0
    impressions: float = 0.0  # times shown per person met


_GOOGLE = {
    "source": "google",
    "medium": "cpc",
    "platform": "google_ads",
    "click_id": "gclid",
    "referrer": "https://www.google.com/",
}
_BANNER = {"source": "google", "medium": "display", "platform": "google_ads", "referrer": "https://news.example/"}
_META = {"source": "facebook", "medium": "paid_social", "platform": "meta_ads", "click_id": "fbclid"}
_LINKEDIN = {"source": "linkedin", "medium": "paid_social", "platform": "linkedin_ads", "click_id": "li_fat_id"}
_PARTNER = {"medium": "affiliate", "platform": "partner_network"}

CHANNELS: tuple[Channel, ...] = (
    Channel(
        "Paid Search",
        reach=0.042,
        selection=0.55,
        visit_rate=1.0,
        effect=0.75,
        mediated=0.55,
        click_cost=16.0,
        impressions=9.0,
        leaves=(
            Leaf(campaign="brand", ad="brand-text", weight=0.35, keyword="brightdesk", landing_page="/", **_GOOGLE),
            Leaf(
                campaign="helpdesk-software",
                ad="compare-text",
                weight=0.28,
                keyword="helpdesk software",
                landing_page="/helpdesk",
                **_GOOGLE,
            ),
            Leaf(
                campaign="helpdesk-software",
                ad="pricing-text",
                weight=0.17,
                keyword="help desk pricing",
                landing_page="/pricing",
                **_GOOGLE,
            ),
            Leaf(
                campaign="competitors",
                ad="switch-text",
                weight=0.20,
                keyword="ticketing alternative",
                landing_page="/switch",
                **_GOOGLE,
            ),
        ),
    ),
    Channel(
        "Paid Social",
        reach=0.13,
        selection=0.20,
        visit_rate=0.14,
        effect=0.45,
        cost=2.8,
        impressions=40.0,
        leaves=(
            Leaf(campaign="support-leaders", ad="guide-carousel", weight=0.45, landing_page="/guide", **_LINKEDIN),
            Leaf(campaign="support-leaders", ad="webinar-teaser", weight=0.20, landing_page="/webinars", **_LINKEDIN),
            Leaf(campaign="founders", ad="story-video", weight=0.35, landing_page="/small-teams", **_META),
        ),
    ),
    Channel(
        "Display",
        reach=0.22,
        selection=0.05,
        visit_rate=0.045,
        effect=0.22,
        cost=1.0,
        impressions=90.0,
        leaves=(
            Leaf(campaign="calm-support", ad="banner-calm", weight=0.6, landing_page="/", **_BANNER),
            Leaf(campaign="calm-support", ad="banner-queue", weight=0.4, landing_page="/helpdesk", **_BANNER),
        ),
    ),
    Channel(
        # The placebo: coupon and comparison partners who are met by those about to buy, and change nothing.
        "Affiliates",
        reach=0.028,
        selection=0.95,
        visit_rate=0.85,
        effect=0.0,
        click_cost=4.0,
        impressions=2.0,
        leaves=(
            Leaf(
                source="softwarepicks",
                campaign="partner-deals",
                ad="top-ten",
                weight=0.6,
                landing_page="/deals",
                **_PARTNER,
            ),
            Leaf(
                source="couponport",
                campaign="partner-deals",
                ad="coupon",
                weight=0.4,
                landing_page="/deals",
                **_PARTNER,
            ),
        ),
    ),
    Channel(
        "Organic Search",
        reach=0.048,
        selection=0.55,
        visit_rate=1.0,
        effect=0.4,
        mediated=0.55,
        leaves=(
            Leaf(
                source="google",
                medium="organic",
                campaign="",
                ad="",
                weight=0.8,
                landing_page="/blog/ticket-backlog",
                referrer="https://www.google.com/",
            ),
            Leaf(
                source="bing",
                medium="organic",
                campaign="",
                ad="",
                weight=0.2,
                landing_page="/helpdesk",
                referrer="https://www.bing.com/",
            ),
        ),
    ),
    Channel(
        "Email",
        reach=0.32,
        selection=0.15,
        visit_rate=0.12,
        effect=0.30,
        win_effect=0.20,
        leaves=(
            Leaf(
                source="newsletter",
                medium="email",
                campaign="newsletter",
                ad="",
                weight=1.0,
                landing_page="/blog/newsletter",
            ),
        ),
    ),
    Channel(
        "Webinar",
        reach=0.045,
        selection=0.50,
        visit_rate=1.0,
        effect=0.90,
        win_effect=0.50,
        cost=20.0,
        impressions=1.0,
        leaves=(Leaf(source="webinar", medium="webinar", campaign="webinar", ad="", weight=1.0, platform="webinars"),),
    ),
    Channel(
        "Referral",
        reach=0.017,
        selection=0.40,
        visit_rate=1.0,
        effect=0.6,
        leaves=(
            Leaf(
                source="reviews.example",
                medium="referral",
                campaign="",
                ad="",
                weight=0.6,
                landing_page="/reviews",
                referrer="https://www.reviews.example/helpdesk",
            ),
            Leaf(
                source="blog.partner.example",
                medium="referral",
                campaign="",
                ad="",
                weight=0.4,
                landing_page="/",
                referrer="https://blog.partner.example/tools",
            ),
        ),
    ),
    Channel(
        "AI Assistants",
        reach=0.015,
        selection=0.70,
        visit_rate=1.0,
        effect=0.5,
        leaves=(
            Leaf(
                source="chatgpt.com",
                medium="referral",
                campaign="",
                ad="",
                weight=0.7,
                landing_page="/helpdesk",
                referrer="https://chatgpt.com/",
            ),
            Leaf(
                source="perplexity.ai",
                medium="referral",
                campaign="",
                ad="",
                weight=0.3,
                landing_page="/pricing",
                referrer="https://www.perplexity.ai/",
            ),
        ),
    ),
    Channel(
        "Direct",
        reach=0.032,
        selection=0.75,
        visit_rate=1.0,
        effect=0.0,
        leaves=(Leaf(source="", medium="", campaign="", ad="", weight=1.0, landing_page="/"),),
    ),
)

NAMES: tuple[str, ...] = tuple(channel.name for channel in CHANNELS)
SWITCHABLE = tuple(name for name in NAMES if name != "Direct")  # nobody buys Direct, so nobody can switch it off
PLACEBO = "Affiliates"


def index(name: str) -> int:
    """The place of a channel in CHANNELS."""
    return NAMES.index(name)


def rng(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Dice for one purpose: what is thrown for it does not depend on what else is thrown, nor how often."""
    key = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers])
    return np.random.Generator(np.random.PCG64(key))


def day_of(seconds: Ints) -> Ints:
    """The day (0 is FIRST_DAY) of UTC instants given in seconds."""
    return (seconds - START) // DAY


def calendar() -> list[date]:
    """Every day of the world."""
    return [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]


def waking_seconds(parts: Floats) -> Ints:
    """Seconds after midnight for `parts` of a day in [0, 1): people are about from 7 to 21 o'clock."""
    return (7 * HOUR + parts * 14 * HOUR).astype(np.int64)
