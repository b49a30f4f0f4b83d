/** A stream from the peer. */
import { mustBeInside, webInterface } from "../../common/web_interface.ts";
import type { ReceiveSide } from "./receive_side.ts";

/** Bytes of a stream from the peer. */
export interface WebTransportReceiveStreamStats {
  /** Bytes that have come. */
  bytesReceived: number;
  /** Bytes that were read. */
  bytesRead: number;
}

/**
 * The receiving side of a stream, a byte stream: `getReader({ mode: "byob" })` works. The peer may send on as bytes are read.
 * `cancel(reason)` tells it to stop, with the `streamErrorCode` of a WebTransportError or 0. When it resets the stream, reads reject
 * with a WebTransportError that has its code.
 * @see https://www.w3.org/TR/webtransport/#receive-stream
 */
export class WebTransportReceiveStream extends ReadableStream<Uint8Array<ArrayBuffer>> {
  #side: ReceiveSide;

  /** @internal */
  constructor(inside: symbol, side: ReceiveSide) {
    mustBeInside(inside);
    // Nothing is taken ahead of the reader: taking is what lets the peer send on.
    super(side as unknown as Bun.UnderlyingSource<Uint8Array<ArrayBuffer>>, { highWaterMark: 0 });
    this.#side = side;
  }

  static {
    webInterface(this, "WebTransportReceiveStream", { members: ["getStats"] });
  }

  /** What has come and what was read. */
  async getStats(): Promise<WebTransportReceiveStreamStats> {
    return { bytesReceived: this.#side.bytesReceived, bytesRead: this.#side.bytesRead };
  }
}
