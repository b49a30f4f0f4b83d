/** The server as users see it, and the types of what they pass in. */
import type { LogRecord } from "../../common/log.ts";
import type { Pem } from "../../common/pem.ts";
import type { SocketAddress } from "../../queue/connection.ts";
import type { QuicDatagramContext } from "../../queue/quic_datagram.ts";
import type { CertificateHash } from "./certificate_hash.ts";
import type { H3DatagramContext } from "./h3_datagram.ts";
import type { Origins } from "./origins.ts";
import type { H3Request } from "./request.ts";
import type { WebTransportServerSession } from "./server_session.ts";

/**
 * An HTTP/3 server. It serves from its making on.
 *
 * A server that runs is kept alive, and keeps the process alive, until it is stopped or unref()ed, as with Bun.serve(). One that has
 * stopped is freed by close(), by `using`, or at last by the garbage collector.
 */
export interface H3Server extends Disposable, AsyncDisposable {
  /** `id` of the options, else `""`. */
  readonly id: string;
  /** `hostname` of the options, else `"localhost"`, as in Bun.serve(). */
  readonly hostname: string;
  /** `development` of the options. */
  readonly development: boolean;
  /** Always `"https"`: there is no HTTP/3 without TLS. */
  readonly protocol: "https";
  /** The UDP port that it serves at: after a stop the one that it had. As in Bun.serve(). */
  readonly port: number;
  /** Where it serves: `https://localhost:port/` when bound to all addresses. */
  readonly url: URL;
  /** Whether it takes requests, or is still finishing some. */
  readonly running: boolean;
  /** Requests whose answers are not complete. As in Bun.serve(). */
  readonly pendingRequests: number;
  /** SHA-256 of the certificate, for `serverCertificateHashes` of a browser's WebTransport. As text it is hex. */
  readonly certificateHash: CertificateHash;

  /**
   * Serves again after a stop(). Does nothing on a server that runs.
   * @throws H3Error when the address cannot be bound, or while the server is still stopping; Error after close(), and
   * once what brings its events has failed (see `onLog`)
   */
  start(): this;

  /**
   * Stops taking connections and requests. As in Bun.serve().
   * @param force false: requests that run are finished first; true: all is ended now; `{ deadlineMs }`: they have so long
   * @returns resolves when all has ended. May be called again, also to force what is going on. Rejects with H3Error when there is no memory
   * for it: the server runs on
   * @throws TypeError or RangeError for a deadline that is none
   */
  stop(force?: boolean | { deadlineMs: number }): Promise<void>;

  /** Stops by force and frees what the server holds; afterwards it cannot be started again. May be called again. */
  close(): Promise<void>;

  /** As below, with routes as a list. */
  reload(options: ReloadOptions & { routes: readonly RouteDefinition[] }): this;
  /**
   * Replaces routes, fetch and error, as in Bun.serve(): requests that run keep their handlers, later ones get the new ones.
   * @throws TypeError that names a wrong option; then all stays as it was. H3Error when the engine cannot take a route
   */
  reload<Path extends string = string>(options: ReloadOptions<Path>): this;

  /** The client's address of a request of this server; null once its connection has ended. As in Bun.serve(). */
  requestIP(request: Request): SocketAddress | null;

  /**
   * The server's counters by the names that the library gives them, e.g. `requests_total`. They stay readable after a stop.
   * @throws Error after close()
   */
  stats(): Record<string, number>;

  /** Lets the server keep the process alive, as it does from the start. As in Bun.serve(). */
  ref(): void;

  /** Lets the process end though the server runs. As in Bun.serve(). Until then it looks for requests every 2 ms. */
  unref(): void;

  /** close(), for `using`. */
  [Symbol.dispose](): void;

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;

  /** What JSON.stringify() and console.log() show: the server, not the machinery behind it. */
  toJSON(): { url: string; id: string; development: boolean; running: boolean; pendingRequests: number };
}

/** What a handler may give: a Response, or chunks of a body (strings or bytes) that are sent as they are made. */
export type HandlerResult = Response | AsyncIterable<string | Uint8Array | ArrayBuffer> | ReadableStream;

/** Answers a request. Called with the server as `this` and as second argument. */
export type Handler<Path extends string = string> = (
  this: H3Server,
  request: H3Request<Path>,
  server: H3Server,
) => HandlerResult | Promise<HandlerResult>;

