/** The body of a response that comes in pieces: a stream for its reader, credit for the server. */

/** What a body tells the fetch that it is of. */
export interface BodyOwner {
  /** The reader has taken so many bytes that were paid for with credit. */
  taken(bytes: number): void;
  /** Somebody waits for bytes that are not there, or waits no more. */
  waits(waiting: boolean): void;
  /** Nobody wants more of it: it was cancelled, or what it was read by has been collected. */
  unwanted(): void;
}

/** Bodies whose streams nobody has any more need not come. */
const dropped = new FinalizationRegistry<BodyOwner>((owner) => owner.unwanted());

/**
 * Collects the pieces of one body. Each piece is credited to the server when the reader takes it, so what waits here is never more than the
 * library's window for one body. The stream is kept by those who read it, not by this: one that was dropped is collected, and its fetch given up.
 */
export class ResponseBody {
  #owner: BodyOwner;
  /** Undefined once there is nothing left to tell it. */
  #controller: WeakRef<ReadableStreamDefaultController<Uint8Array>> | undefined;
  /** The same, and kept, while the reader waits. */
  #wanting: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The owner was told so. */
  #told = false;
  #waiting: Uint8Array[] = [];
  /** Bytes that came with the head itself: they need no credit. */
  #free: number;
  /** All pieces have come. */
  #complete = false;
  /** What it has failed with. */
  #failure: { reason: unknown } | undefined;
  /** Nothing more is given: it was read to its end, cancelled, or has failed. */
  #over = false;

  /**
   * @param first what came with the head
   */
  constructor(owner: BodyOwner, first: Uint8Array | null) {
    this.#owner = owner;
    this.#free = first === null ? 0 : first.length;
    if (first !== null) this.#waiting.push(first);
  }

  /** Makes the stream. Once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          // It may have ended before somebody asked for it.
          if (this.#failure !== undefined) controller.error(this.#failure.reason);
          else if (this.#over) controller.close();
          else this.#controller = new WeakRef(controller);
        },
        pull: (controller) => {
          this.#wanting = controller;
          this.#give();
          if (this.#wanting !== undefined && !this.#told) {
            this.#told = true;
            this.#owner.waits(true);
          }
        },
        cancel: () => this.#cancelled(),
      },
      // Nothing is taken ahead of the reader: taking is what lets the server send on.
      { highWaterMark: 0 },
    );
    if (!this.#over) dropped.register(stream, this.#owner, this);
    return stream as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  /** Nothing more is given to the reader. */
  get over(): boolean {
    return this.#over;
  }

  /** Takes a piece. */
  push(piece: Uint8Array): void {
    if (this.#over) return;
    this.#waiting.push(piece);
    this.#give();
  }

  /** No more pieces come. */
  end(): void {
    this.#complete = true;
    this.#give();
  }

  /** Fails the reader with `reason`; a body that has been read to its end stays as it is. */
  fail(reason: unknown): void {
    if (this.#over) return;
    this.#failure = { reason };
    this.#close()?.error(reason);
  }

  #cancelled(): void {
    if (this.#over) return;
    this.#close();
    this.#owner.unwanted();
  }

  /** Ends it. Gives what is to be told of that. */
  #close(): ReadableStreamDefaultController<Uint8Array> | undefined {
    const controller = this.#wanting ?? this.#controller?.deref();
    this.#over = true;
    this.#waiting.length = 0;
    this.#controller = undefined;
    dropped.unregister(this);
    this.#noLonger();
    return controller;
  }

  /** The reader waits no more. */
  #noLonger(): void {
    this.#wanting = undefined;
    if (!this.#told) return;
    this.#told = false;
    this.#owner.waits(false);
  }

  #give(): void {
    if (this.#over) return;
    const controller = this.#wanting;
    if (controller !== undefined) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        this.#noLonger();
        const free = Math.min(piece.length, this.#free);
        this.#free -= free;
        if (piece.length > free && !this.#complete) this.#owner.taken(piece.length - free);
        controller.enqueue(piece);
      }
    }
    if (this.#complete && this.#waiting.length === 0 && !this.#over) this.#close()?.close();
  }
}
