/** Checks what createH3Server() is given, and turns it into what the engine takes. */
import { congestionControlOf, type WebTransportCongestionControl } from "../../common/congestion_control.ts";
import { brief } from "../../common/failure.ts";
import { Log } from "../../common/log.ts";
import { boolean, callable, checkKeys, group, milliseconds, text, time, whole } from "../../common/option_checks.ts";
import { pem } from "../../common/pem.ts";
import { pumpInterval, queueCapacity } from "../../common/pump_options.ts";
import { checkOrigins, type OriginCheck } from "../api/origins.ts";
import type { ErrorHandler, H3Server, H3ServerOptions, Handler, LogHook, QuicDatagramHandler, ReloadOptions } from "../api/types.ts";
import { parseRoutes } from "../routes/parse_routes.ts";
import { Route } from "../routes/route.ts";
import { RouteTable } from "../routes/route_table.ts";
import { ENGINE_KEYS, ENGINE_OWN } from "./engine_options.ts";
import { REFUSED, REFUSED_TLS } from "./refused_options.ts";

/** What the handlers of a server amount to. */
export interface Handlers {
  table: RouteTable;
  fetch: Handler | undefined;
  error: ErrorHandler | undefined;
}

/** Options that have been checked. */
export interface Checked {
  port: number;
  /** Undefined: all addresses. */
  hostname: string | undefined;
  certPath: string | undefined;
  keyPath: string | undefined;
  /** The engine's own options, as JSON. */
  engine: string;
  handlers: Handlers;
  log: Log<H3Server>;
  development: boolean;
  /** Bytes that a request's body may have. */
  bodyLimit: number;
  /** Takes raw datagrams. */
  quicDatagram: QuicDatagramHandler | undefined;
  /** Which pages may open sessions; undefined: those of the same origin. */
  origins: OriginCheck | undefined;
  /** How many datagrams of a session may wait to be read. */
  incomingDatagrams: number;
  /** What sessions read back of the engine's option. */
  congestionControl: WebTransportCongestionControl;
  id: string;
  /** Milliseconds between looks; 0: sleep until there is something. */
  interval: number;
  /** Bytes of the queue; 0: the library's own default. */
  capacity: number;
}

const KEYS = new Set<string>([
  "port",
  "hostname",
  "tls",
  "certPath",
  "keyPath",
  "routes",
  "fetch",
  "error",
  "quicDatagram",
  "rawDatagrams",
  "datagrams",
  "webtransport",
  "maxRequestBodySize",
  "idleTimeout",
  "requestTimeoutMs",
  "development",
  "id",
  "pump",
  "queue",
  "onLog",
  "engine",
] satisfies (keyof H3ServerOptions)[]);

const TLS_KEYS = new Set(["cert", "key", "serverName", "servername"]);
const DATAGRAM_KEYS = new Set(["incoming", "outgoing", "countLost"]);
const WEBTRANSPORT_KEYS = new Set([
  "origins",
  "maxStreamsBidi",
  "maxStreamsUni",
  "maxData",
  "maxEarlyStreams",
  "capsuleTimeoutMs",
  "capsuleBudget",
  "decisionTimeoutMs",
]);

/** The engine's own default, and this side's. */
const DEFAULT_DATAGRAMS = 256;

/** The longest time that the engine waits for a packet, in ms: what 0 stands for. */
const LONGEST_IDLE = 3_600_000;

/** The engine's own default. */
const DEFAULT_BODY_LIMIT = 128 << 20;

/**
 * Checks options.
 * @throws TypeError or RangeError that names the option
 */
