/** Sends a body as it is made, no faster than the network takes it. */
import { bytesOf } from "../common/buffer_source.ts";
import { inWords } from "../common/failure.ts";
import { errorName } from "../native/errors.ts";
import { ERROR, H3_INTERNAL_ERROR } from "../native/layout.ts";
import { library } from "../native/library.ts";
import { scratch, TAKEN } from "../native/memory.ts";
import { listHeaders, writeHeaders } from "../native/packed.ts";
import type { Carrier, OutgoingCalls, Sending } from "./outgoing.ts";
import type { Trailers } from "./trailers.ts";

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** The native one, whatever a handler puts over it. */
const { getReader, cancel } = ReadableStream.prototype;

/** Wants nothing of a stream. What its source makes of that is nobody's concern. */
export function letGo(body: ReadableStream): void {
  cancel.call(body).catch(() => {});
}

/** One body on its way out. The head has been given; it goes with the first bytes. */
export class OutgoingStream implements Sending {
  #carrier: Carrier;
  #calls: OutgoingCalls;
  #reader: ReadableStreamDefaultReader;
  #trailers: Trailers | undefined;
  /** What its content-length says, if it has one. */
  #declared: number | undefined;
  /** Goes on once the library takes bytes again. */
  #resume: (() => void) | undefined;

  constructor(
    carrier: Carrier,
    calls: OutgoingCalls,
    body: ReadableStream,
    declared: number | undefined,
    trailers: Trailers | undefined,
  ) {
    this.#carrier = carrier;
    this.#calls = calls;
    this.#reader = getReader.call(body) as ReadableStreamDefaultReader;
    this.#declared = declared;
    this.#trailers = trailers;
  }

  writable(): void {
    this.#resume?.();
  }

  closed(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
    this.#resume?.();
  }

  /** Sends it all. Never rejects: what fails breaks the message off. */
  async run(): Promise<void> {
    const carrier = this.#carrier;
    const declared = this.#declared;
    let length = 0;
    try {
      for (let first = true; ; first = false) {
        const promise = this.#reader.read();
        // Headers do not wait for a body that is not there yet.
        if (first && Bun.peek.status(promise) === "pending") {
          promise.catch(() => {}); // it may fail before the headers are gone; who awaits it below gets that
          await this.#write(EMPTY);
        }
        const { done, value } = await promise;
        if (carrier.gone) return;
        if (done) break;
        const bytes = toBytes(value);
        length += bytes.length;
        if (declared !== undefined && length > declared) throw new RangeError(`it is longer than its content-length of ${declared}`);
        if (bytes.length > 0) await this.#write(bytes);
        if (carrier.gone) return;
      }
      if (declared !== undefined && length < declared) throw new RangeError(`it has ${length} bytes, and a content-length of ${declared}`);
      await this.#finish();
    } catch (error) {
      if (carrier.gone) return;
      const message = `the body of a ${carrier.what} failed: ${inWords(error)}`;
      carrier.bodyFailed({ level: "error", tier: "handler", message, error });
      this.#calls.reset(carrier.handle, H3_INTERNAL_ERROR);
      this.#reader.cancel(error).catch(() => {});
    }
  }

  /** Writes all of `bytes`, waiting whenever what was given has reached the high-water mark. */
  async #write(bytes: Uint8Array): Promise<void> {
    const memory = scratch();
    const { handle } = this.#carrier;
    for (;;) {
      const code = this.#calls.write(handle, bytes.length === 0 ? 0 : bytes, bytes.length, memory.results + TAKEN);
      if (code !== 0 && code !== ERROR.WOULD_BLOCK) return this.#over(code);
      if (code === 0) {
        const taken = memory.u64(TAKEN);
        if (taken === bytes.length) return;
        bytes = bytes.subarray(taken);
      }
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      this.#resume = undefined;
      if (this.#carrier.gone) return;
    }
  }

  async #finish(): Promise<void> {
    const carrier = this.#carrier;
    const trailers = typeof this.#trailers === "function" ? await this.#trailers() : await this.#trailers;
    const listed = trailers === undefined ? undefined : listHeaders(new Headers(trailers));
    for (;;) {
      if (carrier.gone) return;
      let code: number;
      if (listed === undefined) {
        code = this.#calls.end(carrier.handle);
      } else {
        const memory = scratch();
        const length = writeHeaders(memory.headers, listed);
        if (length < 0) throw new RangeError(`the trailers of a ${carrier.what} are larger than 64 KiB`);
        code = this.#calls.trailers(carrier.handle, memory.headersAt, length);
      }
      if (code === 0) break;
      if (code !== ERROR.WOULD_BLOCK) return this.#over(code);
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      this.#resume = undefined;
    }
    carrier.sent();
  }

  /** The library takes no more of it. */
  #over(code: number): void {
    if (code === ERROR.BAD_HEADER || code === ERROR.TOO_LARGE || code === ERROR.NO_MEMORY || code === ERROR.INVALID_ARGUMENT) {
      throw new Error(`${errorName(code)}: ${library().zig_h3_last_error().toString()}`);
    }
    this.#carrier.gone = true;
    this.#reader.cancel(errorName(code)).catch(() => {});
  }
}

/** A chunk's bytes. */
function toBytes(chunk: unknown): Uint8Array {
  return typeof chunk === "string" ? encoder.encode(chunk) : bytesOf(chunk, "a chunk of a body must be bytes or a string");
}
