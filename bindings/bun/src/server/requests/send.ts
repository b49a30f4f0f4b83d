/** Sends a response: in one call, with headers and body in memory of the C side, or in parts as the network takes them. */
import { describeBody, guessContentType, hasBody, RESET_CONTENT } from "../../http/content_type.ts";
import { pulledOnce } from "../../http/direct_stream.ts";
import { LARGEST_WHOLE, ownBytes, OutgoingBytes, sharedBytes, type Source } from "../../http/outgoing_bytes.ts";
import { letGo, OutgoingStream } from "../../http/outgoing_stream.ts";
import { plainHead } from "../../http/plain_head.ts";
import type { StaticResponse } from "../../http/static_response.ts";
import { trailersOf } from "../../http/trailers.ts";
import { H3Error } from "../../native/errors.ts";
import { ERROR, SEND_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { scratch } from "../../native/memory.ts";
import { listHeaders, writeField, writeHeaders, type Listed } from "../../native/packed.ts";
import { whenWritable } from "../../native/refused.ts";
import { H3Request } from "../api/request.ts";
import { HANDLER, type Call } from "./call.ts";
import type { RequestHost } from "./host.ts";
import { RESPONSE } from "./message_calls.ts";

/** Bodies up to this the library takes whatever waits for the network: see the option `max_queued_response_bytes`. */
const FREE_OF_BUDGET = 16 << 10;

/** Of a large body without a content-type, so much tells whether it is text. */
const LOOKED_AT = 64 << 10;

/** Sends a response whose body is these bytes, or none. */
export function respondWith(call: Call, response: Response, bytes: Uint8Array | null): void {
  if (call.exchange?.gone) return;
  const { status, headers } = response;
  if (status === RESET_CONTENT) bytes = null;
  const trailers = trailersOf(response);
  if (trailers !== undefined) {
    const body = bytes === null ? new Blob([]) : new Blob([bytes as Uint8Array<ArrayBuffer>]);
    stream(call, response, body.stream(), hasBody(status) ? body.size : -1);
    return;
  }
  if (bytes !== null && bytes.length > LARGEST_WHOLE) {
    inPieces(call, response, ownBytes(bytes));
    return;
  }
  const sends = sendsBody(call, status);
  const easy = sends && call.exchange?.body === undefined && H3Request.setCookies(call.request) === undefined;
  const head = easy ? plainHead(headers, bytes) : undefined;
  const code = head === undefined ? undefined : sendWhole(call.host, call.handle, status, head, bytes);
  if (code === 0) return forget(call);
  const listed = listHeaders(headers);
  if (sends) describeBody(listed, bytes);
  if (code === undefined) send(call, status, listed, bytes);
  else notTaken(call, code, status, listed, bytes);
}

/** Answers a request that has come as a whole with a response that was packed before. False: not at the first try. */
export function sendPacked(host: RequestHost, handle: number, packed: StaticResponse, method: string): boolean {
  return sendWhole(host, handle, packed.status, method === "HEAD" ? packed.bare : packed.head, packed.body) === 0;
}

/** Gives the library a response with nothing more to say or to wait for. Gives its result code. */
function sendWhole(host: RequestHost, handle: number, status: number, head: Uint8Array, body: Uint8Array | null): number {
  const bytes = body === null || body.length === 0 ? 0 : body;
  const length = body === null ? 0 : body.length;
  const flags = SEND_FLAG.FORGET | SEND_FLAG.LATER;
  const code = library().zig_h3_response_send(handle, status, head.length === 0 ? 0 : head, head.length, bytes, length, flags);
  if (code === 0) host.pump.flushSoon();
  return code;
}

/** Sends a response whose body is in memory and large. */
export function inPieces(call: Call, response: Response, source: Source): void {
  const { status } = response;
  const listed = listHeaders(response.headers);
  if (!sendsBody(call, status) || status === RESET_CONTENT) {
    source.letGo();
    if (H3Request.method(call.request) === "HEAD") listed["content-length"] ??= String(source.size);
    send(call, status, listed, null);
    return;
  }
  listed["content-length"] = String(source.size);
  if (listed["content-type"] === undefined) {
    const first = source.piece(0, LOOKED_AT);
    listed["content-type"] = first instanceof Promise ? "application/octet-stream" : guessContentType(first, true);
  }
  sendPieces(call, status, listed, source);
}

/** Sends a body in pieces, as the network takes it. */
function sendPieces(call: Call, status: number, listed: Listed, source: Source): void {
  if (!begin(call, status, listed)) return;
  const exchange = call.park();
  const sending = new OutgoingBytes(exchange, RESPONSE, source);
  exchange.sending = sending;
  sending.run();
}

/** Sends a complete response in one call. */
function send(call: Call, status: number, listed: Listed, bytes: Uint8Array | null): void {
  const native = library();
  const memory = scratch();
  const { exchange } = call;
  const headers = encode(call, listed);
  if (headers < 0) return call.fail(tooLarge());

  let flags: number = SEND_FLAG.FORGET | SEND_FLAG.LATER;
  if (exchange?.body !== undefined && !exchange.body.settled) {
    // Somebody still reads: then the request's own end is awaited. Else the client need not send the rest.
    if (exchange.body.held && call.stage === HANDLER) flags = SEND_FLAG.LATER;
    else exchange.body.stop();
  }
  const length = bytes === null ? 0 : bytes.length;
  const code = native.zig_h3_response_send(call.handle, status, memory.headersAt, headers, length === 0 ? 0 : bytes, length, flags);
  if (code === 0) {
    if ((flags & SEND_FLAG.FORGET) !== 0) forget(call);
    call.host.pump.flushSoon();
  } else {
    notTaken(call, code, status, listed, bytes);
  }
}

/** Nothing more is to be told of a request. */
function forget(call: Call): void {
  if (call.exchange === undefined) return;
  call.exchange.gone = true;
  call.host.dispatcher.exchanges.delete(call.handle);
}

/** Goes on with a response that the library has not taken in one call. */
function notTaken(call: Call, code: number, status: number, listed: Listed, bytes: Uint8Array | null): void {
  if (code === ERROR.WOULD_BLOCK) {
    library().zig_h3_flush();
    // Others wait for slow clients, maybe for long, and use up what all may hold. In pieces it is told when there is room.
    if (bytes !== null && bytes.length > FREE_OF_BUDGET) return sendSlowly(call, status, listed, bytes);
    const parked = call.park();
    whenWritable(call.handle, () => {
      if (!parked.gone) send(call, status, listed, bytes);
    });
  } else if (code === ERROR.BAD_HEADER && dropConnectionFields(listed)) {
    send(call, status, listed, bytes);
  } else {
    call.refused(code);
  }
}

/** Sends a response that is complete, and too large for the room that there is. */
function sendSlowly(call: Call, status: number, listed: Listed, bytes: Uint8Array): void {
  if (hasBody(status)) listed["content-length"] ??= String(bytes.length);
  if (sendsBody(call, status)) sendPieces(call, status, listed, sharedBytes(bytes));
  else send(call, status, listed, null);
}

/** Writes a response's headers to this thread's memory. Returns their length, or -1 when they are too long. */
function encode(call: Call, listed: Listed): number {
  const memory = scratch();
  const own = writeHeaders(memory.headers, listed);
  let end = own;
  const cookies = H3Request.setCookies(call.request);
  if (cookies !== undefined) {
    for (const cookie of cookies) {
      if (end < 0) break;
      end = writeField(memory.headers, end, "set-cookie", cookie);
    }
  }
  // That they do not fit was told: the answer to that goes out without them.
  return end < 0 && call.stage !== HANDLER ? own : end;
}

function tooLarge(): H3Error {
  return new H3Error(ERROR.TOO_LARGE, "the headers of a response are larger than 64 KiB");
}

/** Takes out what HTTP/1 says about its connection and HTTP/3 forbids, as Bun.serve() does. Returns whether there was any. */
function dropConnectionFields(listed: Listed): boolean {
  let any = false;
  for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]) {
    if (listed[name] === undefined) continue;
    delete listed[name];
    any = true;
  }
  return any;
}

