// Tell one small story with @rudderstack/analytics-js in a page: `collector` holds the address and the write key.
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

const { url, key } = window.collector;
// What RudderStack's control plane would say of the source: no destinations.
const source = { id: "shop", name: "shop", writeKey: key, enabled: true, workspaceId: "acme", destinations: [] };
const client = new RudderAnalytics();
client.load(key, url, { getSourceConfig: () => ({ source: { ...source, config: {} } }) });
client.page("Pricing");
client.identify("user-1", { email: "ada@acme.example", plan: "pro" });
client.track("Order Completed", { revenue: 199.5, currency: "EUR", order_id: "o-1" });
