/** Reads records where they stand in a queue's memory. */
import { HIGH, RECORD, RECORD_SIZE } from "../native/layout.ts";
import type { RawBuffer } from "../native/memory.ts";

// Fields of a record as indices of 32-bit words.
export const TYPE = RECORD.type >>> 2;
export const OBJECT = RECORD.object >>> 2;
export const PARENT = RECORD.parent >>> 2;
export const CONN = RECORD.conn >>> 2;
export const USER_DATA = RECORD.user_data >>> 2;
export const CODE = RECORD.code >>> 2;
export const STATUS = RECORD.status >>> 2;
export const META_LEN = RECORD.meta_len >>> 2;
export const DATA_LEN = RECORD.data_len >>> 2;
export const AUX = RECORD.aux >>> 2;

/** A queue's memory, in the ways in which it is read. The queue lives no longer than that, however its thread ends. */
export interface QueueMemory {
  /** For strings: a Buffer's slices would share its memory. */
  bytes: RawBuffer;
  /** For copies. */
  u8: Uint8Array<ArrayBuffer>;
  words: Int32Array;
  u32: Uint32Array;
}

/** The variable parts of a queue's records. */
export class RecordReader {
  readonly u32: Uint32Array;
  #u8: Uint8Array<ArrayBuffer>;
  #bytes: RawBuffer;

  constructor(readonly memory: QueueMemory) {
    this.u32 = memory.u32;
    this.#u8 = memory.u8;
    this.#bytes = memory.bytes;
  }

  /** The 64-bit number at a word of the memory, which must be below 2^53. */
  u64(word: number): number {
    return this.u32[word]! + this.u32[word + 1]! * HIGH;
  }

  /** A copy of the data of the record at `at`. A view would cost as much to make. */
  data(at: number): Uint8Array<ArrayBuffer> {
    const from = this.#dataAt(at);
    return this.#u8.slice(from, from + this.u32[(at >>> 2) + DATA_LEN]!);
  }

  /** The data of a record as UTF-8. */
  text(at: number): string {
    const from = this.#dataAt(at);
    return this.#bytes.toString("utf8", from, from + this.u32[(at >>> 2) + DATA_LEN]!);
  }

  /** The meta of a record as latin1. */
  meta(at: number): string {
    return this.#bytes.latin1Slice(at + RECORD_SIZE, at + RECORD_SIZE + this.u32[(at >>> 2) + META_LEN]!);
  }

  /** The meta of a record as 32-bit words. A copy. */
  words(at: number): Uint32Array {
    const from = (at + RECORD_SIZE) >>> 2;
    return this.u32.slice(from, from + (this.u32[(at >>> 2) + META_LEN]! >>> 2));
  }

  #dataAt(at: number): number {
    return at + RECORD_SIZE + ((this.u32[(at >>> 2) + META_LEN]! + 7) & -8);
  }
}
