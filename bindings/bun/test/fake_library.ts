/** A library in place of the native one, for what sessions do on this side: tests play the engine. */
import { afterAll, beforeAll, mock } from "bun:test";
import { join } from "node:path";
import { ERROR, REFUSAL } from "../src/native/layout.ts";
import type { LogRecord } from "../src/common/log.ts";
import type { WebTransportSession } from "../src/webtransport/session.ts";
import type { SessionCore } from "../src/webtransport/session_core.ts";
import type { SessionStream } from "../src/webtransport/streams/session_stream.ts";

const src = join(import.meta.dir, "../src");
const real = { library: await import("../src/native/library.ts"), memory: await import("../src/native/memory.ts") };
const was = { library: { ...real.library }, memory: { ...real.memory } };

const results = new Uint32Array(64);

/** The calls of the library that were made: name without prefix, handle, numbers. */
export const calls: (string | number)[][] = [];

/** What the engine has got and how much it still takes. */
export const engine = {
  /** Bytes that streams take before they want no more. */
  room: Infinity,
  /** What an atomic write gives. */
  atomic: 0,
  /** What the last refused call waits for. */
  refusal: 0 as number,
  /** What a commit gives. */
  commit: 0,
  /** Bytes of streams, by handle. */
  written: new Map<number, number[]>(),
  /** The stream that was opened last. */
  stream: 100,
  /** How many counters a session has; a code below 0 once the engine is done with it. */
  stats: 0,
};

function note(name: string): (...args: number[]) => number {
  return (...args) => {
    calls.push([name, ...args]);
    return 0;
  };
}

function give(at: number, value: number): number {
  results[at >>> 2] = value;
  results[(at >>> 2) + 1] = 0;
  return 0;
}

const fake = {
  zig_h3_flush: () => 0,
  zig_h3_last_error: () => "",
  zig_h3_last_refusal: () => engine.refusal,
  zig_h3_wt_max_datagram_size: () => 1200,
  zig_h3_wt_stats_name: () => 0,
  zig_h3_wt_stats_snapshot: () => engine.stats,
  zig_h3_wt_export_keying_material: (_session: number, _label: unknown, labelLength: number, _context: unknown, contextLength: number, out: Uint8Array, length: number) => {
    out.set([labelLength, contextLength, length, 0].slice(0, length));
    return 0;
  },
  zig_h3_wt_send_datagram: (_session: number, _data: unknown, length: number, maxAge: number) => note("send_datagram")(length, maxAge),
  zig_h3_wt_close: (_session: number, code: number, reason: Uint8Array | number) => {
    calls.push(["close", code, typeof reason === "number" ? "" : new TextDecoder().decode(reason)]);
    return 0;
  },
  zig_h3_wt_drain: note("drain"),
  zig_h3_wt_open_stream: (_session: number, kind: number, flags: number) => {
    calls.push(["open_stream", kind, flags]);
    return give(0, ++engine.stream);
  },
  zig_h3_wt_stream_write: (stream: number, data: Uint8Array, length: number, taken: number) => {
    const part = data.subarray(0, Math.min(length, engine.room));
    engine.room -= part.length;
    if (part.length === 0) return ERROR.WOULD_BLOCK;
    engine.written.set(stream, [...(engine.written.get(stream) ?? []), ...part]);
    return give(taken, part.length);
  },
  zig_h3_wt_stream_write_atomic: (stream: number, data: Uint8Array, length: number) => {
    calls.push(["write_atomic", stream, ...data.subarray(0, length)]);
    return engine.atomic;
  },
  zig_h3_wt_stream_commit: (stream: number) => {
    calls.push(["commit", stream]);
    return engine.commit;
  },
  zig_h3_wt_stream_end: note("end"),
  zig_h3_wt_stream_reset: note("reset"),
  zig_h3_wt_stream_stop: note("stop"),
  zig_h3_wt_stream_consumed: note("consumed"),
  zig_h3_wt_stream_priority: note("priority"),
};

const fakeMemory = {
  ...was.memory,
  scratch: () => ({ results: 0, words: results, u64: (at: number) => results[at >>> 2]! + results[(at >>> 2) + 1]! * 2 ** 32 }),
};

/** Puts the fake in place for the tests of a file. */
export function withFakeLibrary(): void {
  beforeAll(async () => {
    await mock.module(join(src, "native/library.ts"), () => ({ ...was.library, library: () => fake }));
    await mock.module(join(src, "native/memory.ts"), () => fakeMemory);
  });
  afterAll(async () => {
    await mock.module(join(src, "native/library.ts"), () => was.library);
    await mock.module(join(src, "native/memory.ts"), () => was.memory);
  });
}

/** A session, the side of it that gets events, and what it belongs to. */
export interface Playing {
  session: WebTransportSession;
  core: SessionCore;
  streams: Map<number, SessionStream>;
  log: LogRecord[];
}

/** Makes a session of handle 7, open unless said otherwise; handle NaN: it has none yet. */
export async function play(open = true, handle = 7): Promise<Playing> {
  const { SessionCore } = await import("../src/webtransport/session_core.ts");
  const { WebTransportSession } = await import("../src/webtransport/session.ts");
  calls.length = 0;
  engine.room = Infinity;
  engine.atomic = engine.commit = 0;
  engine.refusal = REFUSAL.NONE;
  engine.stats = 0;
  engine.written.clear();
  const streams = new Map<number, SessionStream>();
  const log: LogRecord[] = [];
  const sessions = { sessions: new Map(), streams, add: () => {} };
  const pump = { flushSoon: () => {}, dispatcher: { sessions } };
  const core = new SessionCore({ pump, incomingDatagrams: 4, congestionControl: "default", olderNames: true, report: (record: LogRecord) => log.push(record) } as never, Number.isNaN(handle) ? undefined : handle);
  const session = new WebTransportSession(core);
  if (open) core.opened(1200, "chat");
  return { session, core, streams, log };
}

/** Lets the stream that was asked for be opened. */
export async function opening<T>(core: SessionCore, asked: Promise<T>): Promise<T> {
  await settle();
  core.streamOpened(engine.stream, 0, 0);
  return asked;
}

/** Lets all that only waits for microtasks happen. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  return promise.then(
    () => {
      throw new Error("it did not reject");
    },
    (error) => error as Record<string, unknown>,
  );
}
