/** The calls by which the bodies of a request that was received and of its response go. */
import type { IncomingCalls } from "../../http/incoming_body.ts";
import type { OutgoingCalls } from "../../http/outgoing.ts";
import { library } from "../../native/library.ts";

/** A request's body. */
export const REQUEST: IncomingCalls = {
  consumed: (handle, bytes) => library().zig_h3_request_consumed(handle, bytes),
  stop: (handle) => library().zig_h3_request_stop(handle),
};

/** A response's body. */
export const RESPONSE: OutgoingCalls = {
  write: (handle, bytes, length, taken) => library().zig_h3_response_write(handle, bytes, length, taken),
  end: (handle) => library().zig_h3_response_end(handle, 0, 0),
  trailers: (handle, at, length) => library().zig_h3_response_send_trailers(handle, at, length),
  reset: (handle, code) => library().zig_h3_response_reset(handle, code),
};
