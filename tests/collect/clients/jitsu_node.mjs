// Tell one small story with @jitsu/js: `jitsu_node.mjs BASE_URL WRITE_KEY`.

import { jitsuAnalytics } from "@jitsu/js";

const [host, key] = process.argv.slice(2);
const writeKey = `${key}:any`; // the client insists on a second part
const url = "https://shop.example/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=G-1005";

const client = jitsuAnalytics({ host, writeKey, errorPolicy: "rethrow" });
await client.setAnonymousId("5f0c1d6e-jitsu-node");
await client.page("Pricing", { url, referrer: "https://www.google.com/", title: "Pricing" });
await client.identify("user-1005", { email: "ada@acme.example", phone: "+441632960001", plan: "pro" });
await client.group("acme", { name: "Acme", employees: 12 });
await client.track("Order Completed", { revenue: 199.5, currency: "EUR", order_id: "o-1" });
