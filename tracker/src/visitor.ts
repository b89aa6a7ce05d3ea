import { keep, kept } from "./storage";

/** id: of this browser. isNew: to be believed over the server's cookie. user: who logged in last. */
interface Visitor {
  id: string;
  isNew?: 1;
  user?: string;
}

export type Consent = { [signal: string]: boolean };

/** An id that nobody else has; `crypto.randomUUID` is missing on pages without https. */
export function fresh(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");
}

let present: Visitor | null = null;

/** Who is here, as the last page left it. */
export function visitor(): Visitor {
  return (present = present || kept<Visitor>("tb") || { id: fresh() });
}

export function remember(): void {
  keep("tb", visitor());
}

/** Takes the id that the server knows this browser by, unless another one began since `sent` was told. */
export function adopt(sent: string, id: string): void {
  if (visitor().id === sent) {
    present = { id, user: visitor().user };
    remember();
  }
}

/** Begins somebody else: a new id, which the server takes over its cookie. */
export function reset(): void {
  present = { id: fresh(), isNew: 1 };
  remember();
}

/** Notes a login. Somebody else than the last one on this browser is another visitor. */
export function enter(user: string): void {
  if (visitor().user && visitor().user !== user) reset();
  visitor().user = user;
  remember();
}