export function checkOptions(options: unknown, env: Record<string, string | undefined> = process.env): Checked {
  if (typeof options !== "object" || options === null) throw new TypeError("createH3Server() takes an object of options");
  checkKeys("", options, KEYS, REFUSED);
  // As in Bun.serve(), null says as much as nothing.
  const given: Record<string, unknown> = {};
  for (const key of KEYS) given[key] = (options as Record<string, unknown>)[key] ?? undefined;
  const development = boolean("development", given.development, false);
  const onLog = hook(given.onLog);
  const quicDatagram = callable<QuicDatagramHandler>("quicDatagram", given.quicDatagram);
  const datagrams = group("datagrams", given.datagrams, DATAGRAM_KEYS);
  const webtransport = group("webtransport", given.webtransport, WEBTRANSPORT_KEYS);
  const handlers = checkHandlers(given, quicDatagram !== undefined);
  const sessions = handlers.table.routes.some((route) => route.webtransport !== undefined);
  const settings = sessionOptions(webtransport);
  const more = group("engine", given.engine, ENGINE_KEYS, ENGINE_OWN);
  const engine: Record<string, unknown> = { ...more, ...engineOptions(given), ...datagramOptions(given, datagrams), ...(sessions ? settings : {}) };
  if (engine.raw_datagrams === true) mustBeRaw(handlers.table);
  return {
    port: port(given.port, env),
    hostname: hostname(given.hostname),
    ...files(given),
    engine: JSON.stringify(engine),
    handlers,
    quicDatagram,
    origins: checkOrigins("webtransport.origins", webtransport.origins),
    congestionControl: congestionControlOf(engine.congestion_control),
    incomingDatagrams: datagrams.incoming === undefined ? DEFAULT_DATAGRAMS : whole("datagrams.incoming", datagrams.incoming, 1, 65_535),
    log: new Log(onLog, development),
    development,
    bodyLimit: (engine.max_request_body_size as number | undefined) ?? DEFAULT_BODY_LIMIT,
    id: text("id", given.id ?? "", true),
    interval: pumpInterval(given.pump),
    capacity: queueCapacity(given.queue),
  };
}

/**
 * Checks what reload() is given. `datagrams`: the server takes raw datagrams, and may be without handlers of requests.
 * @throws TypeError that names the option
 */
export function checkReload(options: unknown, datagrams: boolean): { handlers: Handlers; onLog: LogHook | undefined; hasLog: boolean } {
  if (typeof options !== "object" || options === null) throw new TypeError("reload() takes an object of options");
  const given = options as Record<string, unknown>;
  const known = new Set<string>(["routes", "fetch", "error", "onLog"] satisfies (keyof ReloadOptions)[]);
  for (const key of Object.keys(given)) {
    if (!known.has(key)) throw new TypeError(`reload() cannot change "${key}" (it takes ${[...known].join(", ")})`);
  }
  return { handlers: checkHandlers(given, datagrams), onLog: hook(given.onLog), hasLog: "onLog" in given };
}

function checkHandlers(given: Record<string, unknown>, datagrams: boolean): Handlers {
  const fetch = callable<Handler>("fetch", given.fetch);
  const error = callable<ErrorHandler>("error", given.error);
  const routes = parseRoutes(given.routes);
  if (fetch === undefined && routes.length === 0 && !datagrams) {
    throw new TypeError("a server needs a fetch handler, or routes, or both");
  }
  const table = new RouteTable(routes);
  if (fetch === undefined) return { table, fetch, error };
  // The fallback is the route that comes last; who has a "/*" for any method has no use for it.
  const fallback = new Route("", "/*", null, false);
  const taken = table.routes.some((route) => route.key === fallback.key);
  return { table: taken ? table : new RouteTable([...table.routes, fallback]), fetch, error };
}

function hook(value: unknown): LogHook | undefined {
  return callable<LogHook>("onLog", value);
}

function port(value: unknown, env: Record<string, string | undefined>): number {
  // As shells have it, a variable that is empty is not set.
  const variable = value === undefined ? ["BUN_PORT", "PORT", "NODE_PORT"].find((name) => env[name]) : undefined;
  const name = variable === undefined ? "port" : `port (${variable} of the environment)`;
  const from = variable === undefined ? (value ?? 3000) : env[variable];
  const number = typeof from === "string" && /^\d+$/.test(from.trim()) ? Number(from) : from;
  if (typeof number !== "number") throw new TypeError(`${name} must be a number from 0 to 65535, not ${brief(from)}`);
  return whole(name, number, 0, 65_535);
}

function hostname(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const name = text("hostname", value, false);
  if (/[\s\x00]/.test(name)) throw new TypeError(`hostname must not hold a space, as ${brief(name)} does`);
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name; // as URL writes IPv6 addresses
}

function files(given: Record<string, unknown>): { certPath: string | undefined; keyPath: string | undefined } {
  const [certPath, keyPath] = [given.certPath, given.keyPath];
  if (certPath === undefined && keyPath === undefined) return { certPath: undefined, keyPath: undefined };
  if (given.tls !== undefined) throw new TypeError("tls and certPath/keyPath are two ways to say the same: give one");
  if (keyPath === undefined) throw new TypeError("certPath needs keyPath: the file with its key");
  if (certPath === undefined) throw new TypeError("keyPath needs certPath: the file with its certificate");
  return { certPath: text("certPath", certPath, false), keyPath: text("keyPath", keyPath, false) };
}

