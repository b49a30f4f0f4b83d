/** Checks what `new WebTransport()` is given, in the order and with the errors of the standard. */
import { brief } from "../../common/failure.ts";
import type { BufferSource } from "../../common/buffer_source.ts";
import type { WebTransportCongestionControl } from "../../common/congestion_control.ts";
import { checkAnticipated } from "../../webtransport/anticipated.ts";
import type { Anticipated } from "../../webtransport/session_core.ts";
import type { ConnectionOptions } from "../types.ts";

/** What Headers takes. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/**
 * A server's certificate by its hash.
 * @see https://www.w3.org/TR/webtransport/#dictdef-webtransporthash
 */
export interface WebTransportHash {
  /** `"sha-256"`; others are ignored, and match nothing. */
  algorithm: string;
  value: BufferSource;
}

/** What it takes beside the standard's: which connections are made, as everywhere in this package. */
type OurOptions = Omit<ConnectionOptions, "serverCertificateHashes">;

/**
 * What `new WebTransport()` takes.
 * @see https://www.w3.org/TR/webtransport/#dictdef-webtransportoptions
 */
export interface WebTransportClientOptions extends OurOptions {
  /** Whether the session may share its connection with others of equal options, and with fetches. Default false. */
  allowPooling?: boolean;
  /** Whether datagrams are a must. They always are here: there is no WebTransport over HTTP/2. Default false. */
  requireUnreliable?: boolean;
  /**
   * Fields for the request. Those that the fetch standard keeps for browsers are left out as there, but for `origin`: here nobody else says it.
   */
  headers?: HeadersInit;
  /** Certificates that are believed instead of what authorities say. Not together with allowPooling. Default: none. */
  serverCertificateHashes?: readonly WebTransportHash[];
  /** What to tune the connection for: `"low-latency"` is BBR, `"throughput"` NewReno. Default `"default"`. */
  congestionControl?: WebTransportCongestionControl;
  /**
   * How many streams one way the server is expected to have open at a time, 0 to 65535. Between 100 and 10000 the server may open just as
   * many, less is taken for 100 and more for 10000. Default null: 100.
   */
  anticipatedConcurrentIncomingUnidirectionalStreams?: number | null;
  /** The same of streams both ways. */
  anticipatedConcurrentIncomingBidirectionalStreams?: number | null;
  /** What is offered to be spoken, the preferred one first. Default: nothing. */
  protocols?: readonly string[];
  /** `"bytes"`: `datagrams.readable` is a byte stream, which reads into buffers of the reader. */
  datagramsReadableType?: "bytes";
}

/** What a session is asked for with, checked. */
export interface CheckedWish {
  url: string;
  pooled: boolean;
  /** undefined: none. */
  headers: Headers | undefined;
  protocols: readonly string[];
  datagramsReadableType: "bytes" | undefined;
  congestionControl: WebTransportCongestionControl;
  anticipated: Anticipated;
  /** Which connection it is to have. */
  connection: ConnectionOptions;
  /** Certificates were named, and none of them is one that a server could show. */
  unbelievable: boolean;
}

const CONGESTION_CONTROLS: ReadonlySet<unknown> = new Set(["default", "throughput", "low-latency"]);

/** Which connections are made, as everywhere in this package. */
const OUR_KEYS = ["tls", "hosts", "pool", "connectTimeoutMs", "idleTimeout", "earlyData", "datagrams", "webtransport", "engine"] as const satisfies (keyof OurOptions)[];

/** A list of none. */
const NONE: readonly never[] = [];

/** What the engine calls them. */
const ALGORITHMS = { "low-latency": "bbr", throughput: "reno", default: undefined } as const;

/** Streams that a server may always have open of a kind, and that it can have open at most. */
const [FEWEST, MOST] = [100, 10_000];

/** Bytes of a SHA-256. */
const SHA_256 = 32;

/** The field that the option `protocols` stands for. */
const OFFERED = "wt-available-protocols";

/** A protocol's name: what a string of a structured field can hold (RFC 9651, 3.3.3), at most 512 bytes. */
const PROTOCOL = /^[\x20-\x7e]{1,512}$/;

/** Request fields that a program cannot set, as the fetch standard has it: those of the browser's own. But for origin, see there. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "accept-charset",
  "accept-encoding",
  "access-control-request-headers",
  "access-control-request-method",
  "access-control-request-private-network",
  "connection",
  "content-length",
  "cookie",
  "cookie2",
  "date",
  "dnt",
  "expect",
  "host",
  "keep-alive",
  "referer",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

/**
 * Checks an address and options.
 * @throws SyntaxError DOMException for a URL that is not https or has a fragment, and for protocols that cannot be offered
 * @throws NotSupportedError DOMException for hashes with allowPooling
 * @throws TypeError for what is of another type, and for the field that `protocols` stands for
 */
