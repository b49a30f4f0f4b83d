/** Answers that no handler gives: where there is no route, and to requests that break a rule of this server. */
import { H3Error } from "../../native/errors.ts";
import { ERROR, H3_REQUEST_CANCELLED, SEND_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { scratch } from "../../native/memory.ts";
import { writeField } from "../../native/packed.ts";
import { whenWritable } from "../../native/refused.ts";
import { H3Request } from "../api/request.ts";
import type { Unmatched } from "../routes/route.ts";
import type { Exchange } from "./exchange.ts";
import type { RequestHost } from "./host.ts";

/** Answers a request that no handler sees: with a status, and for 405 with the methods that there are. */
export function refuse(host: RequestHost, handle: number, why: Unmatched | { status: 400 | 413 }, exchange: Exchange | undefined): void {
  if (exchange !== undefined) {
    exchange.body?.stop();
    exchange.gone = true;
    host.dispatcher.exchanges.delete(handle);
  }
  send(host, handle, why.status, "allow" in why ? why.allow : "");
}

function send(host: RequestHost, handle: number, status: number, allow: string): void {
  const native = library();
  const memory = scratch();
  const length = allow === "" ? 0 : writeField(memory.headers, 0, "allow", allow);
  const code = native.zig_h3_response_send(handle, status, memory.headersAt, Math.max(length, 0), 0, 0, SEND_FLAG.FORGET | SEND_FLAG.LATER);
  if (code === 0) {
    host.pump.flushSoon();
  } else if (code === ERROR.WOULD_BLOCK) {
    whenWritable(handle, () => send(host, handle, status, allow));
  } else if (code === ERROR.ENDED) {
    // A response that has begun: the client may as well see an error.
    native.zig_h3_response_reset(handle, H3_REQUEST_CANCELLED);
  }
}

/** Ends a request whose streamed body has grown over the limit: the engine watches only over bodies that it collects itself. */
export function refuseTooLarge(host: RequestHost, exchange: Exchange): void {
  const reason = new H3Error(ERROR.TOO_LARGE, `the request's body is larger than maxRequestBodySize (${host.bodyLimit} bytes)`);
  const { body, request } = exchange;
  exchange.body = undefined; // what fails below is its reader; the client is told by the response
  library().zig_h3_request_stop(exchange.handle);
  refuse(host, exchange.handle, { status: 413 }, exchange);
  body?.fail(reason);
  exchange.sending?.closed(reason);
  if (request !== undefined) H3Request.abort(request, reason);
}
