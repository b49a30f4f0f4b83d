/**
 * Reads the head of a request out of the queue: method, URL and headers.
 *
 * A client's requests are much alike, so what the last ones were made of is kept. A head that is equal byte for byte costs a comparison
 * of words. One that differs in its path alone costs the reading of that path: the rest is a native Request, of which others are made.
 */
import type { RawBuffer } from "../native/memory.ts";
import { FIELD_HEAD, readFields } from "../native/packed.ts";

/** Lengths of the names that each head begins with. */
const METHOD = ":method".length;
const SCHEME = ":scheme".length;
const AUTHORITY = ":authority".length;
const PATH = ":path".length;
/** What stands behind them in the request for a session. */
const PROTOCOL = ":protocol";

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

/**
 * Whether `new Request(url, request)` gives one with the method and the headers of the other, and shares nothing with it. The standard
 * says so, and Bun does it in half of the time that a dictionary takes; it is no promise of Bun's, so it is tried out.
 */
const copies = ((): boolean => {
  try {
    const template = new Request("http://localhost/", { method: "DELETE", headers: { a: "1", b: "1" } });
    const one = new Request("http://localhost/one", template as RequestInit);
    one.headers.set("a", "2");
    one.headers.delete("b");
    one.headers.set("c", "2");
    const two = new Request("http://localhost/two", template as RequestInit);
    const told = (request: Request): string => [request.method, request.url, request.body, ...request.headers].join(" ");
    return (
      told(one) === "DELETE http://localhost/one  a,2 c,2" &&
      told(two) === "DELETE http://localhost/two  a,1 b,1" &&
      told(template) === "DELETE http://localhost/  a,1 b,1"
    );
  } catch {
    return false;
  }
})();

/** What requests have in common that differ in their paths alone. Never changed once it is made. */
class CommonHead {
  /** The native Request knows no such method, and would call it GET. */
  readonly unknownMethod: boolean;
  /** Scheme and host, as a URL begins. */
  readonly origin: string;
  readonly headers: Headers;
  /** What `new Request()` takes beside the URL, when there is no body. */
  readonly init: RequestInit;
  /** Whether a Request can be made of it: not of an authority that makes no URL. */
  readonly valid: boolean;

  /**
   * @param prefix the bytes in front of the path, as whole words
   * @param rest the list behind it, :protocol included
   */
  constructor(
    readonly prefix: Words,
    readonly rest: string,
    readonly method: string,
    scheme: string,
    authority: string,
  ) {
    this.unknownMethod = !COMMON.has(method) && !keeps(method);
    const fields = readFields(rest);
    if (rest.startsWith(PROTOCOL, FIELD_HEAD)) fields.shift();
    const headers = (this.headers = new Headers(fields));
    // What HTTP/1 says in the field host is said in :authority here; handlers know the field.
    if (authority !== "" && !headers.has("host")) headers.set("host", authority);
    const host = authority !== "" ? authority : (headers.get("host") ?? "localhost");
    this.origin = `${scheme === "http" ? "http" : "https"}://${host}`;
    const dictionary = method === "GET" ? { headers } : { method, headers };
    const template = made(`${this.origin}/`, dictionary);
    this.valid = template !== undefined;
    this.init = template !== undefined && copies ? (template as RequestInit) : dictionary;
  }
}

function made(url: string, init: RequestInit): Request | undefined {
  try {
    return new Request(url, init);
  } catch {
    return undefined;
  }
}

/** The head of a request, ready for `new Request(url, init)`. Never changed once it is made. */
export class RequestHead {
  readonly method: string;
  readonly url: string;
  /** The native Request knows no such method, and would call it GET. */
  readonly unknownMethod: boolean;
  #common: CommonHead;

  /** @param path :path as it came, query included */
  constructor(
    common: CommonHead,
    readonly path: string,
  ) {
    this.#common = common;
    this.method = common.method;
    this.unknownMethod = common.unknownMethod;
    // Else it is "*", which OPTIONS asks about the server as a whole: a URL with no path (RFC 9110, 7.1).
    this.url = common.origin + (path.startsWith("/") ? path : "/");
  }

  /** Those of all requests like this one: to be read, not to be given to a handler. */
  get headers(): Headers {
    return this.#common.headers;
  }

  /** What `new Request()` takes beside the URL. */
  get init(): RequestInit {
    return this.#common.init;
  }

  /** The same for a request with a body. */
  initWith(body: Uint8Array | ReadableStream<Uint8Array>): RequestInit {
    const { method, headers } = this.#common;
    return { method, headers, body, duplex: "half" } as RequestInit;
  }

  /** Whether a Request can be made of it: not of an authority that makes no URL. */
  get valid(): boolean {
    return this.#common.valid;
  }
}

