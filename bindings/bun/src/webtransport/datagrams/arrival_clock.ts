/**
 * How old a datagram is.
 *
 * Events say on the system's monotonic clock when something came, and JavaScript cannot read that clock. The distance between it and
 * ours is the least that was ever seen between the two: that of the event which waited the shortest time.
 */
import { now as clock } from "../../common/builtins.ts";

/** Tells ages of events. */
export class ArrivalClock {
  #distance = Infinity;

  /** @param now this side's clock, in ms */
  constructor(readonly now: () => number = clock) {}

  /** Milliseconds since `at` (ns, as an event says it). The first event is taken to have come just now. */
  age(at: number): number {
    const distance = this.now() - at / 1e6;
    if (distance < this.#distance) this.#distance = distance;
    return distance - this.#distance;
  }
}

/** The clock of this thread. */
export const arrivals = new ArrivalClock();
