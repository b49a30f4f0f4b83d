/**
 * The numbers of the C contract (include/zig_h3.h): codes, flags, event types, and where the fields of its structs stand. Plain
 * tables, so that a test can hold them against the header name by name.
 */

/** ZIG_H3_ABI_VERSION: the contract that this package speaks. */
export const ABI_VERSION = 1;

/** enum zig_h3_abi: that contract, and what was added to it since; a library that has added less lacks functions. */
export const ABI = { VERSION: ABI_VERSION, MINOR: 3 } as const;

/** enum zig_h3_error, without its prefix: 0 and above are successes. */
export const ERROR = {
  OK: 0,
  INVALID_ARGUMENT: -1,
  INVALID_HANDLE: -2,
  STALE_HANDLE: -3,
  WRONG_KIND: -4,
  WRONG_STATE: -5,
  BUSY: -6,
  NO_MEMORY: -7,
  FORKED: -8,
  FATAL: -9,
  BUFFER_TOO_SMALL: -10,
  CONFIG: -11,
  CERTIFICATE: -12,
  ADDRESS_IN_USE: -13,
  ADDRESS_UNAVAILABLE: -14,
  PERMISSION: -15,
  RESOLVE: -16,
  IO: -17,
  LIMIT: -18,
  BAD_HEADER: -400,
  BAD_URL: -401,
  BAD_ROUTE: -404,
  TIMEOUT: -408,
  ENDED: -409,
  TOO_LARGE: -413,
  NOT_NEGOTIATED: -421,
  WOULD_BLOCK: -425,
  QUEUE_FULL: -429,
  DATAGRAM_TOO_LARGE: -431,
  CANCELLED: -499,
  INTERNAL: -500,
  CLOSED: -503,
  RESET: -504,
  IDLE: -505,
  PROTOCOL: -506,
  SHUTDOWN: -507,
  REFUSED: -510,
  UNREACHABLE: -511,
  CONNECT_TIMEOUT: -512,
  HANDSHAKE: -513,
  UNKNOWN_AUTHORITY: -514,
  WRONG_NAME: -515,
  EXPIRED: -516,
  PIN: -517,
  POOL_TIMEOUT: -518,
  REJECTED: -519,
  TRUNCATED: -520,
} as const;

/** enum zig_h3_event_type. */
export const EVENT = {
  PAD: 0,
  REQUEST: 1,
  BODY: 2,
  BODY_END: 3,
  WRITABLE: 4,
  STREAM_CLOSED: 5,
  CONN_OPENED: 6,
  CONN_CLOSED: 7,
  SERVER_STARTED: 8,
  SERVER_STOPPED: 9,
  LOST: 10,
  LOG: 11,
  FATAL: 12,
  QUIC_DATAGRAM: 13,
  H3_DATAGRAM: 14,
  SESSION_REQUEST: 15,
  SESSION_OPENED: 16,
  SESSION_DRAINING: 17,
  SESSION_CLOSED: 18,
  SESSION_DATAGRAM: 19,
  STREAM_OPENED: 20,
  STREAM_DATA: 21,
  STREAM_RESET: 22,
  STREAM_STOPPED: 23,
  STREAM_ENDED: 24,
  DATAGRAMS_DROPPED: 25,
  STREAM_ATOMIC: 26,
  INFORMATIONAL: 27,
  RESPONSE: 28,
  FETCH_DONE: 29,
  CLIENT_CLOSED: 30,
  CONNECT_DONE: 31,
} as const;

/** enum zig_h3_event_flag. */
export const FLAG = { END: 0x1, REMOTE: 0x2, ABORTED: 0x4, BUFFERED: 0x8, COUNTERS: 0x10, EARLY: 0x20 } as const;

/** enum zig_h3_log_level. */
export const LOG_LEVEL = { DEBUG: 0, INFO: 1, WARN: 2, ERROR: 3 } as const;

/** enum zig_h3_route_flag. */
export const ROUTE_FLAG = { BUFFERED: 0x1, DATAGRAM: 0x2, WEBTRANSPORT: 0x4, REPLACE: 0x8, REMOVE: 0x10 } as const;

/** enum zig_h3_send_flag. */
export const SEND_FLAG = { FORGET: 0x1, LATER: 0x2 } as const;

/** enum zig_h3_struct: what zig_h3_struct_size() takes. */
export const STRUCT = {
  RECORD: 1,
  EVENT: 2,
  QUEUE_CONFIG: 3,
  SERVER_CONFIG: 4,
  QUEUE_SPAN: 5,
  DATAGRAM: 6,
  CLIENT_CONFIG: 7,
  FETCH_CONFIG: 8,
  SESSION_CONFIG: 9,
} as const;

