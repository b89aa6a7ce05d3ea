// Sends a visit, a login and a purchase with posthog-node: SCRIPT BASE_URL WRITE_KEY.
import { PostHog } from "posthog-node";

const [baseUrl, writeKey] = process.argv.slice(2);
const client = new PostHog(writeKey, { host: baseUrl, disableGeoip: true });
const browser = "01890f5e-7b1a-7c3d-9e2f-1a2b3c4d5e6f";
const $current_url =
  "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123";
client.capture({
  distinctId: browser,
  event: "$pageview",
  properties: { $current_url, $referrer: "https://www.google.com/" },
});
client.identify({
  distinctId: "user-1",
  properties: { $anon_distinct_id: browser, $set: { email: "ada@example.com", plan: "team" } },
});
client.alias({ distinctId: "user-1", alias: browser });
client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { seats: 12 }, distinctId: "user-1" });
client.capture({
  distinctId: "user-1",
  event: "purchase",
  properties: { revenue: 49.5, currency: "EUR" },
  groups: { company: "acme" },
});
await client.shutdown();
