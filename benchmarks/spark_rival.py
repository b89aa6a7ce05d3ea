"""The rival of a refresh on a cluster: Spark SQL written by hand for exactly the facts of `benchmarks.facts`.

The same stages as `benchmarks.rival`, statement by statement, on the same cluster, with the same settings, from the
same Parquet parts of the lake, and each table written as Parquet. It must come to the same numbers.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rival import TOUCHES_OF_SESSIONS, WEIGHTS
from benchmarks.spark_stages import Laps
from tieback.store.lake import Lake
from tieback.store.lake_files import LocalFiles
from tieback.store.spark_session import address, connected

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TIES = """
WITH seen AS (
  SELECT DISTINCT concat('anonymous:', anonymous_id) AS a, concat('email:', email_hash) AS b
  FROM events WHERE email_hash IS NOT NULL
  UNION
  SELECT concat('contact:', contact_id), concat('email:', email_hash) FROM contacts
)
SELECT a, b FROM seen UNION ALL SELECT b, a FROM seen
"""

LABELS = "SELECT a AS node, least(a, min(b)) AS label FROM ties GROUP BY a"

NEXT_LABELS = """
SELECT l.node, least(l.label, min(n.label)) AS label
FROM labels l JOIN ties t ON t.a = l.node JOIN labels n ON n.node = t.b GROUP BY l.node, l.label
"""

PEOPLE = """
WITH found AS (
  SELECT DISTINCT 'anonymous' AS id_kind, anonymous_id AS id_value FROM events
  UNION ALL SELECT 'email', email_hash FROM contacts
  UNION ALL SELECT 'contact', contact_id FROM contacts
),
placed AS (
  SELECT f.*, coalesce(l.label, concat(id_kind, ':', id_value)) AS person_id
  FROM found f LEFT JOIN labels l ON l.node = concat(id_kind, ':', id_value)
),
companies AS (SELECT email_domain FROM contacts GROUP BY email_domain HAVING count(*) <= 1000),
accounts AS (
  SELECT p.person_id, coalesce(concat('crm:', c.account_id), concat('domain:', k.email_domain)) AS account_id
  FROM contacts c JOIN placed p ON p.id_kind = 'contact' AND p.id_value = c.contact_id
  LEFT JOIN companies k ON k.email_domain = c.email_domain
)
SELECT p.*, a.account_id FROM placed p LEFT JOIN accounts a ON p.person_id = a.person_id
"""

TOUCHPOINTS = (
    """
WITH tagged AS (
  SELECT event_id, occurred_at, anonymous_id, kind,
    concat_ws('|', utm_source, utm_medium, utm_campaign, utm_content, click_id) AS tags
  FROM events
),
stepped AS (
  SELECT *, lag(occurred_at) OVER (PARTITION BY anonymous_id ORDER BY occurred_at, event_id) AS before_at,
    lag(tags) OVER (PARTITION BY anonymous_id, tags <> '' ORDER BY occurred_at, event_id) AS tags_before
  FROM tagged
),
starting AS (
  SELECT *, before_at IS NULL OR timestampdiff(MICROSECOND, before_at, occurred_at) > 1800000000
    OR (tags <> '' AND NOT tags <=> tags_before) AS starts
  FROM stepped
),
numbered AS (
  SELECT *, sum(int(starts)) OVER (
    PARTITION BY anonymous_id ORDER BY occurred_at, event_id ROWS UNBOUNDED PRECEDING) AS number
  FROM starting
),
sessions AS (
  SELECT anonymous_id, max(event_id) FILTER (WHERE starts) AS touch_id, bool_or(kind = 'form') AS form
  FROM numbered GROUP BY anonymous_id, number
)
"""
    + TOUCHES_OF_SESSIONS
)

CONVERSIONS = """
WITH stages AS (
  SELECT deal_id, stage, min(changed_at) AS occurred_at, max_by(amount, changed_at) AS amount,
    max_by(account_id, changed_at) AS account, max_by(contact_id, changed_at) AS contact_id
  FROM deals GROUP BY deal_id, stage
),
named AS (SELECT *, CASE stage WHEN 'won' THEN 'customer' ELSE 'lead' END AS kind FROM stages),
valued AS (
  SELECT kind, deal_id, occurred_at, concat(kind, ':', deal_id) AS conversion_id, p.person_id,
    coalesce(concat('crm:', account), p.account_id) AS account_id,
    CASE stage WHEN 'won' THEN CAST(floor(round(CAST(amount AS DOUBLE) * 100, 6) + 0.5) AS BIGINT) ELSE 0 END
      AS value_minor,
    min(CASE stage WHEN 'lead' THEN occurred_at END) OVER (PARTITION BY deal_id) AS lead_at
  FROM named JOIN people p ON p.id_kind = 'contact' AND p.id_value = contact_id
)
SELECT *, coalesce(account_id, person_id) AS subject_id, CAST(occurred_at AS DATE) AS conversion_date,
  kind = 'customer' AND row_number() OVER (
    PARTITION BY coalesce(account_id, person_id), kind ORDER BY occurred_at, conversion_id) = 1 AS is_new_customer