/** Bytes that are kept to be compared with others in the queue; what is behind the last one counts as zero. */
class Words {
  #length = -1;
  readonly #words: Int32Array;

  /** @param room how many words there may be */
  constructor(room: number) {
    this.#words = new Int32Array(room);
  }

  /** Takes the `length` bytes at `at`, a multiple of 4. */
  set(from: Int32Array, at: number, length: number): void {
    const words = this.#words;
    const first = at >>> 2;
    const whole = length >>> 2;
    for (let i = 0; i < whole; i++) words[i] = from[first + i]!;
    if ((length & 3) !== 0) words[whole] = tail(from, at, length);
    this.#length = length;
  }

  /** Whether the `length` bytes at `at`, a multiple of 4, are these. */
  equal(other: Int32Array, at: number, length: number): boolean {
    if (length !== this.#length) return false;
    const words = this.#words;
    const whole = length >>> 2;
    let from = at >>> 2;
    let i = 0;
    // Four at a time: these comparisons are most of what a head costs that was seen before.
    for (; i < whole - 3; i += 4, from += 4) {
      const differ =
        (other[from]! ^ words[i]!) | (other[from + 1]! ^ words[i + 1]!) | (other[from + 2]! ^ words[i + 2]!) | (other[from + 3]! ^ words[i + 3]!);
      if (differ !== 0) return false;
    }
    for (; i < whole; i++, from++) {
      if (other[from] !== words[i]) return false;
    }
    return (length & 3) === 0 || tail(other, at, length) === words[whole];
  }
}

/** The bytes behind the last whole word, as one. What is behind them in the queue may be anything. */
function tail(words: Int32Array, at: number, length: number): number {
  return words[(at + length) >>> 2]! & ((1 << ((length & 3) << 3)) - 1);
}

/** How many pairs of heads are kept, by their length, and how many of what they have in common: powers of two. */
const KEPT = 16;

/** Words of the longest head that is kept. */
const LONGEST = 256;

/** Bytes of the longest head of which is kept what it has in common with others. */
const LONGEST_COMMON = 4096;

/** A head and the bytes that it was read from. */
class Kept {
  readonly words = new Words(LONGEST);
  head: RequestHead | undefined;
}

/** Two heads of much the same length: the one that was asked for last is the first. */
class Pair {
  first = new Kept();
  second = new Kept();

  /** Changes their places. */
  turn(): Kept {
    const { first, second } = this;
    this.second = first;
    return (this.first = second);
  }
}

/** Reads heads out of one queue's memory. */
export class HeadReader {
  #pairs: Pair[] = Array.from({ length: KEPT }, () => new Pair());
  #common: (CommonHead | undefined)[] = new Array(KEPT).fill(undefined);

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
    const { words } = this;
    const pair = this.#pairs[(length >>> 2) & (KEPT - 1)]!;
    if (pair.first.words.equal(words, at, length)) return pair.first.head!;
    const kept = pair.turn();
    if (kept.words.equal(words, at, length)) return kept.head!;
    const head = this.#decode(at, length);
    if (length <= LONGEST * 4) {
      kept.words.set(words, at, length);
      kept.head = head;
    }
    return head;
  }

  #decode(at: number, length: number): RequestHead {
    const { bytes } = this;
    const scheme = this.#behind(at, METHOD);
    const authority = this.#behind(scheme, SCHEME);
    const path = this.#behind(authority, AUTHORITY);
    const behind = this.#behind(path, PATH);
    const rest = bytes.latin1Slice(behind, at + length);
    const slot = (path - at + rest.length) & (KEPT - 1);
    let common = this.#common[slot];
    if (common === undefined || common.rest !== rest || !common.prefix.equal(this.words, at, path - at)) {
      const prefix = new Words((path - at + 3) >>> 2);
      prefix.set(this.words, at, path - at);
      common = new CommonHead(
        prefix,
        rest,
        bytes.latin1Slice(at + FIELD_HEAD + METHOD, scheme),
        bytes.latin1Slice(scheme + FIELD_HEAD + SCHEME, authority),
        bytes.latin1Slice(authority + FIELD_HEAD + AUTHORITY, path),
      );
      if (length <= LONGEST_COMMON) this.#common[slot] = common;
    }
    return new RequestHead(common, bytes.latin1Slice(path + FIELD_HEAD + PATH, behind));
  }

  /** Where the field behind the one at `at` begins, whose name has a length that is known. */
  #behind(at: number, name: number): number {
    const { bytes } = this;
    const value = bytes[at + 2]! | (bytes[at + 3]! << 8) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 24);
    return at + FIELD_HEAD + name + value;
  }
}
