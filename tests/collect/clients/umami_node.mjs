// Sends a visit, an event and an identify with @umami/node: SCRIPT BASE_URL WRITE_KEY. The key is the website id.
import { Umami } from "@umami/node";

const [hostUrl, websiteId] = process.argv.slice(2);
const umami = new Umami({ hostUrl, websiteId });
const url = "/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123";
const page = { hostname: "www.example.com", url, referrer: "https://www.google.com/", title: "Pricing", language: "en" };
const sent = [await umami.track(page)];
sent.push(await umami.track({ ...page, name: "purchase", data: { revenue: 49.5, currency: "EUR" } }));
sent.push(await umami.identify({ email: "ada@example.com", plan: "team" }));
for (const answer of sent) await answer.json();
