/**
 * Memory of the C side that this thread writes arguments to and reads results from. Mapped once and kept: no collector moves it, so
 * its addresses may be remembered, which those of typed arrays may not. Each call uses it up before the next one is made.
 */
import { ptr, toArrayBuffer, type Pointer } from "bun:ffi";
import { H3Error } from "./errors.ts";
import { ERROR } from "./layout.ts";
import { library } from "./library.ts";
import type { Symbols } from "./symbols.ts";

/** Bytes of the area for header lists; more than that the library refuses anyway. */
export const HEADERS_SIZE = 64 << 10;

/** Bytes of the area for results. */
const RESULTS_SIZE = 4096;

/** Where in the results calls that write put how many bytes they have taken. */
export const TAKEN = 64;

/** A Buffer with the methods of Node's that copy between strings and bytes without a decoder object. */
export interface RawBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
  utf8Write(text: string, offset: number, length: number): number;
}

/** toArrayBuffer() with the two parameters that bun-types leaves out: what is called when the buffer is let go of, and with what. */
const toOwnedBuffer = toArrayBuffer as (at: Pointer, offset: number, size: number, context: number, release: Pointer) => ArrayBuffer;

/**
 * Memory of the C side as this thread sees it. `release` is called with it and `context` when nothing refers to it any more: at last
 * when the thread ends, also a Worker that is terminated and runs no JavaScript any more.
 */
export function mapped(base: number, size: number, release: keyof Symbols, context: number): ArrayBuffer {
  const { ptr } = library()[release] as unknown as { ptr: Pointer };
  // Bun 1.3 gives no address here but a fraction, and crashes in its own clean-up where it is helped: there, nothing is released.
  return Number.isInteger(ptr) ? toOwnedBuffer(base as Pointer, 0, size, context, ptr) : toArrayBuffer(base as Pointer, 0, size);
}

/** Where bytes stand, for as long as nothing is made that a collection could move. */
export function addressOf(bytes: Uint8Array): number {
  return ptr(bytes);
}

/** The areas of this thread's memory and their addresses. */
export class Memory {
  /** Address of the results area. */
  readonly results: number;
  /** The results area as 32-bit words. */
  readonly words: Uint32Array;
  /** The results area as bytes. */
  readonly bytes: Uint8Array;
  /** Address of the area for header lists. */
  readonly headersAt: number;
  /** The area for header lists. */
  readonly headers: RawBuffer;

  constructor() {
    const size = RESULTS_SIZE + HEADERS_SIZE;
    const base = library().zig_h3_alloc(size);
    if (!base) throw new H3Error(ERROR.NO_MEMORY);
    const all = mapped(base, size, "zig_h3_free", base);
    this.results = base;
    this.words = new Uint32Array(all, 0, RESULTS_SIZE / 4);
    this.bytes = new Uint8Array(all, 0, RESULTS_SIZE);
    this.headersAt = base + RESULTS_SIZE;
    this.headers = Buffer.from(all, RESULTS_SIZE, HEADERS_SIZE) as unknown as RawBuffer;
  }

  /** The 64-bit number at byte offset `at` of the results, which must be below 2^53. */
  u64(at: number): number {
    return this.words[at >>> 2]! + this.words[(at >>> 2) + 1]! * 2 ** 32;
  }
}

let memory: Memory | undefined;

/** This thread's memory. */
export function scratch(): Memory {
  return (memory ??= new Memory());
}
