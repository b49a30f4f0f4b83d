/**
 * Moves events from a queue of the native library to this thread.
 *
 * All servers of a thread that pump the same way share one pump, and so one queue: it lives from the first of them to the last.
 * The loop drains until the queue is empty, asks for a wake-up, and sleeps on a descriptor; it never spins. Records are read where
 * they stand, in the queue's own memory, which is mapped once.
 */
import { closeSync } from "node:fs";

import { clearInterval, now, queueMicrotask, setImmediate, setInterval, setTimeout } from "../common/builtins.ts";
import { attempt, inWords } from "../common/failure.ts";
import { EVENT, QUEUE_CONFIG, QUEUE_CONFIG_SIZE, RECORD_ALIGN } from "../native/layout.ts";
import { check, lastError, library } from "../native/library.ts";
import { mapped, scratch, type RawBuffer } from "../native/memory.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { QueueMemory } from "./records.ts";

/** Records that are looked at before their memory is given back. */
const BATCH = 64;

/** Milliseconds of draining after which the host's timers and I/O get a turn. */
const TURN = 4;

/** How often an unref()ed pump looks, in ms: sleeping on the descriptor would keep the process. So does one that cannot sleep on it. */
const UNREF_INTERVAL = 2;

const { getReader } = ReadableStream.prototype;

/** The pumps of this thread by their interval and the capacity of their queue. */
const pumps = new Map<string, Pump>();

/** Drains one queue. */
export class Pump {
  /** The queue's handle. */
  readonly queue: number;
  readonly dispatcher: Dispatcher;

  #key: string;
  #interval: number;
  #memory: QueueMemory;
  #fd: number;
  #users = 0;
  /** How many of the users run: without one no event comes. */
  #running = 0;
  /** How many of those want the process to live on. */
  #refs = 0;
  #timer: Timer | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The loop that sleeps on the descriptor is under way. */
  #looping = false;
  #draining = false;
  #flushing = false;
  /** That it cannot sleep was told. */
  #told = false;
  #freed = false;

  /**
   * The pump of this thread that looks every `interval` ms, or sleeps when that is 0, and has a queue of so many bytes, 0 being the library's
   * default; call release() when done with it.
   */
  static acquire(interval: number, capacity: number): Pump {
    const key = `${interval} ${capacity}`;
    let pump = pumps.get(key);
    if (pump === undefined || pump.dispatcher.dead) pumps.set(key, (pump = new Pump(key, interval, capacity)));
    pump.#users++;
    return pump;
  }

