/** The call that asks a server for a session on the C side. */
import { SESSION_CONFIG, SESSION_CONFIG_SIZE, SESSION_FLAG } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { addressOf, HEADERS_SIZE, scratch } from "../../native/memory.ts";
import { listHeaders, writeHeaders } from "../../native/packed.ts";

/** What a session is asked for with. */
export interface SessionWish {
  url: string;
  /** It may share its connection. */
  pooled: boolean;
  headers: Headers;
  protocols: readonly string[];
}

/** Asks for a session. Gives a result code; 0: its handle is the first result. */
export function openSession(client: number, wish: SessionWish): number {
  const memory = scratch();
  const url = Buffer.from(wish.url, "latin1"); // ASCII: it has been through URL
  const protocols = packProtocols(wish.protocols);
  const listed = listHeaders(wish.headers);
  const length = writeHeaders(memory.headers, listed);
  const bytes = new Uint8Array(SESSION_CONFIG_SIZE);
  const config = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => config.setBigUint64(at, BigInt(value), true);
  config.setUint32(SESSION_CONFIG.size, SESSION_CONFIG_SIZE, true);
  config.setUint32(SESSION_CONFIG.flags, wish.pooled ? SESSION_FLAG.POOLED : 0, true);
  put(SESSION_CONFIG.url_len, url.length);
  put(SESSION_CONFIG.headers, memory.headersAt);
  put(SESSION_CONFIG.headers_len, length < 0 ? HEADERS_SIZE + 1 : length); // more than there can be is refused as that
  put(SESSION_CONFIG.protocols_len, protocols.length);
  // Addresses of arrays: from here on nothing is made that a collection could move.
  put(SESSION_CONFIG.url, addressOf(url));
  put(SESSION_CONFIG.protocols, protocols.length === 0 ? 0 : addressOf(protocols));
  return library().zig_h3_client_open_webtransport(client, bytes, memory.results);
}

/** u16 length, bytes, again and again. */
function packProtocols(protocols: readonly string[]): Buffer {
  const packed = Buffer.alloc(protocols.reduce((sum, one) => sum + 2 + one.length, 0));
  let at = 0;
  for (const one of protocols) {
    packed.writeUInt16LE(one.length, at);
    packed.write(one, at + 2, "latin1");
    at += 2 + one.length;
  }
  return packed;
}
