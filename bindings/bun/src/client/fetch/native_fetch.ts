/** The calls of a fetch: what asks for one, and what its bodies go by. */
import type { OutgoingCalls } from "../../http/outgoing.ts";
import { H3Error } from "../../native/errors.ts";
import { ERROR, FETCH_CONFIG, FETCH_CONFIG_SIZE, H3_REQUEST_CANCELLED, HIGH } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { addressOf, mapped, scratch, type RawBuffer } from "../../native/memory.ts";
import { untilTaken } from "../../native/refused.ts";
import type { Priority } from "./priority.ts";

/** The longest URL and method that the library takes. */
const LONGEST_URL = 64 << 10;
const LONGEST_METHOD = 64;

/** Where the parts stand. */
const METHOD_AT = FETCH_CONFIG_SIZE;
const URL_AT = METHOD_AT + LONGEST_METHOD + 8;

/** Memory of the C side for what a fetch is asked for with. Its places, and so its addresses, are the same for all fetches of a thread. */
class Asking {
  readonly #at: number;
  readonly #words: Uint32Array;
  readonly #bytes: RawBuffer;
  #method = "";

  constructor() {
    const size = URL_AT + LONGEST_URL;
    this.#at = library().zig_h3_alloc(size);
    if (!this.#at) throw new H3Error(ERROR.NO_MEMORY);
    const all = mapped(this.#at, size, "zig_h3_free", this.#at);
    this.#words = new Uint32Array(all, 0, FETCH_CONFIG_SIZE / 4);
    this.#bytes = Buffer.from(all) as unknown as RawBuffer;
    this.#words[FETCH_CONFIG.size >>> 2] = FETCH_CONFIG_SIZE;
    this.#set(FETCH_CONFIG.method, this.#at + METHOD_AT);
    this.#set(FETCH_CONFIG.url, this.#at + URL_AT);
    this.#set(FETCH_CONFIG.headers, scratch().headersAt);
  }

  /** Writes a 64-bit field. */
  #set(field: number, value: number): void {
    this.#words[field >>> 2] = value;
    this.#words[(field >>> 2) + 1] = value / HIGH;
  }

  /** Asks. Gives the library's code; the handle is the first of the results. */
  ask(client: number, method: string, url: string, headersLength: number, body: Uint8Array | null, flags: number): number {
    const bytes = this.#bytes;
    if (url.length > LONGEST_URL) return ERROR.TOO_LARGE;
    if (method !== this.#method) {
      bytes.latin1Write(method, METHOD_AT, method.length);
      bytes[METHOD_AT + method.length] = 0;
      this.#method = method;
    }
    bytes.latin1Write(url, URL_AT, url.length);
    this.#set(FETCH_CONFIG.url_len, url.length);
    this.#set(FETCH_CONFIG.headers_len, headersLength);
    this.#words[FETCH_CONFIG.flags >>> 2] = flags;
    this.#set(FETCH_CONFIG.body_len, body === null ? 0 : body.length);
    // The address of an array that may move is taken last.
    this.#set(FETCH_CONFIG.body, body === null || body.length === 0 ? 0 : addressOf(body));
    return library().zig_h3_client_fetch(client, this.#at, scratch().results);
  }
}

let asking: Asking | undefined;

/**
 * Asks a client for something. The packed headers stand in this thread's memory for them.
 * @param body all of the body, or its begin
 * @returns the library's code; with 0 the handle is the first of the results
 */
export function ask(client: number, method: string, url: string, headersLength: number, body: Uint8Array | null, flags: number): number {
  return (asking ??= new Asking()).ask(client, method, url, headersLength, body, flags);
}

/** Whether the library takes a method of this length. */
export function fits(method: string): boolean {
  return method.length <= LONGEST_METHOD;
}

/** A request's body. */
export const REQUEST_BODY: OutgoingCalls = {
  write: (handle, bytes, length, taken) => library().zig_h3_request_write(handle, bytes, length, taken),
  end: (handle) => library().zig_h3_request_end(handle, 0, 0),
  trailers: (handle, at, length) => library().zig_h3_request_send_trailers(handle, at, length),
  reset: (handle) => library().zig_h3_request_reset(handle, H3_REQUEST_CANCELLED),
};

/** The reader of a response has taken so many bytes: the server may send on. */
export function consumed(handle: number, bytes: number): void {
  library().zig_h3_request_consumed(handle, bytes); // stale by now is fine: then all of it has come
}

/** Gives a fetch that runs another priority, at once or when there is room. */
export function prioritize(handle: number, { urgency, incremental }: Priority): void {
  // Over by now is fine: then nothing comes of it any more.
  untilTaken(handle, () => library().zig_h3_client_prioritize_fetch(handle, urgency, incremental ? 1 : 0));
}

/** Gives a fetch up. */
export function cancel(handle: number): void {
  library().zig_h3_client_cancel_fetch(handle); // stale by now is fine
}