  private constructor(key: string, interval: number, capacity: number) {
    const native = library();
    const memory = scratch();
    const at = memory.results;
    const config = new DataView(new ArrayBuffer(QUEUE_CONFIG_SIZE));
    config.setUint32(QUEUE_CONFIG.size, QUEUE_CONFIG_SIZE, true);
    config.setUint32(QUEUE_CONFIG.capacity, capacity, true);
    check(native.zig_h3_queue_new(new Uint8Array(config.buffer), at));
    this.queue = memory.u64(0);
    check(native.zig_h3_queue_map(this.queue, at, at + 8));
    const all = mapped(memory.u64(0), memory.u64(8), "zig_h3_queue_collected", this.queue);
    this.#memory = {
      bytes: Buffer.from(all) as unknown as RawBuffer,
      u8: new Uint8Array(all),
      words: new Int32Array(all),
      u32: new Uint32Array(all),
    };
    check(native.zig_h3_queue_fd(this.queue, at));
    this.#fd = memory.words[0]!;
    this.#key = key;
    this.#interval = interval;
    this.dispatcher = new Dispatcher(this.#memory);
    // Bun 1.3 does not tell of the end of the memory (see mapped()); a Worker that is terminated there leaves its queue behind.
    if (!Bun.isMainThread) process.once("exit", this.#free);
  }

  /** Gives up one acquire(). The last one frees the queue, once the events at hand are dealt with. */
  release(): void {
    if (--this.#users > 0) return;
    if (pumps.get(this.#key) === this) pumps.delete(this.#key);
    this.#sleepNoMore();
    if (!this.#draining) this.#free();
  }

  /** One more user runs; `ref`: and wants the process to live on. */
  began(ref: boolean): void {
    this.#running++;
    if (ref) this.#refs++;
    this.#run();
  }

  /** A user runs no more; `ref`: it wanted the process to live on. */
  ended(ref: boolean): void {
    this.#running--;
    if (ref) this.#refs--;
    this.#run();
  }

  /** One more user that runs wants the process to live on. */
  ref(): void {
    this.#refs++;
    this.#run();
  }

  /** Takes a ref() back. */
  unref(): void {
    this.#refs--;
    this.#run();
  }

  /** Starts the pump, or goes on with it in the way that the refs ask for, or lets it rest. */
  #run(): void {
    if (this.#freed || this.#users === 0 || this.dispatcher.dead) return;
    if (this.#running === 0) {
      this.#sleepNoMore();
      return;
    }
    if (this.#interval === 0 && this.#refs > 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      if (!this.#looping) void this.#loop();
      return;
    }
    attempt(() => this.#reader?.cancel().catch(() => {}));
    this.#timer ??= setInterval(() => this.#turn(), this.#interval || UNREF_INTERVAL);
    if (this.#refs > 0) this.#timer.ref();
    else this.#timer.unref();
  }

  /** Drains, sleeps, drains, as long as there is a ref. */
  async #loop(): Promise<void> {
    this.#looping = true;
    for (;;) {
      try {
        if (!(await this.#drain()) || this.#refs === 0 || this.#users === 0) break;
        const armed = library().zig_h3_queue_arm(this.queue);
        if (armed === 1) continue;
        if (armed < 0) {
          this.#broken(lastError(armed));
          break;
        }
        this.#reader ??= getReader.call(Bun.file(this.#fd).stream()) as ReadableStreamDefaultReader<Uint8Array>;
        const { done } = await this.#reader.read();
        if (done) this.#reader = undefined; // cancelled, by unref() or by the end: the next round sees which
        this.#told = false;
      } catch (error) {
        // The queue is well: what has failed is a function of the host's, which somebody may have put something over.
        attempt(() => this.#cannotSleep(error));
        await new Promise<void>((resolve) => setTimeout(resolve, UNREF_INTERVAL));
      }
    }
    this.#looping = false;
    const reader = this.#reader;
    this.#reader = undefined;
    attempt(() => reader?.cancel().catch(() => {}));
    // A ref() may have come while the loop was on its way out.
    if (this.#refs > 0) this.#run();
  }

  #cannotSleep(error: unknown): void {
    this.#reader = undefined;
    if (this.#told) return;
    this.#told = true;
    const message = `events are looked for every ${UNREF_INTERVAL} ms, since waiting for them has failed: ${inWords(error)}`;
    for (const owner of this.dispatcher.owners.values()) owner.report({ level: "error", tier: "engine", message, error });
  }

  /** Drains until the queue is empty, giving the host a turn now and then. False: the pump has ended meanwhile. */
  async #drain(): Promise<boolean> {
    let until = now() + TURN;
    while (this.#batch()) {
      if (now() < until) {
        await undefined; // handlers that wait only for what is there go on, so that their answers join this batch
      } else {
        await new Promise<void>((resolve) => setImmediate(resolve));
        until = now() + TURN;
      }
      if (this.#freed || this.dispatcher.dead) return false;
    }
    return !this.#freed && !this.dispatcher.dead;
  }

  /** One look of the interval form. */
  #turn(): void {
    const until = now() + TURN;
    while (this.#batch() && now() < until);
  }

  /** No event comes any more: ends all that waits for one, and this with it. Who makes a server from now on gets another pump. */
  #broken(error: unknown): void {
    this.dispatcher.broken(error);
    if (pumps.get(this.#key) === this) pumps.delete(this.#key);
    this.#sleepNoMore();
    if (this.#users === 0) this.#free();
  }

  /** Dispatches up to BATCH records. False: there were none, or no more come. */
  #batch(): boolean {
    // A handler has them looked for from inside of itself: the records at hand are being dealt with further up.
    if (this.#freed || this.#draining || this.dispatcher.dead) return false;
    const native = library();
    const memory = scratch();
    const count = native.zig_h3_queue_peek(this.queue, BATCH, memory.results);
    if (count === 0) return false;
    if (count < 0) {
      this.#broken(lastError(count));
      return false;
    }
    const begin = memory.words[0]!;
    const bytes = memory.words[2]!;
    const { u32 } = this.#memory;
    this.#draining = true;
    let at = begin;
    const end = begin + bytes;
    while (at < end) {
      const word = at >>> 2;
      const size = u32[word]!;
      if ((u32[word + 1]! & 0xffff) !== EVENT.PAD) this.dispatcher.dispatch(at);
      at += (size + RECORD_ALIGN - 1) & -RECORD_ALIGN;
    }
    this.#draining = false;
    const advanced = native.zig_h3_queue_advance(this.queue, bytes);
    native.zig_h3_flush();
    if (advanced < 0) this.#broken(lastError(advanced));
    else if (this.dispatcher.dead) this.#broken(undefined); // there was FATAL among them
    if (this.#users === 0) this.#free();
    return true;
  }

  /** Sees to it that what was sent with LATER is on its way soon: after the batch, or else after the microtasks at hand. */
  flushSoon(): void {
    if (this.#draining || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      library().zig_h3_flush();
    });
  }

  #sleepNoMore(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    attempt(() => this.#reader?.cancel().catch(() => {}));
  }

  #free = (): void => {
    if (this.#freed) return;
    this.#freed = true;
    process.off("exit", this.#free);
    const asleep = this.#reader?.cancel() ?? Promise.resolve();
    this.#sleepNoMore();
    // The descriptor is ours; once nothing of Bun's polls it any more it goes.
    void asleep.catch(() => {}).then(() => closeSync(this.#fd));
    library().zig_h3_queue_free(this.queue);
  };
}
