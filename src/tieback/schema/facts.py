"""Facts: what was observed. They are never rewritten by an opinion."""

from __future__ import annotations

from tieback.schema.types import Column, Table, instant, money, text

_PROVENANCE = (
    text("origin", "Which delivery brought the row", required=True),
    instant("received_at", "When that delivery was taken in", required=True),
)

_TAGS = (
    text("utm_source", "Where the visitor came from, as tagged (utm_source), or the source a non-web touch names"),
    text("utm_medium", "Kind of traffic, as tagged (utm_medium)"),
    text("utm_campaign", "Campaign, as tagged (utm_campaign)"),
    text("utm_content", "Content or creative, as tagged (utm_content)"),
    text("utm_term", "Search term, as tagged (utm_term)"),
)

_PERSON_HASHES = (
    text("email_hash", "SHA-256 of the workspace salt and the SHA-256 of the normalised e-mail address"),
    text("email_domain", "Registrable domain of that address (public-suffix list)"),
    text("phone_hash", "SHA-256 of the workspace salt and the SHA-256 of the phone number in E.164"),
)

_DELETED = Column("deleted", "boolean", "True where this change removed the record")

EVENTS = Table(
    "events",
    "fact",
    grain="one observed behaviour",
    key=("event_id",),
    meaning="Visits, forms, calls, chats, e-mail and ad interactions, webinars: everything a person was seen to do.",
    columns=(
        text(
            "event_id", "Id of the event; worked out from the row's content when the source gives none", required=True
        ),
        instant("occurred_at", "When it happened", required=True),
        text(
            "kind",
            "page, track, form, call, chat, text, email_open, email_click, ad_click, ad_view, meeting, webinar, "
            "crm_campaign, offline or a kind of your own",
            required=True,
        ),
        text("name", "Name of the event, such as the form's or the goal's"),
        text("anonymous_id", "Browser or device id"),
        text("user_id", "Login id"),
        text("contact_id", "CRM contact id"),
        *_PERSON_HASHES,
        text("group_id", "Account or group that the source itself names (group calls)"),
        text("session_key", "The source's own session id; a change of it starts a session"),
        text("url", "Page address, as seen"),
        text("referrer", "Referring address, as seen"),
        text("referrer_domain", "Host of the referrer, lower case, without www."),
        text("landing_page", "Path of the page address"),
        *_TAGS,
        text(
            "click_id_kind",
            "Parameter that carried an ad click id: gclid, gbraid, wbraid, fbclid, msclkid, li_fat_id …",
        ),
        text("click_id", "That click id, captured at occurred_at"),
        text("ad", "Ad or creative, where the source names it"),
        text("keyword", "Bidded keyword, where the source names it"),
        money("value", "Value that the source gives the event"),
        text("currency", "ISO 4217 code of value"),
        text(
            "consent_signals",
            "What the visitor said: the signals of Consent Mode, `signal=granted` or `signal=denied`, by blanks; "
            "`gpc=1` where the browser sent Global Privacy Control",
        ),
        Column("consent_analytics", "boolean", "Consent to measurement; empty when not known"),
        Column("consent_attribution", "boolean", "Consent to being tied to what came of it; empty when not known"),
        Column("consent_ads", "boolean", "Consent to being told to ad platforms; empty when not known"),
        text("device", "Device class"),
        text("country", "ISO 3166-1 alpha-2"),
        text("bot_reason", "Why it is taken for a bot; empty for a human"),
        Column("properties", "json", "Everything else that the source gave"),
        *_PROVENANCE,
    ),
)

