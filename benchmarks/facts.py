"""Facts of any size, made by the engine in one statement a table.

Ten touches a person over one year; every tenth person has a deal (lead, then won), so that there are a fifth as many
conversions as people. Every eighth person is a CRM contact known by e-mail on two browsers; the first of them share accounts by threes.
"""

from __future__ import annotations

from pathlib import Path

from tieback.schema import TABLES
from tieback.store import DuckDB

TOUCHES_A_PERSON = 10

_CHANNELS = """
  CASE hash(e) % 8 WHEN 0 THEN 'google' WHEN 1 THEN 'google' WHEN 2 THEN 'facebook' WHEN 3 THEN 'newsletter' END AS utm_source,
  CASE hash(e) % 8 WHEN 0 THEN 'cpc' WHEN 1 THEN 'cpc' WHEN 2 THEN 'paid_social' WHEN 3 THEN 'email' END AS utm_medium,
  CASE WHEN hash(e) % 8 < 4 THEN 'campaign-' || (hash(e * 3) % 40) END AS utm_campaign,
  CASE WHEN hash(e) % 8 < 4 THEN 'ad-' || (hash(e * 5) % 3) END AS utm_content,
  CASE WHEN hash(e) % 8 < 2 THEN 'gclid' END AS click_id_kind,
  CASE WHEN hash(e) % 8 < 2 THEN 'Cj0' || e END AS click_id,
  CASE hash(e) % 8 WHEN 4 THEN 'google.com' WHEN 5 THEN 'linkedin.com' WHEN 6 THEN 'blog.example' END AS referrer_domain
"""


def write_facts(path: Path, people: int) -> None:
    """A new warehouse at `path` with the facts of `people` people."""
    with DuckDB(path, memory="4GB") as store:
        _insert(store, "events", _events(people))
        _insert(store, "contacts", _contacts(people))
        _insert(store, "deals", _deals(people))
        _insert(store, "spend", _spend())
        store.execute("CHECKPOINT")


def _insert(store: DuckDB, name: str, select: str) -> None:
    columns = ", ".join(store.query(f"SELECT * FROM ({select}) LIMIT 0").schema.names)
    store.execute(
        f"INSERT INTO {TABLES[name].name} ({columns}, origin, received_at) SELECT *, 'bench', TIMESTAMP '2026-01-01' FROM ({select})"
    )


def _events(people: int) -> str:
    return f"""
    SELECT
      'e' || lpad(CAST(e AS VARCHAR), 10, '0') AS event_id,
      TIMESTAMP '2025-01-01' + CAST(hash(e * 7) % 31536000 AS INT) * INTERVAL 1 SECOND AS occurred_at,
      CASE WHEN is_form THEN 'form' ELSE 'page' END AS kind,
      CASE WHEN p % 8 = 0 AND e % 2 = 1 THEN 'b' ELSE 'a' END || p AS anonymous_id,
      CASE WHEN is_form THEN 'h' || p END AS email_hash,
      'https://acme.example/' AS url,
      '/page-' || (hash(e * 11) % 20) AS landing_page,
      {_CHANNELS}
    FROM (
      SELECT range AS e, range // {TOUCHES_A_PERSON} AS p, p % 8 = 0 AND range % {TOUCHES_A_PERSON} < 2 AS is_form
      FROM range({people * TOUCHES_A_PERSON})
    )
    """


def _contacts(people: int) -> str:
    return f"""
    SELECT
      'c' || p AS contact_id, 'h' || p AS email_hash, 'company-' || (p // 24) || '.example' AS email_domain,
      CASE WHEN p < {people // 4} THEN 'acc' || (p // 24) END AS account_id, TIMESTAMP '2025-06-01' AS changed_at
    FROM (SELECT range AS p FROM range(0, {people}, 8))
    """


def _deals(people: int) -> str:
    return f"""
    SELECT
      'd' || p AS deal_id, 'c' || (p - p % 8) AS contact_id,
      CASE WHEN p < {people // 4} THEN 'acc' || (p // 24) END AS account_id,
      stage, CAST(100 + hash(p) % 1000000 / 100.0 AS DECIMAL(18, 6)) AS amount, 'USD' AS currency,
      TIMESTAMP '2025-06-01' + CAST(hash(p * 13) % 15552000 AS INT) * INTERVAL 1 SECOND + days * INTERVAL 1 DAY AS changed_at
    FROM (SELECT range AS p FROM range(0, {people}, 10)), (VALUES ('lead', 0), ('won', 30)) AS stages (stage, days)
    """


def _spend() -> str:
    return """
    SELECT
      DATE '2025-01-01' + CAST(day AS INT) AS spend_date, 'google_ads' AS platform, 'campaign-' || campaign AS campaign,
      'ad-' || ad AS ad, 'ad-' || ad AS content, CAST(1 + (day * 7 + campaign * 3 + ad) % 50 AS DECIMAL(18, 6)) AS cost, 'USD' AS currency,
      1000 AS impressions, 20 AS clicks, TIMESTAMP '2026-01-01' AS synced_at
    FROM (SELECT range AS day FROM range(365)), (SELECT range AS campaign FROM range(40)), (SELECT range AS ad FROM range(3))
    """
