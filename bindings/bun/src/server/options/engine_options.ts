/** The option `engine`: what the engine can be told beyond the options that Bun.serve() has, too. It checks the values itself. */
import type { EngineOptions } from "../api/types.ts";

/** Keys that are passed on as they are. */
export const ENGINE_KEYS: ReadonlySet<string> = new Set([
  "max_header_bytes",
  "max_incoming_streams",
  "max_connections",
  "max_connections_per_address",
  "keep_alive_ms",
  "handshake_timeout_ms",
  "header_timeout_ms",
  "body_timeout_ms",
  "write_timeout_ms",
  "receive_window",
  "stream_receive_window",
  "connection_receive_window",
  "reset_budget",
  "max_unverified_handshakes",
  "initial_packet_size",
  "max_packet_size",
  "initial_window",
  "congestion_control",
  "max_buffered_body_bytes",
  "high_water_mark",
  "max_queued_response_bytes",
  "date",
  "go",
] satisfies (keyof EngineOptions)[]);

/** Keys of the engine that are options by a name of their own here. */
export const ENGINE_OWN: Readonly<Record<string, string>> = {
  max_request_body_size: "it is called maxRequestBodySize here",
  idle_timeout_ms: "it is called idleTimeout here",
  request_timeout_ms: "it is called requestTimeoutMs here",
  quic_datagrams: "it is set where there is a handler quicDatagram",
  raw_datagrams: "it is called rawDatagrams here",
  datagrams: "it is an option of its own here",
  webtransport: "it is an option of its own here",
  cert: "it belongs to tls",
  key: "it belongs to tls",
  tls: "it is an option of its own here",
};
