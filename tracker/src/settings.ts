// What the script's own tag says: <script defer src="/tb.js" data-key="tb_…" data-consent="wait" …>.
const tag = document.currentScript as HTMLScriptElement | null;
const told = tag ? tag.dataset : {};

export const key = told.key || "";
export const waits = told.consent === "wait";
/** Addresses and numbers leave the browser as their SHA-256 alone. */
export const hashes = told.hash !== undefined;
export const isCookieless = told.cookieless !== undefined;
/** Hosts of ours besides this one: links to them carry the visitor along. */
export const domains = (told.domains || "").split(/[\s,]+/).filter(Boolean);
/** Where the collector answers: what the script was loaded from. */
export const collector = tag && tag.src ? new URL(".", tag.src).href : "/";
