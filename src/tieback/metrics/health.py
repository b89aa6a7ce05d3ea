"""What is set up, fresh, matched and missing: checks on a workspace's tables, each with its remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tieback.config import Settings

Rows = Callable[[str], list[dict[str, Any]]]
State = Literal["ok", "warn", "fault", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a check found: what it is about, how it stands, and what to do about it."""

    check: str
    state: State
    finding: str
    remedy: str = ""


def fact_findings(rows: Rows, settings: Settings) -> list[Finding]:
    """Findings about the facts alone; they need no run."""
    return [
        *_holdings(rows),
        *_rates(rows, settings),
        *_gaps(rows),
        *_clocks(rows),
        *_unknown_stages(rows, settings),
    ]


def opinion_findings(rows: Rows) -> list[Finding]:
    """Findings about the last run's opinions: match rates, campaigns, what is left out."""
    return [
        *_loop(rows),
        *_matches(rows),
        *_cuts(rows),
        *_unassigned(rows),
        *_spend_and_touches(rows),
        *_spellings(rows),
        *_left_out(rows),
    ]


def _holdings(rows: Rows) -> Iterator[Finding]:
    for table, (column, state, remedy) in _HOLDINGS.items():
        held = rows(f"SELECT count(*) AS facts, max({column}) AS latest FROM {table}")[0]
        if held["facts"]:
            yield Finding("data", "ok", f"{table}: {held['facts']:,} facts, data to {str(held['latest'])[:10]}")
        else:
            yield Finding("data", state, f"{table}: none", remedy)


_HOLDINGS: dict[str, tuple[str, State, str]] = {
    "events": ("occurred_at", "fault", "Import visits, forms and clicks with `tieback import events FILE`."),
    "contacts": (
        "changed_at",
        "warn",
        "Import CRM contacts with `tieback import contacts FILE`: they join visits to deals.",
    ),
    "deals": ("changed_at", "warn", "Import deals with `tieback import deals FILE`, or orders."),
    "orders": ("occurred_at", "note", ""),
    "spend": (
        "spend_date",
        "warn",
        "Import spend with `tieback import spend FILE`: without it there is no CAC or ROAS.",
    ),
    "accounts": ("changed_at", "note", ""),
    "links": ("observed_at", "note", ""),
}


def _rates(rows: Rows, settings: Settings) -> Iterator[Finding]:
    """Exchange rates are needed only where a currency other than the base one occurs."""
    held = rows("SELECT count(*) AS facts, max(rate_date) AS latest FROM fx_rates")[0]
    used = rows("SELECT currency FROM deals UNION SELECT currency FROM orders UNION SELECT currency FROM spend")
    foreign = sorted({one["currency"] for one in used if one["currency"]} - {settings.currency})
    if held["facts"]:
        yield Finding("data", "ok", f"fx_rates: {held['facts']:,} facts, data to {str(held['latest'])[:10]}")
    elif foreign:
        told = f"fx_rates: none, but amounts in {', '.join(foreign[:5])}"
        remedy = f"Import the rates to {settings.currency} with `tieback import fx_rates FILE`."
        yield Finding("data", "warn", told, remedy)
    else:
        yield Finding("data", "note", "fx_rates: none")


def intake_findings(rows: Rows) -> list[Finding]:
    """Findings about what could not be taken in; `rows` asks the door, which need not be where the facts are."""
    held = rows("SELECT count(*) AS refused, count(DISTINCT file) AS files FROM quarantine")[0]
    if held["refused"]:
        told = f"{held['refused']:,} refused rows of {held['files']} files wait for a correction"
        return [Finding("quarantine", "warn", told, "See them with `tieback quarantine list`.")]
    return [Finding("quarantine", "ok", "no refused rows")]


def _gaps(rows: Rows) -> Iterator[Finding]:
    gaps = rows(
        """
        SELECT day, next_day
        FROM (
          SELECT day, lead(day) OVER (ORDER BY day) AS next_day
          FROM (SELECT DISTINCT CAST(occurred_at AS DATE) AS day FROM events) AS days
        ) AS pairs
        WHERE next_day > day + 3
        ORDER BY day
        """
    )
    for gap in gaps[:3]:
        told = f"no events between {gap['day']} and {gap['next_day']}"
        yield Finding("gaps", "warn", told, "Check the export or the tracker for those days.")
    if len(gaps) > 3:
        yield Finding("gaps", "warn", f"and {len(gaps) - 3} more gaps in events", "Check the export or the tracker.")
    spend = rows(
        """
        SELECT platform, count(DISTINCT spend_date) AS days,
          date_diff('day', min(spend_date), max(spend_date)) + 1 AS spanned
        FROM spend GROUP BY platform ORDER BY platform
        """
    )
    thin = [one for one in spend if one["days"] < 0.9 * one["spanned"]]
    for one in thin:
        told = f"{one['platform']}: spend on {one['days']} of {one['spanned']} days"
        yield Finding("gaps", "warn", told, "Import the missing days; days without ads may stay out.")
    if not gaps and not thin:
        yield Finding("gaps", "ok", "no gaps in events or spend")


