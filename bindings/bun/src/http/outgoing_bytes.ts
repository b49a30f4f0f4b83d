/**
 * Sends a large body that is in memory, a part at a time as the network takes it: what has not been sent stays where it is instead of
 * lying in the library a second time.
 */
import { inWords } from "../common/failure.ts";
import type { LogTier } from "../common/log.ts";
import { bytesOfBlob } from "../common/native_body.ts";
import { peek } from "../common/peek.ts";
import { errorName } from "../native/errors.ts";
import { ERROR, H3_INTERNAL_ERROR } from "../native/layout.ts";
import { library } from "../native/library.ts";
import { scratch, TAKEN } from "../native/memory.ts";
import type { Carrier, OutgoingCalls, Sending } from "./outgoing.ts";

/** Bodies up to this go out with their message in one call. */
export const LARGEST_WHOLE = 256 << 10;

/** How much of it is given at a time: the engine tells when one has left, so several make a high-water mark. */
const PIECE = 256 << 10;

/** A body in memory. */
export interface Source {
  readonly size: number;
  /** Some of its bytes. They are used up before the next ones are asked for. */
  piece(from: number, to: number): Uint8Array | Promise<Uint8Array>;
  /** No more of it is wanted. */
  letGo(): void;
}

/** Bytes that nobody else uses: their memory is given back with the last of them, not at the next collection. */
export function ownBytes(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    piece: (from, to) => bytes.subarray(from, to),
    letGo: () => void (bytes.buffer as ArrayBuffer).transfer(0),
  };
}

/** Bytes that others may use, too. @param letGo is told when they are not needed here any more */
export function sharedBytes(bytes: Uint8Array, letGo = (): void => {}): Source {
  return { size: bytes.length, piece: (from, to) => bytes.subarray(from, to), letGo };
}

/** A Blob, whose bytes any number of responses may have in common: only what is on its way is copied. */
export function sharedBlob(blob: Blob): Source {
  return {
    size: blob.size,
    piece: (from, to) => peek(bytesOfBlob(blob.slice(from, to))),
    letGo: () => {},
  };
}

/** One such body. The head has been given; it goes with the first bytes. */
export class OutgoingBytes implements Sending {
  #carrier: Carrier;
  #calls: OutgoingCalls;
  #source: Source;
  /** How many of its bytes the library has taken. */
  #at = 0;
  #over = false;
  /** A piece is being read: WRITABLE need not start another. */
  #reading = false;

  constructor(carrier: Carrier, calls: OutgoingCalls, source: Source) {
    this.#carrier = carrier;
    this.#calls = calls;
    this.#source = source;
  }

  writable(): void {
    if (!this.#carrier.gone && !this.#reading) this.run();
  }

  closed(): void {
    this.#letGo();
  }

  /** Gives the library what it takes now; what is left waits for its WRITABLE event. */
  run(): void {
    while (!this.#over && this.#at < this.#source.size) {
      const piece = this.#source.piece(this.#at, this.#at + PIECE);
      if (piece instanceof Promise) {
        this.#await(piece);
        return;
      }
      if (!this.#write(piece)) return;
    }
    if (!this.#over) this.#finish();
  }

  /** Goes on once a piece is there. */
  #await(piece: Promise<Uint8Array>): void {
    this.#reading = true;
    piece.then(
      (bytes) => {
        this.#reading = false;
        if (!this.#over && this.#write(bytes)) this.run();
      },
      (error) => this.#failed("handler", inWords(error)),
    );
  }

  /** Gives the library a piece. False: it has not taken all of it now. */
  #write(piece: Uint8Array): boolean {
    if (piece.length === 0) {
      this.#failed("handler", `the body ends at ${this.#at} of ${this.#source.size} bytes`);
      return false;
    }
    const memory = scratch();
    const code = this.#calls.write(this.#carrier.handle, piece, piece.length, memory.results + TAKEN);
    if (code === ERROR.WOULD_BLOCK) return false;
    if (code !== 0) {
      this.#refused(code);
      return false;
    }
    this.#at += memory.u64(TAKEN);
    return memory.u64(TAKEN) === piece.length;
  }

  #finish(): void {
    const carrier = this.#carrier;
    if (carrier.gone) return;
    const code = this.#calls.end(carrier.handle);
    if (code === ERROR.WOULD_BLOCK) return; // WRITABLE runs it again
    if (code !== 0) return this.#refused(code);
    this.#letGo();
    carrier.sent();
  }

  /** The library takes no more of it. */
  #refused(code: number): void {
    if (code === ERROR.NO_MEMORY || code === ERROR.INVALID_ARGUMENT || code === ERROR.TOO_LARGE || code === ERROR.BAD_HEADER) {
      this.#failed("engine", `${library().zig_h3_last_error().toString()} (${errorName(code)})`);
      return;
    }
    this.#letGo();
    this.#carrier.gone = true;
  }

  /** The rest of the body cannot be had, or not be sent. */
  #failed(tier: LogTier, why: string): void {
    if (this.#over) return;
    this.#letGo();
    this.#carrier.bodyFailed({ level: "error", tier, message: `a ${this.#carrier.what} was cut off: ${why}` });
    this.#calls.reset(this.#carrier.handle, H3_INTERNAL_ERROR);
  }

  #letGo(): void {
    if (this.#over) return;
    this.#over = true;
    this.#source.letGo();
  }
}