export function checkWish(address: unknown, given: unknown): CheckedWish {
  if (given !== undefined && given !== null && typeof given !== "object" && typeof given !== "function") {
    throw new TypeError(`the options must be an object, not ${brief(given)}`);
  }
  const options = (given ?? {}) as WebTransportClientOptions & Record<string, unknown>;
  const anticipated = {
    bidirectional: checkAnticipated("Bidirectional", options.anticipatedConcurrentIncomingBidirectionalStreams),
    unidirectional: checkAnticipated("Unidirectional", options.anticipatedConcurrentIncomingUnidirectionalStreams),
  };
  const congestionControl = options.congestionControl ?? "default";
  if (!CONGESTION_CONTROLS.has(congestionControl)) {
    throw new TypeError(`congestionControl must be "default", "throughput" or "low-latency", not ${brief(congestionControl)}`);
  }
  const { datagramsReadableType } = options;
  if (datagramsReadableType !== undefined && datagramsReadableType !== "bytes") {
    throw new TypeError(`datagramsReadableType must be "bytes", not ${brief(datagramsReadableType)}`);
  }
  const headers = options.headers === undefined || options.headers === null ? undefined : new Headers(options.headers);
  const protocols = options.protocols === undefined ? NONE : listed("protocols", options.protocols).map((one) => `${one}`);
  const named = options.serverCertificateHashes ?? undefined;
  const hashes = named === undefined ? NONE : listed("serverCertificateHashes", named).map(hashOf);
  const pooled = Boolean(options.allowPooling);
  const url = checkUrl(address);
  if (pooled && hashes.length > 0) throw new DOMException("serverCertificateHashes cannot be used with allowPooling", "NotSupportedError");
  if (headers !== undefined) {
    if (headers.has(OFFERED)) throw new TypeError(`the field ${OFFERED} is what the option protocols stands for`);
    for (const name of [...headers.keys()]) if (FORBIDDEN.has(name) || /^(?:proxy|sec)-/.test(name)) headers.delete(name);
  }
  checkProtocols(protocols);
  const believed = hashes === NONE ? NONE : hashes.filter((hash) => hash !== undefined);
  const connection = connectionOf(options, congestionControl, anticipated, believed);
  const unbelievable = hashes.length > 0 && believed.length === 0;
  return { url, pooled, headers, protocols, datagramsReadableType, congestionControl, anticipated, connection, unbelievable };
}

/** The address that was found right last, and its URL: many sessions often have the same one. */
let last: { address: string; url: string } | undefined;

function checkUrl(address: unknown): string {
  const text = `${address}`; // a symbol throws, as Web IDL has it
  if (text === last?.address) return last.url;
  const url = URL.parse(text);
  if (url === null) throw new DOMException(`${brief(text)} is no URL`, "SyntaxError");
  if (url.protocol !== "https:") throw new DOMException(`the URL of a session begins with https:, not ${url.protocol}`, "SyntaxError");
  const { href } = url;
  if (href.includes("#")) throw new DOMException("the URL of a session has no fragment", "SyntaxError");
  last = { address: text, url: href };
  return href;
}

function checkProtocols(protocols: readonly string[]): void {
  for (let i = 0; i < protocols.length; i++) {
    const one = protocols[i]!;
    if (!PROTOCOL.test(one)) throw new DOMException(`a protocol has 1 to 512 visible characters of ASCII, unlike ${brief(one)}`, "SyntaxError");
    if (protocols.indexOf(one) !== i) throw new DOMException(`the protocol ${brief(one)} is offered twice`, "SyntaxError");
  }
}

/** A sequence, as Web IDL takes one. */
function listed<T>(name: string, value: Iterable<T> | undefined): T[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || typeof value[Symbol.iterator] !== "function") {
    throw new TypeError(`${name} must be an array, not ${brief(value)}`);
  }
  return [...value];
}

/** A SHA-256; undefined for what no certificate's can be. */
function hashOf(hash: WebTransportHash | null, i: number): Uint8Array | undefined {
  const name = `serverCertificateHashes[${i}]`;
  if (hash === null || typeof hash !== "object") throw new TypeError(`${name} must be { algorithm, value }, not ${brief(hash)}`);
  const { algorithm, value } = hash;
  if (algorithm === undefined) throw new TypeError(`${name} needs its algorithm`);
  if (!ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer)) {
    throw new TypeError(`${name}.value must be an ArrayBuffer or a view of one, not ${brief(value)}`);
  }
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (buffer instanceof SharedArrayBuffer) throw new TypeError(`${name}.value must not be shared memory`);
  if (`${algorithm}`.toLowerCase() !== "sha-256") return undefined;
  const bytes = ArrayBuffer.isView(value) ? new Uint8Array(buffer, value.byteOffset, value.byteLength) : new Uint8Array(buffer);
  return bytes.length === SHA_256 ? bytes.slice() : undefined;
}

function connectionOf(
  options: WebTransportClientOptions,
  congestionControl: WebTransportCongestionControl,
  anticipated: Anticipated,
  hashes: readonly Uint8Array[],
): ConnectionOptions {
  const connection: Record<string, unknown> = {};
  for (const key of OUR_KEYS) {
    const value = options[key];
    if (value !== undefined) connection[key] = value;
  }
  const { engine, webtransport } = connection as ConnectionOptions;
  if (hashes.length > 0) connection.serverCertificateHashes = hashes;
  const algorithm = ALGORITHMS[congestionControl];
  if (algorithm !== undefined) connection.engine = { congestion_control: algorithm, ...engine };
  const streams: Record<string, number> = {};
  if (anticipated.unidirectional !== null) streams.maxStreamsUni = bounded(anticipated.unidirectional);
  if (anticipated.bidirectional !== null) streams.maxStreamsBidi = bounded(anticipated.bidirectional);
  if (anticipated.unidirectional !== null || anticipated.bidirectional !== null) connection.webtransport = { ...streams, ...webtransport };
  return connection as ConnectionOptions;
}

function bounded(streams: number): number {
  return Math.min(Math.max(streams, FEWEST), MOST);
}
