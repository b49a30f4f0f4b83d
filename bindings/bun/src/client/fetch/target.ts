/** Where requests go. */
import { brief } from "../../common/failure.ts";

/** How many are kept, by their length: a power of two. */
const KEPT = 32;

/** Characters of the longest that is kept. */
const LONGEST = 2048;

/** A URL that something is asked of, without name and password. Never changed once it is made. */
export class Target {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  /** Without the fragment, as a Response shows it. */
  readonly plain: string;

  /** @param url its own from now on */
  constructor(readonly url: URL) {
    const { href, hash } = url;
    this.href = href;
    this.origin = url.origin;
    this.protocol = url.protocol;
    this.plain = hash === "" && !href.endsWith("#") ? href : href.slice(0, href.indexOf("#"));
  }
}

/** Where a request goes, and what its URL says of who asks. */
export interface Addressed {
  readonly target: Target;
  /** The field `authorization`; undefined: the URL has neither name nor password. */
  readonly credentials: string | undefined;
}

/** The last ones that were given as text. A program asks the same again and again, and parsing costs more than the rest of what is checked. */
const kept: ({ text: string; addressed: Addressed } | undefined)[] = new Array(KEPT).fill(undefined);

/**
 * The target that a request is given.
 * @throws TypeError for what is no URL
 */
export function addressed(input: unknown): Addressed {
  const text = input instanceof URL ? input.href : String(input);
  const slot = text.length & (KEPT - 1);
  const last = kept[slot];
  if (last !== undefined && last.text === text) return last.addressed;
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw Object.assign(new TypeError(`not a URL: ${brief(text)}`, { cause: error }), { code: "ERR_INVALID_URL" });
  }
  const found = addressedOf(url);
  if (text.length <= LONGEST && found.credentials === undefined) kept[slot] = { text, addressed: found };
  return found;
}

/** Takes the name and password out of a URL, as Bun's fetch does. @param url its own from now on */
export function addressedOf(url: URL): Addressed {
  const { username, password } = url;
  if (username === "" && password === "") return { target: new Target(url), credentials: undefined };
  url.username = url.password = "";
  return { target: new Target(url), credentials: `Basic ${decoded(`${username}:${password}`).toString("base64")}` };
}

/** The bytes that a part of a URL stands for. What begins as an escape and is none stands for itself, as in the URL standard. */
function decoded(part: string): Buffer {
  return Buffer.from(part.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))), "latin1");
}
