// tieback's tracker: tells the collector of page views, clicks and forms, and of what `tieback(…)` is called with.
import { watchClicks } from "./clicks";
import { arrive } from "./link";
import { forget, put, send, Told } from "./outbox";
import { watchPages } from "./page";
import { login } from "./person";
import { isCookieless, key, waits } from "./settings";
import { allow, keep, kept, mayKeep } from "./storage";
import { Consent, enter, fresh, remember, reset, visitor } from "./visitor";

type Fields = { [name: string]: any };
type Command = [name: string, ...given: any[]];

const MOST_HELD = 100;

let agreed: Consent = {};
/** What happened before the visitor was asked; null once the answer is there. */
let held: Told[] | null = null;
let isRefused = false;

/** Tells one event, or holds it until there is consent: in memory, with the time at which it happened. */
function tell(kind: string, fields: Fields = {}): void {
  if (isRefused) return;
  const told: Told = { event_id: fresh(), kind, occurred_at: new Date().toISOString(), url: location.href, ...fields };
  if (!isCookieless) told.anonymous_id = visitor().id;
  if ((navigator as any).globalPrivacyControl) told.gpc = true;
  if (held) held = held.concat(told).slice(-MOST_HELD);
  else hand(told);
}

function hand(told: Told): void {
  put(Object.keys(agreed).length ? { ...told, consent: agreed } : told);
}

const api: { [name: string]: (...given: any[]) => void } = {
  track(name: string, fields: Fields = {}) {
    const { value, currency, ...properties } = fields;
    tell("track", { name, value, currency, properties });
  },
  identify(user: string | number, fields: Fields = {}) {
    const told = login(String(user), fields.email, fields.phone);
    enter(told.user_id || told.email!);
    tell("identify", told);
  },
  group(id: string | number) {
    tell("group", { group_id: String(id) });
  },
  consent(signals: { [name: string]: string | boolean }) {
    agreed = { ...agreed };
    for (const name of Object.keys(signals)) agreed[name] = signals[name] === true || signals[name] === "granted";
    settle();
  },
  reset,
};

/** Acts on what was agreed to: hands over what was held, or drops it and forgets the visitor. */
function settle(): void {
  const storage = agreed.analytics_storage;
  if (held && storage === undefined) return;
  isRefused = storage === false;
  if (isRefused) {
    const knew = mayKeep();
    allow(false);
    if (knew) forget();
    reset();
  } else {
    allow(true);
    keep("tb_consent", agreed);
    remember();
    (held || []).forEach(hand);
  }
  held = null;
}

function start(): void {
  const queued = Array.from(((window as any).tieback || {}).q || [], (given) => Array.from(given as Command) as Command);
  const call = (...[name, ...given]: Command): void => api[name] && api[name](...given);
  (window as any).tieback = Object.assign(call, { isReady: true });
  arrive();
  allow(true);
  agreed = kept<Consent>("tb_consent") || {};
  if (waits && !agreed.analytics_storage) {
    allow(false);
    held = [];
  } else {
    remember();
  }
  // The banner's answer may be in the queue already: it comes before the page view.
  const isConsent = ([name]: Command): boolean => name === "consent";
  queued.filter(isConsent).forEach((given) => call(...given));
  watchPages(tell);
  watchClicks(tell);
  queued.filter((given) => !isConsent(given)).forEach((given) => call(...given));
  addEventListener("online", send);
}

// A page that carries the script twice is told of once.
if (key && !((window as any).tieback || {}).isReady) start();
