/** Checks what clients are given, and turns it into what the engine takes. */
import { bytesOf } from "../common/buffer_source.ts";
import { congestionControlOf, type WebTransportCongestionControl } from "../common/congestion_control.ts";
import { brief } from "../common/failure.ts";
import { Log } from "../common/log.ts";
import { boolean, callable, group, milliseconds, text, time, whole } from "../common/option_checks.ts";
import { pem } from "../common/pem.ts";
import { pumpInterval, queueCapacity } from "../common/pump_options.ts";
import type { ClientEngineOptions, ClientHostOptions, ClientQuicDatagramHandler, ConnectionOptions } from "./types.ts";

/** Options of connections that have been checked. Equal ones have an equal text. */
export interface CheckedConnection {
  /** The engine's own options, as JSON. */
  engine: string;
  /** How many datagrams of a session may wait to be read. */
  incomingDatagrams: number;
  /** What sessions read back of the engine's option. */
  congestionControl: WebTransportCongestionControl;
}

/** Where a client's events and messages go. */
export interface CheckedHost {
  log: Log<null>;
  /** Milliseconds between looks; 0: sleep until there is something. */
  interval: number;
  /** Bytes of the queue; 0: the library's own default. */
  capacity: number;
  /** Takes raw datagrams. */
  quicDatagram: ClientQuicDatagramHandler | undefined;
  /** HTTP/3 datagrams are not announced. */
  rawDatagrams: boolean;
}

/** Keys of ConnectionOptions. */
export const CONNECTION_KEYS = [
  "tls",
  "serverCertificateHashes",
  "hosts",
  "pool",
  "connectTimeoutMs",
  "idleTimeout",
  "earlyData",
  "datagrams",
  "webtransport",
  "engine",
] as const satisfies (keyof ConnectionOptions)[];

/** The options of connections among others. */
export function connectionOptions(given: ConnectionOptions): ConnectionOptions {
  const from = given as Record<string, unknown>;
  const found: Record<string, unknown> = {};
  for (const key of CONNECTION_KEYS) if (from[key] !== undefined && from[key] !== null) found[key] = from[key];
  return found;
}

/** Keys of ClientHostOptions. */
export const HOST_KEYS = ["development", "pump", "queue", "onLog", "quicDatagram", "rawDatagrams"] as const satisfies (keyof ClientHostOptions)[];

const ENGINE_KEYS: ReadonlySet<string> = new Set([
  "system_roots",
  "alpn",
  "origin",
  "response_timeout_ms",
  "body_timeout_ms",
  "write_timeout_ms",
  "header_timeout_ms",
  "keep_alive_ms",
  "max_header_bytes",
  "receive_window",
  "stream_receive_window",
  "connection_receive_window",
  "high_water_mark",
  "max_queued_request_bytes",
  "reset_budget",
  "initial_packet_size",
  "max_packet_size",
  "initial_window",
  "congestion_control",
  "qlog_path",
  "qlog_max_bytes",
  "qlog_max_connections",
  "key_log_path",
] satisfies (keyof ClientEngineOptions)[]);

const OF_TLS = "it belongs to tls";
const OF_POOL = "it belongs to pool";
const OF_ITS_OWN = "it is an option of its own here";

/** Keys of the engine that have another name or place here. */
const ENGINE_OWN: Readonly<Record<string, string>> = {
  roots: "it is called tls.ca here",
  roots_path: "it is called tls.ca here",
  server_name: OF_TLS,
  insecure: "it is called tls.rejectUnauthorized here",
  certificate_hashes: "it is called serverCertificateHashes here",
  cert: OF_TLS,
  key: OF_TLS,
  cert_path: OF_TLS,
  key_path: OF_TLS,
  hosts: OF_ITS_OWN,
  connect_timeout_ms: "it is called connectTimeoutMs here",
  request_timeout_ms: "a request has an option timeout here",
  idle_timeout_ms: "it is called idleTimeout here",
  early_data: "it is called earlyData here",
  max_connections: OF_POOL,
  max_connections_per_origin: OF_POOL,
  max_queued: OF_POOL,
  queue_timeout_ms: OF_POOL,
  idle_connection_ms: OF_POOL,
  datagrams: OF_ITS_OWN,
  webtransport: OF_ITS_OWN,
  quic_datagrams: "it is set where there is a handler quicDatagram, an option of createH3Client()",
};

const TLS_KEYS = new Set(["ca", "cert", "key", "rejectUnauthorized", "serverName", "servername"]);
const NOT_IN_TLS_1_3 = "QUIC uses TLS 1.3, where there is nothing to set";