FROM valued
"""

MEMBERS = """
SELECT conversion_id, person_id FROM conversions
UNION
SELECT c.conversion_id, p.person_id FROM conversions c JOIN people p ON c.account_id = p.account_id
"""

_SECONDS = "(unix_micros(CAST({0} AS TIMESTAMP)) - unix_micros(CAST({1} AS TIMESTAMP))) / CAST(1000000 AS DOUBLE)"

JOURNEYS = f"""
WITH met AS (
  SELECT c.conversion_id, c.occurred_at AS converted_at, c.lead_at, t.touch_id, t.occurred_at, t.kind, t.channel,
    t.is_paid, {_SECONDS.format("c.occurred_at", "t.occurred_at")} AS seconds,
    CASE c.kind WHEN 'lead' THEN 90 ELSE 365 END * 86400 AS lookback
  FROM conversions c JOIN members m ON m.conversion_id = c.conversion_id JOIN touchpoints t ON t.person_id = m.person_id
  WHERE t.occurred_at <= c.occurred_at
),
placed AS (
  SELECT *, row_number() OVER path AS position, count(*) OVER whole AS length,
    sum(CASE WHEN occurred_at <= lead_at THEN 1 ELSE 0 END) OVER whole AS until_lead
  FROM met WHERE seconds <= lookback
  WINDOW path AS (PARTITION BY conversion_id ORDER BY occurred_at, touch_id), whole AS (PARTITION BY conversion_id)
),
closed AS (
  SELECT m.person_id, max(c.occurred_at) AS closed_at
  FROM members m JOIN conversions c ON c.conversion_id = m.conversion_id GROUP BY m.person_id
),
open AS (
  SELECT t.*, concat('open:', coalesce(t.account_id, t.person_id)) AS path_id
  FROM touchpoints t LEFT JOIN closed k ON k.person_id = t.person_id
  WHERE k.closed_at IS NULL OR t.occurred_at > k.closed_at
),
open_placed AS (
  SELECT *, row_number() OVER (PARTITION BY path_id ORDER BY occurred_at, touch_id) AS position,
    count(*) OVER (PARTITION BY path_id) AS length, max(occurred_at) OVER (PARTITION BY path_id) AS ended_at
  FROM open
)
SELECT conversion_id AS path_id, conversion_id, touch_id, position, length, seconds / 86400.0D AS days_before,
  occurred_at, converted_at, kind, channel, is_paid, position = until_lead AS is_lead_touch
FROM placed
UNION ALL
SELECT path_id, NULL, touch_id, position, length, {_SECONDS.format("ended_at", "occurred_at")} / 86400.0D,
  occurred_at, NULL, kind, channel, is_paid, false
FROM open_placed
"""

CREDITS = """
WITH weighed AS (
  SELECT conversion_id, touch_id, position, CAST({weight} AS DOUBLE) AS weight
  FROM journeys WHERE conversion_id IS NOT NULL
  WINDOW path AS (PARTITION BY conversion_id)
),
shared AS (
  SELECT c.conversion_id, w.touch_id, w.position, c.value_minor,
    coalesce(w.weight, 1) / sum(coalesce(w.weight, 1)) OVER (PARTITION BY c.conversion_id) AS share
  FROM conversions c LEFT JOIN (SELECT * FROM weighed WHERE weight > 0) w ON w.conversion_id = c.conversion_id
),
exactly AS (SELECT *, round(value_minor * share, 6) AS exact FROM shared),
cut AS (
  SELECT *, CAST(floor(exact) AS BIGINT) AS whole, round(exact - floor(exact), 6) AS fraction FROM exactly
)
SELECT '{name}' AS model, conversion_id, touch_id, share,
  whole + CASE WHEN row_number() OVER (PARTITION BY conversion_id ORDER BY fraction DESC, position)
    <= value_minor - sum(whole) OVER (PARTITION BY conversion_id) THEN 1 ELSE 0 END AS value_minor
FROM cut
"""

COSTS = """
WITH latest AS (
  SELECT *, row_number() OVER (
    PARTITION BY spend_date, platform, ad_account, campaign, ad_group, ad, keyword ORDER BY synced_at DESC) AS r
  FROM spend
)
SELECT spend_date, campaign, ad, content, impressions, clicks,
  CAST(floor(round(CAST(cost AS DOUBLE) * 100, 6) + 0.5) AS BIGINT) AS cost_minor
