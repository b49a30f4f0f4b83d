/** This side of a stream: writes no faster than the library takes them. */
import { bytesOf } from "../../common/buffer_source.ts";
import { ERROR } from "../../native/layout.ts";
import { lastError, library } from "../../native/library.ts";
import { scratch, TAKEN } from "../../native/memory.ts";
import { ringWasFull, untilTaken, whenWritable } from "../../native/refused.ts";
import type { WebTransportSendGroup } from "./send_group.ts";
import { codeOf, WebTransportError } from "./webtransport_error.ts";

/** With the member that Bun's types do not know, and that Bun 1.3 has not. */
type Controller = WritableStreamDefaultController & { readonly signal?: AbortSignal };

/** A chunk that is to go out all at once, or not at all. */
export class AtomicWrite {
  /** Why it was not sent. */
  refused: DOMException | undefined;

  constructor(readonly chunk: unknown) {}
}

/** The sink under a WebTransportSendStream. */
export class SendSide implements Bun.UnderlyingSink<unknown> {
  /** Bytes that the library has taken. */
  bytesWritten = 0;

  #handle: number;
  #group: WebTransportSendGroup | null;
  #order: number;
  #controller: Controller | undefined;
  /** Takes the place of the controller's signal where it has none. */
  #aborting: AbortController | undefined;
  /** Lets the write go on that waits for room. */
  #resume: (() => void) | undefined;
  #failure: { error: unknown } | undefined;
  /** Who waits for the end to be on its way. */
  #closing: PromiseWithResolvers<void> | undefined;
  /** Who waits for what became of the atomic write at hand. */
  #told: PromiseWithResolvers<number> | undefined;
  /** Rejects when the stream fails while an atomic write is at hand. */
  #failed: PromiseWithResolvers<never> | undefined;
  /** Atomic writes that were asked for and are not settled. */
  #atomic: Set<AtomicWrite> | undefined;
  /** Other writes that wait behind the one at hand. */
  #waiting = 0;
  /** commit() found the way to the engine full. */
  #committing = false;
  /** The code of a reset that waits behind that. */
  #resetting: number | undefined;
  /** Ended, reset or stopped: nothing more can be sent. */
  #over = false;

  constructor(handle: number, group: WebTransportSendGroup | null, order: number) {
    this.#handle = handle;
    this.#group = group;
    this.#order = order;
    if (group !== null || order !== 0) this.#rank();
  }

  /** Whether nothing more can be sent. */
  get over(): boolean {
    return this.#over;
  }

  /** The group that the stream is ranked in. */
  get group(): WebTransportSendGroup | null {
    return this.#group;
  }

  set group(group: WebTransportSendGroup | null) {
    this.#group?.wrote(-this.bytesWritten);
    group?.wrote(this.bytesWritten);
    this.#group = group;
    this.#rank();
  }

  /** Its rank in the group. */
  get order(): number {
    return this.#order;
  }

  set order(order: number) {
    this.#order = order;
    this.#rank();
  }

