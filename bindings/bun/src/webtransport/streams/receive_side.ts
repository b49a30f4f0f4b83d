/** The peer's side of a stream: bytes for a reader, credit for their sender. */
import { library } from "../../native/library.ts";
import { codeOf, WebTransportError } from "./webtransport_error.ts";

/**
 * The source under a WebTransportReceiveStream. Bytes are credited to the peer when the reader takes them, so what waits here is
 * never more than the library's window for one stream.
 */
export class ReceiveSide {
  readonly type = "bytes";
  /** Bytes that have come. */
  bytesReceived = 0;
  /** Bytes that a reader has taken. */
  bytesRead = 0;

  #handle: number;
  #controller: ReadableByteStreamController | undefined;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  /** The reader asked for bytes and there were none. */
  #wanted = false;
  /** The peer has finished: nothing comes behind what waits. */
  #complete = false;
  /** Nothing more is given. */
  #over = false;
  #failure: { error: unknown } | undefined;

  constructor(handle: number) {
    this.#handle = handle;
  }

  start(controller: ReadableByteStreamController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.error(this.#failure.error);
    else this.#give();
  }

  pull(): void {
    this.#wanted = true;
    this.#give();
  }

  /** Tells the peer to stop. It gets the code of a WebTransportError, else 0. */
  cancel(reason: unknown): void {
    this.stop(codeOf(reason));
  }

  /** Wants no more of it. */
  stop(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.length = 0;
    if (!this.#complete) library().zig_h3_wt_stream_stop(this.#handle, code); // stale or ended by now is fine
  }

  /** Bytes have come; with `end` they are the last ones. */
  push(bytes: Uint8Array<ArrayBuffer>, end: boolean): void {
    this.bytesReceived += bytes.length;
    if (this.#over) return;
    if (bytes.length > 0) this.#waiting.push(bytes);
    if (end) this.#complete = true;
    this.#give();
  }

  /** The peer has given the stream up. */
  reset(code: number): void {
    this.fail(new WebTransportError(`The peer reset the stream with code ${code}`, { streamErrorCode: code }));
  }

  /** Nothing more comes: the reader gets `error`. Not so once it has read all there was. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.length = 0;
    this.#failure = { error };
    this.#controller?.error(error);
  }

  /** Whether nothing more is given. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether the peer's end of the stream has come. */
  get complete(): boolean {
    return this.#complete;
  }

  #give(): void {
    const controller = this.#controller;
    if (this.#over || controller === undefined) return;
    if (this.#wanted && this.#waiting.length > 0) {
      this.#wanted = false;
      const request = controller.byobRequest ?? null; // Bun 1.3 says undefined
      const taken = request === null ? this.#hand(controller) : this.#fill(request);
      this.bytesRead += taken;
      if (!this.#complete) library().zig_h3_wt_stream_consumed(this.#handle, taken);
      // Where another read waits, what gives the bytes asks for more at once: in there the end may have been given already.
      if (this.#over) return;
    }
    if (this.#complete && this.#waiting.length === 0) {
      this.#over = true;
      try {
        controller.close();
      } catch {
        return; // the bytes end within an element of the reader's own array: its read rejects with that, and needs nobody else to say so
      }
      controller.byobRequest?.respond(0);
    }
  }

  /** Gives the reader a piece as it came. */
  #hand(controller: ReadableByteStreamController): number {
    const piece = this.#waiting.shift()!;
    const { length } = piece; // enqueue() takes the buffer away
    controller.enqueue(piece);
    return length;
  }

  /** Fills the reader's own buffer with what there is. */
  #fill(request: ReadableStreamBYOBRequest): number {
    const view = request.view!;
    const room = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    let filled = 0;
    while (filled < room.length && this.#waiting.length > 0) {
      const piece = this.#waiting[0]!;
      const part = piece.subarray(0, room.length - filled);
      room.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) this.#waiting.shift();
      else this.#waiting[0] = piece.subarray(part.length);
    }
    request.respond(filled);
    return filled;
  }
}
