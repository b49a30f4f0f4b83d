/** A stream to the peer. */
import type { BufferSource } from "../../common/buffer_source.ts";
import { INSIDE, mustBeInside, webInterface } from "../../common/web_interface.ts";
import { checkGroup, checkOrder, type WebTransportSendGroup, type WebTransportSendStreamStats } from "./send_group.ts";
import type { SendSide } from "./send_side.ts";
import { SIDE, SIGNALS, WebTransportWriter } from "./writer.ts";

/**
 * The sending side of a stream. A write resolves once the library has taken all of it, no faster than the network does; `close()`
 * ends the stream behind what was written; `abort(reason)` resets it, with the `streamErrorCode` of a WebTransportError or 0.
 * When the peer stops the stream, writes reject with a WebTransportError that has its code.
 * @see https://www.w3.org/TR/webtransport/#send-stream
 */
export class WebTransportSendStream extends WritableStream<BufferSource> {
  #session: object;
  #side: SendSide;

  /**
   * @param session whose groups it may be ranked in
   * @internal
   */
  constructor(inside: symbol, session: object, side: SendSide) {
    mustBeInside(inside);
    super(side);
    this.#session = session;
    this.#side = side;
  }

  static {
    webInterface(this, "WebTransportSendStream", { members: ["sendGroup", "sendOrder", "getStats", "getWriter"] });
  }

  /** @internal */
  get [SIDE](): SendSide {
    return this.#side;
  }

  /** The group that it is ranked in; null: that of all that have none. */
  get sendGroup(): WebTransportSendGroup | null {
    return this.#side.group;
  }

  /** @throws InvalidStateError for a group of another session */
  set sendGroup(value: WebTransportSendGroup | null) {
    const group = checkGroup(value);
    if (group !== null && !group.belongsTo(this.#session)) {
      throw new DOMException("sendGroup belongs to another session", "InvalidStateError");
    }
    this.#side.group = group;
  }

  /** Its rank within the group: higher ones go first. */
  get sendOrder(): number {
    return this.#side.order;
  }

  set sendOrder(value: number) {
    this.#side.order = checkOrder(value);
  }

  /** What has been written. */
  async getStats(): Promise<WebTransportSendStreamStats> {
    return { bytesWritten: this.#side.bytesWritten };
  }

  override abort(reason?: unknown): Promise<void> {
    if (!this.locked && !SIGNALS) this.#side.abortAsked(reason);
    return super.abort(reason);
  }

  /** A writer; the stream is locked to it. */
  override getWriter(): WebTransportWriter {
    return new WebTransportWriter(INSIDE, this);
  }
}