  start(controller: WritableStreamDefaultController): void {
    this.#controller = controller as Controller;
    if (this.#failure !== undefined) controller.error(this.#failure.error);
  }

  /** A writer is about to write, atomically or not. */
  asked(write?: AtomicWrite): void {
    if (write === undefined) this.#waiting++;
    else (this.#atomic ??= new Set()).add(write);
  }

  /** An atomic write has come to its end. */
  settled(write: AtomicWrite): void {
    this.#atomic!.delete(write);
  }

  /** Gives a chunk to the library: at once, or as it takes it. */
  write(chunk: unknown): void | Promise<void> {
    if (chunk instanceof AtomicWrite) return this.#writeAtomic(chunk);
    if (this.#waiting > 0) this.#waiting--; // what is piped asks nobody
    let bytes: Uint8Array;
    try {
      bytes = bytesOf(chunk);
    } catch (error) {
      this.reset(0); // the stream fails with this: nothing more can be written, and the peer is not to wait for it
      throw error;
    }
    if (bytes.length === 0) return;
    const taken = this.#push(bytes);
    // What is sent later must not change with the writer's buffer.
    if (taken < bytes.length) return this.#wait(bytes.slice(taken));
  }

  /** Ends this side. Resolves once all of it is on its way to the peer. */
  async close(): Promise<void> {
    const signal = this.#signal();
    await undefined; // for an abort() right behind the close(), which could not call back an end that is on its way
    if (signal.aborted) {
      this.reset(codeOf(signal.reason));
      throw signal.reason;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    const closing = (this.#closing = Promise.withResolvers<void>());
    untilTaken(
      this.#handle,
      () => library().zig_h3_wt_stream_end(this.#handle),
      (code) => {
        if (code !== 0 && !willTell(code)) closing.reject(lastError(code));
      },
    );
    // A stream that is being closed never gives this sink an abort().
    const abort = (): void => {
      this.reset(codeOf(signal.reason));
      closing.reject(signal.reason);
    };
    signal.addEventListener("abort", abort);
    try {
      await closing.promise;
    } finally {
      this.#over = true;
      signal.removeEventListener("abort", abort);
    }
  }

  /** Resets the stream. The peer gets the code of a WebTransportError, else 0. */
  abort(reason: unknown): void {
    this.reset(codeOf(reason));
  }

  /** The stream or its writer is told to abort, before that reaches this sink: for hosts whose controllers do not say so. */
  abortAsked(reason: unknown): void {
    (this.#aborting ??= new AbortController()).abort(reason);
  }

  /** Says when the stream is aborted, at once. abort() of this sink comes only when the write at hand has ended, or never behind a close(). */
  #signal(): AbortSignal {
    return this.#controller!.signal ?? (this.#aborting ??= new AbortController()).signal;
  }

  /** Makes what was written so far arrive even if the stream is reset. */
  commit(): void {
    if (this.#over || this.#committing) return;
    this.#committing = true;
    untilTaken(
      this.#handle,
      () => library().zig_h3_wt_stream_commit(this.#handle),
      () => {
        this.#committing = false;
        if (this.#resetting !== undefined) library().zig_h3_wt_stream_reset(this.#handle, this.#resetting);
      },
    );
  }

  /** Resets the stream with an application code. */
  reset(code: number): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#committing) this.#resetting = code;
    else library().zig_h3_wt_stream_reset(this.#handle, code); // stale or ended by now is fine
  }

  /** The library takes bytes again. */
  writable(): void {
    this.#resume?.();
  }

  /** What became of the atomic write at hand: STREAM_ATOMIC. */
  atomic(code: number): void {
    this.#told?.resolve(code);
  }

  /** All that was written, and the end, is on its way. */
  flushed(): void {
    if (this.#closing === undefined) return;
    this.#over = true;
    this.#closing.resolve();
  }

  /** The peer wants no more of it. */
  stopped(code: number): void {
    this.fail(new WebTransportError(`The peer stopped the stream with code ${code}`, { streamErrorCode: code }));
  }

  /** Nothing more can be sent: writers get `error`. Not so once all is on its way. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = { error };
    this.#controller?.error(error);
    this.#resume?.();
    this.#failed?.reject(error);
    this.#closing?.reject(error);
  }

  /** Gives bytes to the library. Returns how many it took. */
  #push(bytes: Uint8Array): number {
    const memory = scratch();
    const code = library().zig_h3_wt_stream_write(this.#handle, bytes, bytes.length, memory.results + TAKEN);
    if (willTell(code)) return 0;
    if (code !== 0) throw lastError(code);
    const taken = memory.u64(TAKEN);
    this.#wrote(taken);
    return taken;
  }

  #wrote(length: number): void {
    this.bytesWritten += length;
    this.#group?.wrote(length);
  }

  /** Gives a chunk to the library that goes out as a whole or not at all. That it does not is no failure of the stream's. */
  async #writeAtomic(write: AtomicWrite): Promise<void> {
    if (write.refused !== undefined) return; // with one before it
    const bytes = bytesOf(write.chunk);
    if (bytes.length === 0) return;
    const signal = this.#signal();
    const told = (this.#told = Promise.withResolvers<number>());
    const failed = (this.#failed = Promise.withResolvers<never>());
    failed.promise.catch(() => {}); // it may come while nothing is waited for
    const abort = (): void => failed.reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      let code: number;
      for (;;) {
        code = library().zig_h3_wt_stream_write_atomic(this.#handle, bytes, bytes.length);
        if (code !== ERROR.WOULD_BLOCK || !ringWasFull()) break; // what is full for longer is for the writer to know
        const room = new Promise<void>((resolve) => whenWritable(this.#handle, resolve));
        await Promise.race([room, failed.promise]);
      }
      if (code === 0) code = await Promise.race([told.promise, failed.promise]);
      if (code === 0) this.#wrote(bytes.length);
      else if (code === ERROR.WOULD_BLOCK || code === ERROR.TOO_LARGE) this.#refuse();
      else if (!saysWhyLater(code)) throw lastError(code);
      else await failed.promise; // which an event of its own tells, if it has not yet
    } finally {
      this.#told = this.#failed = undefined;
      signal.removeEventListener("abort", abort);
    }
  }

  /** There is no room for the atomic write at hand: none of those that wait is sent, and if others wait behind it, nothing more at all. */
  #refuse(): void {
    const error = new DOMException("The peer's flow control has no room for all of it: nothing was written", "AbortError");
    for (const write of this.#atomic!) write.refused = error;
    if (this.#waiting === 0) return;
    this.reset(0);
    this.#controller!.error(error);
  }

  /** Gives the rest of a chunk to the library whenever it has room. */
  async #wait(rest: Uint8Array): Promise<void> {
    const signal = this.#signal();
    const wake = (): void => this.#resume?.();
    // abort() of the stream does not reach this sink before the write at hand has ended.
    signal.addEventListener("abort", wake);
    try {
      while (rest.length > 0) {
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
          if (signal.aborted) resolve();
        });
        if (this.#failure !== undefined) throw this.#failure.error;
        if (signal.aborted) throw signal.reason;
        rest = rest.subarray(this.#push(rest));
      }
    } finally {
      this.#resume = undefined;
      signal.removeEventListener("abort", wake);
    }
  }

  #rank(): void {
    const group = this.#group?.id ?? 0;
    untilTaken(this.#handle, () => library().zig_h3_wt_stream_priority(this.#handle, group, this.#order));
  }
}

/** Whether the library takes nothing now, and has an event on its way that says how it goes on, or why it does not. */
function willTell(code: number): boolean {
  return code === ERROR.WOULD_BLOCK || code === ERROR.ENDED || code === ERROR.STALE_HANDLE;
}

/** Whether such an end of a write is followed, or was preceded, by an event that says why the stream takes no more. */
function saysWhyLater(code: number): boolean {
  return willTell(code) || code === ERROR.RESET || code === ERROR.CANCELLED || code === ERROR.CLOSED;
}
