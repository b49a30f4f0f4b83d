/** From what h3Fetch() is given to what is asked for. */
import { brief } from "../../common/failure.ts";
import { callable } from "../../common/option_checks.ts";
import { listHeaders, type Listed } from "../../native/packed.ts";
import { checkCompress, type Compression } from "./compress.ts";
import { ACCEPTED } from "./decode.ts";
import { fits } from "./native_fetch.ts";
import { checkPriority, priorityField } from "./priority.ts";
import { bodyOfRequest, extract, type RequestBody } from "./request_body.ts";
import { addressed, type Target } from "./target.ts";
import type { H3FetchInit, RequestDefaults } from "./types.ts";

/** What is asked for, checked. */
export interface Asked {
  target: Target;
  method: string;
  /** Names in lower case. */
  headers: Listed;
  body: RequestBody | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onDatagram: ((payload: Uint8Array<ArrayBuffer>) => unknown) | undefined;
  readonly wishes: RequestWishes;
}

/** What is asked of a request beside its head and body. */
export interface RequestWishes {
  readonly redirect: "follow" | "manual" | "error";
  readonly maxRedirects: number;
  readonly decompress: boolean;
  readonly compression: Compression | undefined;
  /** Ms without anything that comes or goes; 0: any time. */
  readonly timeout: number;
  /** The field `priority`. */
  readonly priority: string | undefined;
  readonly fallback: boolean;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Methods that the standard writes in upper case, whatever is given. */
const NORMAL = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/** Methods that the standard forbids. */
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);

/** What HTTP/1 says about its connection, and HTTP/3 forbids (RFC 9114, 4.2). */
const OF_CONNECTIONS = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** Options of Bun's fetch that have no use here, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  proxy: "HTTP/3 goes over UDP, which HTTP proxies do not carry",
  unix: "HTTP/3 goes over UDP",
  session: "createH3Client() is what keeps connections here",
  s3: "S3 is for Bun's own fetch",
  verbose: "there is onLog of createH3Client()",
  integrity: "what comes is not held against a hash here",
};

const REFUSED_KEYS = Object.keys(REFUSED);

const ANY = { accept: "*/*", "user-agent": `Bun/${Bun.version}`, "accept-encoding": ACCEPTED };

/** Fields that a client sends where nobody says otherwise. @param own those that it was given */
export function defaultHeaders(own: ConstructorParameters<typeof Headers>[0] | undefined): Listed {
  return { ...ANY, ...(own === undefined ? {} : listHeaders(new Headers(own))) };
}

/**
 * Checks what is asked of a request, or of all requests of a client.
 * @param base what holds where nothing is said
 * @throws TypeError or RangeError that names the option
 */
export function checkWishes(given: RequestDefaults, base?: RequestWishes): RequestWishes {
  if (base !== undefined && DEFAULTS_KEYS.every((key) => given[key] === undefined)) return base;
  return {
    redirect: redirectMode(given.redirect) ?? base?.redirect ?? "follow",
    maxRedirects: redirects(given.maxRedirects) ?? base?.maxRedirects ?? 20,
    decompress: given.decompress === undefined ? (base?.decompress ?? true) : Boolean(given.decompress),
    compression: given.compress === undefined ? base?.compression : checkCompress(given.compress),
    timeout: timeout(given.timeout) ?? base?.timeout ?? 0,
    priority: given.priority === undefined ? base?.priority : priorityField(checkPriority(given.priority)),
    fallback: fallback(given.fallback) ?? base?.fallback ?? false,
  };
}

/** Keys of RequestDefaults. */
export const DEFAULTS_KEYS = ["redirect", "maxRedirects", "decompress", "compress", "timeout", "priority", "fallback"] as const satisfies (keyof RequestDefaults)[];

/**
 * Checks a request. A promise only where a body has to be read for that.
 * @param defaults fields that are sent where the request has none of that name
 * @throws TypeError or RangeError that says what is wrong
 */