/**
 * Decides on a session with `session.accept()` or `session.reject()`, in time (`webtransport.decisionTimeoutMs`), and then works with it.
 * What it throws before it has decided rejects the session with 500; what it throws later is logged, and the session lives on. Called
 * with the server as `this`.
 */
export type SessionHandler<Path extends string = string> = (
  this: H3Server,
  session: WebTransportServerSession<Path>,
  request: H3Request<Path>,
  server: H3Server,
) => unknown;

/**
 * Takes the datagrams of a route's requests, from the request to the end of its response. The payload is yours. What it throws, and
 * what a promise that it gives rejects with, goes to the log; the request lives on. Called with the server as `this`.
 */
export type H3DatagramHandler<Path extends string = string> = (
  this: H3Server,
  payload: Uint8Array<ArrayBuffer>,
  context: H3DatagramContext<Path>,
) => unknown;

/**
 * Takes the raw datagrams of a server's connections. The payload is yours. What it throws, and what a promise that it gives rejects
 * with, goes to the log; the connection lives on. Called with the server as `this`.
 */
export type QuicDatagramHandler = (this: H3Server, payload: Uint8Array<ArrayBuffer>, context: QuicDatagramContext) => unknown;

/**
 * Takes a message. What it throws is dropped, and what a promise that it gives rejects with: a log must not bring down what it tells
 * of. `server` is null when the message is that the server was collected.
 */
export type LogHook = (record: LogRecord, server: H3Server | null) => unknown;

/** When the handler of a request is called. */
export type RouteMode = "streaming" | "buffered";

/** What stands at a path beside its methods. */
export interface RouteExtensions<Path extends string = string> {
  /** When the handlers of these methods are called: see RouteDefinition. */
  readonly mode?: RouteMode;
  /** Answers methods that have no handler of their own. */
  readonly fetch?: Handler<Path> | Response | Blob;
  /** Takes the datagrams of requests (RFC 9297). */
  readonly h3Datagram?: H3DatagramHandler<Path>;
  /** Takes WebTransport sessions. */
  readonly webtransport?: SessionHandler<Path>;
  /** Which pages may open them. Default: what `webtransport.origins` of the server says. */
  readonly origins?: Origins;
}

/** Handlers by method, in upper case. Any token of RFC 9110 is a method. `GET` answers `HEAD` too. */
export type MethodRoutes<Path extends string = string> = RouteExtensions<Path> & {
  readonly [Method in Uppercase<string>]: Handler<Path> | Response | Blob;
};

/**
 * What stands at a path of the object form of `routes`: a handler for any method, handlers by method, a Response or a file that is
 * sent as it is, or `false`, which leaves the path to `fetch`.
 */
export type RouteValue<Path extends string = string> = Handler<Path> | MethodRoutes<Path> | Response | Blob | false;

/** One route of the list form of `routes`. */
export interface RouteDefinition {
  /** A token of RFC 9110 in upper case, e.g. `"GET"`, which answers HEAD too. Default: any method. */
  method?: string;
  /** The path: literal segments, `:name` segments, and `*` as the last one. */
  pattern: string;
  /**
   * `"streaming"` (the default): the handler is called when the headers are there, and reads the body as it comes.
   * `"buffered"`: it is called once the whole body is there, and not at all when that is larger than `maxRequestBodySize`.
   */
  mode?: RouteMode;
  /** Answers the request. May be left out where there is `webtransport`. */
  fetch?: Handler;
  /** Takes the datagrams of requests (RFC 9297), in mode `"streaming"`. */
  h3Datagram?: H3DatagramHandler;
  /** Takes WebTransport sessions. */
  webtransport?: SessionHandler;
  /** Which pages may open them. Default: what `webtransport.origins` of the server says. */
  origins?: Origins;
}