/** enum zig_h3_wt_stream_kind. */
export const WT_STREAM = { BIDIRECTIONAL: 0, UNIDIRECTIONAL: 1 } as const;

/** enum zig_h3_fetch_flag. */
export const FETCH_FLAG = { END: 0x1, DATAGRAMS: 0x2, LATER: 0x4 } as const;

/** enum zig_h3_session_flag. */
export const SESSION_FLAG = { POOLED: 0x1 } as const;

/** enum zig_h3_congestion_control. This package says it in its clients' options: sessions that share connections may wish for some, too. */
export const CONGESTION_CONTROL = { OPTION: 0, BBR: 1, RENO: 2, AUTO: 3 } as const;

/** enum zig_h3_refusal: what a call waits for that returned WOULD_BLOCK. */
export const REFUSAL = { NONE: 0, RING: 1, NETWORK: 2, QUEUE: 3 } as const;

/** enum zig_h3_wt_open_flag. */
export const WT_OPEN = { WAIT: 0x1 } as const;

/** Offsets in zig_h3_record, the head of an event. The first part of the payload (meta) follows it at once. */
export const RECORD = {
  size: 0,
  type: 4,
  flags: 6,
  object: 8,
  parent: 16,
  conn: 24,
  user_data: 32,
  code: 40,
  status: 44,
  meta_len: 48,
  data_len: 52,
  aux: 56,
} as const;

/** sizeof(zig_h3_record). */
export const RECORD_SIZE = 64;

/** Records begin at multiples of this. */
export const RECORD_ALIGN = 64;

/** Offsets in zig_h3_queue_config. */
export const QUEUE_CONFIG = { size: 0, capacity: 4 } as const;

/** sizeof(zig_h3_queue_config). */
export const QUEUE_CONFIG_SIZE = 8;

/** Offsets in zig_h3_server_config. */
export const SERVER_CONFIG = {
  size: 0,
  port: 4,
  reserved: 6,
  hostname: 8,
  cert_path: 16,
  key_path: 24,
  options: 32,
  options_len: 40,
} as const;

/** sizeof(zig_h3_server_config). */
export const SERVER_CONFIG_SIZE = 48;

/** Offsets in zig_h3_client_config. */
export const CLIENT_CONFIG = { size: 0, reserved: 4, options: 8, options_len: 16 } as const;

/** sizeof(zig_h3_client_config). */
export const CLIENT_CONFIG_SIZE = 24;

/** Offsets in zig_h3_fetch_config. */
export const FETCH_CONFIG = {
  size: 0,
  flags: 4,
  method: 8,
  url: 16,
  url_len: 24,
  headers: 32,
  headers_len: 40,
  body: 48,
  body_len: 56,
  collect: 64,
  response_timeout_ms: 72,
  request_timeout_ms: 76,
  user_data: 80,
} as const;

/** sizeof(zig_h3_fetch_config). */
export const FETCH_CONFIG_SIZE = 88;

/** Offsets in zig_h3_session_config. */
export const SESSION_CONFIG = {
  size: 0,
  flags: 4,
  url: 8,
  url_len: 16,
  headers: 24,
  headers_len: 32,
  protocols: 40,
  protocols_len: 48,
  user_data: 56,
  congestion_control: 64,
  reserved: 68,
} as const;

/** sizeof(zig_h3_session_config). */
export const SESSION_CONFIG_SIZE = 72;

/** Offsets in zig_h3_queue_span. */
export const QUEUE_SPAN = { offset: 0, bytes: 8 } as const;

/** sizeof(zig_h3_queue_span). */
export const QUEUE_SPAN_SIZE = 16;

/**
 * sizeof(zig_h3_datagram). This package sends datagrams one by one: to collect those of a turn saves 20 of 100 ns each, and would cost
 * sendDatagram() its answer.
 */
export const DATAGRAM_SIZE = 24;

/** sizeof(zig_h3_event); this package reads records in place and never asks for one. */
export const EVENT_SIZE = 80;

/** H3_INTERNAL_ERROR (RFC 9114, 8.1): the end of a response whose body failed. */
export const H3_INTERNAL_ERROR = 0x102;

/** H3_REQUEST_CANCELLED (RFC 9114, 8.1): the end of a request that ran out of time in the middle of its response. */
export const H3_REQUEST_CANCELLED = 0x10c;

/** What the upper word of a 64-bit number counts. */
export const HIGH = 2 ** 32;