LINKS = Table(
    "links",
    "fact",
    grain="one observed tie of two identifiers",
    key=("left_kind", "left_value", "right_kind", "right_value", "observed_at"),
    meaning="Ties that no other fact carries, and removals: a removal also silences ties seen elsewhere until then.",
    version="observed_at",
    columns=(
        text("left_kind", "anonymous, user, email, phone, contact, customer, group or account", required=True),
        text("left_value", "The identifier; an e-mail address or phone number is kept hashed", required=True),
        text("right_kind", "As left_kind", required=True),
        text("right_value", "As left_value", required=True),
        instant("observed_at", "When the tie was seen or removed", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

CONTACTS = Table(
    "contacts",
    "fact",
    grain="CRM contact or lead × change",
    key=("contact_id", "changed_at"),
    version="changed_at",
    meaning="People as the CRM knows them.",
    columns=(
        text("contact_id", "CRM contact or lead id", required=True),
        *_PERSON_HASHES,
        text("user_id", "Login id, where the CRM holds it"),
        text("customer_id", "Customer number of the shop or billing system"),
        text("account_id", "CRM account (company)"),
        text("lifecycle_stage", "Stage, in the CRM's own words"),
        text("owner", "Who looks after the contact"),
        Column("attributes", "json", "Everything else that the source gave"),
        instant("changed_at", "When the record took this form", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

ACCOUNTS = Table(
    "accounts",
    "fact",
    grain="CRM account × change",
    key=("account_id", "changed_at"),
    version="changed_at",
    meaning="Companies as the CRM knows them.",
    columns=(
        text("account_id", "CRM account id", required=True),
        text("name", "Company name"),
        text("domain", "Registrable web domain"),
        text("industry", "Industry"),
        text("segment", "Segment or tier"),
        text("country", "ISO 3166-1 alpha-2"),
        text("size", "Size class"),
        text("owner", "Who looks after the account"),
        Column("attributes", "json", "Everything else that the source gave"),
        instant("changed_at", "When the record took this form", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

DEALS = Table(
    "deals",
    "fact",
    grain="deal × change",
    key=("deal_id", "changed_at"),
    version="changed_at",
    meaning="Deals (opportunities, or leads on their way to one); each change of stage or amount is a row.",
    columns=(
        text("deal_id", "CRM deal id", required=True),
        text("name", "Deal name"),
        text("account_id", "CRM account"),
        text("contact_id", "Primary contact"),
        text("stage", "Stage, in the CRM's own words"),
        money("amount", "Amount at this change"),
        text("currency", "ISO 4217 code of amount"),
        text("lost_reason", "Why it was lost"),
        text("owner", "Who works the deal"),
        Column("attributes", "json", "Everything else that the source gave"),
        instant("changed_at", "When the deal took this form", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

DEAL_CONTACTS = Table(
    "deal_contacts",
    "fact",
    grain="deal × contact × change",
    key=("deal_id", "contact_id", "changed_at"),
    version="changed_at",
    meaning="The buying group of a deal.",
    columns=(
        text("deal_id", "CRM deal id", required=True),
        text("contact_id", "CRM contact id", required=True),
        text("role", "Role in the deal"),
        instant("changed_at", "When the role took this form", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

ORDERS = Table(
    "orders",
    "fact",
    grain="order, subscription, renewal, expansion or refund × change",
    key=("order_id", "changed_at"),
    version="changed_at",
    meaning="Money earned or given back outside deals: shop orders, subscription charges, refunds.",
    columns=(
        text("order_id", "Id of the order, charge or refund", required=True),
        text("kind", "order, subscription, renewal, expansion or refund", required=True),
        text("sale_id", "Order or deal that a refund gives back, or a renewal continues"),
        text("customer_id", "Customer number"),
        text("user_id", "Login id"),
        text("contact_id", "CRM contact"),
        text("account_id", "CRM account"),
        *_PERSON_HASHES,
        money("amount", "Amount; for a refund, what was given back, as a positive number", required=True),
        money("margin", "Margin, where known"),
        text("currency", "ISO 4217 code of amount and margin; the base currency when empty"),
        instant("occurred_at", "When it was placed, charged or refunded", required=True),
        instant("changed_at", "When the record took this form", required=True),
        _DELETED,
        *_PROVENANCE,
    ),
)

SPEND = Table(
    "spend",
    "fact",
    grain="day × platform × ad account × campaign × ad group × ad × keyword × statement",
    key=("spend_date", "platform", "ad_account", "campaign", "ad_group", "ad", "keyword", "synced_at"),
    version="synced_at",
    meaning="What advertising cost, as the platform last stated it: a later statement replaces the earlier.",
    columns=(
        Column("spend_date", "date", "Day, in the ad account's time zone", required=True),
        text(
            "platform", "google_ads, microsoft_ads, meta_ads, linkedin_ads … or any medium of your own", required=True
        ),
        text("ad_account", "Ad account"),
        text("campaign", "Campaign name, as tagged in utm_campaign"),
        text("ad_group", "Ad group or ad set"),
        text("ad", "Ad or creative"),
        text("keyword", "Bidded keyword"),
        text("source", "Source of the visits it buys; by platform when empty"),
        text("medium", "Medium of the visits it buys; by platform when empty"),
        text("landing_page", "Path of the landing page, where known"),
        text("content", "Content or creative, as tagged in utm_content"),
        money("cost", "Cost", required=True),
        text("currency", "ISO 4217 code of cost; the base currency when empty"),
        Column("impressions", "int", "Times shown"),
        Column("clicks", "int", "Clicks, as the platform counts them"),
        Column("platform_conversions", "float", "Conversions that the platform claims; never added up with ours"),
        instant(
            "synced_at", "When the platform stated it; when it was taken in, if the file does not say", required=True
        ),
        *_PROVENANCE,
    ),
)

FX_RATES = Table(
    "fx_rates",
    "fact",
    grain="day × currency pair",
    key=("rate_date", "currency", "base_currency"),
    meaning="Exchange rates by day.",
    columns=(
        Column("rate_date", "date", "Day the rate holds for", required=True),
        text("currency", "ISO 4217 code converted from", required=True),
        text("base_currency", "ISO 4217 code converted to", required=True),
        Column("rate", "float", "Units of base_currency for one unit of currency", required=True),
        *_PROVENANCE,
    ),
)

FACTS = (EVENTS, LINKS, CONTACTS, ACCOUNTS, DEALS, DEAL_CONTACTS, ORDERS, SPEND, FX_RATES)
