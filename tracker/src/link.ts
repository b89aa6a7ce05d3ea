import { arriveWith } from "./outbox";
import { collector, domains, key } from "./settings";
import { mayKeep } from "./storage";
import { visitor } from "./visitor";

const LASTING = 90_000; // milliseconds; the server's tokens last 120 s
const PATIENCE = 500; // how long a click waits for its token

let token = "";
let since = 0;
let of = "";
let asked: Promise<unknown> | null = null;

/** Reads the token that a link of another site of ours carried here, and takes it out of the address. */
export function arrive(): void {
  const found = /[?&]_tb=([^&#]+)/.exec(location.href);
  if (!found || !found[1]) return;
  arriveWith(found[1]);
  const plain = location.href.replace(/([?&])_tb=[^&#]+(&?)/, (_, before, after) => (after ? before : ""));
  history.replaceState(history.state, "", plain);
}

/** Whether a link leads to another site of ours. */
export const isOurs = (to: HTMLAnchorElement): boolean => to.host !== location.host && domains.indexOf(to.host) >= 0;

/** Asks for a token as soon as somebody is about to follow a link. */
export function prepare(): Promise<unknown> {
  if (!mayKeep()) return Promise.resolve();
  const { id } = visitor();
  if (asked && of === id && Date.now() - since < LASTING) return asked;
  since = Date.now();
  of = id;
  token = "";
  asked = fetch(`${collector}v1/link?key=${key}&id=${id}`, { credentials: "include" })
    .then((answer) => answer.json())
    .then((told) => (token = told.token || ""))
    .catch(() => (since = 0));
  return asked;
}

/** Lets a click carry the visitor along; one that is faster than the token waits for it. */
export function decorate(click: MouseEvent, to: HTMLAnchorElement): void {
  if (!mayKeep()) return;
  const ready = prepare();
  const plain = to.href;
  if (token) {
    to.href = tagged(plain);
    setTimeout(() => (to.href = plain));
  } else if (!click.defaultPrevented && !click.button && !click.metaKey && !click.ctrlKey && !to.target) {
    click.preventDefault();
    Promise.race([ready, new Promise((done) => setTimeout(done, PATIENCE))]).then(() => {
      location.href = token ? tagged(plain) : plain;
    });
  }
}

function tagged(address: string): string {
  const to = new URL(address);
  to.searchParams.set("_tb", token);
  return to.href;
}