/** Options of Bun's fetch and of node:tls that have no use here, and why. */
const REFUSED_TLS: Readonly<Record<string, string>> = {
  checkServerIdentity: "certificates are looked at by the engine, on other threads: give serverName, ca or serverCertificateHashes",
  passphrase: "an encrypted key is not supported: decrypt it first, with openssl pkey",
  ALPNProtocols: "HTTP/3 has but one, h3",
  ciphers: NOT_IN_TLS_1_3,
  secureOptions: NOT_IN_TLS_1_3,
  minVersion: NOT_IN_TLS_1_3,
  maxVersion: NOT_IN_TLS_1_3,
};

/** Numbers that are passed on within these bounds: by their group here, the name here, the engine's key, least and most. */
const POOL = [
  ["maxConnections", "max_connections", 1, 65_536],
  ["maxConnectionsPerOrigin", "max_connections_per_origin", 1, 65_536],
  ["maxQueued", "max_queued", 1, 1_048_576],
] as const;
const POOL_TIMES = [
  ["queueTimeoutMs", "queue_timeout_ms", 10, 86_400_000],
  ["idleConnectionMs", "idle_connection_ms", 0, 86_400_000],
] as const;
const SESSIONS = [
  ["maxStreamsBidi", "max_streams_bidi", 1, 10_000],
  ["maxStreamsUni", "max_streams_uni", 1, 10_000],
  ["maxData", "max_data", 65_536, 1 << 30],
  ["maxEarlyStreams", "max_early_streams", 0, 10_000],
  ["capsuleBudget", "capsule_budget", 1, 1_000_000],
] as const;
const SESSION_TIMES = [
  ["capsuleTimeoutMs", "capsule_timeout_ms", 10, 3_600_000],
  ["decisionTimeoutMs", "decision_timeout_ms", 10, 3_600_000],
] as const;
const DATAGRAMS = [
  ["incoming", "incoming", 1, 65_535],
  ["outgoing", "outgoing", 1, 65_535],
] as const;

type Bounds = readonly (readonly [name: string, key: string, least: number, most: number])[];

const POOL_KEYS = named(POOL, POOL_TIMES);
const SESSION_KEYS = named(SESSIONS, SESSION_TIMES);
const DATAGRAM_KEYS = named(DATAGRAMS).add("countLost");

/** The engine's own default, and this side's. */
const DEFAULT_DATAGRAMS = 256;

/** The longest time that the engine waits for a packet, in seconds. */
const LONGEST_IDLE = 3600;

/**
 * Checks which connections are wanted.
 * @param host what else its client is made for
 * @throws TypeError or RangeError that names the option
 */
export function checkConnection(given: ConnectionOptions, host?: CheckedHost): CheckedConnection {
  // Who opens many sessions gives the same options with each: a group that is not given is not looked at.
  const engine: Record<string, unknown> = { ...group("engine", given.engine ?? undefined, ENGINE_KEYS, ENGINE_OWN) };
  tlsOptions(given.tls ?? undefined, engine);
  const hashes = given.serverCertificateHashes ?? undefined;
  if (hashes !== undefined) engine.certificate_hashes = hashList(hashes);
  if (given.hosts !== undefined && given.hosts !== null) engine.hosts = hostMap(given.hosts);
  if (given.connectTimeoutMs !== undefined) engine.connect_timeout_ms = milliseconds("connectTimeoutMs", given.connectTimeoutMs, 10, 600_000);
  if (given.idleTimeout !== undefined) engine.idle_timeout_ms = Math.ceil(time("idleTimeout", given.idleTimeout, "seconds", 0.1, LONGEST_IDLE) * 1000);
  if (boolean("earlyData", given.earlyData ?? undefined, false)) engine.early_data = true;
  if (given.pool !== undefined && given.pool !== null) {
    const pool = group("pool", given.pool, POOL_KEYS);
    numbers("pool", pool, POOL, engine);
    times("pool", pool, POOL_TIMES, engine);
  }
  const bounds: Record<string, unknown> = {};
  if (given.datagrams !== undefined && given.datagrams !== null) {
    const datagrams = group("datagrams", given.datagrams, DATAGRAM_KEYS);
    numbers("datagrams", datagrams, DATAGRAMS, bounds);
    if (datagrams.countLost !== undefined) bounds.count_lost = boolean("datagrams.countLost", datagrams.countLost, false);
    if (Object.keys(bounds).length > 0) engine.datagrams = bounds;
  }
  if (given.webtransport !== undefined && given.webtransport !== null) {
    const sessions = group("webtransport", given.webtransport, SESSION_KEYS);
    const settings: Record<string, unknown> = {};
    numbers("webtransport", sessions, SESSIONS, settings);
    times("webtransport", sessions, SESSION_TIMES, settings);
    if (Object.keys(settings).length > 0) engine.webtransport = settings;
  }
  if (host?.quicDatagram !== undefined) engine.quic_datagrams = true;
  if (host?.rawDatagrams) {
    if (given.webtransport !== undefined && given.webtransport !== null) throw new TypeError("webtransport needs HTTP/3 datagrams, which rawDatagrams turns off");
    engine.webtransport = false;
  }
  return {
    engine: JSON.stringify(engine),
    incomingDatagrams: (bounds.incoming as number | undefined) ?? DEFAULT_DATAGRAMS,
    congestionControl: congestionControlOf(engine.congestion_control),
  };
}

