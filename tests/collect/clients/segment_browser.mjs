// Tell one small story with @segment/analytics-next in a page: `collector` holds the address and the write key.
import { AnalyticsBrowser } from "@segment/analytics-next";

const { url, key: writeKey } = window.collector;
const toCollector = { apiHost: `${new URL(url).host}/v1`, protocol: "http" };
const client = AnalyticsBrowser.load(
  { writeKey, cdnSettings: { integrations: { "Segment.io": { apiKey: writeKey, ...toCollector } } } },
  { integrations: { "Segment.io": toCollector } },
);
await client.page("Pricing");
await client.identify("user-1", { email: "ada@acme.example", plan: "pro" });
await client.track("Order Completed", { revenue: 199.5, currency: "EUR", order_id: "o-1" });
