// Sends a visit, a form and a purchase with @snowplow/node-tracker: SCRIPT BASE_URL WRITE_KEY. The key is the app id.
import { buildPageView, buildSelfDescribingEvent, buildStructEvent, newTracker } from "@snowplow/node-tracker";

const [baseUrl, writeKey] = process.argv.slice(2);
const tracker = newTracker({ namespace: "story", appId: writeKey }, { endpoint: baseUrl, bufferSize: 10 });
tracker.setPlatform("web");
tracker.setDomainUserId("b2f0a1d6-27a4-4a5c-9a0e-6d3b6c1f0e11");
tracker.setSessionId("6f1c2d3e-8d7b-4f52-9a44-0a4f3a1b2c3d");
const pageUrl = "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123";
tracker.track(buildPageView({ pageUrl, pageTitle: "Pricing", referrer: "https://www.google.com/" }));
tracker.setUserId("user-1");
const elements = [{ name: "email", value: "ada@example.com", nodeName: "INPUT", type: "email" }];
const schema = "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0";
tracker.track(buildSelfDescribingEvent({ event: { schema, data: { formId: "demo", formClasses: [], elements } } }));
tracker.track(buildStructEvent({ category: "shop", action: "purchase", label: "order", value: 49.5 }));
await tracker.flush();