/** Rules for the WebTransport sessions of a server. */
export interface WebTransportOptions {
  /**
   * Which pages may open sessions: origins like `"https://example.com"`, `"*"` for any, or a function that decides. Others get 403.
   * Clients that name no origin are no browsers, and may. Default: pages of the server's own origin.
   */
  origins?: Origins;
  /** Streams both ways that a client may have open in one session, 1 to 10000. Default 100. */
  maxStreamsBidi?: number;
  /** Streams one way that a client may have open in one session, 1 to 10000. Default 100. */
  maxStreamsUni?: number;
  /** Bytes of all streams of a session that may wait to be read, 65536 to 1073741824. Default 16777216 (16 MiB). */
  maxData?: number;
  /**
   * Streams that may wait for a session that is not accepted yet, or not even there, 0 to 10000; what is beyond is refused. Default 16.
   */
  maxEarlyStreams?: number;
  /** How long a client may take nothing of what a session has to tell it, in ms, 10 to 3600000; then the session ends. Default 10000. */
  capsuleTimeoutMs?: number;
  /** Capsules within 10 s that say nothing new, beyond which a client loses its session, 1 to 1000000. Default 1024. */
  capsuleBudget?: number;
  /** How long a handler may take to accept or reject, in ms, 10 to 3600000; then the client gets 503. Default 10000. */
  decisionTimeoutMs?: number;
}

/** Bounds for datagrams. */
export interface DatagramOptions {
  /**
   * How many of a session may wait to be read, 1 to 65535; then the oldest is dropped. The same holds for those of each session, request
   * or connection that come while this thread is too busy to take any. Default 256.
   */
  incoming?: number;
  /** How many of a session, request or connection may wait to be sent, 1 to 65535. Default 256. */
  outgoing?: number;
  /**
   * Whether datagrams and packets that come faster than QUIC's own queues are emptied are counted, as `datagrams_dropped_internal` and
   * `packets_dropped`; without it both read 0. Every packet of every connection pays for it: a download goes at three quarters of its rate. Default false.
   */
  countLost?: boolean;
}

/**
 * Settings of the engine that Bun.serve() has none for, by their keys in docs/options.md, which has their units, defaults and ranges.
 * The engine checks them: an H3Error names the one that cannot be.
 */
export interface EngineOptions {
  /** Bytes of a request's field section, beyond which it is answered 431. */
  max_header_bytes?: number;
  /** Requests that a client may have open at once on one connection. */
  max_incoming_streams?: number;
  /** Connections of all clients together. */
  max_connections?: number;
  /** Connections of one IPv4 address, or of one /64 of IPv6. */
  max_connections_per_address?: number;
  /** After how long a client's silence a connection that is in use is kept alive; 0: never. */
  keep_alive_ms?: number;
  /** How long a handshake may be silent. */
  handshake_timeout_ms?: number;
  /** From a request's first byte to its complete headers. */
  header_timeout_ms?: number;
  /** How long a body that is read may bring nothing. */
  body_timeout_ms?: number;
  /** How long a client may take nothing of a response. */
  write_timeout_ms?: number;
  /** Bytes of one request's body that may wait for the handler. */
  receive_window?: number;
  /** The largest flow control window of a stream. */
  stream_receive_window?: number;
  /** The largest flow control window of a connection. */
  connection_receive_window?: number;
  /** Requests, sessions and streams that a client may give up or break within 10 s before they are answered. */
  reset_budget?: number;
  /** Unfinished handshakes from which on new clients must prove their address. */
  max_unverified_handshakes?: number;
  /** Bytes of UDP payload of the largest packets, until a larger size is found to come through. */
  initial_packet_size?: number;
  /** Bytes of UDP payload of the largest packets at all, for paths whose MTU shrinks under way; 0: what is found to come through. */
  max_packet_size?: number;
  /** Packets of a connection that may be under way before anything is known of its path. */
  initial_window?: number;
  /** How connections find out what their path carries. Sessions read back what they got: `congestionControl`. */
  congestion_control?: "auto" | "bbr" | "reno";
  /** Bytes of all bodies on routes of mode `"buffered"` that may have come and be unanswered. At least `maxRequestBodySize`. */
  max_buffered_body_bytes?: number;
  /** Bytes of one response that may wait for the network. */
  high_water_mark?: number;
  /** Bytes of all responses and streams that may wait for the network; beyond it 16 KiB of each. */
  max_queued_response_bytes?: number;
  /** Whether a response without a date gets one. */
  date?: boolean;
  /** Go's runtime, which all servers of the process share: the last that names a setting counts. */
  go?: { max_procs?: number; gc_percent?: number; memory_limit?: number };
}

/** A certificate and its key. */
export interface TlsOptions {
  /** The certificate chain, leaf first. */
  cert: Pem;
  /** The private key, not encrypted: there is no `passphrase`. */
  key: Pem;
  /** The name (SNI) that this pair is for. Default: the names that the certificate was issued for. */
  serverName?: string;
  /** The same, as node:tls spells it. `serverName` goes before. */
  servername?: string;
}