def _clocks(rows: Rows) -> Iterator[Finding]:
    is_calm = True
    for table, (column, what, remedy) in _CLOCKS.items():
        late = rows(
            f"""
            SELECT count(*) AS n, max({column}) AS latest
            FROM {table} WHERE CAST({column} AS TIMESTAMP) > received_at + INTERVAL 1 DAY
            """
        )[0]
        if late["n"]:
            is_calm = False
            told = f"{late['n']:,} {what} in the future (up to {late['latest']})"
            yield Finding("clocks", "warn", told, remedy)
    if is_calm:
        yield Finding("clocks", "ok", "no events, deals, orders or spend from the future")


_CLOCKS = {
    "events": ("occurred_at", "events lie", "Check the source's clock and the time zone in the mapping."),
    "deals": ("changed_at", "deal changes lie", "Map the day on which the stage was reached, not a planned one."),
    "orders": ("occurred_at", "orders lie", "Map the day on which it was placed or charged, not a planned one."),
    "spend": ("spend_date", "rows of spend lie", "Check how the mapping reads dates; leave budgets out."),
}


def _unknown_stages(rows: Rows, settings: Settings) -> Iterator[Finding]:
    known = {name.strip().lower() for names in settings.stages.values() for name in names}
    seen = rows(
        """
        SELECT lower(trim(stage)) AS stage, count(DISTINCT deal_id) AS deals
        FROM deals WHERE stage IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
        """
    )
    strange = [f"{one['stage']!r} ({one['deals']:,} deals)" for one in seen if one["stage"] not in known]
    if strange:
        told = f"CRM stages that mean nothing yet: {', '.join(strange[:5])}"
        yield Finding("stages", "warn", told, "Say what they mean under [stages] in tieback.toml.")


def _loop(rows: Rows) -> Iterator[Finding]:
    """The four steps of the closed loop: arrive, browse, become a lead, become a customer."""
    steps = rows(
        """
        SELECT
          (SELECT count(*) FROM touchpoints) AS arrive,
          (SELECT count(DISTINCT person_id) FROM touchpoints) AS browse,
          (SELECT count(*) FROM conversions WHERE kind = 'lead') AS leads,
          (SELECT count(*) FROM conversions WHERE is_new_customer) AS customers,
          (SELECT count(*) FROM deals) AS deals
        """
    )[0]
    has_deals = steps.pop("deals") > 0
    told = "{arrive:,} touches → {browse:,} people → {leads:,} leads → {customers:,} customers".format(**steps)
    empty = [step for step, count in steps.items() if not count]
    if not empty:
        yield Finding("loop", "ok", told)
    elif empty == ["leads"] and not has_deals:
        yield Finding("loop", "note", f"{told}; there are no deals that could make leads")
    else:
        yield Finding("loop", "fault", told, "The loop is open at the first step that counts 0: import what it needs.")


def _matches(rows: Rows) -> Iterator[Finding]:
    people = rows(
        """
        SELECT
          count(DISTINCT t.person_id) AS people,
          count(DISTINCT CASE WHEN k.person_id IS NOT NULL THEN t.person_id END) AS known
        FROM touchpoints AS t
        LEFT JOIN (SELECT DISTINCT person_id FROM people WHERE id_kind <> 'anonymous') AS k ON k.person_id = t.person_id
        """
    )[0]
    told = f"{_share(people['known'], people['people'])} of people with touches are known by more than a browser"
    yield Finding("match", "note", told)
    sales = rows(
        """
        SELECT count(*) AS sales, count(j.conversion_id) AS matched
        FROM conversions AS c
        LEFT JOIN (SELECT DISTINCT conversion_id FROM journeys) AS j ON j.conversion_id = c.conversion_id
        WHERE c.is_revenue AND c.excluded_reason IS NULL
        """
    )[0]
    told = f"{_share(sales['matched'], sales['sales'])} of revenue conversions have a journey"
    if not sales["sales"]:
        yield Finding(
            "match", "note", "no conversion earned revenue", "See [conversions] and [stages] in tieback.toml."
        )
    elif sales["matched"] < 0.5 * sales["sales"]:
        remedy = "Import contacts with e-mails, and forms with e-mail and browser id; or widen lookback_days."
        yield Finding("match", "warn", told, remedy)
    else:
        yield Finding("match", "ok", told)
    lonely = rows("SELECT count(*) AS n FROM conversions WHERE kind = 'refund' AND journey_id IS NULL")[0]["n"]
    if lonely:
        told = f"{lonely:,} refunds name no sale that is known; they stay unattributed"
        yield Finding("match", "warn", told, "Give sale_id: the order or deal given back.")


def _cuts(rows: Rows) -> Iterator[Finding]:
    """One finding for each rule that ties broke, however many names stand in the reasons."""
    cuts = rows(
        """
        SELECT reason, count(*) AS n, min(left_kind || ':' || left_value || ' and ' || right_kind || ':' || right_value)
          AS tie
        FROM link_cuts GROUP BY reason ORDER BY n DESC, reason
        """
    )
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for cut in cuts:
        rule = cut["reason"].partition(": ")[0].rstrip(".")  # what follows the colon are names
        counts[rule] += cut["n"]
        examples.setdefault(rule, cut["tie"])
    for rule, n in counts.most_common():
        told = f"{n:,} {'tie' if n == 1 else 'ties'} not believed, such as {examples[rule]}: {rule}"
        yield Finding("identity", "note", told, "They stand in the table link_cuts; mend a wrong one at its source.")


