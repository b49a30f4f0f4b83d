/** Takes the option `routes` apart. */
import { brief } from "../../common/failure.ts";
import { checkOrigins } from "../api/origins.ts";
import type { H3DatagramHandler, Handler, RouteDefinition, RouteExtensions, SessionHandler } from "../api/types.ts";
import { Route } from "./route.ts";
import { asHandler } from "./static_route.ts";

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
  const buffered = isBuffered(pattern, mode);
  const { h3Datagram, sessions } = parseExtras(pattern, route);
  if (fetch === undefined) {
    if (sessions === undefined) throw new TypeError(`${where} has no handler: fetch is missing`);
    for (const key of ["method", "mode", "h3Datagram"] as const) {
      if (route[key] !== undefined) throw new TypeError(`${where}: ${key} is about requests, which fetch would take`);
    }
    return [sessions];
  }
  if (typeof fetch !== "function") throw new TypeError(`${where}: fetch must be a function`);
  mustStream(pattern, buffered, h3Datagram);
  const own = new Route(method ?? "", pattern, fetch as Handler, buffered, { h3Datagram });
  return sessions === undefined ? [own] : [own, sessions];
}

function isBuffered(pattern: string, mode: unknown): boolean {
  if (mode !== "buffered" && mode !== "streaming") {
    throw new TypeError(`route "${pattern}": mode must be "buffered" or "streaming", not ${brief(mode)}`);
  }
  return mode === "buffered";
}

function mustStream(pattern: string, buffered: boolean, h3Datagram: H3DatagramHandler | undefined): void {
  if (!buffered || h3Datagram === undefined) return;
  throw new TypeError(`route "${pattern}": h3Datagram needs mode "streaming": datagrams come while the body does`);
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
const EXTRA_KEYS = new Set(["fetch", "mode", "h3Datagram", "webtransport", "origins"]);

function parseEntry([pattern, value]: [string, unknown]): Route[] {
  if (value === false) return [new Route("", pattern, null, false)];
  const whole = asHandler(pattern, value);
  if (whole !== undefined) return [new Route("", pattern, whole.handler, false, { packed: whole.packed })];
  if (typeof value === "object" && value !== null && ("dir" in value || Object.prototype.toString.call(value) === "[object HTMLBundle]")) {
    throw new TypeError(`route "${pattern}": folders and HTML imports are not served here; a function may give a Bun.file()`);
  }
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isMap) {
    throw new TypeError(`route "${pattern}" must be a function, an object of functions by method, a Response, a file or false`);
  }
  const extras = value as Partial<Record<keyof RouteExtensions, unknown>>;
  const { h3Datagram, sessions } = parseExtras(pattern, extras);
  const methods = Object.entries(value).filter(([key]) => !EXTRA_KEYS.has(key));
  if (extras.fetch !== undefined) methods.unshift(["", extras.fetch]);
  for (const key of methods.length === 0 ? (["mode", "h3Datagram"] as const) : []) {
    if (extras[key] !== undefined) throw new TypeError(`route "${pattern}": ${key} is about requests, which fetch or a method would take`);
  }
  const buffered = isBuffered(pattern, extras.mode ?? "streaming");
  mustStream(pattern, buffered, h3Datagram);
  const own = methods.map(([method, value]) => {
    const answering = asHandler(pattern, value);
    if (answering === undefined) throw new TypeError(`route "${pattern}": ${method || "fetch"} must be a function, a Response or a file`);
    const { handler, packed } = answering;
    return new Route(method, pattern, handler, buffered, { packed, h3Datagram });
  });
  return sessions === undefined ? own : [...own, sessions];
}
