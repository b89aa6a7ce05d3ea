-- A workspace of schema 1, as its first release wrote it. Never change this file: later releases must open it.

CREATE TABLE events (
  event_id VARCHAR NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  kind VARCHAR NOT NULL,
  name VARCHAR,
  anonymous_id VARCHAR,
  user_id VARCHAR,
  contact_id VARCHAR,
  email_hash VARCHAR,
  email_domain VARCHAR,
  phone_hash VARCHAR,
  group_id VARCHAR,
  session_key VARCHAR,
  url VARCHAR,
  referrer VARCHAR,
  referrer_domain VARCHAR,
  landing_page VARCHAR,
  utm_source VARCHAR,
  utm_medium VARCHAR,
  utm_campaign VARCHAR,
  utm_content VARCHAR,
  utm_term VARCHAR,
  click_id_kind VARCHAR,
  click_id VARCHAR,
  ad VARCHAR,
  keyword VARCHAR,
  value DECIMAL(18, 6),
  currency VARCHAR,
  consent_analytics BOOLEAN,
  consent_ads BOOLEAN,
  device VARCHAR,
  country VARCHAR,
  bot_reason VARCHAR,
  properties VARCHAR,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO events VALUES ('e1', '2026-01-05 11:00:00', 'page', NULL, 'browser-ann', NULL, 'ann', NULL, NULL, NULL, NULL, NULL, 'https://shop.example/offer', NULL, NULL, '/offer', 'google', 'cpc', 'brand', NULL, NULL, 'gclid', 'x1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd1', '2026-01-01 00:00:00');
INSERT INTO events VALUES ('e2', '2026-01-20 11:00:00', 'page', NULL, 'browser-ann', NULL, 'ann', NULL, NULL, NULL, NULL, NULL, 'https://shop.example/offer', NULL, NULL, '/offer', 'news', 'email', 'january', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd1', '2026-01-01 00:00:00');
INSERT INTO events VALUES ('e3', '2026-02-10 11:00:00', 'page', NULL, 'browser-ann', NULL, 'ann', NULL, NULL, NULL, NULL, NULL, 'https://shop.example/offer', NULL, NULL, '/offer', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd1', '2026-01-01 00:00:00');
INSERT INTO events VALUES ('e4', '2026-02-13 11:00:00', 'page', NULL, 'browser-ann', NULL, 'ann', NULL, NULL, NULL, NULL, NULL, 'https://shop.example/offer', NULL, NULL, '/offer', 'news', 'email', 'february', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd1', '2026-01-01 00:00:00');
INSERT INTO events VALUES ('e5', '2026-02-20 11:00:00', 'page', NULL, 'browser-bob', NULL, 'bob', NULL, NULL, NULL, NULL, NULL, 'https://shop.example/offer', NULL, NULL, '/offer', 'google', 'cpc', 'brand', NULL, NULL, 'gclid', 'x1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'd1', '2026-01-01 00:00:00');

CREATE TABLE links (
  left_kind VARCHAR NOT NULL,
  left_value VARCHAR NOT NULL,
  right_kind VARCHAR NOT NULL,
  right_value VARCHAR NOT NULL,
  observed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO links VALUES ('anonymous', 'browser-ann', 'user', 'u-ann', '2026-01-06 00:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE contacts (
  contact_id VARCHAR NOT NULL,
  email_hash VARCHAR,
  email_domain VARCHAR,
  phone_hash VARCHAR,
  user_id VARCHAR,
  customer_id VARCHAR,
  account_id VARCHAR,
  lifecycle_stage VARCHAR,
  owner VARCHAR,
  attributes VARCHAR,
  changed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO contacts VALUES ('ann', NULL, NULL, NULL, NULL, NULL, 'A1', NULL, NULL, NULL, '2026-01-01 00:00:00', NULL, 'test', '2026-01-01 00:00:00');
INSERT INTO contacts VALUES ('bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-01-01 00:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE accounts (
  account_id VARCHAR NOT NULL,
  name VARCHAR,
  domain VARCHAR,
  industry VARCHAR,
  segment VARCHAR,
  country VARCHAR,
  size VARCHAR,
  owner VARCHAR,
  attributes VARCHAR,
  changed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO accounts VALUES ('A1', 'ACME', NULL, 'Software', NULL, NULL, NULL, NULL, NULL, '2026-01-01 00:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE deals (
  deal_id VARCHAR NOT NULL,
  name VARCHAR,
  account_id VARCHAR,
  contact_id VARCHAR,
  stage VARCHAR,
  amount DECIMAL(18, 6),
  currency VARCHAR,
  lost_reason VARCHAR,
  owner VARCHAR,
  attributes VARCHAR,
  changed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO deals VALUES ('D1', NULL, 'A1', 'ann', 'lead', '0.000000', 'EUR', NULL, NULL, NULL, '2026-01-21 11:00:00', NULL, 'test', '2026-01-01 00:00:00');
INSERT INTO deals VALUES ('D1', NULL, 'A1', 'ann', 'won', '1000.000000', 'EUR', NULL, NULL, NULL, '2026-02-11 11:00:00', NULL, 'test', '2026-01-01 00:00:00');
INSERT INTO deals VALUES ('D2', NULL, NULL, 'bob', 'lead', '0.000000', 'EUR', NULL, NULL, NULL, '2026-02-01 11:00:00', NULL, 'test', '2026-01-01 00:00:00');
INSERT INTO deals VALUES ('D2', NULL, NULL, 'bob', 'won', '500.000000', 'EUR', NULL, NULL, NULL, '2026-02-15 11:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE deal_contacts (
  deal_id VARCHAR NOT NULL,
  contact_id VARCHAR NOT NULL,
  role VARCHAR,
  changed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO deal_contacts VALUES ('D1', 'ann', NULL, '2026-01-21 11:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE orders (
  order_id VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  sale_id VARCHAR,
  customer_id VARCHAR,
  user_id VARCHAR,
  contact_id VARCHAR,
  account_id VARCHAR,
  email_hash VARCHAR,
  email_domain VARCHAR,
  phone_hash VARCHAR,
  amount DECIMAL(18, 6) NOT NULL,
  margin DECIMAL(18, 6),
  currency VARCHAR,
  occurred_at TIMESTAMP NOT NULL,
  changed_at TIMESTAMP NOT NULL,
  deleted BOOLEAN,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO orders VALUES ('O1', 'order', NULL, NULL, NULL, 'bob', NULL, NULL, NULL, NULL, '12.500000', NULL, 'USD', '2026-03-01 10:00:00', '2026-03-01 10:00:00', NULL, 'test', '2026-01-01 00:00:00');

CREATE TABLE spend (
  spend_date DATE NOT NULL,
  platform VARCHAR NOT NULL,
  ad_account VARCHAR,
  campaign VARCHAR,
  ad_group VARCHAR,
  ad VARCHAR,
  keyword VARCHAR,
  source VARCHAR,
  medium VARCHAR,
  landing_page VARCHAR,
  content VARCHAR,
  cost DECIMAL(18, 6) NOT NULL,
  currency VARCHAR,
  impressions BIGINT,
  clicks BIGINT,
  platform_conversions DOUBLE,
  synced_at TIMESTAMP NOT NULL,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO spend VALUES ('2026-01-05', 'google_ads', NULL, 'brand', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '40.000000', 'EUR', 400, 4, NULL, '2026-01-06 00:00:00', 'test', '2026-01-01 00:00:00');

CREATE TABLE fx_rates (
  rate_date DATE NOT NULL,
  currency VARCHAR NOT NULL,
  base_currency VARCHAR NOT NULL,
  rate DOUBLE NOT NULL,
  origin VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO fx_rates VALUES ('2026-03-01', 'USD', 'EUR', 0.9, 'test', '2026-01-01 00:00:00');

CREATE TABLE deliveries (
  delivery_id VARCHAR NOT NULL,
  file VARCHAR NOT NULL,
  table_name VARCHAR NOT NULL,
  mapping VARCHAR,
  received_at TIMESTAMP NOT NULL,
  rows_read BIGINT NOT NULL,
  facts_added BIGINT NOT NULL,
  facts_known BIGINT NOT NULL,
  rows_refused BIGINT NOT NULL
);
INSERT INTO deliveries VALUES ('d1', 'events.csv', 'events', '', '2026-01-01 00:00:00', 5, 5, 0, 0);

CREATE TABLE quarantine (
  delivery_id VARCHAR NOT NULL,
  file VARCHAR NOT NULL,
  row_number BIGINT NOT NULL,
  table_name VARCHAR NOT NULL,
  column_name VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  raw VARCHAR NOT NULL,
  received_at TIMESTAMP NOT NULL
);
INSERT INTO quarantine VALUES ('d1', 'events.csv', 7, 'events', 'occurred_at', '"x" is no time', '{"event_id":"e9"}', '2026-01-01 00:00:00');

CREATE TABLE vault (
  id_kind VARCHAR NOT NULL,
  id_hash VARCHAR NOT NULL,
  raw_value VARCHAR NOT NULL
);
INSERT INTO vault VALUES ('email', 'h', 'ann@acme.example');

CREATE TABLE runs (
  run_id BIGINT NOT NULL,
  stage VARCHAR NOT NULL,
  fingerprint VARCHAR NOT NULL,
  finished_at TIMESTAMP NOT NULL,
  rows BIGINT NOT NULL,
  seconds DOUBLE NOT NULL
);

CREATE TABLE workspace (
  name VARCHAR NOT NULL,
  value VARCHAR NOT NULL
);
INSERT INTO workspace VALUES ('schema_version', '1');
