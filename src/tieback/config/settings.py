"""What a tieback.toml may say: every name, default and meaning; `tieback init` writes it out commented."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

STAGES = ("lead", "mql", "sql", "opportunity", "customer", "lost")
ORDER_KINDS = ("order", "subscription", "renewal", "expansion", "refund")

_ZERO_DECIMALS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
}
_THREE_DECIMALS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
KeptDays = Annotated[int, Meta(ge=0, le=36_500)]
Days = Annotated[float, Meta(gt=0, le=36_500)]


def currency_decimals(currency: str) -> int:
    """Decimal places of a currency's minor unit, by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD."""
    return 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


class Warehouse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[warehouse]: the engine that holds facts and opinions, the embedded one's limits, and how many runs it keeps.

    url: of another engine, `${NAME}` in it being an environment variable; empty for the embedded file.
    spill: the folder for what does not fit into `memory`, below the workspace's unless it is absolute.
    """

    url: str = ""
    memory: Annotated[str, Meta(pattern=r"^\d+(\.\d+)? ?([KMGT]i?B|[kmgt]i?b)$")] = "1.5GB"
    threads: NotNegative = 0  # 0: all cores
    spill: str = "spill"
    keep_runs: Positive = 5


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[identity]: how identifiers become people, and people accounts."""

    max_anonymous: Positive = 100  # browsers and devices of one person
    max_email: Positive = 10
    max_phone: Positive = 5
    max_customer: Positive = 5
    max_account_people: Positive = 1000  # above this an e-mail domain is no company
    junk: tuple[str, ...] = ()  # identifiers that must never link, besides the built-in ones
    free_mail: tuple[str, ...] = ()  # e-mail domains that are no company, besides the built-in ones
    phone_region: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "US"  # where a number without country code is dialled


class Touches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[touches]: which events are marketing touches, and how long each kind may earn credit."""

    session_minutes: Positive = 30
    kinds: tuple[str, ...] = (
        "ad_click",
        "email_click",
        "call",
        "chat",
        "text",
        "meeting",
        "webinar",
        "crm_campaign",
        "offline",
    )
    credit_views: bool = False  # ad_view and email_open: kept, shown, but earn nothing unless true
    lookback_days: dict[str, Days] = {}  # by kind of touch


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[traffic]: what is never a referral."""

    own_domains: tuple[str, ...] = ()
    payment_domains: tuple[str, ...] = ()  # besides the built-in ones
    sign_in_domains: tuple[str, ...] = ()  # besides the built-in ones


SIGNALS = (
    *("ad_personalization", "ad_storage", "ad_user_data", "analytics_storage"),
    *("functionality_storage", "personalization_storage", "security_storage"),
)  # of Consent Mode
PURPOSES = ("analytics", "attribution", "ads")


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[consent]: which signals of Consent Mode each purpose needs, when the collector takes an event in.

    A single refusal refuses the purpose. Global Privacy Control refuses `ads`, which is feedback to ad platforms.
    assumed: what an event that says nothing of a purpose is taken to have agreed to.
    """

    analytics: tuple[str, ...] = ("analytics_storage",)
    attribution: tuple[str, ...] = ("ad_storage",)
    ads: tuple[str, ...] = ("ad_user_data",)
    assumed: bool = True


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[retention]: for how many days `tieback privacy prune` leaves the rows of each table; 0 for ever.

    An event, a tie and a refused row are as old as they say. A contact, account, deal, role or order goes with all its
    changes when the last one is too old; a raw address or number when no row has carried it for so long.
    """

    events: KeptDays = 0
    links: KeptDays = 0
    contacts: KeptDays = 0
    accounts: KeptDays = 0
    deals: KeptDays = 0
    deal_contacts: KeptDays = 0
    orders: KeptDays = 0
    quarantine: KeptDays = 0
    vault: KeptDays = 0


CONDITIONS = ("source", "medium", "campaign", "referrer", "click_id", "kind")  # of a channel rule


class ChannelRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[channels]]: a rule of yours, tried before the built-in ones.

    Every condition given must hold: each is a regular expression (the subset that all engines share)
    that must match the whole value, in lower case.
    """

    channel: str
    source: str = ""
    medium: str = ""
    campaign: str = ""
    referrer: str = ""
    click_id: str = ""
    kind: str = ""  # kind of touch
    is_paid: bool = False


class Conversion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[conversions.KIND]: what counts as a conversion of that kind.

    source: deals (by `stage`), orders (by `order_kind`, the kind's own name unless given) or events
    (by `event`: its name or kind).
    value: amount (deals, orders), value (events), margin (orders), none, or a fixed number in the base currency.
    """

    source: str
    stage: str = ""
    order_kind: str = ""
    event: str = ""
    value: str = ""
    is_revenue: bool = False
    is_sale: bool = False  # makes the subject a customer
    lookback_days: Days = 90.0


