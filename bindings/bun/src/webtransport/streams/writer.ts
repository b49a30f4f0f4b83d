/** The writer of a stream to the peer. */
import type { BufferSource } from "../../common/buffer_source.ts";
import { mustBeInside, webInterface } from "../../common/web_interface.ts";
import { AtomicWrite, type SendSide } from "./send_side.ts";

/** Where a stream keeps its side for its writers. */
export const SIDE: unique symbol = Symbol("side");

/** Whether sinks learn by themselves that their stream is aborted. Bun 1.3 does not tell them. */
export const SIGNALS = "signal" in WritableStreamDefaultController.prototype;

/** A stream that such a writer can write to: a WebTransportSendStream. */
export type Writable = WritableStream<BufferSource> & { readonly [SIDE]: SendSide };

/**
 * A writer with the two methods that WebTransport adds.
 * @see https://www.w3.org/TR/webtransport/#web-transport-writer
 */
export class WebTransportWriter extends WritableStreamDefaultWriter<BufferSource> {
  #side: SendSide;
  /** Released, or closed: what is written from now on is refused, and never waits. */
  #over = false;
  #released = false;

  /**
   * @param stream it is locked to the writer
   * @internal
   */
  constructor(inside: symbol, stream: Writable) {
    mustBeInside(inside);
    super(stream);
    this.#side = stream[SIDE];
  }

  static {
    webInterface(this, "WebTransportWriter", { members: ["atomicWrite", "commit"] });
  }

  override write(chunk?: BufferSource): Promise<void> {
    if (!this.#over) this.#side.asked();
    return super.write(chunk);
  }

  override abort(reason?: unknown): Promise<void> {
    if (!this.#released && !SIGNALS) this.#side.abortAsked(reason);
    return super.abort(reason);
  }

  override close(): Promise<void> {
    this.#over = true;
    return super.close();
  }

  override releaseLock(): void {
    this.#over = this.#released = true;
    super.releaseLock();
  }

  /**
   * Writes all of a chunk at once or nothing, so that nobody waits with half of it for the peer. Where the peer's flow control has no room
   * for all of it when its turn comes, or it is longer than 64 KiB or the option `high_water_mark`, it rejects with an AbortError, and so do the
   * atomic writes that wait behind it; the stream is there as before. Only where other writes wait behind it the stream fails with them.
   */
  async atomicWrite(...[chunk]: [chunk?: BufferSource]): Promise<void> {
    const write = new AtomicWrite(chunk);
    this.#side.asked(write);
    try {
      await super.write(write as never);
    } finally {
      this.#side.settled(write);
    }
    if (write.refused !== undefined) throw write.refused;
  }

  /**
   * Makes what was written so far reliable: the peer gets it even if the stream is aborted later, where its transport knows of that
   * (RESET_STREAM_AT). Of a write that still waits it is as much as was taken of it.
   * @throws TypeError once the writer has released its stream
   */
  commit(): void {
    if (this.#released) throw new TypeError("the writer has released its stream");
    this.#side.commit();
  }
}
