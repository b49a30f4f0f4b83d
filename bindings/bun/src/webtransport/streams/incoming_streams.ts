/** Streams that the peer opened, as a stream of streams. */
import type { SessionStream } from "./session_stream.ts";

/**
 * Streams of one kind that wait for their reader. There are never more than the limit that the peer was given: it may open new ones
 * only as old ones end.
 */
export class IncomingStreams<T> {
  #shape: (stream: SessionStream) => T;
  #readable: ReadableStream<T> | undefined;
  #controller: ReadableStreamDefaultController<T> | undefined;
  #waiting: SessionStream[] = [];
  #wanted = false;
  /** The reader has cancelled: nobody wants any of them. */
  #cancelled = false;
  #end: { error: unknown } | "closed" | undefined;

  /** @param shape what the reader gets for a stream */
  constructor(shape: (stream: SessionStream) => T) {
    this.#shape = shape;
  }

  /** The stream of streams. */
  get readable(): ReadableStream<T> {
    return (this.#readable ??= new ReadableStream<T>(
      {
        start: (controller) => {
          this.#controller = controller;
          this.#finish();
        },
        pull: () => {
          this.#wanted = true;
          this.#give();
        },
        cancel: () => {
          this.#cancelled = true;
          for (const stream of this.#waiting.splice(0)) stream.discard();
        },
      },
      { highWaterMark: 0 },
    ));
  }

  /** The peer has opened one. */
  push(stream: SessionStream): void {
    if (this.#cancelled) {
      stream.discard();
      return;
    }
    this.#waiting.push(stream);
    this.#give();
  }

  /** No more come: after a regular end of the session, or because of `error`. */
  end(error: { error: unknown } | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = error ?? "closed";
    this.#waiting.length = 0;
    this.#finish();
  }

  #give(): void {
    if (!this.#wanted) return;
    const stream = this.#waiting.shift();
    if (stream === undefined) return;
    this.#wanted = false;
    this.#controller!.enqueue(this.#shape(stream));
  }

  #finish(): void {
    if (this.#end === undefined || this.#controller === undefined || this.#cancelled) return;
    if (this.#end === "closed") this.#controller.close();
    else this.#controller.error(this.#end.error);
  }
}