/** How events reach this thread: see `H3ServerOptions.pump`. */
export interface PumpOptions {
  /** Look every so many milliseconds (1 to 1000) instead of sleeping until there is something. */
  intervalMs: number;
}

/** The queue that brings events to this thread: see `H3ServerOptions.queue`. */
export interface QueueOptions {
  /**
   * Bytes of events that may wait for this thread in the queue itself, a power of two from 524288 to 268435456. What does not fit waits in the
   * engine, and datagrams are dropped. Default 1048576 (1 MiB).
   */
  capacity?: number;
}

/** Takes what a handler threw. What it gives back is sent; nothing, or anything but a Response, stands for a plain 500. */
export type ErrorHandler = (
  this: H3Server,
  error: Error,
  request: H3Request,
) => HandlerResult | Promise<HandlerResult> | void | Promise<void>;

/** What createH3Server() takes. Names and meanings are Bun.serve()'s where it has them. */
export interface H3ServerOptions<Path extends string = string> {
  /**
   * UDP port, 0 to 65535; 0: one that the system chooses. Default: `BUN_PORT`, `PORT` or `NODE_PORT` of the environment, else 3000.
   */
  port?: number | string;
  /**
   * Address or name to bind; `"0.0.0.0"` are all of IPv4, `"::"` those of IPv6 beside it. Default: all addresses, of IPv6 too where
   * there is IPv6, as in Bun.serve().
   */
  hostname?: string;
  /** Certificate and key, or several for several names. Default: one for development is made (localhost, 127.0.0.1, ::1; 13 days). */
  tls?: TlsOptions | readonly TlsOptions[];
  /** PEM file with the certificate chain, instead of `tls`. */
  certPath?: string;
  /** PEM file with its key. */
  keyPath?: string;
  /** Routes, as an object of Bun.serve()'s form or as a list. They go before `fetch`. */
  routes?: { readonly [P in Path]: RouteValue<P> } | readonly RouteDefinition[];
  /** Answers what no route does. Default: 404, or 405 where only other methods have a route. */
  fetch?: Handler;
  /**
   * Takes raw QUIC datagrams (RFC 9221) of all connections; there are none without it. Not those of clients that announce HTTP/3
   * datagrams (SETTINGS_H3_DATAGRAM): what such a client sends belongs to a request, or is dropped.
   */
  quicDatagram?: QuicDatagramHandler;
  /**
   * Do not announce HTTP/3 datagrams, so that clients send raw ones. Routes then can have neither `h3Datagram` nor `webtransport`.
   * Default false.
   */
  rawDatagrams?: boolean;
  /** Bounds for datagrams of all kinds. */
  datagrams?: DatagramOptions;
  /** Rules for WebTransport sessions. */
  webtransport?: WebTransportOptions;
  /** Called with what a handler threw. Default: 500 "Internal Server Error". */
  error?: ErrorHandler;
  /** Bytes of a request's body, beyond which it is answered 413. Default 134217728 (128 MiB). */
  maxRequestBodySize?: number;
  /** Seconds without a packet from a client after which its connection is given up, 0 to 3600; 0: 3600. Default 30. */
  idleTimeout?: number;
  /** How long a handler may take to begin its response, in ms, up to 86400000; then the client gets 504. 0 (the default): as long as it likes. */
  requestTimeoutMs?: number;
  /** Show warnings and errors on the console when there is no `onLog`. Default false. */
  development?: boolean;
  /** A name for this server, for your own use. Default `""`. */
  id?: string | null;
  /**
   * How events reach this thread. Default: asleep until the library says that there is something, which takes no CPU when idle.
   * `{ intervalMs: 1 }` looks every millisecond instead.
   */
  pump?: PumpOptions;
  /** The queue that events come by. Servers of a thread share one where `pump` and `queue` are the same. */
  queue?: QueueOptions;
  /** Called with each message. Default: none, and nothing is printed. */
  onLog?: LogHook;
  /** Settings of the engine beyond these. */
  engine?: EngineOptions;
}

/**
 * What H3Server.reload() takes: the handlers. They replace all that there were; what is left out is none from then on. Where no route
 * had datagrams or sessions at the start, none can be given them.
 */
export type ReloadOptions<Path extends string = string> = Pick<H3ServerOptions<Path>, "routes" | "fetch" | "error" | "onLog">;
