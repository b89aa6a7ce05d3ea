import { collector, isCookieless, key } from "./settings";
import { keep, kept, mayKeep } from "./storage";
import { adopt, visitor } from "./visitor";

export interface Told {
  event_id: string;
  [field: string]: unknown;
}

const MOST_KEPT = 200;
const SOON = 20; // milliseconds, so that what happens together goes together
const LONGEST_PAUSE = 60_000;
const MOST_BYTES = 50_000; // a browser takes 64 KB from a page that is leaving

let isSending = false;
let failures = 0;
let timer = 0;
/** The token of another site of ours that this page was reached with. */
let link = "";

export const arriveWith = (token: string): void => {
  link = token;
};

const waiting = (): Told[] => kept<Told[]>("tb_queue") || [];

/** Queues an event. It stays queued, over pages, until the server says that it is safe. */
export function put(told: Told): void {
  keep("tb_queue", waiting().concat(told).slice(-MOST_KEPT));
  later(SOON);
}

function later(pause: number): void {
  if (!isSending && !timer) timer = window.setTimeout(send, pause);
}

/** Sends what waits, now; after each failure the next attempt waits longer. */
export function send(): void {
  clearTimeout(timer);
  timer = 0;
  const events = portion();
  if (isSending || !events.length) return;
  isSending = true;
  const sent = visitor().id;
  const finish = (isDone: boolean): void => {
    isSending = false;
    failures = isDone ? 0 : failures + 1;
    if (isDone) remove(events);
    if (waiting().length) later(isDone ? SOON : Math.min(1000 * 2 ** failures, LONGEST_PAUSE) * (0.5 + Math.random()));
  };
  post(body(events))
    .then(async (answer) => {
      if (answer.ok) {
        link = "";
        const told = await answer.json();
        if (told.visitor) known(sent, told.visitor);
      }
      // What these refuse, they would refuse again.
      finish(answer.ok || [400, 401, 403, 413].indexOf(answer.status) >= 0);
    })
    .catch(() => finish(false));
}

/** Hands over what waits while the page leaves. What is not known to have arrived is told again on the next page. */
export function leave(): void {
  if (isSending) navigator.sendBeacon(address(), body(portion()));
  else send();
}

/** Asks the server to forget its cookie. */
export function forget(): void {
  post(body([])).catch(() => {});
}

const address = (): string => collector + "v1/events";

const post = (content: string): Promise<Response> =>
  // text/plain needs no question beforehand; the cookie goes along to a collector of the same site.
  fetch(address(), { method: "POST", body: content, keepalive: true, credentials: "include" });

function body(events: Told[]): string {
  const { id, isNew } = visitor();
  const keeps = isCookieless ? "nothing" : mayKeep() ? "cookie" : "no";
  return JSON.stringify({ key, visitor: { id, is_new: !!isNew, keeps, link: link || undefined }, events });
}

/** The oldest that wait, as many as go at once. */
function portion(): Told[] {
  let size = 0;
  return waiting().filter((told, index) => (size += JSON.stringify(told).length) < MOST_BYTES || !index);
}

/** The server knows this browser by another id: what happened since it was asked was that visitor's too. */
function known(sent: string, id: string): void {
  adopt(sent, id);
  keep("tb_queue", waiting().map((told) => (told.anonymous_id === sent ? { ...told, anonymous_id: id } : told)));
}

function remove(sent: Told[]): void {
  const gone = sent.map((told) => told.event_id);
  keep("tb_queue", waiting().filter((told) => gone.indexOf(told.event_id) < 0));
}
