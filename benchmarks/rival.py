"""The rival of a refresh: a DuckDB script written by hand for exactly the facts of `benchmarks.facts`.

It does the same work and must come to the same numbers: people, touchpoints, conversions, journeys, credits of the twelve
models, performance. It knows what its data cannot hold (bots, refunds, other currencies, single touches) and spares itself that.
"""

from __future__ import annotations

import sys
import time

import duckdb

PEOPLE_TIES = """
CREATE TEMP TABLE ties AS
  SELECT DISTINCT 'anonymous:' || anonymous_id AS a, 'email:' || email_hash AS b FROM events WHERE email_hash IS NOT NULL
  UNION
  SELECT 'contact:' || contact_id, 'email:' || email_hash FROM contacts;
INSERT INTO ties SELECT b, a FROM ties;
CREATE TEMP TABLE labels AS SELECT a AS node, least(a, min(b)) AS label FROM ties GROUP BY a
"""

PEOPLE_STEP = """
CREATE OR REPLACE TEMP TABLE next_labels AS
  SELECT l.node, least(l.label, min(n.label)) AS label
  FROM labels l JOIN ties t ON t.a = l.node JOIN labels n ON n.node = t.b GROUP BY l.node, l.label
"""

PEOPLE = """
CREATE TABLE people AS
WITH found AS (
  SELECT DISTINCT 'anonymous' AS id_kind, anonymous_id AS id_value FROM events
  UNION ALL SELECT 'email', email_hash FROM contacts
  UNION ALL SELECT 'contact', contact_id FROM contacts
),
placed AS (
  SELECT f.*, coalesce(l.label, id_kind || ':' || id_value) AS person_id
  FROM found f LEFT JOIN labels l ON l.node = f.id_kind || ':' || f.id_value
),
companies AS (SELECT email_domain FROM contacts GROUP BY email_domain HAVING count(*) <= 1000),
accounts AS (
  SELECT p.person_id, coalesce('crm:' || c.account_id, 'domain:' || k.email_domain) AS account_id
  FROM contacts c JOIN placed p ON p.id_kind = 'contact' AND p.id_value = c.contact_id
  LEFT JOIN companies k ON k.email_domain = c.email_domain
)
SELECT p.*, a.account_id FROM placed p LEFT JOIN accounts a USING (person_id)
"""

TOUCHES_OF_SESSIONS = """SELECT
  s.touch_id, p.person_id, p.account_id, e.occurred_at, CAST(e.occurred_at AS DATE) AS touch_date,
  CASE WHEN s.form THEN 'form' ELSE 'visit' END AS kind,
  CASE
    WHEN e.utm_medium = 'cpc' THEN 'Paid Search' WHEN e.utm_medium = 'paid_social' THEN 'Paid Social'
    WHEN e.utm_medium = 'email' THEN 'Email' WHEN e.referrer_domain = 'google.com' THEN 'Organic Search'
    WHEN e.referrer_domain = 'linkedin.com' THEN 'Organic Social' WHEN e.referrer_domain IS NOT NULL THEN 'Referral'
    ELSE 'Direct' END AS channel,
  coalesce(e.utm_source, CASE e.referrer_domain WHEN 'google.com' THEN 'google' WHEN 'linkedin.com' THEN 'linkedin' END,
           e.referrer_domain, '(direct)') AS source,
  coalesce(e.utm_medium, CASE e.referrer_domain WHEN 'google.com' THEN 'organic' END,
           CASE WHEN e.referrer_domain IS NULL THEN '(none)' ELSE 'referral' END) AS medium,
  e.utm_campaign AS campaign, e.utm_content AS content, e.utm_term AS term, e.ad, e.keyword, e.landing_page,
  coalesce(e.utm_medium IN ('cpc', 'paid_social'), false) AS is_paid
FROM sessions s
JOIN events e ON e.event_id = s.touch_id
JOIN people p ON p.id_kind = 'anonymous' AND p.id_value = s.anonymous_id
"""

