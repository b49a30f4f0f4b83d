/** The body of a message that comes in pieces: a stream for its reader, credit for its sender. */

/** The native one, whatever a handler puts over it. */
const isLocked = Object.getOwnPropertyDescriptor(ReadableStream.prototype, "locked")!.get!;

/** The library's calls for such a body: a response's are others than a request's. */
export interface IncomingCalls {
  /** The reader has taken so many bytes: the sender may send on. */
  consumed(handle: number, bytes: number): number;
  /** No more of it is wanted. */
  stop(handle: number): number;
}

/**
 * Collects the pieces of one body. Each piece is credited to the sender when the reader takes it, so what waits here is never more
 * than the library's window for one body.
 */
export class IncomingBody {
  readonly stream: ReadableStream<Uint8Array>;
  #calls: IncomingCalls;
  #handle: number;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #waiting: Uint8Array[] = [];
  /** Bytes that came with the head itself: they need no credit. */
  #free: number;
  #length: number;
  /** The reader asked for a piece and there was none. */
  #wanted = false;
  /** All pieces have come. */
  #complete = false;
  /** Nothing more is taken: it was cancelled, failed or closed. */
  #over = false;

  /**
   * @param handle the message
   * @param first what came with its event
   */
  constructor(calls: IncomingCalls, handle: number, first: Uint8Array | null) {
    this.#calls = calls;
    this.#handle = handle;
    this.#free = this.#length = first === null ? 0 : first.length;
    if (first !== null) this.#waiting.push(first);
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#give();
        },
        cancel: () => this.stop(),
      },
      // Nothing is taken ahead of the reader: taking is what lets the sender send on.
      { highWaterMark: 0 },
    );
  }

  /** Nothing more is given to the reader. */
  get over(): boolean {
    return this.#over;
  }

  /** All of the body has come, or no more of it is wanted. */
  get settled(): boolean {
    return this.#complete || this.#over;
  }

  /** Somebody holds a reader of the stream. */
  get held(): boolean {
    return !this.#over && isLocked.call(this.stream);
  }

  /** Takes a piece. Returns how long the body is so far. */
  push(piece: Uint8Array): number {
    this.#length += piece.length;
    if (!this.#over) {
      this.#waiting.push(piece);
      this.#give();
    }
    return this.#length;
  }

  /** No more pieces come. */
  end(): void {
    this.#complete = true;
    this.#give();
  }

  /** Fails the reader with `reason`; a body that has been read to its end stays as it is. */
  fail(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.length = 0;
    this.#controller.error(reason);
  }

  /** Wants no more of it: the client is told to stop sending, and whoever reads on later that there is no more. */
  stop(): void {
    if (this.#over) return;
    this.fail(new DOMException("The rest of the request was given up: its response has been sent", "AbortError"));
    if (!this.#complete) this.#calls.stop(this.#handle); // stale by now is fine: then nothing comes anyway
  }

  #give(): void {
    if (this.#over) return;
    if (this.#wanted) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        this.#wanted = false;
        this.#controller.enqueue(piece);
        this.#credit(piece.length);
      }
    }
    if (this.#complete && this.#waiting.length === 0) {
      this.#over = true;
      this.#controller.close();
    }
  }

  #credit(taken: number): void {
    const free = Math.min(taken, this.#free);
    this.#free -= free;
    if (taken > free && !this.#complete) this.#calls.consumed(this.#handle, taken - free);
  }
}
