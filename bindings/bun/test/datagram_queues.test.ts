/** Datagrams that wait: to be read, to be sent. */
import { describe, expect, test } from "bun:test";
import { ERROR } from "../src/native/layout.ts";
import { ArrivalClock } from "../src/webtransport/datagrams/arrival_clock.ts";
import { DatagramInbox } from "../src/webtransport/datagrams/inbox.ts";
import { checkAge, checkLimit, limitOf } from "../src/webtransport/datagrams/limits.ts";
import { DatagramOutbox, type OutboxShare } from "../src/webtransport/datagrams/outbox.ts";

const share = (): OutboxShare => ({ waiting: 0, blocked: undefined, taken: 0 });
const bytes = (n: number): Uint8Array<ArrayBuffer> => new Uint8Array([n]);

describe("inbox", () => {
  test("W06 the oldest is dropped when it is full, and counted", () => {
    const inbox = new DatagramInbox(() => 0);
    inbox.limit = 2;
    for (let i = 1; i <= 5; i++) inbox.push(bytes(i), 0);
    expect([inbox.shift()?.[0], inbox.shift()?.[0], inbox.shift()]).toEqual([4, 5, undefined]);
    expect([inbox.dropped, inbox.expired]).toEqual([3, 0]);
  });

  test("W17 what is older than its age is not given", () => {
    let now = 0;
    const inbox = new DatagramInbox((at) => now - at);
    inbox.maxAge = 10;
    inbox.push(bytes(1), 0);
    inbox.push(bytes(2), 5);
    now = 12;
    expect([inbox.shift()?.[0], inbox.shift()]).toEqual([2, undefined]);
    expect([inbox.dropped, inbox.expired]).toEqual([0, 1]);
  });
});