export function checkRequest(input: unknown, init: H3FetchInit, defaults: Listed, base: RequestWishes): Asked | Promise<Asked> {
  const request = input instanceof Request ? input : undefined;
  for (const key of REFUSED_KEYS) {
    if ((init as Record<string, unknown>)[key]) throw new TypeError(`option "${key}" of h3Fetch(): ${REFUSED[key]}`);
  }
  const { protocol } = init as { protocol?: unknown };
  if (protocol !== undefined && protocol !== "http3" && protocol !== "h3") throw new TypeError(`option "protocol" of h3Fetch() is "http3", not ${brief(protocol)}`);
  const { duplex } = init as { duplex?: unknown };
  if (duplex !== undefined && duplex !== "half") throw new TypeError(`option "duplex" of h3Fetch() is "half", not ${brief(duplex)}`);
  const { target, credentials } = addressed(request === undefined ? input : request.url);
  const method = methodOf(init.method ?? request?.method);
  const signal = signalOf(init.signal === undefined ? request?.signal : init.signal);
  // What a Request says of itself where nobody has said anything is the default: the client's goes before that.
  const ofRequest = init.redirect === undefined && request !== undefined && request.redirect !== "follow";
  const wishes = checkWishes(ofRequest ? { ...init, redirect: request.redirect } : init, base);
  const onDatagram = callable<(payload: Uint8Array<ArrayBuffer>) => unknown>("onDatagram", init.onDatagram);
  const given = init.headers === undefined ? request?.headers : new Headers(init.headers);
  const headers: Listed = given === undefined ? { ...defaults } : { ...defaults, ...listHeaders(given) };
  for (const name of OF_CONNECTIONS) if (headers[name] !== undefined) delete headers[name];
  if (headers.te !== undefined && headers.te !== "trailers") delete headers.te; // RFC 9114, 4.2
  // What is asked for in parts is meant byte by byte: as in the standard.
  if (headers.range !== undefined && given?.get("accept-encoding") === null) headers["accept-encoding"] = "identity";
  if (wishes.priority !== undefined) headers.priority ??= wishes.priority;
  if (credentials !== undefined) headers.authorization ??= credentials;
  const asked: Asked = { target, method, headers, body: undefined, signal, onDatagram, wishes };
  if (init.body !== undefined && init.body !== null) {
    mustHaveBody(method);
    const extracted = extract(init.body);
    return extracted instanceof Promise ? extracted.then((found) => withBody(asked, found.body, found.type)) : withBody(asked, extracted.body, extracted.type);
  }
  if (request === undefined || init.body === null) return asked;
  const body = bodyOfRequest(request);
  if (body === undefined) return asked;
  mustHaveBody(method);
  return body instanceof Promise ? body.then((body) => withBody(asked, body, undefined)) : withBody(asked, body, undefined);
}

function mustHaveBody(method: string): void {
  if (method === "GET" || method === "HEAD") throw new TypeError("a request with the method GET or HEAD has no body");
}

function withBody(asked: Asked, body: RequestBody, type: string | undefined): Asked {
  asked.body = body;
  if (type !== undefined) asked.headers["content-type"] ??= type;
  return asked;
}

function methodOf(value: unknown): string {
  if (value === undefined) return "GET";
  const method = String(value);
  if (!TOKEN.test(method)) throw new TypeError(`a method is a token, not ${brief(method)}`);
  const upper = method.toUpperCase();
  if (FORBIDDEN.has(upper)) throw new TypeError(`the method ${upper} is forbidden by the fetch standard`);
  if (!fits(method)) throw new TypeError(`a method of ${method.length} characters is too long`);
  return NORMAL.has(upper) ? upper : method;
}

function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof AbortSignal)) throw new TypeError(`signal must be an AbortSignal, not ${brief(value)}`);
  return value;
}

function redirectMode(value: unknown): RequestWishes["redirect"] | undefined {
  if (value === undefined) return undefined;
  if (value === "follow" || value === "manual" || value === "error") return value;
  throw new TypeError(`redirect must be "follow", "manual" or "error", not ${brief(value)}`);
}

function redirects(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new TypeError(`maxRedirects must be a number, not ${brief(value)}`);
  if (!Number.isInteger(value) || value < 0 || value > 100) throw new RangeError(`maxRedirects must be a whole number from 0 to 100, not ${value}`);
  return value;
}

function timeout(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (value === true || value === false || value === 0 || value === Infinity) return 0;
  if (typeof value !== "number") throw new TypeError(`timeout must be a number of ms, not ${brief(value)}`);
  if (!(value > 0)) throw new RangeError(`timeout must not be below 0, as ${value} is`);
  return Math.min(Math.ceil(value), 0x7fffffff);
}

function fallback(value: unknown): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === false || value === "fetch") return value === "fetch";
  throw new TypeError(`fallback must be "fetch" or false, not ${brief(value)}`);
}
