/** Routes: their patterns, what each one does, and which comes first. The engine matches; this side decodes parameters. */
import { BODY, bodyKind } from "./body_kind.ts";
import { guessContentType } from "./content_type.ts";
import type { H3DatagramHandler } from "./h3_datagram.ts";
import { checkOrigins, type OriginCheck } from "./origins.ts";
import { trailersOf, withTrailers, type Trailers } from "./response.ts";
import { LARGEST_WHOLE, peek } from "./response_bytes.ts";
import { isFile, isThere, isWhole, wholeFile } from "./response_file.ts";
import type { Handler, RouteDefinition, SessionHandler } from "./types.ts";

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** A part of a pattern between two slashes, in the order of precedence. */
const LITERAL = 0;
const PARAM = 1;
const WILDCARD = 2;

interface Segment {
  kind: typeof LITERAL | typeof PARAM | typeof WILDCARD;
  /** The literal, decoded, or the parameter's name. */
  text: string;
}

/** What a route has beside its handler. */
export interface RouteExtras {
  /** Takes the datagrams of its requests. */
  h3Datagram?: H3DatagramHandler | undefined;
  /** Takes sessions; then the route takes nothing else. */
  webtransport?: SessionHandler | undefined;
  /** Who may open them, where the server's own rule does not hold. */
  origins?: OriginCheck | undefined;
}

/** One method of one pattern, and what answers it. */
export class Route {
  /** What the path is made of. @internal */
  readonly segments: readonly Segment[];
  /** See RouteExtras. */
  readonly h3Datagram: H3DatagramHandler | undefined;
  /** See RouteExtras. */
  readonly webtransport: SessionHandler | undefined;
  /** See RouteExtras. */
  readonly origins: OriginCheck | undefined;

  /**
   * @param method empty: any
   * @param handler null: what `fetch` answers
   * @param buffered the handler waits for the whole body
   * @throws TypeError when method or pattern is none
   */
  constructor(
    readonly method: string,
    readonly pattern: string,
    readonly handler: Handler | null,
    readonly buffered: boolean,
    extras: RouteExtras = {},
  ) {
    if (method !== "" && !TOKEN.test(method)) {
      throw new TypeError(`route "${pattern}": the method ${JSON.stringify(method)} is no token`);
    }
    // "get" would be a method of its own, which no client sends.
    if (method !== method.toUpperCase()) throw new TypeError(`route "${pattern}": the method "${method}" must be in upper case`);
    this.segments = parsePattern(pattern);
    this.h3Datagram = extras.h3Datagram;
    this.webtransport = extras.webtransport;
    this.origins = extras.origins;
  }

  /** The same for all routes that the engine cannot tell apart. */
  get key(): string {
    return `${this.webtransport === undefined ? this.method : "webtransport"} ${this.segments.map((s) => (s.kind === LITERAL ? "=" + encodeURIComponent(s.text) : s.kind)).join("/")}`;
  }

  /** It has nothing of its own: its requests go to `fetch`. */
  get leftToFetch(): boolean {
    return this.handler === null && this.webtransport === undefined;
  }

  /** The parameters in a path that this route matched (query included or not). What `fetch` answers has none, as in Bun.serve(). */
  params(target: string): Record<string, string> {
    const params = Object.create(null) as Record<string, string>;
    if (this.leftToFetch) return params;
    const query = target.indexOf("?");
    const path = query < 0 ? target : target.substring(0, query);
    let at = 1;
    for (const segment of this.segments) {
      if (segment.kind === WILDCARD) {
        params["*"] = decode(path.substring(at));
        break;
      }
      let end = path.indexOf("/", at);
      if (end < 0) end = path.length;
      if (segment.kind === PARAM) params[segment.text] = decode(path.substring(at, end));
      at = end + 1;
    }
    return params;
  }

  /** Whether this route's pattern matches a path without query. */
  matches(path: string): boolean {
    const parts = path.substring(1).split("/");
    for (let i = 0; i < this.segments.length; i++) {
      const segment = this.segments[i]!;
      if (segment.kind === WILDCARD) return true;
      const part = parts[i];
      if (part === undefined) return false;
      if (segment.kind === PARAM ? part === "" : decode(part) !== segment.text) return false;
    }
    return parts.length === this.segments.length;
  }

