import { decorate, isOurs, prepare } from "./link";
import { person } from "./person";

type Tell = (kind: string, fields?: object) => void;

const FILE = /\.(pdf|zip|docx?|xlsx?|pptx?|csv|dmg|exe|msi|apk|epub|mp[34]|gz|7z)$/i;
const EMAIL = /e-?mail/i;
const PHONE = /phone|mobile|^tel/i;

/** Tells of links that lead away, of downloads, and of marked forms with who filled them in. */
export function watchClicks(tell: Tell): void {
  for (const name of ["pointerover", "touchstart", "focusin"]) {
    document.addEventListener(name, (event) => {
      const to = anchor(event);
      if (to && isOurs(to)) prepare();
    }, { capture: true, passive: true });
  }
  document.addEventListener("click", (click) => {
    const to = anchor(click);
    if (!to) return;
    if (isOurs(to)) return decorate(click, to);
    const isFile = to.hasAttribute("download") || FILE.test(to.pathname);
    if (isFile || to.host !== location.host) {
      tell("track", { name: isFile ? "download" : "outbound_link", properties: { href: to.origin + to.pathname } });
    }
  }, true);
  document.addEventListener("submit", (sent) => {
    const form = sent.target as HTMLFormElement;
    if (form.dataset && form.dataset.tieback !== undefined) tell("form", filled(form));
  }, true);
}

function anchor(event: Event): HTMLAnchorElement | null {
  const at = event.target as Element | null;
  const found = at && at.closest ? at.closest<HTMLAnchorElement>("a[href]") : null;
  return found && /^http/.test(found.protocol) ? found : null;
}

/** The form's name, and the first address and number that its fields hold; nothing else of it is read. */
function filled(form: HTMLFormElement): object {
  const inputs = Array.from(form.elements).filter((field) => field instanceof HTMLInputElement) as HTMLInputElement[];
  const first = (type: string, name: RegExp): string | undefined => {
    const found = inputs.filter((field) => field.value && (field.type === type || name.test(field.name)));
    return found[0] && found[0].value;
  };
  const name = form.dataset.tieback || form.getAttribute("name") || form.id || undefined;
  return { name, ...person(first("email", EMAIL), first("tel", PHONE)) };
}
