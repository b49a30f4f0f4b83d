/**
 * Datagrams on their way from writables to the engine, which takes each at once unless its own queue is full or the session is not
 * open yet. Those then wait here: of a group the one with the highest order goes first, groups take turns.
 */
import { clearTimeout, now as clock, setImmediate, setTimeout } from "../../common/builtins.ts";
import { ERROR } from "../../native/layout.ts";
import { DEFAULT_BUFFERED } from "./inbox.ts";

/** How long to wait when the engine's own queue is full, in ms: no event says when it is not, since what could wait would be a stream. */
const RETRY = 1;

/** Hands a datagram to the engine, which is to drop it after `maxAge` ms (0: never). Gives a result code. */
export type SendDatagram = (bytes: Uint8Array, maxAge: number) => number;

/** One writable's part of what waits. Its writer has at most one write under way. */
export interface OutboxShare {
  /** How many of its datagrams wait. */
  waiting: number;
  /** The one that its writer waits for, and what lets it go on. */
  blocked: { by: Waiting; resolve: () => void } | undefined;
  /** How many the engine has taken of it at once, since last that was forgotten; as many as may wait let its writer wait for a turn. */
  taken: number;
}

interface Waiting {
  bytes: Uint8Array;
  order: number;
  share: OutboxShare;
  /** When it was written, in ms. */
  since: number;
  /** Sent, or dropped. */
  gone: boolean;
}

/** What waits to be sent. */
export class DatagramOutbox {
  /** How many of a writable may wait before its writer does. */
  limit = DEFAULT_BUFFERED;
  /** How old one may become, in ms; null: as old as it likes. */
  maxAge: number | null = null;
  /** How many became too old. */
  expired = 0;

  /** By group, in the order of their turns; in each those that go first stand first. */
  #groups = new Map<number, Waiting[]>();
  #size = 0;
  #timer: Timer | undefined;
  #open = false;
  /** Resolves when the host's loop has had its turn; asked for when some share's count comes near the limit. */
  #turn: Promise<void> | undefined;
  /** Whose counts are forgotten then. */
  #counted = new Set<OutboxShare>();

  /**
   * @param send hands one to the engine
   * @param now a clock, in ms
   */
  constructor(
    readonly send: SendDatagram,
    readonly now: () => number = clock,
  ) {}

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Sends a datagram, or lets it wait. The promise is that the writer may go on; undefined: now. */
  write(bytes: Uint8Array, group: number, order: number, share: OutboxShare): Promise<void> | undefined {
    if (this.#open && this.#size === 0 && this.send(bytes, this.#age(0)) !== ERROR.QUEUE_FULL) return this.#took(share);
    // What is not sent now must not change with the writer's buffer.
    const one: Waiting = { bytes: bytes.slice(), order, share, since: this.now(), gone: false };
    const queue = this.#groups.get(group);
    if (queue === undefined) this.#groups.set(group, [one]);
    else {
      const behind = queue.findIndex((other) => other.order < order);
      queue.splice(behind < 0 ? queue.length : behind, 0, one);
    }
    this.#size++;
    share.waiting++;
    this.flush();
    if (one.gone || share.waiting < this.limit) return undefined;
    return new Promise<void>((resolve) => {
      share.blocked = { by: one, resolve };
    });
  }

  /**
   * The engine has taken a datagram at once. It may still wait there, which this side does not see: so no more than may wait are handed over
   * in a turn of the host's loop. When a turn ends is of interest only to who comes near that.
   */
  #took(share: OutboxShare): Promise<void> | undefined {
    if (++share.taken < this.limit - 1) return undefined;
    this.#counted.add(share);
    this.#turn ??= new Promise<void>((resolve) =>
      setImmediate(() => {
        this.#turn = undefined;
        for (const one of this.#counted) one.taken = 0;
        this.#counted.clear();
        resolve();
      }),
    );
    return share.taken < this.limit ? undefined : this.#turn;
  }

  /** The session is open: what waits may go. */
  open(): void {
    this.#open = true;
    this.flush();
  }

  /** Sends what the engine takes. */
  flush(): void {
    if (!this.#open) return;
    for (const [group, queue] of this.#groups) {
      const one = queue[0]!;
      const waited = this.now() - one.since;
      if (this.maxAge !== null && waited > this.maxAge) this.expired++;
      else if (this.send(one.bytes, this.#age(waited)) === ERROR.QUEUE_FULL) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.flush();
        }, RETRY);
        return;
      }
      this.#gone(queue, one);
      // The group's next turn comes after those of the others: they follow in this very loop.
      this.#groups.delete(group);
      if (queue.length > 0) this.#groups.set(group, queue);
    }
  }

  /** Forgets what waits: the session is over. Writers go on. */
  end(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    for (const queue of this.#groups.values()) for (const one of [...queue]) this.#gone(queue, one);
    this.#groups.clear();
  }

  /** One has left: its writer goes on if it waits for that, or has room now. */
  #gone(queue: Waiting[], one: Waiting): void {
    queue.shift();
    this.#size--;
    one.gone = true;
    const { share } = one;
    share.waiting--;
    if (share.blocked === undefined || (share.blocked.by !== one && share.waiting >= this.limit)) return;
    share.blocked.resolve();
    share.blocked = undefined;
  }

  /** What is left of the age that datagrams may have, as the engine takes it. */
  #age(waited: number): number {
    if (this.maxAge === null || this.maxAge === Infinity) return 0;
    return Math.min(Math.max(Math.ceil(this.maxAge - waited), 1), 0xffff_ffff);
  }
}