TOUCHPOINTS = (
    """
CREATE TABLE touchpoints AS
WITH stepped AS (
  SELECT
    event_id, occurred_at, anonymous_id, kind,
    concat_ws('|', utm_source, utm_medium, utm_campaign, utm_content, click_id) AS tags,
    lag(occurred_at) OVER device AS before_at,
    lag(tags) OVER (PARTITION BY anonymous_id, tags <> '' ORDER BY occurred_at, event_id) AS tags_before
  FROM events
  WINDOW device AS (PARTITION BY anonymous_id ORDER BY occurred_at, event_id)
),
numbered AS (
  SELECT
    event_id, anonymous_id, kind, occurred_at,
    before_at IS NULL OR epoch(occurred_at) - epoch(before_at) > 1800 OR (tags <> '' AND tags IS DISTINCT FROM tags_before) AS starts,
    sum(starts::INT) OVER (PARTITION BY anonymous_id ORDER BY occurred_at, event_id ROWS UNBOUNDED PRECEDING) AS number
  FROM stepped
),
sessions AS (
  SELECT anonymous_id, max(event_id) FILTER (starts) AS touch_id, bool_or(kind = 'form') AS form
  FROM numbered GROUP BY anonymous_id, number
)
"""
    + TOUCHES_OF_SESSIONS
)

CONVERSIONS = """
CREATE TABLE conversions AS
WITH stages AS (
  SELECT deal_id, stage, min(changed_at) AS occurred_at, arg_max(amount, changed_at) AS amount,
    arg_max(account_id, changed_at) AS account, arg_max(contact_id, changed_at) AS contact_id
  FROM deals GROUP BY deal_id, stage
),
valued AS (
  SELECT
    CASE stage WHEN 'won' THEN 'customer' ELSE 'lead' END AS kind, deal_id, occurred_at,
    kind || ':' || deal_id AS conversion_id, p.person_id, coalesce('crm:' || account, p.account_id) AS account_id,
    CASE stage WHEN 'won' THEN CAST(floor(round(amount::DOUBLE * 100, 6) + 0.5) AS BIGINT) ELSE 0 END AS value_minor,
    min(occurred_at) FILTER (stage = 'lead') OVER (PARTITION BY deal_id) AS lead_at
  FROM stages JOIN people p ON p.id_kind = 'contact' AND p.id_value = contact_id
)
SELECT *, coalesce(account_id, person_id) AS subject_id, CAST(occurred_at AS DATE) AS conversion_date,
  kind = 'customer' AND row_number() OVER (PARTITION BY coalesce(account_id, person_id), kind ORDER BY occurred_at, conversion_id) = 1
    AS is_new_customer
FROM valued
"""

JOURNEYS = """
CREATE TEMP TABLE members AS
  SELECT conversion_id, person_id FROM conversions
  UNION
  SELECT c.conversion_id, p.person_id FROM conversions c JOIN people p USING (account_id);
CREATE TABLE journeys AS
SELECT
  c.conversion_id AS path_id, c.conversion_id, t.touch_id, row_number() OVER path AS position,
  count(*) OVER (PARTITION BY c.conversion_id) AS length,
  (epoch(c.occurred_at) - epoch(t.occurred_at)) / 86400.0 AS days_before, t.occurred_at, c.occurred_at AS converted_at,
  t.kind, t.channel, t.is_paid,
  row_number() OVER path = count(*) FILTER (t.occurred_at <= c.lead_at) OVER (PARTITION BY c.conversion_id) AS is_lead_touch
FROM conversions c JOIN members m USING (conversion_id) JOIN touchpoints t ON t.person_id = m.person_id
WHERE t.occurred_at <= c.occurred_at
  AND epoch(c.occurred_at) - epoch(t.occurred_at) <= CASE c.kind WHEN 'lead' THEN 90 ELSE 365 END * 86400
WINDOW path AS (PARTITION BY c.conversion_id ORDER BY t.occurred_at, t.touch_id);
INSERT INTO journeys
WITH closed AS (
  SELECT m.person_id, max(c.occurred_at) AS closed_at FROM members m JOIN conversions c USING (conversion_id) GROUP BY m.person_id
),
open AS (
  SELECT t.*, 'open:' || coalesce(t.account_id, t.person_id) AS path_id
  FROM touchpoints t LEFT JOIN closed k USING (person_id) WHERE k.closed_at IS NULL OR t.occurred_at > k.closed_at
)
SELECT
  path_id, NULL, touch_id, row_number() OVER (PARTITION BY path_id ORDER BY occurred_at, touch_id),
  count(*) OVER (PARTITION BY path_id), (epoch(max(occurred_at) OVER (PARTITION BY path_id)) - epoch(occurred_at)) / 86400.0,
  occurred_at, NULL, kind, channel, is_paid, false
FROM open
"""