/**
 * Checks where events and messages are to go.
 * @throws TypeError or RangeError that names the option
 */
export function checkHost(given: ClientHostOptions): CheckedHost {
  const onLog = callable<NonNullable<ClientHostOptions["onLog"]>>("onLog", given.onLog);
  return {
    log: new Log<null>(onLog, boolean("development", given.development ?? undefined, false)),
    interval: pumpInterval(given.pump ?? undefined),
    capacity: queueCapacity(given.queue ?? undefined),
    quicDatagram: callable<ClientQuicDatagramHandler>("quicDatagram", given.quicDatagram),
    rawDatagrams: boolean("rawDatagrams", given.rawDatagrams ?? undefined, false),
  };
}

function named(...groups: Bounds[]): Set<string> {
  return new Set(groups.flat().map(([name]) => name));
}

/** Puts the numbers of a group that are given into `engine`. */
function numbers(of: string, given: Record<string, unknown>, bounds: Bounds, engine: Record<string, unknown>): void {
  for (const [name, key, least, most] of bounds) {
    if (given[name] !== undefined) engine[key] = whole(`${of}.${name}`, given[name], least, most);
  }
}

/** The same of times. */
function times(of: string, given: Record<string, unknown>, bounds: Bounds, engine: Record<string, unknown>): void {
  for (const [name, key, least, most] of bounds) {
    if (given[name] !== undefined) engine[key] = milliseconds(`${of}.${name}`, given[name], least, most);
  }
}

function tlsOptions(value: unknown, engine: Record<string, unknown>): void {
  if (value === undefined) return;
  const given = group("tls", value, TLS_KEYS, REFUSED_TLS);
  if (!boolean("tls.rejectUnauthorized", given.rejectUnauthorized ?? undefined, true)) engine.insecure = true;
  const serverName = given.serverName ?? given.servername ?? undefined;
  if (serverName !== undefined) engine.server_name = text("tls.serverName", serverName, false);
  // No authorities at all is Bun's and Node's word for the usual ones.
  const ca = given.ca ?? undefined;
  if (ca !== undefined && !(Array.isArray(ca) && ca.length === 0)) {
    const { key, key_path } = pem("tls.ca", "key", ca);
    if (key_path === undefined) engine.roots = key;
    else engine.roots_path = key_path;
  }
  const [cert, key] = [given.cert ?? undefined, given.key ?? undefined];
  if (cert === undefined && key !== undefined) throw new TypeError("tls.key needs tls.cert: the certificate that it is of");
  if (key === undefined && cert !== undefined) throw new TypeError("tls.cert needs tls.key: its private key");
  if (cert !== undefined) Object.assign(engine, pem("tls.cert", "cert", cert), pem("tls.key", "key", key));
}

function hashList(value: unknown): string[] {
  if (!Array.isArray(value)) throw new TypeError(`serverCertificateHashes must be an array, not ${brief(value)}`);
  return value.map((one: unknown, i) => hash(`serverCertificateHashes[${i}]`, one));
}

function hash(name: string, value: unknown): string {
  const must = `${name} must be { algorithm: "sha-256", value }, or the 32 bytes of a hash, or those in hexadecimal`;
  if (typeof value === "string") {
    const hex = value.replaceAll(":", "").toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError(`${must}, not ${brief(value)}`);
    return hex;
  }
  if (typeof value !== "object" || value === null) throw new TypeError(`${must}, not ${brief(value)}`);
  let bytes = value;
  if ("algorithm" in value) {
    const { algorithm } = value;
    if (typeof algorithm !== "string" || algorithm.toLowerCase() !== "sha-256") throw new TypeError(`${name}.algorithm must be "sha-256", not ${brief(algorithm)}`);
    bytes = (value as { value?: object }).value as object;
  }
  const found = bytesOf(bytes, must);
  if (found.length !== 32) throw new TypeError(`${must}, not ${found.length} bytes`);
  return Buffer.from(found).toString("hex");
}

function hostMap(value: unknown): Record<string, string | readonly string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError(`hosts must be an object, not ${brief(value)}`);
  for (const [name, where] of Object.entries(value)) {
    const all: unknown[] = Array.isArray(where) ? where : [where];
    for (const one of all) text(`hosts["${name}"]`, one, false);
  }
  return value as Record<string, string | readonly string[]>;
}
