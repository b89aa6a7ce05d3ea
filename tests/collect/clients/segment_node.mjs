// Tell one small story with @segment/analytics-node: `segment_node.mjs BASE_URL WRITE_KEY`.

import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const anonymousId = "5f0c1d6e-segment-node";
const userId = "user-1003";
const url = "https://shop.example/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=G-1003";
const campaign = { source: "google", medium: "cpc", name: "spring" };

const client = new Analytics({ writeKey, host, maxRetries: 2 });
client.page({
  anonymousId,
  name: "Pricing",
  properties: { url, referrer: "https://www.google.com/", title: "Pricing" },
  context: { campaign, page: { url } },
});
client.identify({
  userId,
  anonymousId,
  traits: { email: "ada@acme.example", phone: "+441632960001", plan: "pro" },
});
client.group({ userId, groupId: "acme", traits: { name: "Acme", employees: 12 } });
client.track({
  userId,
  event: "Order Completed",
  properties: { revenue: 199.5, currency: "EUR", order_id: "o-1" },
});
client.alias({ previousId: anonymousId, userId });
await client.closeAndFlush();