/**
 * Tells the library the head of a response that is sent in parts. False: it cannot be, and the call goes on without it. All that can
 * be wrong is found here, before the response has begun: then it could not be answered otherwise.
 */
function begin(call: Call, status: number, listed: Listed): boolean {
  if (status < 200 || status > 599) {
    call.fail(new H3Error(ERROR.BAD_HEADER, `status ${status} is not within 200 to 599`));
    return false;
  }
  const native = library();
  const set = () => {
    const headers = encode(call, listed);
    return headers < 0 ? undefined : native.zig_h3_response_headers(call.handle, scratch().headersAt, headers);
  };
  let code = set();
  if (code === ERROR.BAD_HEADER && dropConnectionFields(listed)) code = set();
  if (code === 0) code = native.zig_h3_response_status(call.handle, status);
  if (code === undefined) call.fail(tooLarge());
  else if (code !== 0) call.refused(code);
  else call.begun = true;
  return code === 0;
}

/** Sends a response whose body is still being made. `length` is that of the body, or -1. */
export function stream(call: Call, response: Response, body: ReadableStream, length: number): void {
  if (body.locked) throw new TypeError("the body of this Response is in use: a stream can be sent once");
  // All of the handler's that can throw is looked at before the head is given to the library.
  const { status } = response;
  const trailers = H3Request.method(call.request) === "HEAD" ? undefined : trailersOf(response);
  if (status === RESET_CONTENT) {
    letGo(body);
    body = new Blob([]).stream();
    length = 0;
  }
  const listed = listHeaders(response.headers);
  const sends = sendsBody(call, status);
  if (length >= 0 && (listed["content-length"] === undefined || sends)) listed["content-length"] = String(length);
  const declared = !sends ? undefined : length >= 0 ? length : declaredLength(listed);
  const exchange = call.park();
  if (!begin(call, status, listed)) {
    letGo(body);
    return;
  }
  if (!sends) {
    // Nobody is going to read it; what it holds may be let go.
    letGo(body);
    body = new Blob([]).stream();
  }
  const sending = new OutgoingStream(exchange, RESPONSE, pulledOnce(body), declared, trailers);
  exchange.sending = sending;
  void sending.run();
}

/**
 * The content-length that a stream was given, which it has to keep. One that is no number is left out, and one beside a
 * content-encoding: fetch() decodes what it gets, and leaves both fields standing.
 */
function declaredLength(listed: Listed): number | undefined {
  const text = listed["content-length"];
  if (text === undefined) return undefined;
  if (listed["content-encoding"] === undefined && /^\d{1,15}$/.test(text as string)) return Number(text);
  delete listed["content-length"];
  return undefined;
}

/** Whether the client gets the body: where it does not, it is not told either what only the content tells, as in Bun.serve(). */
function sendsBody(call: Call, status: number): boolean {
  return H3Request.method(call.request) !== "HEAD" && hasBody(status);
}
