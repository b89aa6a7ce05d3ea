import { isCookieless } from "./settings";

// Browsers that block storage throw on first touch; everything then lives as long as the page.
let own: { [name: string]: string } = {};
let isAllowed = false;

/** Whether anything may outlive the page: not before consent, and never without cookies. */
export const mayKeep = (): boolean => isAllowed && !isCookieless;

/** Lets values outlive the page, or forgets all that did. */
export function allow(allowed: boolean): void {
  isAllowed = allowed;
  if (!allowed) own = {};
  if (!mayKeep()) {
    for (const name of ["tb", "tb_consent", "tb_queue"]) {
      try {
        localStorage.removeItem(name);
      } catch {}
    }
  }
}

/** A kept value; null for none. */
export function kept<T>(name: string): T | null {
  try {
    const found = mayKeep() ? localStorage.getItem(name) : null;
    return JSON.parse(found || own[name] || "null");
  } catch {
    return JSON.parse(own[name] || "null");
  }
}

/** Keeps a value for the next page where that is allowed, else for this one. */
export function keep(name: string, value: unknown): void {
  own[name] = JSON.stringify(value);
  try {
    if (mayKeep()) localStorage.setItem(name, own[name]);
  } catch {}
}
