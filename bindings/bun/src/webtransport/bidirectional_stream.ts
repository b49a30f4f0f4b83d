/** A stream both ways. */
import type { WebTransportReceiveStream } from "./receive_stream.ts";
import type { WebTransportSendStream } from "./send_stream.ts";
import type { SessionStream } from "./session_stream.ts";

/**
 * A stream with a readable and a writable side, which end apart from each other.
 * @see https://www.w3.org/TR/webtransport/#bidirectional-stream
 */
export class WebTransportBidirectionalStream {
  #stream: SessionStream;

  /** @internal */
  constructor(stream: SessionStream) {
    this.#stream = stream;
  }

  /** What the peer sends. */
  get readable(): WebTransportReceiveStream {
    return this.#stream.readable;
  }

  /** What goes to the peer. */
  get writable(): WebTransportSendStream {
    return this.#stream.writable;
  }
}