def _spread(marks: dict[str, float]) -> str:
    places = {"first": "position = 1", "last": "position = length", "lead": "is_lead_touch"}
    marks = {mark: share for mark, share in marks.items() if mark in places or mark == "opportunity"}
    rest = round(1 - sum(marks.values()), 12)
    held = {mark: share for mark, share in marks.items() if mark != "opportunity"}
    weight = " + ".join(f"CASE WHEN {places[mark]} THEN {share} ELSE 0 END" for mark, share in held.items())
    if rest <= 0:
        return weight
    marked = "(" + " OR ".join(places[mark] for mark in dict.fromkeys(["first", *held])) + ")"
    return f"CASE WHEN {marked} THEN {weight} ELSE {rest} / count(*) FILTER (NOT {marked}) OVER path END"


_LAST_PAID = "max(CASE WHEN is_paid THEN position ELSE 0 END) OVER path"
_LAST_NAMED = "max(CASE WHEN channel <> 'Direct' THEN position ELSE 0 END) OVER path"

WEIGHTS = {
    "first_touch": "CASE WHEN position = 1 THEN 1.0 ELSE 0 END",
    "last_touch": "CASE WHEN position = length THEN 1.0 ELSE 0 END",
    "last_non_direct": f"CASE WHEN position = coalesce(nullif({_LAST_NAMED}, 0), length) THEN 1.0 ELSE 0 END",
    "last_paid": f"CASE WHEN position = coalesce(nullif({_LAST_PAID}, 0), nullif({_LAST_NAMED}, 0), length) THEN 1.0 ELSE 0 END",
    "linear": "1.0",
    "position_based": _spread({"first": 0.4, "last": 0.4}),
    "time_decay": "0.5 ** (days_before / 7.0)",
    "u_shaped": _spread({"first": 0.5, "lead": 0.5}),
    "w_shaped": _spread({"first": 0.3, "lead": 0.3, "opportunity": 0.3}),
    "full_path": _spread({"first": 0.225, "lead": 0.225, "opportunity": 0.225, "last": 0.225}),
    "j_shaped": _spread({"first": 0.2, "last": 0.6}),
    "inverse_j": _spread({"first": 0.6, "last": 0.2}),
}

CREDITS = """
INSERT INTO credits
WITH weighed AS (
  SELECT conversion_id, touch_id, position, CAST({weight} AS DOUBLE) AS weight
  FROM journeys WHERE conversion_id IS NOT NULL
  WINDOW path AS (PARTITION BY conversion_id)
),
shared AS (
  SELECT conversion_id, w.touch_id, w.position, c.value_minor,
    coalesce(w.weight, 1) / sum(coalesce(w.weight, 1)) OVER (PARTITION BY conversion_id) AS share
  FROM conversions c LEFT JOIN (FROM weighed WHERE weight > 0) w USING (conversion_id)
),
cut AS (
  SELECT *, round(value_minor * share, 6) AS exact, CAST(floor(exact) AS BIGINT) AS whole, round(exact - whole, 6) AS fraction
  FROM shared
)
SELECT '{name}', conversion_id, touch_id, share,
  whole + CASE WHEN row_number() OVER (PARTITION BY conversion_id ORDER BY fraction DESC, position)
    <= value_minor - sum(whole) OVER (PARTITION BY conversion_id) THEN 1 ELSE 0 END
FROM cut
"""

