/** One stream of a session, from its opening to its end: brings the library's events to its two sides. */
import { Outcome } from "../../common/outcome.ts";
import { INSIDE } from "../../common/web_interface.ts";
import { errorName } from "../../native/errors.ts";
import { ERROR, WT_STREAM } from "../../native/layout.ts";
import type { StreamOwner, StreamSink } from "../../queue/session_events.ts";
import { WebTransportBidirectionalStream } from "./bidirectional_stream.ts";
import { ReceiveSide } from "./receive_side.ts";
import { WebTransportReceiveStream } from "./receive_stream.ts";
import type { WebTransportSendGroup } from "./send_group.ts";
import { SendSide } from "./send_side.ts";
import { WebTransportSendStream } from "./send_stream.ts";
import { WebTransportError } from "./webtransport_error.ts";

/** Why a stream may end while its session goes on. */
const ITS_OWN: ReadonlySet<number> = new Set([ERROR.RESET, ERROR.CANCELLED, ERROR.PROTOCOL, ERROR.QUEUE_FULL]);

/** A stream by its handle. The web's stream objects are made when they are asked for. */
export class SessionStream implements StreamSink {
  readonly core: StreamOwner;
  readonly #sending: SendSide | undefined;
  readonly #receiving: ReceiveSide | undefined;
  #readable: WebTransportReceiveStream | undefined;
  #writable: WebTransportSendStream | undefined;
  #both: WebTransportBidirectionalStream | undefined;
  /** A stream of ours is still to be opened. */
  #opening: Outcome<void> | undefined;

  /** @param remote the peer has opened it; else it is still to be opened */
  constructor(core: StreamOwner, handle: number, kind: number, remote: boolean, group: WebTransportSendGroup | null, order: number) {
    this.core = core;
    const both = kind === WT_STREAM.BIDIRECTIONAL;
    this.#sending = both || !remote ? new SendSide(handle, group, order) : undefined;
    this.#receiving = both || remote ? new ReceiveSide(handle) : undefined;
    if (!remote) this.#opening = new Outcome<void>();
  }

  /** Resolves when the peer's limit has let the stream open. One of the peer's is open. */
  get opening(): Promise<void> {
    return this.#opening?.promise ?? Promise.resolve();
  }

  /** The stream as an object of two sides. */
  get both(): WebTransportBidirectionalStream {
    return (this.#both ??= new WebTransportBidirectionalStream(INSIDE, this));
  }

  /** The peer's side. Streams that we opened one way have none. */
  get readable(): WebTransportReceiveStream {
    return (this.#readable ??= new WebTransportReceiveStream(INSIDE, this.#receiving!));
  }

  /** Our side. Streams that the peer opened one way have none. */
  get writable(): WebTransportSendStream {
    return (this.#writable ??= new WebTransportSendStream(INSIDE, this.core, this.#sending!));
  }

  /** It is there: STREAM_OPENED. */
  opened(): void {
    this.#opening?.resolve();
  }

  /** Bytes have come: STREAM_DATA. */
  data(bytes: Uint8Array<ArrayBuffer>, end: boolean): void {
    this.#receiving?.push(bytes, end);
  }

  /** The peer has given its side up: STREAM_RESET. */
  reset(code: number): void {
    this.#receiving?.reset(code);
  }

  /** The peer wants no more of our side: STREAM_STOPPED. */
  stopped(code: number): void {
    this.#sending?.stopped(code);
  }

  /** What became of an atomic write: STREAM_ATOMIC. */
  atomic(code: number): void {
    this.#sending?.atomic(code);
  }

  /** The library takes bytes again: WRITABLE. */
  writableAgain(): void {
    this.#sending?.writable();
  }

  /** All that was written, and its end, is on its way: WRITABLE with the flag END. */
  flushed(): void {
    this.#sending?.flushed();
  }

  /**
   * It has ended: STREAM_ENDED. What has come completely can still be read. False: it was cut off with its session, and who uses it has still
   * to hear of that.
   */
  ended(code: number): boolean {
    if (this.#opening?.settled === false) {
      const error =
        code === ERROR.QUEUE_FULL
          ? new DOMException("The peer's limit of streams is reached", "QuotaExceededError")
          : new DOMException(`The stream could not be opened (${errorName(code)})`, "InvalidStateError");
      this.#opening.reject(error);
    }
    if (code === 0) this.#sending?.flushed();
    const sending = this.#sending?.over === false ? this.#sending : undefined;
    const receiving = this.#receiving?.over === false && !this.#receiving.complete ? this.#receiving : undefined;
    if (sending === undefined && receiving === undefined) return true; // as a stream ends that both sides are done with
    if (!ITS_OWN.has(code)) return false;
    const error = new WebTransportError(`The stream was lost (${errorName(code)})`, { source: "stream" });
    sending?.fail(error);
    receiving?.fail(error);
    return true;
  }

  /** The session has ended. */
  fail(error: unknown): void {
    if (this.#opening?.settled === false) this.#opening.reject(new DOMException("The session has ended", "InvalidStateError"));
    this.#sending?.fail(error);
    this.#receiving?.fail(error);
  }

  /** It cannot be gone on with, after a fault on this side. */
  givenUp(why: string): void {
    this.fail(new WebTransportError(why, { source: "stream" }));
  }

  /** Nobody wants it: both sides are given up with code 0. */
  discard(): void {
    this.#sending?.reset(0);
    this.#receiving?.stop(0);
  }
}
