// Tell one small story with @plausible-analytics/tracker in a page: `collector` holds the address and the write key.
import { init, track } from "@plausible-analytics/tracker";

const { url, key } = window.collector;
init({ domain: key, endpoint: `${url}/api/event`, captureOnLocalhost: true });
track("purchase", { props: { plan: "pro" }, revenue: { amount: 199.5, currency: "EUR" } });
