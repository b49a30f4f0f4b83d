/** The datagrams of a session. */
import { INSIDE, mustBeInside, webInterface } from "../../common/web_interface.ts";
import { ERROR } from "../../native/layout.ts";
import { library } from "../../native/library.ts";
import { checkGroup } from "../streams/send_group.ts";
import type { DatagramInbox } from "./inbox.ts";
import { checkAge, limitOf } from "./limits.ts";
import { WebTransportDatagramsWritable, type DatagramSender, type WebTransportSendOptions } from "./writable.ts";

/** What a session that is not open yet says of its datagrams. */
const UNKNOWN_SIZE = 1024;

/** The largest number that the newer names of the limits can say. */
const MOST_BUFFERED = 2 ** 32 - 1;

/** The session that datagrams are of. */
export interface DatagramSource extends DatagramSender {
  /** The library's name for it. */
  readonly handle: number;
  /** How far it has come. */
  readonly state: string;
  /** What waits to be read. */
  readonly inbox: DatagramInbox;
  /** `"bytes"`: they are read from a byte stream. */
  readonly datagramsReadableType: "bytes" | undefined;
}

/**
 * Datagrams both ways. Those that come wait in a queue of `incomingMaxBufferedDatagrams`, from which the oldest is dropped when it is
 * full, and are read one by one from `readable`.
 * @see https://www.w3.org/TR/webtransport/#duplex-stream
 */
export class WebTransportDatagramDuplexStream {
  #source: DatagramSource;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #controller: ReadableStreamDefaultController | ReadableByteStreamController | undefined;
  #wanted = false;
  #cancelled = false;
  #writables = new Set<WebTransportDatagramsWritable>();
  #size = UNKNOWN_SIZE;
  #end: { failure: { error: unknown } | undefined; over: () => unknown } | undefined;

  /** @internal */
  constructor(inside: symbol, source: DatagramSource) {
    mustBeInside(inside);
    this.#source = source;
  }

  static {
    webInterface(this, "WebTransportDatagramDuplexStream", {
      members: [
        "createWritable",
        "readable",
        "maxDatagramSize",
        "incomingMaxAge",
        "outgoingMaxAge",
        "incomingMaxBufferedDatagrams",
        "outgoingMaxBufferedDatagrams",
      ],
    });
  }

