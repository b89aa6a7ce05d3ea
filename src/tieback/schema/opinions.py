"""Opinions: what tieback concludes from the facts. They can always be rebuilt."""

from __future__ import annotations

from tieback.schema.types import Column, Table, instant, minor, money, text

REFUSED = "no consent to attribution"  # the excluded_reason of a touch that is a visit all the same

PEOPLE = Table(
    "people",
    "opinion",
    grain="one identifier",
    key=("id_kind", "id_value"),
    meaning="Which person each identifier belongs to, and which account that person.",
    columns=(
        text("id_kind", "anonymous, user, email, phone, contact or customer", required=True),
        text("id_value", "The identifier", required=True),
        text("person_id", "The person: the smallest identifier of the group, as kind:value", required=True),
        text("account_id", "The account: crm:…, group:… or domain:…; empty when none is known"),
    ),
)

LINK_CUTS = Table(
    "link_cuts",
    "opinion",
    grain="one tie that was not believed",
    key=("left_kind", "left_value", "right_kind", "right_value"),
    meaning="Ties that would have joined two different logins or contacts, or more identifiers than a person has.",
    columns=(
        text("left_kind", "Kind of the one identifier", required=True),
        text("left_value", "The one identifier", required=True),
        text("right_kind", "Kind of the other", required=True),
        text("right_value", "The other identifier", required=True),
        text("reason", "Which rule the tie would have broken", required=True),
    ),
)

TOUCHPOINTS = Table(
    "touchpoints",
    "opinion",
    grain="one marketing touch",
    key=("touch_id",),
    meaning="Moments at which marketing met a person; those set aside by a rule are kept, with the reason.",
    columns=(
        text("touch_id", "Id of the event that opened it", required=True),
        text("person_id", "Who", required=True),
        text("account_id", "The person's account"),
        instant("occurred_at", "When it began", required=True),
        Column("touch_date", "date", "Day of occurred_at in the workspace's time zone", required=True),
        text("kind", "visit, form, ad_click, ad_view, email_click, call, chat, webinar, crm_campaign …", required=True),
        text("channel", "Channel that the rules chose; Unassigned when none fits", required=True),
        text("channel_rule", "Name of the rule that chose it", required=True),
        text("source", "Effective source"),
        text("medium", "Effective medium"),
        text("campaign", "Campaign"),
        text("content", "Content or creative"),
        text("term", "Search term"),
        text("ad", "Ad"),
        text("keyword", "Bidded keyword"),
        text("landing_page", "Path of the first page"),
        Column("is_paid", "boolean", "True for paid channels", required=True),
        Column("is_measured", "boolean", "False where the visitor refused measurement: then no visit", required=True),
        text("excluded_reason", "Why it can earn no credit (bot, no consent, same click …); empty when it can"),
        text("rules_version", "Version of the channel rules", required=True),
        text("origin", "Delivery that brought the event", required=True),
    ),
)

COSTS = Table(
    "costs",
    "opinion",
    grain="day × platform × ad account × campaign × ad group × ad × keyword",
    key=("spend_date", "platform", "ad_account", "campaign", "ad_group", "ad", "keyword"),
    meaning="Current spend, in the base currency and under the channel that its clicks would have.",
    columns=(
        Column("spend_date", "date", "Day", required=True),
        text("platform", "Platform", required=True),
        text("ad_account", "Ad account"),
        text("campaign", "Campaign"),
        text("ad_group", "Ad group"),
        text("ad", "Ad"),
        text("keyword", "Keyword"),
        text("landing_page", "Landing page"),
        text("content", "Content"),
        text("channel", "Channel, by the same rules as touches", required=True),
        text("source", "Source"),
        text("medium", "Medium"),
        minor("cost_minor", "Cost"),
        Column("impressions", "int", "Times shown", required=True),
        Column("clicks", "int", "Clicks", required=True),
    ),
)

CONVERSIONS = Table(
    "conversions",
    "opinion",
    grain="one creditable moment",
    key=("conversion_id",),
    meaning="Leads, stages reached, sales, renewals, refunds and named events, with their value.",
    columns=(
        text("conversion_id", "kind:id of the deal, order or event", required=True),
        text(
            "kind",
            "lead, mql, sql, opportunity, customer, order, subscription, renewal, expansion, refund or a name of yours",
            required=True,
        ),
        instant("occurred_at", "When", required=True),
        Column("conversion_date", "date", "Day of occurred_at in the workspace's time zone", required=True),
        text("person_id", "Primary person"),
        text("account_id", "Account whose whole journey counts; empty when the person's own does"),
        text("subject_id", "The account, or else the person: who the customer is", required=True),
        text("deal_id", "Deal"),
        text("order_id", "Order"),
        text("event_id", "Event"),
        text(
            "journey_id",
            "Conversion whose journey earns the credit: its own, or for a refund the sale's (empty if not known)",
        ),
        money("value", "Value in its own currency; negative for a refund"),
        text("currency", "ISO 4217 code of value"),
        minor("value_minor", "Value in the base currency, by the rate of the day"),
        Column("is_revenue", "boolean", "True when value counts as revenue", required=True),
        Column("is_new_customer", "boolean", "True for the first sale to the subject", required=True),
        instant("lead_at", "When the subject's deal (or person) became a lead"),
        instant("opportunity_at", "When the deal became an opportunity"),
        text("excluded_reason", "Why it is left out (test deal, internal); empty when it counts"),
    ),
)

