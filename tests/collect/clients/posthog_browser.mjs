// Tell one small story with posthog-js in a page: `collector` holds the address and the write key.
import posthog from "posthog-js";

const { url, key } = window.collector;
posthog.init(key, { api_host: url });
await new Promise((seen) => posthog.on("eventCaptured", ({ event }) => event === "$pageview" && seen()));
posthog.identify("user-1", { email: "ada@acme.example", plan: "pro" });
posthog.capture("purchase", { revenue: 199.5, currency: "EUR" });
