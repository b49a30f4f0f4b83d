/** Redirects, as the fetch standard follows them. */
import { H3Error } from "../../native/errors.ts";
import { ERROR } from "../../native/layout.ts";
import { fetchFailed } from "./failure.ts";
import type { Asked } from "./request.ts";
import { addressedOf } from "./target.ts";

const STATUSES = new Set([301, 302, 303, 307, 308]);

/** Fields that tell of a body. They go with it. */
const OF_BODIES = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

/** Fields that are meant for one origin. */
const OF_ORIGINS = ["authorization", "proxy-authorization", "cookie", "host"];

/**
 * Where a response redirects to; undefined: it is none that does.
 * @throws TypeError for a location that is no URL
 */
export function redirectTarget(status: number, location: string | null, from: URL): URL | undefined {
  if (!STATUSES.has(status) || location === null) return undefined;
  let url: URL;
  try {
    // Field values are bytes; servers send UTF-8.
    url = new URL(Buffer.from(location, "latin1").toString("utf8"), from);
  } catch {
    throw fetchFailed(new H3Error(ERROR.PROTOCOL, `${from.href} redirects to what is no URL`));
  }
  if (url.hash === "") url.hash = from.hash;
  return url;
}

/**
 * Makes a request the one that a redirect asks for.
 * @throws TypeError where that cannot be
 */
export function redirected(asked: Asked, status: number, url: URL): void {
  const { method, headers } = asked;
  if (url.protocol !== "https:" && !(asked.wishes.fallback && url.protocol === "http:")) {
    throw fetchFailed(new H3Error(ERROR.INVALID_ARGUMENT, `${asked.target.href} redirects to ${url.protocol}, which is not gone to`));
  }
  const toGet = status === 303 ? method !== "GET" && method !== "HEAD" : (status === 301 || status === 302) && method === "POST";
  if (toGet) {
    asked.method = "GET";
    asked.body = undefined;
    for (const name of OF_BODIES) delete headers[name];
  } else if (asked.body !== undefined && "stream" in asked.body) {
    throw fetchFailed(new H3Error(ERROR.REJECTED, `${asked.target.href} redirects a request whose body is a stream, which cannot be sent again`));
  }
  if (url.origin !== asked.target.origin) for (const name of OF_ORIGINS) delete headers[name];
  const { target, credentials } = addressedOf(url);
  if (credentials !== undefined) headers.authorization = credentials;
  asked.target = target;
}