JOURNEYS = Table(
    "journeys",
    "opinion",
    grain="path × touch, unconverted paths too",
    key=("path_id", "touch_id"),
    meaning="The touches that may earn credit for a conversion, in order; and the paths that have not converted.",
    columns=(
        text("path_id", "The conversion's id, or open:subject for a path without one", required=True),
        text("conversion_id", "Conversion; empty for a path without one"),
        text("touch_id", "Touch", required=True),
        Column("position", "int", "Place in the path, from 1", required=True),
        Column("length", "int", "Touches in the path", required=True),
        Column(
            "days_before",
            "float",
            "Days from the touch to the conversion (to the path's last touch without one)",
            unit="days",
            required=True,
        ),
        instant("occurred_at", "When the touch began", required=True),
        instant("converted_at", "When the conversion came"),
        text("kind", "Kind of touch", required=True),
        text("channel", "Channel", required=True),
        Column("is_paid", "boolean", "Touch of a paid channel", required=True),
        Column("is_lead_touch", "boolean", "Last touch at or before the lead was created", required=True),
        Column("is_opportunity_touch", "boolean", "Last touch at or before the opportunity was created", required=True),
    ),
)

CREDITS = Table(
    "credits",
    "opinion",
    grain="model × conversion × touch",
    key=("model", "conversion_id", "touch_id"),
    meaning="What each touch earned under each model. The row without a touch is the conversion's Unattributed part.",
    partition="model",
    columns=(
        text("model", "Attribution model", required=True),
        text("conversion_id", "Conversion", required=True),
        text("touch_id", "Touch; empty for Unattributed"),
        Column("share", "float", "Share of the conversion, in [0, 1]", required=True),
        minor("value_minor", "Value; per model the values of a conversion sum to its value_minor exactly"),
    ),
)

PERFORMANCE = Table(
    "performance",
    "opinion",
    grain="day × basis × model × channel × source × medium × campaign × content × ad × keyword × landing page",
    key=(
        "date",
        "basis",
        "model",
        "channel",
        "source",
        "medium",
        "campaign",
        "content",
        "ad",
        "keyword",
        "landing_page",
    ),
    meaning="Everything a report adds up. Rows of cost and visits belong to no model and to every basis.",
    partition="model",
    columns=(
        Column("date", "date", "Day, by the basis", required=True),
        text("basis", "conversion, touch or spend; empty for cost and visits", required=True),
        text("model", "Attribution model; empty for cost and visits", required=True),
        text("channel", "Channel; Unattributed where no touch could be credited", required=True),
        text("source", "Source"),
        text("medium", "Medium"),
        text("campaign", "Campaign"),
        text("content", "Content or creative"),
        text("ad", "Ad"),
        text("keyword", "Keyword"),
        text("landing_page", "Landing page"),
        minor("cost_minor", "Cost"),
        Column("impressions", "int", "Times shown", required=True),
        Column("clicks", "int", "Clicks, as the platform counts them", required=True),
        Column("visits", "int", "Sessions seen", required=True),
        Column("leads", "float", "Leads, by share of credit", required=True),
        Column("customers", "float", "New customers, by share of credit", required=True),
        Column("sales", "float", "Revenue conversions other than refunds, by share of credit", required=True),
        Column(
            "repeat_customers",
            "float",
            "New customers that bought again, by share of credit for their first sale",
            required=True,
        ),
        minor("revenue_minor", "Revenue, refunds taken off"),
        minor("sales_minor", "Value of sales, before refunds"),
        minor("lifetime_minor", "All revenue to date of the new customers, by share of credit for their first sale"),
        Column(
            "cycle_days",
            "float",
            "Days from first touch to won, times share, over customers with a journey",
            unit="days",
            required=True,
        ),
        Column("cycles", "float", "Customers with a journey, by share of credit", required=True),
        Column(
            "lead_credits",
            "int",
            "Credits for leads; at most so many distinct leads stand behind the row",
            required=True,
        ),
        Column(
            "sale_credits",
            "int",
            "Credits for sales; at most so many distinct sales stand behind the row",
            required=True,
        ),
        Column("records", "int", "Credits, visits and statements of spend that it adds up", required=True),
    ),
)

OPINIONS = (PEOPLE, LINK_CUTS, TOUCHPOINTS, COSTS, CONVERSIONS, JOURNEYS, CREDITS, PERFORMANCE)
