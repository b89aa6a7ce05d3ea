import { hashes } from "./settings";
import { sha256 } from "./sha256";

interface Person {
  email?: string;
  phone?: string;
}

interface Login extends Person {
  user_id?: string;
}

/** An address and a number as they are told: themselves, or their SHA-256 where the script's tag asks for that. */
export function person(email?: string, phone?: string): Person {
  return hashes ? { email: digest(email, address), phone: digest(phone, dialled) } : { email, phone };
}

/** The same of who logs in; a login that is an address is told as one. */
export function login(user: string, email?: string, phone?: string): Login {
  return hashes && address(user) ? person(user, phone) : { user_id: user, ...person(email, phone) };
}

function digest(given: string | undefined, normal: (given: string) => string): string | undefined {
  const known = given && normal(String(given));
  return known ? sha256(known) : undefined;
}

// As the collector writes them, or nothing where it would need to know more: one digest stands for one person.
const address = (given: string): string => (/@.+\./.test(given) ? given.trim().toLowerCase() : "");

/** A number in E.164. Without its country code it may be anybody's, and of one digit again and again it is nobody's. */
function dialled(given: string): string {
  const digits = given.replace(/\(0\)/, "").replace(/[^\d+]/g, "").replace(/^00/, "+");
  return /^\+[1-9]\d{6,14}$/.test(digits) && !/^\+\d{0,3}(\d)\1{6,}$/.test(digits) ? digits : "";
}
