/**
 * Reads the head of a request out of the queue: method, URL and headers.
 *
 * A client's requests are much alike, so what the last ones were made of is kept, sixteen of them by their length: a head that is
 * equal byte for byte costs a comparison of words, and equal fields are given to Request as the same Headers object, which it copies.
 */
import type { RawBuffer } from "../native/memory.ts";
import { Cursor, readFields } from "../native/packed.ts";

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
  ) {
    this.unknownMethod = !COMMON.has(method) && !keeps(method);
  }

  /** The native Request knows no such method, and would call it GET. */
  readonly unknownMethod: boolean;
}

/** Methods that need no trying. */
const COMMON = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);

/** Whether the native Request has this method when it is given it. */
function keeps(method: string): boolean {
  try {
    return new Request("http://localhost/", { method }).method === method;
  } catch {
    return true; // it says what it thinks of it again when the request is made
  }
}

/** How many heads are kept, by their length: a power of two. */
const KEPT = 16;

/** Words of the longest head that is kept. */
const LONGEST = 256;

/** A head and the bytes that it was read from; what is behind the last byte counts as zero. */
class Kept {
  length = -1;
  readonly words = new Int32Array(LONGEST);
  head: RequestHead | undefined;
}

/** Lengths of the names that each head begins with. */
const METHOD = ":method".length;
const SCHEME = ":scheme".length;
const AUTHORITY = ":authority".length;
const PATH = ":path".length;
const PROTOCOL = ":protocol";

/** Reads heads out of one queue's memory. */
export class HeadReader {
  #kept: Kept[] = Array.from({ length: KEPT }, () => new Kept());
  /** The head that was read last: the next one has its fields, more often than not. */
  #last: RequestHead | undefined;

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
    const kept = this.#kept[(length >>> 2) & (KEPT - 1)]!;
    if (kept.length === length && this.#equal(kept.words, at, length)) return kept.head!;
    const head = (this.#last = this.#decode(at, length));
    if (length <= LONGEST * 4) {
      const { words } = this;
      const from = at >>> 2;
      const whole = length >>> 2;
      for (let i = 0; i < whole; i++) kept.words[i] = words[from + i]!;
      if ((length & 3) !== 0) kept.words[whole] = this.#tail(at, length);
      kept.length = length;
      kept.head = head;
    }
    return head;
  }

  #equal(known: Int32Array, at: number, length: number): boolean {
    const { words } = this;
    const from = at >>> 2;
    const whole = length >>> 2;
    for (let i = 0; i < whole; i++) {
      if (words[from + i] !== known[i]) return false;
    }
    return (length & 3) === 0 || this.#tail(at, length) === known[whole];
  }

  /** The bytes behind the last whole word, as one. What is behind them in the queue may be anything. */
  #tail(at: number, length: number): number {
    return this.words[(at + length) >>> 2]! & ((1 << ((length & 3) << 3)) - 1);
  }

  #decode(at: number, length: number): RequestHead {
    const text = this.bytes.latin1Slice(at, at + length);
    const cursor = new Cursor(text);
    const method = cursor.next(METHOD);
    const scheme = cursor.next(SCHEME);
    const authority = cursor.next(AUTHORITY);
    const path = cursor.next(PATH);
    if (text.startsWith(PROTOCOL, cursor.at + 6)) cursor.next(PROTOCOL.length);
    const fields = text.substring(cursor.at);
    const like = this.#last;
    let headers: Headers;
    if (like !== undefined && like.fields === fields && like.authority === authority) {
      headers = like.init.headers;
    } else {
      headers = new Headers(readFields(fields));
      // What HTTP/1 says in the field host is said in :authority here; handlers know the field.
      if (authority !== "" && !headers.has("host")) headers.set("host", authority);
    }
    const host = authority !== "" ? authority : (headers.get("host") ?? "localhost");
    // Else it is "*", which OPTIONS asks about the server as a whole: a URL with no path (RFC 9110, 7.1).
    const url = `${scheme === "http" ? "http" : "https"}://${host}${path.startsWith("/") ? path : "/"}`;
    const init = method === "GET" ? { headers } : { method, headers };
    return new RequestHead(method, authority, path, url, fields, init);
  }
}
