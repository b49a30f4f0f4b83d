/**
 * Where frames of zstd end (RFC 8878, 3.1), by their lengths, without a look inside. node:zlib in Bun takes what is cut off for all of it, and in Bun 1.3
 * leaves away what is written together with the frame before it.
 */
import zlib from "node:zlib";

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/** Lengths of a frame's content size and of its dictionary's id, by their two bits in the descriptor. */
const CONTENT_SIZE = [0, 2, 4, 8] as const;
const DICTIONARY = [0, 1, 2, 4] as const;

/** Two frames of a byte each. */
const TWO = Buffer.from("28b52ffd200109000061".repeat(2), "hex");

let several: boolean | undefined;

/** Whether the decoder of this Bun takes several frames that are written together. */
function takesSeveral(): boolean {
  return (several ??= zlib.zstdDecompressSync(TWO).length === 2);
}

/** Reads along. */
export class ZstdEnd {
  #several: boolean;
  /** What a number of the format stands in that is not all there yet. */
  #number = 0;
  #has = 0;
  #wants = 4;
  #next: (number: number) => void = this.#magic;
  /** Bytes that say nothing of the length. */
  #skips = 0;
  #checksum = false;
  /** It is no zstd: the decoder says so. */
  #other = false;

  /** @param several whether the decoder takes several frames that are written together */
  constructor(several = takesSeveral()) {
    this.#several = several;
  }

  /** Whether all that has come so far is whole frames. */
  get reached(): boolean {
    return this.#other || (this.#next === this.#magic && this.#has === 0 && this.#skips === 0);
  }

  /** Reads on, as far as what is given to the decoder at a time may go. Gives how many bytes that were, which is one at least if there are any. */
  take(bytes: Uint8Array): number {
    let i = 0;
    while (i < bytes.length && !this.#other) {
      if (this.#skips > 0) {
        const skipped = Math.min(this.#skips, bytes.length - i);
        this.#skips -= skipped;
        i += skipped;
      } else {
        this.#number += bytes[i++]! * 2 ** (8 * this.#has++);
        if (this.#has < this.#wants) continue;
        const number = this.#number;
        this.#has = this.#number = 0;
        this.#next(number);
      }
      if (!this.#several && !this.#other && this.reached) return i;
    }
    return bytes.length;
  }

  #expect(wants: number, next: (number: number) => void): void {
    this.#wants = wants;
    this.#next = next;
  }

  #magic(number: number): void {
    if (number === MAGIC) this.#expect(1, this.#descriptor);
    else if (number >= SKIPPABLE && number < SKIPPABLE + 16) this.#expect(4, this.#skippable);
    else this.#other = true;
  }

  #skippable(length: number): void {
    this.#skips = length;
    this.#expect(4, this.#magic);
  }

  #descriptor(bits: number): void {
    const single = (bits & 0x20) !== 0; // it has no window, but a content size in any case
    this.#checksum = (bits & 0x04) !== 0;
    this.#skips = (single ? 0 : 1) + DICTIONARY[(bits & 3) as 0]! + (CONTENT_SIZE[(bits >> 6) as 0]! || Number(single));
    this.#expect(3, this.#block);
  }

  #block(head: number): void {
    this.#skips = ((head >> 1) & 3) === 1 ? 1 : head >> 3; // one byte that is repeated, or so many
    if ((head & 1) === 0) return;
    if (this.#checksum) this.#skips += 4;
    this.#expect(4, this.#magic);
  }
}