  /** Whether this route answers a method. */
  takes(method: string): boolean {
    return this.method === "" || this.method === method || (method === "HEAD" && this.method === "GET");
  }
}

/** What no route of a table answers: with which status, and for 405 which methods there are. */
export interface Unmatched {
  status: 404 | 405;
  allow: string;
}

/** All routes of a server. */
export class RouteTable {
  readonly routes: readonly Route[];

  /** @throws TypeError when two routes match the same requests */
  constructor(routes: readonly Route[]) {
    const taken = new Map<string, Route>();
    for (const route of routes) {
      const other = taken.get(route.key);
      if (other !== undefined) {
        const method = route.method === "" ? "any method" : route.method;
        throw new TypeError(`routes "${other.pattern}" and "${route.pattern}" match the same paths, both for ${method}`);
      }
      taken.set(route.key, route);
    }
    this.routes = [...routes].sort(precedence);
  }

  /**
   * Finds a route as the engine does: needed only after a reload took routes away that the engine still knows.
   * @param target :path, query included or not
   */
  match(method: string, target: string): Route | Unmatched {
    const path = target.split("?", 1)[0]!;
    const allowed = new Set<string>();
    // Where the exact method, GET for HEAD and any method stand at one pattern, they win in this order.
    let found: Route | undefined;
    for (const route of this.routes) {
      if (route.webtransport !== undefined || !route.matches(path)) continue;
      if (found !== undefined) {
        if (sameShape(found, route) && route.method === method) return route;
        continue;
      }
      if (route.takes(method)) {
        if (route.method === method) return route;
        found = route;
      } else {
        allowed.add(route.method);
        if (route.method === "GET") allowed.add("HEAD");
      }
    }
    if (found !== undefined) return found;
    return { status: allowed.size > 0 ? 405 : 404, allow: [...allowed].sort().join(", ") };
  }

  /** Finds the route of a session, as match() does that of a request. */
  matchSession(target: string): Route | undefined {
    const path = target.split("?", 1)[0]!;
    return this.routes.find((route) => route.webtransport !== undefined && route.matches(path));
  }
}

function sameShape(a: Route, b: Route): boolean {
  return a.key.slice(a.method.length) === b.key.slice(b.method.length);
}

/** Literals before parameters before wildcards, segment by segment; methods of their own before any method. */
function precedence(a: Route, b: Route): number {
  for (let i = 0; i < a.segments.length && i < b.segments.length; i++) {
    const order = a.segments[i]!.kind - b.segments[i]!.kind;
    if (order !== 0) return order;
  }
  return Number(a.method === "") - Number(b.method === "");
}

/**
 * Takes the option `routes` apart, in either form.
 * @throws TypeError that names the route
 */
export function parseRoutes(routes: unknown): Route[] {
  if (routes === undefined || routes === null) return [];
  if (Array.isArray(routes)) return routes.flatMap(parseDefinition);
  // A Map has no properties: its routes would be lost in silence.
  if (typeof routes !== "object" || Symbol.iterator in routes) throw new TypeError("routes must be an object or an array");
  return Object.entries(routes).flatMap(parseEntry);
}

const DEFINITION_KEYS = new Set(["method", "pattern", "mode", "fetch", "h3Datagram", "webtransport", "origins"]);

