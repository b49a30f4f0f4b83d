/** Datagrams that have come and that nobody has read yet. */
import { arrivals } from "./arrival_clock.ts";

/** How many wait when nobody says otherwise: as many as the engine lets wait on the way out. */
export const DEFAULT_BUFFERED = 256;

interface Arrived {
  payload: Uint8Array<ArrayBuffer>;
  /** Nanoseconds on the clock of events. */
  at: number;
}

/** A queue that drops its oldest datagram when it is full, and those that have become too old. */
export class DatagramInbox {
  /** How many may wait. */
  limit = DEFAULT_BUFFERED;
  /** How old one may become, in ms; null: as old as it likes. */
  maxAge: number | null = null;
  /** How many were dropped for want of room. */
  dropped = 0;
  /** How many became too old. */
  expired = 0;

  #waiting: Arrived[] = [];

  /** @param ageOf how long ago a datagram came, in ms */
  constructor(readonly ageOf: (at: number) => number = (at) => arrivals.age(at)) {}

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Takes one in. */
  push(payload: Uint8Array<ArrayBuffer>, at: number): void {
    this.#waiting.push({ payload, at });
    if (this.maxAge !== null) this.#expire(this.maxAge);
    while (this.#waiting.length > this.limit) {
      this.#waiting.shift();
      this.dropped++;
    }
  }

  /** The oldest one, which is no longer here then. */
  shift(): Uint8Array<ArrayBuffer> | undefined {
    if (this.maxAge !== null) this.#expire(this.maxAge);
    return this.#waiting.shift()?.payload;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#waiting.length = 0;
  }

  #expire(maxAge: number): void {
    while (this.#waiting.length > 0 && this.ageOf(this.#waiting[0]!.at) > maxAge) {
      this.#waiting.shift();
      this.expired++;
    }
  }
}
