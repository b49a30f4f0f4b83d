/** Events out of a queue's memory, and whom they are brought to. */
import { describe, expect, test } from "bun:test";
import { ERROR, EVENT, FLAG } from "../src/native/layout.ts";
import type { RawBuffer } from "../src/native/memory.ts";
import { whenWritable } from "../src/native/refused.ts";
import { Dispatcher, type RequestSink } from "../src/queue/dispatcher.ts";
import type { FetchSink } from "../src/queue/fetch_events.ts";
import { CODE, OBJECT, TYPE } from "../src/queue/records.ts";

/** The dispatcher of a queue with one record in it. */
class Queue {
  readonly #bytes = Buffer.alloc(256);
  readonly #u32 = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, 64);
  readonly dispatcher = new Dispatcher({
    bytes: this.#bytes as unknown as RawBuffer,
    u8: new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, 256),
    words: new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset, 64),
    u32: this.#u32,
  });

  dispatch(type: number, object: number, code = 0, flags = 0): void {
    this.#u32[TYPE] = type | (flags << 16);
    this.#u32[OBJECT] = object;
    this.#u32[CODE] = code;
    this.dispatcher.dispatch(0);
  }

  /** A request that notes what becomes of it. */
  request(handle: number, noted: string[]): void {
    const note = (what: string) => (): void => void noted.push(what);
    this.dispatcher.exchanges.set(handle, { finished: note("finished"), fail: note("failed"), writable: note("writable") } as Partial<RequestSink> as RequestSink);
  }
}

describe("calls that found no room", () => {
  for (const [what, known, event, code, noted] of [
    ["a request has ended well", true, EVENT.STREAM_CLOSED, 0, ["finished", "again"]],
    ["a request has ended early", true, EVENT.STREAM_CLOSED, ERROR.RESET, ["failed", "again"]],
    ["a request has ended that nobody knows any more", false, EVENT.STREAM_CLOSED, ERROR.RESET, ["again"]],
    ["a request can be written to", true, EVENT.WRITABLE, 0, ["again", "writable"]],
    ["a stream or session can be written to", false, EVENT.WRITABLE, 0, ["again"]],
    ["a session has ended", false, EVENT.SESSION_CLOSED, 0, ["again"]],
    ["a session's stream has ended", false, EVENT.STREAM_ENDED, 0, ["again"]],
  ] as [string, boolean, number, number, string[]][]) {
    test(`are made again where ${what}`, () => {
      const queue = new Queue();
      const seen: string[] = [];
      if (known) queue.request(7, seen);
      whenWritable(7, () => seen.push("again"));
      queue.dispatch(event, 8, code);
      expect(seen).toEqual([]);
      queue.dispatch(event, 7, code);
      expect(seen).toEqual(noted);
      queue.dispatch(event, 7, code, FLAG.REMOTE);
      expect(seen.filter((one) => one === "again")).toEqual(["again"]);
    });
  }
});

describe("fetches", () => {
  /** A fetch that notes what becomes of it; `wrong` fails on purpose. */
  function fetch(queue: Queue, handle: number, wrong?: keyof FetchSink): string[] {
    const noted: string[] = [];
    const note = (what: keyof FetchSink) => (): void => {
      noted.push(what);
      if (what === wrong) throw new RangeError("on purpose");
    };
    const kinds = ["informational", "response", "piece", "bodyEnd", "writable", "stopped", "datagram", "droppedUnsent", "done", "fail"] as const;
    const sink = { owner: { report: ({ message }: { message: string }) => noted.push(message) }, about: () => ({}), ...Object.fromEntries(kinds.map((kind) => [kind, note(kind)])) };
    queue.dispatcher.fetches.fetches.set(handle, sink as unknown as FetchSink);
    return noted;
  }

  const EVENTS: [number, string][] = [
    [EVENT.INFORMATIONAL, "informational"],
    [EVENT.RESPONSE, "response"],
    [EVENT.BODY, "piece"],
    [EVENT.BODY_END, "bodyEnd"],
    [EVENT.WRITABLE, "writable"],
    [EVENT.STREAM_STOPPED, "stopped"],
    [EVENT.H3_DATAGRAM, "datagram"],
    [EVENT.DATAGRAMS_DROPPED, "droppedUnsent"],
    [EVENT.FETCH_DONE, "done"],
  ];

  test("F04 each of their events comes to the fetch that it is of, and nothing behind the last one", () => {
    const queue = new Queue();
    const [noted, other] = [fetch(queue, 7), fetch(queue, 8)];
    for (const [event] of EVENTS) queue.dispatch(event, 7);
    expect(noted).toEqual(EVENTS.map(([, what]) => what));
    for (const [event] of EVENTS) queue.dispatch(event, 7);
    expect(noted).toHaveLength(EVENTS.length);
    expect(other).toEqual([]);
    expect([...queue.dispatcher.fetches.fetches.keys()]).toEqual([8]);
  });

  for (const [event, what] of EVENTS) {
    test(`one whose ${what} cannot be dealt with is given up, and told once`, () => {
      const queue = new Queue();
      const noted = fetch(queue, 7, what as keyof FetchSink);
      const seen: string[] = [];
      whenWritable(7, () => seen.push("again"));
      queue.dispatch(event, 7);
      expect(noted).toEqual([what, expect.stringContaining("could not be dealt with: on purpose"), "fail"]);
      expect(seen).toEqual(["again"]);
      expect(queue.dispatcher.fetches.fetches.size).toBe(0);
    });
  }

  test("all end where the queue has failed, each for itself", () => {
    const queue = new Queue();
    const [one, two] = [fetch(queue, 7, "fail"), fetch(queue, 8)];
    queue.dispatcher.broken(new Error("the queue has failed"));
    expect([one, two]).toEqual([["fail"], ["fail"]]);
    expect(queue.dispatcher.fetches.fetches.size).toBe(0);
  });
});