function parseDefinition(value: unknown, index: number): Route[] {
  if (typeof value !== "object" || value === null) throw new TypeError(`routes[${index}] must be an object`);
  const route = value as Partial<Record<keyof RouteDefinition, unknown>>;
  const { method = undefined, pattern, mode = "streaming", fetch } = route;
  if (typeof pattern !== "string") throw new TypeError(`routes[${index}].pattern must be a string`);
  const where = `route "${pattern}"`;
  for (const key of Object.keys(route)) {
    if (!DEFINITION_KEYS.has(key)) throw new TypeError(`${where}: unknown key "${key}" (known: ${[...DEFINITION_KEYS].join(", ")})`);
  }
  if (method !== undefined && typeof method !== "string") throw new TypeError(`${where}: method must be a string`);
  if (method === "") throw new TypeError(`${where}: the method is empty`);
  if (mode !== "buffered" && mode !== "streaming") {
    throw new TypeError(`${where}: mode must be "buffered" or "streaming", not ${JSON.stringify(mode)}`);
  }
  const { h3Datagram, sessions } = parseExtras(pattern, route);
  if (fetch === undefined) {
    if (sessions === undefined) throw new TypeError(`${where} has no handler: fetch is missing`);
    for (const key of ["method", "mode", "h3Datagram"] as const) {
      if (route[key] !== undefined) throw new TypeError(`${where}: ${key} is about requests, which fetch would take`);
    }
    return [sessions];
  }
  if (typeof fetch !== "function") throw new TypeError(`${where}: fetch must be a function`);
  if (h3Datagram !== undefined && mode === "buffered") {
    throw new TypeError(`${where}: h3Datagram needs mode "streaming": datagrams come while the body does`);
  }
  const own = new Route(method ?? "", pattern, fetch as Handler, mode === "buffered", { h3Datagram });
  return sessions === undefined ? [own] : [own, sessions];
}

/** What both forms have beside handlers of requests: who takes datagrams, and the route of sessions. */
function parseExtras(
  pattern: string,
  value: { h3Datagram?: unknown; webtransport?: unknown; origins?: unknown },
): { h3Datagram: H3DatagramHandler | undefined; sessions: Route | undefined } {
  const { h3Datagram, webtransport } = value;
  for (const [name, handler] of Object.entries({ h3Datagram, webtransport })) {
    if (handler !== undefined && typeof handler !== "function") throw new TypeError(`route "${pattern}": ${name} must be a function`);
  }
  const origins = checkOrigins(`route "${pattern}": origins`, value.origins);
  if (webtransport === undefined) {
    if (origins !== undefined) throw new TypeError(`route "${pattern}": origins is about sessions, which webtransport would take`);
    return { h3Datagram: h3Datagram as H3DatagramHandler | undefined, sessions: undefined };
  }
  const sessions = new Route("CONNECT", pattern, null, false, { webtransport: webtransport as SessionHandler, origins });
  return { h3Datagram: h3Datagram as H3DatagramHandler | undefined, sessions };
}

/** Keys of an object at a path that are no methods: those are in upper case. */
const EXTRA_KEYS = new Set(["fetch", "h3Datagram", "webtransport", "origins"]);

function parseEntry([pattern, value]: [string, unknown]): Route[] {
  if (value === false) return [new Route("", pattern, null, false)];
  const whole = asHandler(pattern, value);
  if (whole !== undefined) return [new Route("", pattern, whole, false)];
  if (typeof value === "object" && value !== null && ("dir" in value || Object.prototype.toString.call(value) === "[object HTMLBundle]")) {
    throw new TypeError(`route "${pattern}": folders and HTML imports are not served here; a function may give a Bun.file()`);
  }
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isMap) {
    throw new TypeError(`route "${pattern}" must be a function, an object of functions by method, a Response, a file or false`);
  }
  const extras = value as { fetch?: unknown; h3Datagram?: unknown; webtransport?: unknown; origins?: unknown };
  const { h3Datagram, sessions } = parseExtras(pattern, extras);
  const methods = Object.entries(value).filter(([key]) => !EXTRA_KEYS.has(key));
  if (extras.fetch !== undefined) methods.unshift(["", extras.fetch]);
  if (methods.length === 0 && h3Datagram !== undefined) {
    throw new TypeError(`route "${pattern}": h3Datagram is about requests, which fetch or a method would take`);
  }
  const own = methods.map(([method, value]) => {
    const handler = asHandler(pattern, value);
    if (handler === undefined) throw new TypeError(`route "${pattern}": ${method || "fetch"} must be a function, a Response or a file`);
    return new Route(method, pattern, handler, false, { h3Datagram });
  });
  return sessions === undefined ? own : [...own, sessions];
}

function asHandler(pattern: string, value: unknown): Handler | undefined {
  if (typeof value === "function") return value as Handler;
  if (value instanceof Blob) return fileOf(new Response(value)) ?? staticHandler(new Response(value));
  if (!(value instanceof Response)) return undefined;
  if (value.bodyUsed) throw new TypeError(`route "${pattern}": the body of the Response is used`);
  if (value.status < 200 || value.status > 599) {
    throw new TypeError(`route "${pattern}": the status ${value.status} of the Response is not within 200 to 599`);
  }
  const file = fileOf(value);
  if (file !== undefined) return file;
  if (bodyKind(value) === BODY.STREAM) {
    throw new TypeError(`route "${pattern}": the body of a static Response must not be a stream, which can be sent only once`);
  }
  return staticHandler(shareable(value.clone() as Response), trailersOf(value));
}

