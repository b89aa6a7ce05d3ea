// Tell one small story with @snowplow/browser-tracker in a page: `collector` holds the address and the write key.
import {
  newTracker,
  setUserId,
  trackPageView,
  trackSelfDescribingEvent,
  trackStructEvent,
} from "@snowplow/browser-tracker";

const { url, key } = window.collector;
newTracker("story", url, { appId: key });
trackPageView();
setUserId("user-1");
const elements = [{ name: "email", value: "ada@acme.example", nodeName: "INPUT", type: "email" }];
const schema = "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0";
trackSelfDescribingEvent({ event: { schema, data: { formId: "demo", formClasses: [], elements } } });
trackStructEvent({ category: "shop", action: "purchase", label: "order", value: 199.5 });
