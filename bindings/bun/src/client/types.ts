/** What a client is given. */
import type { BufferSource } from "../common/buffer_source.ts";
import type { LogRecord } from "../common/log.ts";
import type { Pem } from "../common/pem.ts";
import type { QuicDatagramContext } from "../queue/quic_datagram.ts";

/** Whom a client believes, and what it shows of itself. Names and meanings are those of `fetch`'s option `tls` in Bun. */
export interface ClientTlsOptions {
  /** Authorities that are believed, instead of the system's: PEM text, a file, or several of them. */
  ca?: Pem;
  /** A certificate chain for servers that ask for one, leaf first. */
  cert?: Pem;
  /** Its private key, not encrypted: there is no `passphrase`. */
  key?: Pem;
  /** false: any certificate will do. Default true. */
  rejectUnauthorized?: boolean;
  /** The name that is asked for (SNI), and that certificates must have. Default: that of the URL. */
  serverName?: string;
  /** The same, as node:tls spells it. `serverName` goes before. */
  servername?: string;
}

/** A certificate by its hash, as W3C's WebTransport has it. */
export interface CertificateHashOption {
  algorithm: "sha-256";
  value: BufferSource;
}

/** Bounds of what a client keeps open, and of what waits for it. */
export interface PoolOptions {
  /** Connections in all, 1 to 65536. Default 1024. */
  maxConnections?: number;
  /** Connections to one host and port, 1 to 65536. A second one is made only when the first has no stream left. Default 6. */
  maxConnectionsPerOrigin?: number;
  /** Requests and sessions that may wait for a connection or a stream, 1 to 1048576; what is beyond fails at once. Default 16384. */
  maxQueued?: number;
  /** How long one may wait, in ms, 10 to 86400000. Default 30000. */
  queueTimeoutMs?: number;
  /** After how long without use a connection is closed, in ms, 0 to 86400000. Default 20000. */
  idleConnectionMs?: number;
}

/** Bounds for the sessions of a client. */
export interface ClientSessionOptions {
  /** Streams both ways that a server may have open in one session, 1 to 10000. Default 100. */
  maxStreamsBidi?: number;
  /** Streams one way that a server may have open in one session, 1 to 10000. Default 100. */
  maxStreamsUni?: number;
  /** Bytes of all streams of a session that may wait to be read, 65536 to 1073741824. Default 16777216 (16 MiB). */
  maxData?: number;
  /** Streams that may wait for a session that is not open yet, 0 to 10000. Default 16. */
  maxEarlyStreams?: number;
  /** How long a server may take nothing of what a session has to tell it, in ms, 10 to 3600000. Default 10000. */
  capsuleTimeoutMs?: number;
  /** Capsules within 10 s that say nothing new, beyond which a session ends, 1 to 1000000. Default 1024. */
  capsuleBudget?: number;
  /** How long a server may take to answer the request for a session, in ms, 10 to 3600000. Default 10000. */
  decisionTimeoutMs?: number;
}

/** Bounds for the datagrams of a client. */
export interface ClientDatagramOptions {
  /** How many of a session or request may wait to be read, 1 to 65535; then the oldest is dropped. Default 256. */
  incoming?: number;
  /** How many of a session or request may wait to be sent, 1 to 65535. Default 256. */
  outgoing?: number;
  /** Whether those that come faster than QUIC's own queues are emptied are counted, which every packet pays for. Default false. */
  countLost?: boolean;
}

