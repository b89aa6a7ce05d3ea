"""`python -m benchmarks.event_rows ROWS FILE`: a CSV of page views, the same for the same number."""

import sys

import duckdb

EVENT_ROWS = """
  SELECT
    'e' || lpad(CAST(range AS VARCHAR), 10, '0') AS event_id,
    strftime(TIMESTAMP '2025-01-01' + CAST(hash(range) % 31536000 AS INT) * INTERVAL 1 SECOND, '%Y-%m-%dT%H:%M:%SZ') AS occurred_at,
    'page' AS kind, 'page' AS name, 'a' || (hash(range * 7) % 1500000) AS anonymous_id,
    CASE WHEN range % 20 = 0 THEN 'u' || (hash(range * 7) % 1000000) END AS user_id,
    'https://www.acme.example/' || ['', 'pricing', 'blog/a-post', 'features', 'demo', 'signup'][1 + CAST(hash(range * 3) % 6 AS INT)]
      || CASE hash(range * 11) % 4
           WHEN 0 THEN '?utm_source=google&utm_medium=cpc&utm_campaign=brand-' || (hash(range * 13) % 40) || '&gclid=Cj0KC' || range
           WHEN 1 THEN '?utm_source=newsletter&utm_medium=email&utm_campaign=c' || (hash(range * 13) % 40) ELSE '' END AS url,
    CASE hash(range * 17) % 5 WHEN 0 THEN 'https://www.google.com/' WHEN 1 THEN 'https://www.linkedin.com/feed' END AS referrer
  FROM range({rows})
"""

rows, file = sys.argv[1:3]
door = duckdb.connect()
door.execute("SET enable_progress_bar_print = false")
door.execute(f"COPY ({EVENT_ROWS.format(rows=int(rows))}) TO '{file}' (HEADER)")
