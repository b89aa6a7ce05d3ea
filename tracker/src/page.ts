import { leave } from "./outbox";

type Tell = (kind: string, fields?: object) => void;

let since = 0;
let deepest = 0;
let seen = "";

/** Tells of page views, also those of single-page apps, and of how long and how far each was read. */
export function watchPages(tell: Tell): void {
  view(tell, document.referrer);
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...given: Parameters<History["pushState"]>): void {
      original.apply(history, given);
      moved(tell);
    };
  }
  addEventListener("popstate", () => moved(tell));
  addEventListener("scroll", look, { passive: true });
  document.addEventListener("visibilitychange", () => (document.hidden ? part(tell) : resume()));
  addEventListener("pagehide", () => part(tell));
  addEventListener("pageshow", (shown) => {
    if (shown.persisted) resume();
  });
}

const address = (): string => location.href.split("#")[0] || "";

/** A page of the same app: it came from the page before, not from where that one came from. */
function moved(tell: Tell): void {
  if (address() === seen) return;
  const before = seen;
  tellReading(tell);
  view(tell, before);
}

function view(tell: Tell, referrer: string): void {
  seen = address();
  deepest = 0;
  resume();
  look();
  tell("page", { url: location.href, referrer: referrer || undefined });
}

function resume(): void {
  since = document.hidden ? 0 : Date.now();
}

function look(): void {
  const height = document.documentElement.scrollHeight;
  deepest = Math.max(deepest, height ? Math.min(100, Math.round(((scrollY + innerHeight) / height) * 100)) : 0);
}

function part(tell: Tell): void {
  tellReading(tell);
  leave();
}

/** Seconds since it was told last, so that they add up. It has no `url`: to be leaving is no visit. */
function tellReading(tell: Tell): void {
  if (!since) return;
  const seconds = (Date.now() - since) / 1000;
  since = 0;
  tell("track", {
    name: "page_read",
    url: undefined,
    properties: { page: seen.split("?")[0], seconds: Math.round(seconds * 10) / 10, scroll: deepest },
  });
}
