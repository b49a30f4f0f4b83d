/** A stream both ways. */
import { mustBeInside, webInterface } from "../../common/web_interface.ts";
import type { WebTransportReceiveStream } from "./receive_stream.ts";
import type { WebTransportSendStream } from "./send_stream.ts";

/** The two sides, which are made when they are asked for. */
interface Sides {
  readonly readable: WebTransportReceiveStream;
  readonly writable: WebTransportSendStream;
}

/**
 * A stream with a readable and a writable side, which end apart from each other.
 * @see https://www.w3.org/TR/webtransport/#bidirectional-stream
 */
export class WebTransportBidirectionalStream {
  #sides: Sides;

  /** @internal */
  constructor(inside: symbol, sides: Sides) {
    mustBeInside(inside);
    this.#sides = sides;
  }

  static {
    webInterface(this, "WebTransportBidirectionalStream", { members: ["readable", "writable"] });
  }

  /** What the peer sends. */
  get readable(): WebTransportReceiveStream {
    return this.#sides.readable;
  }

  /** What goes to the peer. */
  get writable(): WebTransportSendStream {
    return this.#sides.writable;
  }
}