function engineOptions(given: Record<string, unknown>): Record<string, unknown> {
  const engine: Record<string, unknown> = {};
  if (given.maxRequestBodySize !== undefined) {
    engine.max_request_body_size = whole("maxRequestBodySize", given.maxRequestBodySize, 0, Number.MAX_SAFE_INTEGER);
  }
  if (given.idleTimeout !== undefined) {
    // The engine takes no less than 100 ms.
    engine.idle_timeout_ms = Math.max(Math.ceil(time("idleTimeout", given.idleTimeout, "seconds", 0, LONGEST_IDLE / 1000) * 1000), 100);
    if (given.idleTimeout === 0) engine.idle_timeout_ms = LONGEST_IDLE;
  }
  if (given.requestTimeoutMs !== undefined) {
    engine.request_timeout_ms = milliseconds("requestTimeoutMs", given.requestTimeoutMs, 0, 86_400_000);
  }
  if (given.tls !== undefined) {
    const list = Array.isArray(given.tls) ? given.tls : [given.tls];
    if (list.length === 0) throw new TypeError("tls must not be an empty array");
    engine.tls = list.map((one: unknown, i) => pair(list.length > 1 ? `tls[${i}]` : "tls", one));
  }
  return engine;
}

function datagramOptions(given: Record<string, unknown>, datagrams: Record<string, unknown>): Record<string, unknown> {
  const engine: Record<string, unknown> = {};
  if (given.quicDatagram) engine.quic_datagrams = true;
  if (boolean("rawDatagrams", given.rawDatagrams, false)) engine.raw_datagrams = true;
  const bounds: Record<string, number | boolean> = {};
  for (const name of ["incoming", "outgoing"]) {
    if (datagrams[name] !== undefined) bounds[name] = whole(`datagrams.${name}`, datagrams[name], 1, 65_535);
  }
  if (datagrams.countLost !== undefined) bounds.count_lost = boolean("datagrams.countLost", datagrams.countLost, false);
  if (Object.keys(bounds).length > 0) engine.datagrams = bounds;
  return engine;
}

function sessionOptions(given: Record<string, unknown>): Record<string, unknown> {
  // Which pages may open sessions is decided on this side, where functions and the routes' own rules are.
  const sessions: Record<string, unknown> = { origins: ["*"] };
  for (const [name, key, min, max] of [
    ["maxStreamsBidi", "max_streams_bidi", 1, 10_000],
    ["maxStreamsUni", "max_streams_uni", 1, 10_000],
    ["maxData", "max_data", 65_536, 1 << 30],
    ["maxEarlyStreams", "max_early_streams", 0, 10_000],
    ["capsuleBudget", "capsule_budget", 1, 1_000_000],
  ] as const) {
    if (given[name] !== undefined) sessions[key] = whole(`webtransport.${name}`, given[name], min, max);
  }
  for (const [name, key] of [
    ["capsuleTimeoutMs", "capsule_timeout_ms"],
    ["decisionTimeoutMs", "decision_timeout_ms"],
  ] as const) {
    if (given[name] !== undefined) sessions[key] = milliseconds(`webtransport.${name}`, given[name], 10, 3_600_000);
  }
  return { webtransport: sessions };
}

/** Without HTTP/3 datagrams there is nothing that such routes could get. */
function mustBeRaw(table: RouteTable): void {
  for (const { pattern, h3Datagram, webtransport } of table.routes) {
    const what = h3Datagram !== undefined ? "h3Datagram" : webtransport !== undefined ? "webtransport" : undefined;
    if (what !== undefined) throw new TypeError(`route "${pattern}": ${what} needs HTTP/3 datagrams, which rawDatagrams turns off`);
  }
}

function pair(name: string, value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) throw new TypeError(`${name} must be an object, not ${brief(value)}`);
  const tls = value as Record<string, unknown>;
  checkKeys(`${name}.`, tls, TLS_KEYS, REFUSED_TLS);
  const serverName = tls.serverName ?? tls.servername;
  return {
    ...pem(`${name}.cert`, "cert", tls.cert),
    ...pem(`${name}.key`, "key", tls.key),
    ...(serverName === undefined || serverName === null ? {} : { server_name: text(`${name}.serverName`, serverName, false) }),
  };
}