/** Settings of the engine, by their keys in docs/client-options.md, which has their units, defaults and ranges. The engine checks them. */
export interface ClientEngineOptions {
  /** Whether the system's authorities are believed, beside those of `tls.ca`, too. */
  system_roots?: boolean;
  /** The protocols that are offered in the handshake: `["h3"]` unless a server knows HTTP/3 by another name. */
  alpn?: string[];
  /** The field `origin` of sessions whose `headers` have none. */
  origin?: string;
  /** From a request to the head of its response; 0: for ever. */
  response_timeout_ms?: number;
  /** How long a body that is waited for may bring nothing. */
  body_timeout_ms?: number;
  /** How long a server may take nothing of a request's body. */
  write_timeout_ms?: number;
  /** What a stream that the server opens may take to say what it is. */
  header_timeout_ms?: number;
  /** After how long a server's silence a connection that is in use is kept alive; 0: never. */
  keep_alive_ms?: number;
  /** Bytes of a response's field section. */
  max_header_bytes?: number;
  /** Bytes of one response's body that may wait for whoever reads it. */
  receive_window?: number;
  /** The largest flow control window of a stream. */
  stream_receive_window?: number;
  /** The largest flow control window of a connection. */
  connection_receive_window?: number;
  /** Bytes of one request's body that may wait for the network. */
  high_water_mark?: number;
  /** Bytes of all requests and streams that may wait for the network. */
  max_queued_request_bytes?: number;
  /** Streams of sessions that a server may reset within 10 s. */
  reset_budget?: number;
  /** Bytes of UDP payload of the largest packets, until a larger size is found to come through. */
  initial_packet_size?: number;
  /** Bytes of UDP payload of the largest packets at all; 0: what is found to come through. */
  max_packet_size?: number;
  /** Packets of a connection that may be under way before anything is known of its path. */
  initial_window?: number;
  /** A folder for a file of each connection with what QUIC does on it. It costs several times what the connection does else. */
  qlog_path?: string;
  /** What one such file grows to. */
  qlog_max_bytes?: number;
  /** How many connections get one. */
  qlog_max_connections?: number;
  /** A file that gets the secrets of all connections, for Wireshark. Who has it can read all that was sent. */
  key_log_path?: string;
  /** How connections find out what their path carries. */
  congestion_control?: "auto" | "bbr" | "reno";
}

/** Which connections a client makes. Two that differ in one of these share none. */
export interface ConnectionOptions {
  /** Whom it believes. */
  tls?: ClientTlsOptions;
  /**
   * Nothing is looked at but the certificate that the server shows: it must be one of these, by the rules of W3C's WebTransport (valid for 14
   * days at most, ECDSA). An entry may also be the hash itself: 32 bytes, or hexadecimal.
   */
  serverCertificateHashes?: readonly (CertificateHashOption | BufferSource | string)[];
  /** Where a name is, instead of asking the resolver: `"name"` or `"name:port"` to an address, one with a port, or a list of them. */
  hosts?: Readonly<Record<string, string | readonly string[]>>;
  /** Bounds of what is kept open, and of what waits for it. */
  pool?: PoolOptions;
  /** How long a connection may take to be made, in ms, 10 to 600000. Default 10000. */
  connectTimeoutMs?: number;
  /** Seconds without a packet from a server after which its connection is given up, 0.1 to 3600. Default 30. */
  idleTimeout?: number;
  /**
   * Whether GET, HEAD and OPTIONS without a body may go out before a server that is known already has answered (0-RTT). Who listens can send such a
   * request a second time (RFC 8470): for those who know that this does no harm. Default false.
   */
  earlyData?: boolean;
  /** Bounds for datagrams. */
  datagrams?: ClientDatagramOptions;
  /** Bounds for sessions. */
  webtransport?: ClientSessionOptions;
  /** Settings of the engine beyond these. */
  engine?: ClientEngineOptions;
}

/**
 * Takes the raw datagrams of a client's connections. The payload is yours. What it throws, and what a promise that it gives rejects with, goes to the
 * log; the connection lives on.
 */
export type ClientQuicDatagramHandler = (payload: Uint8Array<ArrayBuffer>, context: QuicDatagramContext) => unknown;

/** How a client's events reach this thread, and where its messages go: as a server's. */
export interface ClientHostOptions {
  /** Show warnings and errors on the console when there is no `onLog`. Default false. */
  development?: boolean;
  /** How events reach this thread. Default: asleep until there is something. `{ intervalMs: 1 }` looks every millisecond instead. */
  pump?: { intervalMs: number };
  /** The queue that events come by. Clients and servers of a thread share one where `pump` and `queue` are the same. */
  queue?: { capacity?: number };
  /** Called with each message. Default: none, and nothing is printed. */
  onLog?: (record: LogRecord) => unknown;
  /**
   * Takes raw QUIC datagrams (RFC 9221), and lets them be sent: `context.send()`, `response.h3.connection.sendQuicDatagram()`. As a server's. They come
   * by connections whose server has not announced HTTP/3's. As long as such a client has a connection it waits for them, and keeps the process: until
   * `pool.idleConnectionMs` behind the last request, or close().
   */
  quicDatagram?: ClientQuicDatagramHandler;
  /** Do not announce HTTP/3 datagrams, so that servers send raw ones: requests then have none. Default false. */
  rawDatagrams?: boolean;
}