class Exclude(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[exclude]: what never counts. Patterns are globs, letter case ignored.

    bots_allowed: bots that count as people do, by the reason for which they are taken for bots (`tieback bots list`).
    """

    bots: bool = True
    bots_allowed: tuple[str, ...] = ()
    email_domains: tuple[str, ...] = ()  # staff and partners, by the domain that is registered: acme.com
    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()
    deals: tuple[str, ...] = ("test*", "*(test)*")  # by name or id
    accounts: tuple[str, ...] = ()  # by id or name


DEFAULT_STAGES: dict[str, tuple[str, ...]] = {
    "lead": ("lead", "new"),
    "mql": ("mql", "marketing qualified lead"),
    "sql": ("sql", "sales qualified lead"),
    "opportunity": ("opportunity", "proposal", "negotiation"),
    "customer": ("customer", "won", "closed won", "closedwon"),
    "lost": ("lost", "closed lost", "closedlost"),
}

DEFAULT_CONVERSIONS: dict[str, Conversion] = {
    "lead": Conversion(source="deals", stage="lead", value="none", lookback_days=90),
    "mql": Conversion(source="deals", stage="mql", value="none", lookback_days=90),
    "sql": Conversion(source="deals", stage="sql", value="none", lookback_days=180),
    "opportunity": Conversion(source="deals", stage="opportunity", value="amount", lookback_days=180),
    "customer": Conversion(
        source="deals", stage="customer", value="amount", is_revenue=True, is_sale=True, lookback_days=365
    ),
    "order": Conversion(source="orders", value="amount", is_revenue=True, is_sale=True, lookback_days=90),
    "subscription": Conversion(source="orders", value="amount", is_revenue=True, is_sale=True, lookback_days=90),
    "renewal": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
    "expansion": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
    "refund": Conversion(source="orders", value="amount", is_revenue=True, lookback_days=365),
}

DEFAULT_MODELS: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        "first_touch",
        "last_touch",
        "last_non_direct",
        "last_paid",
        "linear",
        "position_based",
        "time_decay",
        "u_shaped",
        "w_shaped",
        "full_path",
        "j_shaped",
        "inverse_j",
    )
}


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[report]: what a report shows unless told otherwise."""

    model: str = "linear"
    few_conversions: NotNegative = 30  # below this, "too few to say"


SERVERS = ("uvicorn", "granian")


class Collect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[collect]: the front door that `tieback serve` opens.

    server: who reads HTTP for it; granian needs the extra of its name.
    ledger: Postgres instead of the file ledger.sqlite, where several machines collect; `${NAME}` in it is an
    environment variable. public_url: where the world reaches the collector, such as https://acme.example, for links and
    for senders who sign the address that they call. proxies: networks (10.0.0.0/8) whose X-Forwarded-For is believed.
    A request may hold so many KB, packed or not. per_second: events that a source may send to one collector; 0 for any
    number. countries: a database of countries by address, in MaxMind's format, below the workspace's folder unless
    absolute. keep_masked_ip: whether the network that an event came from (/24, of IPv6 /48) stays as its property `ip`.
    load_seconds: how often what came in becomes facts, and the run is brought up to date.
    """

    server: Annotated[str, Meta(pattern=f"^({'|'.join(SERVERS)})$")] = SERVERS[0]
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8787
    ledger: str = ""
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    proxies: tuple[str, ...] = ()
    most_kb: Annotated[int, Meta(ge=1, le=100_000)] = 4_000
    per_second: NotNegative = 0
    countries: str = ""
    keep_masked_ip: bool = False
    load_seconds: Annotated[float, Meta(ge=0.1, le=86_400)] = 2.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole tieback.toml. Currency is ISO 4217, time_zone an IANA name."""

    name: str = "workspace"
    currency: str = "USD"
    time_zone: str = "UTC"
    warehouse: Warehouse = Warehouse()
    identity: Identity = Identity()
    touches: Touches = Touches()
    traffic: Traffic = Traffic()
    channels: tuple[ChannelRule, ...] = ()
    stages: dict[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: dict(DEFAULT_STAGES))
    conversions: dict[str, Conversion] = msgspec.field(default_factory=lambda: dict(DEFAULT_CONVERSIONS))
    exclude: Exclude = Exclude()
    consent: Consent = Consent()
    retention: Retention = Retention()
    models: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: dict(DEFAULT_MODELS))
    report: Report = Report()
    collect: Collect = Collect()

    @property
    def decimals(self) -> int:
        """Decimal places of the base currency's minor unit."""
        return currency_decimals(self.currency)
