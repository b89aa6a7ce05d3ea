// Sends a visit, an event, a goal and an order with matomo-tracker: SCRIPT BASE_URL WRITE_KEY. The key is the site id.
import http from "node:http";
import MatomoTracker from "matomo-tracker";

const [baseUrl, writeKey] = process.argv.slice(2);
const tracker = new MatomoTracker(writeKey, `${baseUrl}/matomo.php`);
tracker.on("error", (error) => {
  console.error(`refused: ${error}`);
  process.exitCode = 1;
});
// The client leaves an answer unread, and node would wait for it for ever.
const read = (heard) => (answer) => {
  heard(answer);
  answer.resume();
};
tracker.agent = { get: (address, heard) => http.get(address, read(heard)), request: http.request };
const url = "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123";
const ua = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const visitor = { _id: "0123456789abcdef", url, ua };
tracker.track({ ...visitor, action_name: "Pricing", urlref: "https://www.google.com/" });
const later = { ...visitor, uid: "ada@example.com" };
const answer = await new Promise((told) =>
  tracker.trackBulk(
    [
      { ...later, e_c: "demo", e_a: "asked", e_n: "pricing", e_v: 3 },
      { ...later, idgoal: 2, revenue: 20 },
      { ...later, idgoal: 0, ec_id: "o-1", revenue: 49.5 },
    ],
    told,
  ),
);
JSON.parse(answer);
