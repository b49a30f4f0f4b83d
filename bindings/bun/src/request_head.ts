/**
 * Reads the head of a request out of the queue: method, URL and headers.
 *
 * A client's requests are much alike, so what the last ones were made of is kept, sixteen of them by their length: a head that is
 * equal byte for byte costs a comparison of words, and equal fields are given to Request as the same Headers object, which it copies.
 */
import { Cursor, readFields } from "./packed.ts";
import type { RawBuffer } from "./memory.ts";

/** The head of a request, ready for `new Request(url, init)`. Never changed once it is made. */
export class RequestHead {
  constructor(
    readonly method: string,
    readonly authority: string,
    /** :path as it came, query included. */
    readonly path: string,
    readonly url: string,
    /** The regular fields, packed. */
    readonly fields: string,
    readonly init: { method?: string; headers: Headers },
    /** The bytes that this was read from, as 32-bit words; the last one is filled up with zeros. */
    readonly words: Int32Array,
    readonly length: number,
  ) {}
}

/** Lengths of the names that each head begins with. */
const METHOD = ":method".length;
const SCHEME = ":scheme".length;
const AUTHORITY = ":authority".length;
const PATH = ":path".length;
const PROTOCOL = ":protocol";

/** Reads heads out of one queue's memory. */
export class HeadReader {
  #recent: (RequestHead | undefined)[] = new Array<RequestHead | undefined>(16).fill(undefined);

  /**
   * @param bytes the queue's memory
   * @param words the same as 32-bit words
   */
  constructor(
    readonly bytes: RawBuffer,
    readonly words: Int32Array,
  ) {}

  /** The head in the `length` bytes at `at`, a multiple of 8. */
  read(at: number, length: number): RequestHead {
    const slot = (length >>> 2) & 15;
    const recent = this.#recent[slot];
    if (recent !== undefined && recent.length === length && this.#equal(recent.words, at, length)) return recent;
    const head = this.#decode(at, length, recent);
    this.#recent[slot] = head;
    return head;
  }

  #equal(known: Int32Array, at: number, length: number): boolean {
    const { words, bytes } = this;
    const from = at >>> 2;
    const whole = length >>> 2;
    for (let i = 0; i < whole; i++) {
      if (words[from + i] !== known[i]) return false;
    }
    let tail = 0;
    for (let i = whole << 2, shift = 0; i < length; i++, shift += 8) tail |= bytes[at + i]! << shift;
    return (length & 3) === 0 || tail === known[whole];
  }

  #decode(at: number, length: number, like: RequestHead | undefined): RequestHead {
    const text = this.bytes.latin1Slice(at, at + length);
    const cursor = new Cursor(text);
    const method = cursor.next(METHOD);
    const scheme = cursor.next(SCHEME);
    const authority = cursor.next(AUTHORITY);
    const path = cursor.next(PATH);
    if (text.startsWith(PROTOCOL, cursor.at + 6)) cursor.next(PROTOCOL.length);
    const fields = text.substring(cursor.at);
    let headers: Headers;
    if (like !== undefined && like.fields === fields && like.authority === authority) {
      headers = like.init.headers;
    } else {
      headers = new Headers(readFields(fields));
      // What HTTP/1 says in the field host is said in :authority here; handlers know the field.
      if (authority !== "" && !headers.has("host")) headers.set("host", authority);
    }
    const copy = new Int32Array((length + 3) >>> 2);
    new Uint8Array(copy.buffer).set(this.bytes.subarray(at, at + length));
    const host = authority !== "" ? authority : (headers.get("host") ?? "localhost");
    const url = `${scheme === "http" ? "http" : "https"}://${host}${path.startsWith("/") ? path : "/" + path}`;
    const init = method === "GET" ? { headers } : { method, headers };
    return new RequestHead(method, authority, path, url, fields, init, copy, length);
  }
}
