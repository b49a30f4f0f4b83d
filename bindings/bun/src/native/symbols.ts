/**
 * The functions of libzigquicheh3 as bun:ffi is to call them.
 *
 * Handles, sizes and 64-bit numbers are declared as `ptr`: given a JavaScript number, that conversion costs a sixth of `u64`'s, and
 * is exact up to 2^53, below which all of them stay. Results that are 64-bit come through memory instead.
 */
import type { FFIFunction } from "bun:ffi";

/** Every function of include/zig_h3.h; a test holds the two against each other. */
export const symbols = {
  zig_h3_version: { args: [], returns: "cstring" },
  zig_h3_abi_version: { args: [], returns: "u32" },
  zig_h3_abi_minor: { args: [], returns: "u32" },
  zig_h3_struct_size: { args: ["u32"], returns: "u32" },
  zig_h3_error_name: { args: ["i32"], returns: "cstring" },
  zig_h3_event_name: { args: ["u32"], returns: "cstring" },
  zig_h3_last_error: { args: [], returns: "cstring" },
  zig_h3_last_refusal: { args: [], returns: "u32" },
  zig_h3_alloc: { args: ["ptr"], returns: "ptr" },
  zig_h3_free: { args: ["ptr"], returns: "void" },

  zig_h3_queue_new: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_free: { args: ["ptr"], returns: "i32" },
  zig_h3_next_event: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_next_events: { args: ["ptr", "ptr", "ptr", "u32", "ptr"], returns: "i32" },
  zig_h3_queue_map: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_queue_collected: { args: ["ptr", "ptr"], returns: "void" },
  zig_h3_queue_peek: { args: ["ptr", "u32", "ptr"], returns: "i32" },
  zig_h3_queue_advance: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_fd: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_queue_arm: { args: ["ptr"], returns: "i32" },
  zig_h3_queue_wait: { args: ["ptr", "i32"], returns: "i32" },
  zig_h3_queue_wake: { args: ["ptr"], returns: "i32" },

  zig_h3_server_new: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_server_free: { args: ["ptr"], returns: "i32" },
  zig_h3_server_add_queue: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_server_remove_queue: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  zig_h3_server_route: { args: ["ptr", "ptr", "ptr", "u32", "ptr", "ptr"], returns: "i32" },
  zig_h3_server_start: { args: ["ptr"], returns: "i32" },
  zig_h3_server_stop: { args: ["ptr", "i32"], returns: "i32" },
  zig_h3_server_port: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_server_certificate_hash: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_stats_snapshot: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_stats_name: { args: ["u32"], returns: "ptr" },

  zig_h3_request_consumed: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_request_stop: { args: ["ptr"], returns: "i32" },
  zig_h3_request_write: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_request_end: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_request_send_trailers: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_request_reset: { args: ["ptr", "ptr"], returns: "i32" },

  zig_h3_response_send: { args: ["ptr", "u32", "ptr", "ptr", "ptr", "ptr", "u32"], returns: "i32" },
  zig_h3_response_status: { args: ["ptr", "u32"], returns: "i32" },
  zig_h3_response_header: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_response_headers: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_response_write: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_response_end: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_response_send_trailers: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_response_reset: { args: ["ptr", "ptr"], returns: "i32" },

  zig_h3_conn_send_datagram: { args: ["ptr", "ptr", "ptr", "u32", "u32"], returns: "i32" },
  zig_h3_request_send_datagram: { args: ["ptr", "ptr", "ptr", "u32", "u32"], returns: "i32" },
  zig_h3_server_send_quic_datagram: { args: ["ptr", "ptr", "ptr", "u32", "u32"], returns: "i32" },
  zig_h3_response_send_h3_datagram: { args: ["ptr", "ptr", "ptr", "u32", "u32"], returns: "i32" },
  zig_h3_wt_send_datagram: { args: ["ptr", "ptr", "ptr", "u32", "u32"], returns: "i32" },
  zig_h3_send_datagrams: { args: ["ptr", "ptr", "u32"], returns: "i32" },

  zig_h3_client_new: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_client_free: { args: ["ptr"], returns: "i32" },
  zig_h3_client_close: { args: ["ptr", "i32"], returns: "i32" },
  zig_h3_client_connect: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_client_prioritize_fetch: { args: ["ptr", "u32", "u32"], returns: "i32" },
  zig_h3_client_fetch: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_client_cancel_fetch: { args: ["ptr"], returns: "i32" },
  zig_h3_client_open_webtransport: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_client_stats_snapshot: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_client_stats_name: { args: ["u32"], returns: "ptr" },

  zig_h3_wt_accept: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_reject: { args: ["ptr", "u32", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_close: { args: ["ptr", "u32", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_drain: { args: ["ptr"], returns: "i32" },
  zig_h3_wt_max_datagram_size: { args: ["ptr"], returns: "i32" },
  zig_h3_wt_stats_snapshot: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_export_keying_material: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_stats_name: { args: ["u32"], returns: "ptr" },
  zig_h3_wt_open_stream: { args: ["ptr", "u32", "u32", "ptr"], returns: "i32" },
  zig_h3_wt_stream_write: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_stream_write_atomic: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  zig_h3_wt_stream_commit: { args: ["ptr"], returns: "i32" },
  zig_h3_wt_stream_end: { args: ["ptr"], returns: "i32" },
  zig_h3_wt_stream_reset: { args: ["ptr", "u32"], returns: "i32" },
  zig_h3_wt_stream_stop: { args: ["ptr", "u32"], returns: "i32" },
  zig_h3_wt_stream_consumed: { args: ["ptr", "ptr"], returns: "i32" },
  zig_h3_wt_stream_priority: { args: ["ptr", "u32", "i64"], returns: "i32" },
  zig_h3_flush: { args: [], returns: "i32" },
} as const satisfies Record<string, FFIFunction>;

/** A numeric argument as the table declares it: an address, a handle or a size. */
type Word = number | bigint;

type Call = (...args: (Word | NodeJS.TypedArray | null)[]) => number;

/** The functions as this package calls them. Results below zero are codes of `ERROR`. */
export type Symbols = {
  readonly [Name in Exclude<keyof typeof symbols, TextResult>]: Call;
} & { readonly [Name in TextResult]: (...args: number[]) => { toString(): string } };

type TextResult = "zig_h3_version" | "zig_h3_error_name" | "zig_h3_event_name" | "zig_h3_last_error";
