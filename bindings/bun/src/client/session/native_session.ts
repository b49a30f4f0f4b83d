/** The call that asks a server for a session on the C side. */
import { H3Error } from "../../native/errors.ts";
import { ERROR, HIGH, SESSION_CONFIG, SESSION_CONFIG_SIZE, SESSION_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { HEADERS_SIZE, mapped, scratch, type RawBuffer } from "../../native/memory.ts";
import { listHeaders, writeHeaders } from "../../native/packed.ts";

/** What a session is asked for with. */
export interface SessionWish {
  url: string;
  /** It may share its connection. */
  pooled: boolean;
  /** undefined: none. */
  headers: Headers | undefined;
  protocols: readonly string[];
}

/** The longest URL and list of protocols that the library takes. */
const LONGEST_URL = 64 << 10;
const LONGEST_PROTOCOLS = 32 << 10;

/** Where the parts stand. */
const URL_AT = SESSION_CONFIG_SIZE;
const PROTOCOLS_AT = URL_AT + LONGEST_URL;

/** Memory of the C side for what a session is asked for with. Its places, and so its addresses, are the same for all sessions of a thread. */
class Asking {
  readonly #at: number;
  readonly #words: Uint32Array;
  readonly #bytes: RawBuffer;

  constructor() {
    const size = PROTOCOLS_AT + LONGEST_PROTOCOLS;
    this.#at = library().zig_h3_alloc(size);
    if (!this.#at) throw new H3Error(ERROR.NO_MEMORY);
    const all = mapped(this.#at, size, "zig_h3_free", this.#at);
    this.#words = new Uint32Array(all, 0, SESSION_CONFIG_SIZE / 4);
    this.#bytes = Buffer.from(all) as unknown as RawBuffer;
    this.#words[SESSION_CONFIG.size >>> 2] = SESSION_CONFIG_SIZE;
    this.#set(SESSION_CONFIG.url, this.#at + URL_AT);
    this.#set(SESSION_CONFIG.headers, scratch().headersAt);
    this.#set(SESSION_CONFIG.protocols, this.#at + PROTOCOLS_AT);
  }

  /** Writes a 64-bit field. */
  #set(field: number, value: number): void {
    this.#words[field >>> 2] = value;
    this.#words[(field >>> 2) + 1] = value / HIGH;
  }

  /** Asks. What is longer than the library takes is not written: it looks at the length first, and refuses that. */
  ask(client: number, { url, pooled, headers, protocols }: SessionWish): number {
    const memory = scratch();
    const length = headers === undefined ? 0 : writeHeaders(memory.headers, listHeaders(headers));
    if (url.length <= LONGEST_URL) this.#bytes.latin1Write(url, URL_AT, url.length); // ASCII: it has been through URL
    this.#words[SESSION_CONFIG.flags >>> 2] = pooled ? SESSION_FLAG.POOLED : 0;
    this.#set(SESSION_CONFIG.url_len, url.length);
    this.#set(SESSION_CONFIG.headers_len, length < 0 ? HEADERS_SIZE + 1 : length);
    this.#set(SESSION_CONFIG.protocols_len, this.#writeProtocols(protocols));
    return library().zig_h3_client_open_webtransport(client, this.#at, memory.results);
  }

  /** u16 length, bytes, again and again. Gives the length of the list. */
  #writeProtocols(protocols: readonly string[]): number {
    const bytes = this.#bytes;
    const size = protocols.reduce((sum, one) => sum + 2 + one.length, 0);
    if (size > LONGEST_PROTOCOLS) return size;
    let at = PROTOCOLS_AT;
    for (const one of protocols) {
      bytes[at] = one.length;
      bytes[at + 1] = one.length >>> 8;
      bytes.latin1Write(one, at + 2, one.length);
      at += 2 + one.length;
    }
    return size;
  }
}

let asking: Asking | undefined;

/** Asks for a session. Gives a result code; 0: its handle is the first result. */
export function openSession(client: number, wish: SessionWish): number {
  return (asking ??= new Asking()).ask(client, wish);
}