def _unassigned(rows: Rows) -> Iterator[Finding]:
    counts = rows(
        """
        SELECT count(*) AS touches, count(CASE WHEN channel = 'Unassigned' THEN 1 END) AS unassigned FROM touchpoints
        """
    )[0]
    if not counts["unassigned"]:
        yield Finding("channels", "ok", "every touch has a channel")
        return
    top = rows(
        """
        SELECT source, medium, count(*) AS n FROM touchpoints WHERE channel = 'Unassigned'
        GROUP BY source, medium ORDER BY n DESC, source, medium LIMIT 3
        """
    )
    names = "; ".join(
        f"source {one['source'] or 'none'}, medium {one['medium'] or 'none'} ({one['n']:,})" for one in top
    )
    told = f"{_share(counts['unassigned'], counts['touches'])} of touches are Unassigned: {names}"
    yield Finding("channels", "warn", told, "Add a rule under [[channels]] in tieback.toml.")


def _spend_and_touches(rows: Rows) -> Iterator[Finding]:
    findings = [*_spend_without_touches(rows), *_touches_without_spend(rows)]
    yield from findings or [Finding("campaigns", "ok", "all spend has touches, and every paid campaign has spend")]


def _spend_without_touches(rows: Rows) -> Iterator[Finding]:
    """By campaign; where the spend names none, by channel."""
    cold = rows(
        """
        SELECT campaign, sum(cost_minor) AS cost FROM costs
        WHERE campaign <> '' AND campaign NOT IN (SELECT campaign FROM touchpoints WHERE campaign IS NOT NULL)
        GROUP BY campaign ORDER BY cost DESC, campaign
        """
    )
    if cold:
        remedy = "Tag the ads' links with utm_campaign as the platform names the campaign."
        yield Finding("campaigns", "warn", f"spend without touches: {_names(cold)}", remedy)
    nameless = rows(
        """
        SELECT channel AS campaign, sum(cost_minor) AS cost FROM costs
        WHERE (campaign IS NULL OR campaign = '') AND channel NOT IN (SELECT channel FROM touchpoints)
        GROUP BY channel ORDER BY cost DESC, channel
        """
    )
    if nameless:
        told = f"spend without touches, and without a campaign: {_names(nameless)}"
        remedy = "Give the spend its campaign, or the source and medium of the visits it buys."
        yield Finding("campaigns", "warn", told, remedy)


def _touches_without_spend(rows: Rows) -> Iterator[Finding]:
    free = rows(
        """
        SELECT campaign, count(*) AS n FROM touchpoints
        WHERE is_paid AND campaign <> ''
          AND campaign NOT IN (SELECT campaign FROM costs WHERE campaign IS NOT NULL)
        GROUP BY campaign ORDER BY n DESC, campaign
        """
    )
    if free:
        remedy = "Import the spend of these campaigns, or name them alike."
        yield Finding("campaigns", "warn", f"paid touches without spend: {_names(free)}", remedy)
    untagged = rows(
        "SELECT count(*) AS n FROM touchpoints WHERE is_paid AND (campaign IS NULL OR campaign = '')",
    )[0]["n"]
    if untagged:
        yield Finding(
            "campaigns", "warn", f"{untagged:,} paid touches name no campaign", "Add utm_campaign to the links."
        )


def _spellings(rows: Rows) -> Iterator[Finding]:
    """Campaigns are told apart by letter case, so two spellings are two rows of a report."""
    twice = rows(
        """
        SELECT min(campaign) AS one, max(campaign) AS other
        FROM (
          SELECT campaign FROM touchpoints WHERE campaign IS NOT NULL
          UNION
          SELECT campaign FROM costs WHERE campaign IS NOT NULL
        ) AS named
        GROUP BY lower(campaign) HAVING count(*) > 1
        ORDER BY 1
        """
    )
    if twice:
        pairs = [{"campaign": f"{pair['one']!r} and {pair['other']!r}"} for pair in twice]
        told = f"campaigns that differ only in letter case: {_names(pairs)}"
        remedy = "Map them to one spelling (`values` in the mapping): each is a row of its own in reports."
        yield Finding("campaigns", "warn", told, remedy)


def _left_out(rows: Rows) -> Iterator[Finding]:
    for table in ("touchpoints", "conversions"):
        counts = rows(
            f"""
            SELECT excluded_reason AS reason, count(*) AS n FROM {table}
            WHERE excluded_reason IS NOT NULL GROUP BY excluded_reason ORDER BY n DESC, reason
            """
        )
        for one in counts:
            yield Finding("left out", "note", f"{one['n']:,} {table}: {one['reason']}")


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.0%})" if whole else "none"


def _names(rows: list[dict[str, Any]]) -> str:
    named = ", ".join(str(row["campaign"]) for row in rows[:3])
    return named + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")
