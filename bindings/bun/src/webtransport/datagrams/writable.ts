/** A way for datagrams to the peer. */
import { bytesOf, type BufferSource } from "../../common/buffer_source.ts";
import { mustBeInside, webInterface } from "../../common/web_interface.ts";
import { checkGroup, checkOrder, type WebTransportSendGroup } from "../streams/send_group.ts";
import type { DatagramOutbox, OutboxShare } from "./outbox.ts";

/** What `createWritable()` takes. */
export interface WebTransportSendOptions {
  /** The group that it is ranked in. Default null: that of all that have none. */
  sendGroup?: WebTransportSendGroup | null;
  /** Its rank within the group: higher ones go first. Default 0. */
  sendOrder?: number;
}

/** What a writable must know of its session. */
export interface DatagramSender {
  /** What waits to be sent. */
  readonly outbox: DatagramOutbox;
}

/**
 * A writable of datagrams. Each chunk is one datagram; one that is larger than `maxDatagramSize` is dropped, as the standard has it.
 * A write resolves while fewer than `outgoingMaxBufferedDatagrams` of its own wait. Group and order rank the datagrams that wait because the
 * engine's queue is full.
 * @see https://www.w3.org/TR/webtransport/#webtransportdatagramswritable
 */
export class WebTransportDatagramsWritable extends WritableStream<BufferSource> {
  #session: DatagramSender;
  #controller: WritableStreamDefaultController;
  #rank: { group: WebTransportSendGroup | null; order: number };
  #writer: WritableStreamDefaultWriter<BufferSource> | undefined;

  /** @internal */
  constructor(inside: symbol, session: DatagramSender, options: WebTransportSendOptions, gone: (writable: WebTransportDatagramsWritable) => void) {
    mustBeInside(inside);
    let controller: WritableStreamDefaultController;
    const rank = { group: null as WebTransportSendGroup | null, order: 0 };
    const share: OutboxShare = { waiting: 0, blocked: undefined, taken: 0 };
    super({
      start: (given) => {
        controller = given;
      },
      write: (chunk) => session.outbox.write(bytesOf(chunk), rank.group?.id ?? 0, rank.order, share),
      close: () => gone(this),
      abort: () => gone(this),
    });
    this.#session = session;
    this.#controller = controller!;
    this.#rank = rank;
    if (options.sendGroup !== undefined) this.sendGroup = options.sendGroup;
    if (options.sendOrder !== undefined) this.sendOrder = options.sendOrder;
  }

  static {
    webInterface(this, "WebTransportDatagramsWritable", { members: ["sendGroup", "sendOrder"] });
  }

  /** The group that it is ranked in. */
  get sendGroup(): WebTransportSendGroup | null {
    return this.#rank.group;
  }

  /** @throws InvalidStateError for a group of another session */
  set sendGroup(value: WebTransportSendGroup | null) {
    const group = checkGroup(value);
    if (group !== null && !group.belongsTo(this.#session)) {
      throw new DOMException("sendGroup belongs to another session", "InvalidStateError");
    }
    this.#rank.group = group;
  }

  /** Its rank within the group. */
  get sendOrder(): number {
    return this.#rank.order;
  }

  set sendOrder(value: number) {
    this.#rank.order = checkOrder(value);
  }

  override getWriter(): WritableStreamDefaultWriter<BufferSource> {
    return (this.#writer = super.getWriter());
  }

  /** The session has ended: closes the stream, or fails it. @internal */
  end(failure: { error: unknown } | undefined, over: () => unknown): void {
    if (failure !== undefined) {
      this.#controller.error(failure.error);
      return;
    }
    // Only who holds the writer can close a stream; where that is a pipe, an error ends it.
    const closing = this.locked ? this.#writer?.close() : this.close();
    closing?.catch(() => this.#controller.error(over()));
    if (closing === undefined) this.#controller.error(over());
  }
}
