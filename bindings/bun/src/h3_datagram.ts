/** HTTP/3 datagrams of requests (RFC 9297). */
import { datagramResult, type DatagramResult } from "./datagram_result.ts";
import { callLogged } from "./failure.ts";
import { SEND_FLAG } from "./layout.ts";
import { library } from "./library.ts";
import type { H3Request } from "./request.ts";
import type { H3Server } from "./server.ts";
import { bytesOf, type BufferSource } from "./webtransport/buffer_source.ts";

/**
 * Takes the datagrams of a route's requests, from the request to the end of its response. The payload is yours. What it throws, and
 * what a promise that it gives rejects with, goes to the log; the request lives on. Called with the server as `this`.
 */
export type H3DatagramHandler<Path extends string = string> = (
  this: H3Server,
  payload: Uint8Array<ArrayBuffer>,
  context: H3DatagramContext<Path>,
) => unknown;

/** The request that a datagram belongs to. It is the same object for all datagrams of a request. */
export class H3DatagramContext<Path extends string = string> {
  #server: H3Server;
  #handle: number;

  /** @internal */
  constructor(
    /** The request. */
    readonly request: H3Request<Path>,
    /** Its QUIC stream id. */
    readonly streamId: number,
    /** What the request's handler takes datagrams with. @internal */
    readonly handler: H3DatagramHandler,
    server: H3Server,
    handle: number,
  ) {
    this.#server = server;
    this.#handle = handle;
  }

  /** What names the request in its datagrams: a quarter of its stream id (RFC 9297, 2.1). */
  get flowId(): number {
    return this.streamId / 4;
  }

  /**
   * Sends a datagram of the request to the client, also later than the one that came, as long as the response has not ended. Says at
   * once what became of it.
   * @throws TypeError when `data` is neither an ArrayBuffer nor a view of one
   */
  sendReply(data: BufferSource): DatagramResult {
    const bytes = bytesOf(data);
    const { length } = bytes;
    const code = library().zig_h3_response_send_h3_datagram(this.#handle, length === 0 ? 0 : bytes, length, 0, SEND_FLAG.LATER);
    if (code === 0) this.#server.pump.flushSoon();
    return datagramResult(code);
  }

  /** Calls the handler. @internal */
  static deliver(context: H3DatagramContext, payload: Uint8Array<ArrayBuffer>): void {
    const server = context.#server;
    callLogged(server, "h3Datagram", () => context.handler.call(server, payload, context), context.request);
  }
}