describe("outbox", () => {
  /** An engine with room for some, and what it has taken. */
  function engine(room: number): { outbox: DatagramOutbox; taken: [number, number][]; more: (n: number) => void; at: (ms: number) => void } {
    const taken: [number, number][] = [];
    let now = 0;
    const outbox = new DatagramOutbox(
      (payload, maxAge) => {
        if (room === 0) return ERROR.QUEUE_FULL;
        room--;
        taken.push([payload[0]!, maxAge]);
        return 0;
      },
      () => now,
    );
    const more = (n: number): void => {
      room = n;
      outbox.flush();
    };
    return { outbox, taken, more, at: (ms) => (now = ms) };
  }

  test("what finds the engine's queue full is sent later, whatever clock a test of the host's own has put in place", async () => {
    let full = true;
    const sent = Promise.withResolvers<number>();
    const outbox = new DatagramOutbox((payload) => {
      if (full) return ERROR.QUEUE_FULL;
      sent.resolve(payload[0]!);
      return 0;
    });
    const was = globalThis.setTimeout;
    globalThis.setTimeout = (() => 0) as unknown as typeof setTimeout;
    try {
      outbox.open();
      void outbox.write(bytes(1), 0, 0, share());
    } finally {
      globalThis.setTimeout = was;
    }
    full = false;
    expect(await sent.promise).toBe(1);
  });

  test("no more than may wait go in one turn of the loop: then the writer waits for the next", async () => {
    const { outbox, taken } = engine(100);
    outbox.open();
    outbox.limit = 3;
    const mine = share();
    const write = (i: number): Promise<void> | undefined => outbox.write(bytes(i), 0, 0, mine);
    expect([write(1), write(2)]).toEqual([undefined, undefined]);
    const third = write(3);
    expect([taken.length, third]).toEqual([3, expect.any(Promise)]);
    expect(outbox.write(bytes(9), 0, 0, share())).toBeUndefined(); // each writable for itself
    await third;
    expect([write(4), write(5)]).toEqual([undefined, undefined]);
  });

  test("W17 writes before the session is open wait for it", () => {
    const { outbox, taken } = engine(5);
    expect(outbox.write(bytes(1), 0, 0, share())).toBeUndefined();
    expect(taken).toEqual([]);
    outbox.open();
    expect(taken).toEqual([[1, 0]]);
  });

  test("W17 a write waits once as many as the limit wait, until there is room", async () => {
    const { outbox, more } = engine(0);
    outbox.open();
    outbox.limit = 2;
    const one = share();
    expect(outbox.write(bytes(1), 0, 0, one)).toBeUndefined();
    const second = outbox.write(bytes(2), 0, 0, one)!;
    expect(Bun.peek.status(second)).toBe("pending");
    expect(outbox.write(bytes(3), 0, 0, share())).toBeUndefined(); // another writable has its own
    more(1);
    expect(Bun.peek.status(second)).toBe("fulfilled");
    expect(outbox.size).toBe(2);
    outbox.end();
  });

  test("W17 a write goes on when its own datagram has gone, whatever waits besides", () => {
    const { outbox, more } = engine(0);
    outbox.open();
    outbox.limit = 3;
    const one = share();
    for (const order of [0, 0]) void outbox.write(bytes(1), 0, order, one);
    const third = outbox.write(bytes(2), 0, 9, one)!;
    outbox.limit = 1;
    more(1);
    expect([Bun.peek.status(third), one.waiting]).toEqual(["fulfilled", 2]);
    outbox.end();
  });

  test("W17 a higher order goes first within its group, groups take turns", () => {
    const { outbox, taken, more } = engine(0);
    outbox.open();
    for (const [n, group, order] of [[1, 0, 0], [2, 0, 5], [3, 0, 5], [4, 1, -1], [5, 1, 0]] as const) void outbox.write(bytes(n), group, order, share());
    more(9);
    expect(taken.map(([n]) => n)).toEqual([2, 5, 3, 4, 1]);
  });

  test("W17 what waited too long is dropped, the rest has what is left of its age", () => {
    const { outbox, taken, more, at } = engine(0);
    outbox.open();
    outbox.maxAge = 10;
    void outbox.write(bytes(1), 0, 0, share());
    at(8);
    void outbox.write(bytes(2), 0, 0, share());
    at(12);
    more(9);
    expect(taken).toEqual([[2, 6]]);
    expect([outbox.expired, outbox.size]).toEqual([1, 0]);
  });

  test("W17 what the engine refuses for another reason is gone, as if it had been lost", () => {
    const outbox = new DatagramOutbox(() => ERROR.DATAGRAM_TOO_LARGE);
    outbox.open();
    expect(outbox.write(bytes(1), 0, 0, share())).toBeUndefined();
    expect(outbox.size).toBe(0);
  });

  test("the writer may use its buffer again while the datagram waits", () => {
    const { outbox, taken, more } = engine(0);
    outbox.open();
    const buffer = bytes(1);
    void outbox.write(buffer, 0, 0, share());
    buffer[0] = 9;
    more(1);
    expect(taken).toEqual([[1, 0]]);
  });

  test("the end lets all writers go on", () => {
    const { outbox } = engine(0);
    outbox.limit = 1;
    const write = outbox.write(bytes(1), 0, 0, share())!;
    outbox.end();
    expect(Bun.peek.status(write)).toBe("fulfilled");
  });
});

describe("limits", () => {
  test("W17 ages: 0 and null are none, negative ones and NaN a RangeError", () => {
    expect([checkAge("a", 0), checkAge("a", null), checkAge("a", 5), checkAge("a", Infinity)]).toEqual([null, null, 5, Infinity]);
    for (const bad of [-1, NaN]) expect(() => checkAge("incomingMaxAge", bad)).toThrow(RangeError);
  });

  test("W17 buffers hold at least one", () => {
    expect([0, 0.5, 7.9, NaN, Infinity, -1, "12"].map(limitOf)).toEqual([1, 1, 7, 1, 1, 0xffff_ffff, 12]);
    expect([checkLimit("a", 0), checkLimit("a", 0.5), checkLimit("a", 7)]).toEqual([1, 1, 7]);
    for (const bad of [-1, NaN]) expect(() => checkLimit("a", bad)).toThrow(RangeError);
  });
});

test("an age counts from the event that waited the shortest time", () => {
  let now = 100;
  const clock = new ArrivalClock(() => now);
  expect(clock.age(1_000e6)).toBe(0);
  now = 105;
  expect(clock.age(1_000e6)).toBe(5);
  expect(clock.age(1_010e6)).toBe(0);
  expect(clock.age(1_000e6)).toBe(10);
});
