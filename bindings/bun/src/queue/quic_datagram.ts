/** Raw QUIC datagrams (RFC 9221). */
import { bytesOf, type BufferSource } from "../common/buffer_source.ts";
import { datagramResult, type DatagramResult } from "../native/datagram_result.ts";
import { SEND_FLAG } from "../native/layout.ts";
import { library } from "../native/library.ts";
import type { Connection, SocketAddress } from "./connection.ts";
import type { Pump } from "./pump.ts";

/** The connection that a raw datagram came on. It is the same object for all datagrams of a connection. */
export class QuicDatagramContext {
  /** 8 bytes that name the connection for as long as this process lives. */
  readonly connectionId: Uint8Array<ArrayBuffer>;
  /** The peer's address. */
  readonly remoteAddress: SocketAddress;

  #handle: number;
  #pump: Pump;

  /** @internal */
  constructor(handle: number, remote: SocketAddress, pump: Pump) {
    this.#handle = handle;
    this.#pump = pump;
    this.remoteAddress = remote;
    this.connectionId = new Uint8Array(8);
    new DataView(this.connectionId.buffer).setBigUint64(0, BigInt(handle));
  }

  /** The connection's name in hex. */
  get connectionIdHex(): string {
    return this.connectionId.toHex();
  }

  /**
   * Sends a raw datagram to the peer, also later than the one that came. Says at once what became of it.
   * @throws TypeError when `data` is neither an ArrayBuffer nor a view of one
   */
  send(data: BufferSource): DatagramResult {
    const bytes = bytesOf(data);
    const { length } = bytes;
    const code = library().zig_h3_conn_send_datagram(this.#handle, length === 0 ? 0 : bytes, length, 0, SEND_FLAG.LATER);
    if (code === 0) this.#pump.flushSoon();
    return datagramResult(code);
  }
}

const contexts = new WeakMap<Connection, QuicDatagramContext>();

/** What raw datagrams of a connection go by, and what their handlers get. */
export function datagramContext(connection: Connection, pump: Pump): QuicDatagramContext {
  let context = contexts.get(connection);
  if (context === undefined) contexts.set(connection, (context = new QuicDatagramContext(connection.handle, connection.remote, pump)));
  return context;
}