  /** Datagrams as they come, each one chunk. Nothing is taken ahead of the reader. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return (this.#readable ??= this.#makeReadable());
  }

  /**
   * One more writable for datagrams to the peer.
   * @throws InvalidStateError for a group of another session, and when the session has ended
   */
  createWritable(options: WebTransportSendOptions = {}): WebTransportDatagramsWritable {
    if (this.#end !== undefined) throw new DOMException("The session has ended", "InvalidStateError");
    checkGroup(options.sendGroup);
    return this.makeWritable(options);
  }

  /** Bytes of the largest datagram that can be sent now; it changes with the path. 0: the peer takes none. */
  get maxDatagramSize(): number {
    if (this.#end !== undefined || this.#source.state === "connecting") return this.#size;
    const size = library().zig_h3_wt_max_datagram_size(this.#source.handle);
    if (size >= 0) this.#size = size;
    else if (size === ERROR.NOT_NEGOTIATED) this.#size = 0;
    return this.#size;
  }

  /** Milliseconds that a datagram may wait to be read; null: as long as it likes. */
  get incomingMaxAge(): number | null {
    return this.#source.inbox.maxAge;
  }

  /** @throws RangeError for a negative number and NaN. 0 is taken for null */
  set incomingMaxAge(value: number | null) {
    this.#source.inbox.maxAge = checkAge("incomingMaxAge", value);
  }

  /** Milliseconds that a datagram may wait to be sent; null: as long as it likes. */
  get outgoingMaxAge(): number | null {
    return this.#source.outbox.maxAge;
  }

  /** @throws RangeError for a negative number and NaN. 0 is taken for null */
  set outgoingMaxAge(value: number | null) {
    this.#source.outbox.maxAge = checkAge("outgoingMaxAge", value);
  }

  /** How many datagrams may wait to be read. */
  get incomingMaxBufferedDatagrams(): number {
    return Math.min(Math.floor(this.#source.inbox.limit), MOST_BUFFERED);
  }

  /** 0 is taken for 1 */
  set incomingMaxBufferedDatagrams(value: number) {
    this.#source.inbox.limit = limitOf(value);
  }

  /** How many datagrams of a writable may wait to be sent, beside those in the engine's queue, before its writes do. */
  get outgoingMaxBufferedDatagrams(): number {
    return Math.min(Math.floor(this.#source.outbox.limit), MOST_BUFFERED);
  }

  /** 0 is taken for 1 */
  set outgoingMaxBufferedDatagrams(value: number) {
    this.#source.outbox.limit = limitOf(value);
  }

  /** The largest datagram as the session's opening says it. @internal */
  opened(size: number): void {
    this.#size = size;
  }

  /** Something has come. @internal */
  arrived(): void {
    if (this.#cancelled) this.#source.inbox.clear();
    else if (this.#wanted) this.#give();
  }

  /** The session has ended, regularly or with a failure; `over` makes what ends writables that cannot be closed. @internal */
  end(failure: { error: unknown } | undefined, over: () => unknown): void {
    this.#end = { failure, over };
    this.#finishReadable();
    for (const writable of this.#writables) writable.end(failure, over);
    this.#writables.clear();
  }

  /** A writable, also of a session that has ended: of that it has ended, too. @internal */
  makeWritable(options: WebTransportSendOptions): WebTransportDatagramsWritable {
    const writable = new WebTransportDatagramsWritable(INSIDE, this.#source, options, (gone) => this.#writables.delete(gone));
    if (this.#end !== undefined) writable.end(this.#end.failure, this.#end.over);
    else this.#writables.add(writable);
    return writable;
  }

  #makeReadable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const source = {
      start: (controller: ReadableStreamDefaultController | ReadableByteStreamController): void => {
        this.#controller = controller;
        this.#finishReadable();
      },
      pull: (): void => {
        this.#wanted = true;
        this.#give();
      },
      cancel: (): void => {
        this.#cancelled = true;
        this.#source.inbox.clear();
      },
    };
    const type = this.#source.datagramsReadableType === "bytes" ? { type: "bytes" as const } : {};
    return new ReadableStream({ ...source, ...type } as Bun.UnderlyingSource<Uint8Array<ArrayBuffer>>, { highWaterMark: 0 });
  }

  #give(): void {
    const controller = this.#controller!;
    let datagram = this.#source.inbox.shift();
    // A byte stream has no way to tell of nothing.
    while (datagram?.length === 0 && "byobRequest" in controller) {
      this.#source.inbox.dropped++;
      datagram = this.#source.inbox.shift();
    }
    if (datagram === undefined) return;
    this.#wanted = false;
    const request = ("byobRequest" in controller ? controller.byobRequest : undefined) ?? null; // Bun 1.3 says undefined
    if (request === null) {
      controller.enqueue(datagram);
      return;
    }
    const view = request.view!;
    if (view.byteLength < datagram.length) {
      // A datagram that is read in part is lost: the standard ends the stream rather than that.
      controller.error(new RangeError(`a datagram of ${datagram.length} bytes does not fit into a view of ${view.byteLength}`));
      return;
    }
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(datagram);
    request.respond(datagram.length);
  }

  #finishReadable(): void {
    const controller = this.#controller;
    if (this.#end === undefined || controller === undefined || this.#cancelled) return;
    if (this.#end.failure !== undefined) {
      controller.error(this.#end.failure.error);
      return;
    }
    try {
      controller.close();
    } catch {
      return; // it has failed already: a view was too small
    }
    if ("byobRequest" in controller) controller.byobRequest?.respond(0);
  }
}