/**
 * The same response, with a content-type, which HEAD is told then, too. A large body becomes a Blob, which all clones have in common.
 */
function shareable(response: Response): Response {
  if (bodyKind(response) !== BODY.BYTES) return response;
  const bytes = peek((response.clone() as Response).bytes());
  if (bytes instanceof Promise || bytes.length === 0) return response;
  if (!response.headers.has("content-type")) response.headers.set("content-type", guessContentType(bytes));
  return bytes.length <= LARGEST_WHOLE ? response : new Response(new Blob([bytes]), response);
}

/** Gives the same response again and again. */
function staticHandler(template: Response, trailers?: Trailers): Handler {
  return () => again(template.clone() as Response, trailers);
}

function again(response: Response, trailers: Trailers | undefined): Response {
  return trailers === undefined ? response : withTrailers(response, trailers);
}

/** What answers with a file; undefined when the response has none. Before anything else looks at the response: see wholeFile(). */
function fileOf(response: Response): Handler | undefined {
  const body = peek((response.clone() as Response).blob());
  if (!(body instanceof Promise)) return isFile(body) ? fileHandler(body, response, trailersOf(response)) : undefined;
  body.catch(() => {}); // a stream, which cannot be a static body
  return undefined;
}

/** Gives a file as it is at each request. One that is not there, or no more, leaves the path to `fetch`, as in Bun.serve(). */
function fileHandler(file: Bun.BunFile, like: { status?: number; headers?: Headers }, trailers?: Trailers): Handler {
  const init = { status: like.status ?? 200, headers: new Headers(like.headers) };
  const make = isWhole(file) ? () => wholeFile(file, init) : () => new Response(file, init);
  return async (request, server) => {
    if (await isThere(file)) return again(make(), trailers);
    return server.fallback?.call(server, request, server) ?? new Response(null, { status: 404 });
  };
}

/** The rules of the engine, so that what is wrong is said in the same words wherever it is given. */
function parsePattern(pattern: string): Segment[] {
  if (pattern === "") throw new TypeError('route "": the pattern is empty');
  if (!pattern.startsWith("/")) throw new TypeError(`route "${pattern}": a pattern begins with "/"`);
  if (!pattern.isWellFormed()) throw new TypeError(`route ${JSON.stringify(pattern)}: the pattern holds half a surrogate pair`);
  if (/[\x00-\x20\x7f]/.test(pattern)) throw new TypeError(`route ${JSON.stringify(pattern)}: the pattern holds a space or a control character`);
  if (/[?#]/.test(pattern)) throw new TypeError(`route "${pattern}": a pattern has no query`);
  const names = new Set<string>();
  const parts = pattern.slice(1).split("/");
  return parts.map((part, i): Segment => {
    if (part === "*") {
      if (i !== parts.length - 1) throw new TypeError(`route "${pattern}": "*" must be the last segment`);
      return { kind: WILDCARD, text: "*" };
    }
    if (part.includes("*")) throw new TypeError(`route "${pattern}": "*" must be a whole segment`);
    if (part.startsWith(":")) {
      const name = part.slice(1);
      if (name === "") throw new TypeError(`route "${pattern}": a parameter has no name`);
      if (names.has(name)) throw new TypeError(`route "${pattern}" names the parameter "${name}" twice`);
      names.add(name);
      return { kind: PARAM, text: name };
    }
    if (/%(?![0-9A-Fa-f]{2})|%00/.test(part)) throw new TypeError(`route "${pattern}": "${part}" is not percent-encoded text`);
    return { kind: LITERAL, text: decode(part) };
  });
}

/** Decodes percent-encoded text once; bytes that are no UTF-8 become U+FFFD, as in Bun.serve(). */
function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    const bytes = Buffer.from(text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), "latin1");
    return bytes.toString("utf8");
  }
}