PERFORMANCE = """
CREATE TABLE costs AS
SELECT spend_date, campaign, ad, content, CAST(floor(round(cost::DOUBLE * 100, 6) + 0.5) AS BIGINT) AS cost_minor, impressions, clicks
FROM (SELECT *, row_number() OVER (PARTITION BY spend_date, platform, ad_account, campaign, ad_group, ad, keyword ORDER BY synced_at DESC) AS r FROM spend)
WHERE r = 1;
CREATE TABLE performance AS
WITH earned AS (
  SELECT k.model, c.conversion_date, t.touch_date, coalesce(t.channel, 'Unattributed') AS channel, t.source, t.medium,
    t.campaign, t.content, t.ad, t.keyword, t.landing_page, k.value_minor, k.share, c.kind, c.is_new_customer
  FROM credits k JOIN conversions c USING (conversion_id) LEFT JOIN touchpoints t USING (touch_id)
),
dated AS (
  SELECT conversion_date AS date, 'conversion' AS basis, * FROM earned
  UNION ALL SELECT coalesce(touch_date, conversion_date), 'touch', * FROM earned
  UNION ALL
  SELECT e.touch_date, 'spend', e.* FROM earned e
  SEMI JOIN (SELECT DISTINCT spend_date, campaign FROM costs) s ON s.spend_date = e.touch_date AND s.campaign = e.campaign
  WHERE e.channel = 'Paid Search'
)
SELECT date, basis, model, channel, source, medium, campaign, content, ad, keyword, landing_page,
  sum(CASE kind WHEN 'lead' THEN share ELSE 0 END) AS leads, sum(CASE WHEN is_new_customer THEN share ELSE 0 END) AS customers,
  sum(CASE kind WHEN 'customer' THEN share ELSE 0 END) AS sales, sum(value_minor) AS revenue_minor
FROM dated GROUP BY ALL
UNION ALL
SELECT spend_date, '', '', 'Paid Search', 'google', 'cpc', campaign, content, ad, NULL, NULL, sum(cost_minor), sum(impressions), sum(clicks), 0
FROM costs GROUP BY ALL
UNION ALL
SELECT touch_date, '', '', channel, source, medium, campaign, content, ad, keyword, landing_page, count(*), 0, 0, 0
FROM touchpoints GROUP BY ALL
"""


def main(path: str, memory: str) -> None:
    """Run the script on the warehouse at `path`, printing a line `stage seconds` for each."""
    door = duckdb.connect(path, config={"memory_limit": memory})
    door.execute("SET enable_progress_bar_print = false; SET preserve_insertion_order = false")
    started = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal started
        now = time.perf_counter()
        print(stage, round(now - started, 3), flush=True)
        started = now

    door.execute(PEOPLE_TIES)
    while True:
        door.execute(PEOPLE_STEP)
        changed = door.execute(
            "SELECT count(*) FROM next_labels JOIN labels USING (node) WHERE next_labels.label <> labels.label"
        )
        settled = changed.fetchall() == [(0,)]
        door.execute("DROP TABLE labels; ALTER TABLE next_labels RENAME TO labels")
        if settled:
            break
    door.execute(PEOPLE)
    lap("people")
    door.execute(TOUCHPOINTS)
    lap("touchpoints")
    door.execute(CONVERSIONS)
    lap("conversions")
    door.execute(JOURNEYS)
    lap("journeys")
    door.execute(
        "CREATE TABLE credits (model VARCHAR, conversion_id VARCHAR, touch_id VARCHAR, share DOUBLE, value_minor BIGINT)"
    )
    for name, weight in WEIGHTS.items():
        door.execute(CREDITS.format(name=name, weight=weight))
    lap("credits")
    door.execute(PERFORMANCE)
    lap("performance")
    door.execute("CHECKPOINT")
    lap("checkpoint")


if __name__ == "__main__":
    main(*sys.argv[1:3])