FROM latest WHERE r = 1
"""

PERFORMANCE = """
WITH earned AS (
  SELECT k.model, c.conversion_date, t.touch_date, coalesce(t.channel, 'Unattributed') AS channel, t.source, t.medium,
    t.campaign, t.content, t.ad, t.keyword, t.landing_page, k.value_minor, k.share, c.kind, c.is_new_customer
  FROM credits k JOIN conversions c ON c.conversion_id = k.conversion_id
  LEFT JOIN touchpoints t ON t.touch_id = k.touch_id
),
dated AS (
  SELECT conversion_date AS date, 'conversion' AS basis, * FROM earned
  UNION ALL SELECT coalesce(touch_date, conversion_date), 'touch', * FROM earned
  UNION ALL
  SELECT e.touch_date, 'spend', e.* FROM earned e
  LEFT SEMI JOIN costs s ON s.spend_date = e.touch_date AND s.campaign = e.campaign
  WHERE e.channel = 'Paid Search'
)
SELECT date, basis, model, channel, source, medium, campaign, content, ad, keyword, landing_page,
  sum(CASE kind WHEN 'lead' THEN share ELSE 0 END) AS leads,
  sum(CASE WHEN is_new_customer THEN share ELSE 0 END) AS customers,
  sum(CASE kind WHEN 'customer' THEN share ELSE 0 END) AS sales, sum(value_minor) AS revenue_minor
FROM dated GROUP BY date, basis, model, channel, source, medium, campaign, content, ad, keyword, landing_page
UNION ALL
SELECT spend_date, '', '', 'Paid Search', 'google', 'cpc', campaign, content, ad, NULL, NULL,
  sum(cost_minor), sum(impressions), sum(clicks), 0
FROM costs GROUP BY spend_date, campaign, content, ad
UNION ALL
SELECT touch_date, '', '', channel, source, medium, campaign, content, ad, keyword, landing_page, count(*), 0, 0, 0
FROM touchpoints GROUP BY touch_date, channel, source, medium, campaign, content, ad, keyword, landing_page
"""


class _Script:
    """A session of Spark, and the folder in which it writes one Parquet folder for each table."""

    def __init__(self, session: SparkSession, place: Path) -> None:
        self._session = session
        self._place = place

    def facts(self, lake: Lake) -> None:
        """See the facts of `lake` where they lie."""
        for name in ("events", "contacts", "deals", "spend"):
            paths = [lake.uri(part.path) for part in lake.tables[name].parts]
            self._session.read.parquet(*paths).createOrReplaceTempView(name)

    def write(self, name: str, select: str, *, mode: str = "overwrite") -> None:
        """Make the table `name`, or add to it, and see it under its name."""
        path = str(self._place / name)
        self._session.sql(select).write.mode(mode).parquet(path)
        self._session.read.parquet(path).createOrReplaceTempView(name)

    def settle(self) -> None:
        """Give the tied identifiers of each person one label."""
        self.write("ties", TIES)
        self.write("labels", LABELS)
        turn, moved = 0, True
        while moved:
            turn += 1
            path = str(self._place / f"labels-{turn}")
            self._session.sql(NEXT_LABELS).write.parquet(path)
            following = self._session.read.parquet(path)
            following.createOrReplaceTempView("next_labels")
            changed = "SELECT 1 FROM next_labels n JOIN labels l ON l.node = n.node WHERE l.label <> n.label LIMIT 1"
            moved = bool(self._session.sql(changed).count())
            following.createOrReplaceTempView("labels")


def main(url: str, place: Path) -> None:
    """Run the script on the facts of the lake that `url` names, printing a line for each stage."""
    shutil.rmtree(place, ignore_errors=True)
    where = address(url)
    script = _Script(connected(where), place)
    script.facts(Lake(LocalFiles(where.lake), read_only=True))
    laps = Laps()
    script.settle()
    script.write("people", PEOPLE)
    laps.end("people")
    script.write("touchpoints", TOUCHPOINTS)
    laps.end("touchpoints")
    script.write("costs", COSTS)
    laps.end("costs")
    script.write("conversions", CONVERSIONS)
    laps.end("conversions")
    script.write("members", MEMBERS)
    script.write("journeys", JOURNEYS)
    laps.end("journeys")
    for name, weight in WEIGHTS.items():
        script.write("credits", CREDITS.format(name=name, weight=_for_spark(weight)), mode="append")
    laps.end("credits")
    script.write("performance", PERFORMANCE)
    laps.end("performance")
    laps.close()


def _for_spark(weight: str) -> str:
    """A weight of `benchmarks.rival` in Spark's words: no FILTER over a window, no `**`, and fractions are doubles."""
    text = weight.replace("count(*) FILTER ", "count_if")
    text = re.sub(r"(\S+) \*\* (\(.*\))", r"power(\1, \2)", text)
    return re.sub(r"\b(\d+\.\d+)\b", r"\1D", text)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
