/** Which pages may open WebTransport sessions. */
import { brief } from "../../common/failure.ts";
import type { H3Request } from "./request.ts";

/**
 * Says whether a page may open a session. `origin` is what the browser says of the page; null: the client is no browser, and says
 * nothing.
 */
export type OriginCheck = (origin: string | null, request: H3Request) => boolean | Promise<boolean>;

/** Origins like `"https://example.com:8443"`, `"*"` for any; or a function that decides. */
export type Origins = readonly string[] | OriginCheck;

/** Pages of the server's own origin, and clients that are no browsers. */
export const sameOrigin: OriginCheck = (origin, request) => {
  if (origin === null) return true;
  const own = new URL(request.url).origin;
  return normal(origin) === own;
};

/**
 * Checks an option `origins`.
 * @throws TypeError that names what is wrong with it
 */
export function checkOrigins(name: string, value: unknown): OriginCheck | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "function") return value as OriginCheck;
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array of origins or a function`);
  const allowed = new Set<string>();
  for (const one of value as unknown[]) {
    const origin = typeof one === "string" ? (one === "*" || one === "null" ? one : normal(one)) : undefined;
    if (origin === undefined) {
      throw new TypeError(`${name} must hold origins like "https://example.com" or "*", not ${brief(one)}`);
    }
    allowed.add(origin);
  }
  if (allowed.has("*")) return () => true;
  return (origin) => origin === null || allowed.has(origin === "null" ? origin : (normal(origin) ?? ""));
}

/** An origin as URL has it: lower-case, without the scheme's own port; undefined when it is none. */
function normal(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.origin === "null" || url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "") {
    return undefined;
  }
  return url.origin;
}
