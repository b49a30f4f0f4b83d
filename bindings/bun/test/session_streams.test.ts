/** Streams of sessions in the web's shape. */
import { describe, expect, test } from "bun:test";
import { ERROR, REFUSAL } from "../src/native/layout.ts";
import { WebTransportError } from "../src/webtransport/streams/webtransport_error.ts";
import { calls, engine, failure, opening, play, settle, withFakeLibrary, type Playing } from "./fake_library.ts";

withFakeLibrary();

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

/** The library has been asked for a stream. What waits for that has not gone on yet. */
async function opened(): Promise<void> {
  while (calls.at(-1)?.[0] !== "open_stream") await undefined;
}

/** A stream of ours, with its writer and the side that gets events. */
async function sending({ session, core, streams }: Playing) {
  const stream = await opening(core, session.createUnidirectionalStream());
  return { stream, writer: stream.getWriter(), events: streams.get(engine.stream)!, handle: engine.stream };
}

type Sending = Awaited<ReturnType<typeof sending>>;

/** A stream of the peer's, with the side that gets events. */
async function receiving({ session, core, streams }: Playing) {
  core.streamOpened(500, 1, 2);
  const { value } = await session.incomingUnidirectionalStreams.getReader().read();
  return { stream: value!, events: streams.get(500)! };
}

describe("streams to the peer", () => {
  test("W07 a write resolves when all of it was taken, though the writer's buffer changes", async () => {
    const { writer, events, handle } = await sending(await play());
    engine.room = 3;
    const buffer = bytes(1, 2, 3, 4, 5);
    const write = writer.write(buffer);
    buffer[4] = 9;
    await settle();
    expect(Bun.peek.status(write)).toBe("pending");
    engine.room = 1;
    events.writableAgain();
    await settle();
    expect(Bun.peek.status(write)).toBe("pending");
    engine.room = 9;
    events.writableAgain();
    await write;
    expect(engine.written.get(handle)).toEqual([1, 2, 3, 4, 5]);
  });

  test("W17 no bytes resolve at once, what is no BufferSource is a TypeError", async () => {
    const { stream, writer } = await sending(await play());
    engine.room = 0;
    await writer.write(bytes());
    expect(await failure(writer.write("text" as never))).toBeInstanceOf(TypeError);
    expect(await stream.getStats()).toEqual({ bytesWritten: 0 });
  });

  test("W09 close() waits until the end is on its way", async () => {
    const { writer, events, handle } = await sending(await play());
    const close = writer.close();
    await settle();
    expect(Bun.peek.status(close)).toBe("pending");
    events.flushed();
    await close;
    expect(calls.at(-1)).toEqual(["end", handle]);
  });

  test("W10 abort() gives the peer its code, also while a write waits or the stream is closing", async () => {
    const reason = new WebTransportError("", { streamErrorCode: 77 });
    const blocked = await sending(await play());
    engine.room = 0;
    const write = failure(blocked.writer.write(bytes(1)));
    await settle();
    await blocked.writer.abort(reason);
    expect(await write).toBe(reason as never);
    expect(calls.at(-1)).toEqual(["reset", blocked.handle, 77]);

    const closing = await sending(await play());
    const close = failure(closing.writer.close());
    await settle();
    await closing.writer.abort(reason).catch(() => {});
    await close;
    expect(calls.at(-1)).toEqual(["reset", closing.handle, 77]);

    const plain = await sending(await play());
    await plain.writer.abort("no code");
    expect(calls.at(-1)).toEqual(["reset", plain.handle, 0]);
  });

  test("W10 the peer's stop fails writes with its code", async () => {
    const { writer, events } = await sending(await play());
    engine.room = 0;
    const write = failure(writer.write(bytes(1)));
    await settle();
    events.stopped(55);
    const error = await write;
    expect([error.name, error.source, error.streamErrorCode]).toEqual(["WebTransportError", "stream", 55]);
    expect(await failure(writer.closed)).toBe(error);
    events.ended(0);
  });

  test("W16 beyond the peer's limit: QuotaExceededError", async () => {
    const { session, core } = await play();
    const asked = session.createUnidirectionalStream();
    await settle();
    core.streamEnded(engine.stream, -429);
    expect(await failure(asked)).toMatchObject({ name: "QuotaExceededError" });
    expect(calls).toEqual([["open_stream", 1, 0]]);
  });

  test("W16 a session that ends while a stream is being opened: InvalidStateError", async () => {
    const { session, core } = await play();
    const asked = failure(session.createUnidirectionalStream());
    await opened();
    core.finished(0, 2, 0, "", new Uint32Array(0));
    expect(await asked).toMatchObject({ name: "InvalidStateError" });
  });

  test("W10 a reason that cannot be looked at is no code, nor anything else; a chunk that is none gives the stream up for the peer, too", async () => {
    const guarded = Object.defineProperty(new WebTransportError(), "streamErrorCode", { get: () => { throw new Error("no look"); } });
    const first = await sending(await play());
    await first.writer.abort(guarded);
    expect(calls.at(-1)).toEqual(["reset", first.handle, 0]);

    const closing = await sending(await play());
    const close = failure(closing.writer.close());
    await settle();
    await closing.writer.abort(guarded).catch(() => {});
    expect(await close).toBe(guarded as never);
    expect(calls.at(-1)).toEqual(["reset", closing.handle, 0]);

    const wrong = await sending(await play());
    expect(await failure(wrong.writer.write("text" as never))).toBeInstanceOf(TypeError);
    expect(calls.at(-1)).toEqual(["reset", wrong.handle, 0]);
  });

  test("W17 options go to the library: waiting, group and order, which stay live", async () => {
    const { session, core } = await play();
    const group = session.createSendGroup();
    const asked = session.createBidirectionalStream({ sendGroup: group, sendOrder: -3, waitUntilAvailable: true });
    const { writable } = await opening(core, asked);
    writable.sendOrder = 8;
    writable.sendGroup = null;
    const stream = engine.stream;
    expect(calls).toEqual([["open_stream", 0, 1], ["priority", stream, 1, -3], ["priority", stream, 1, 8], ["priority", stream, 0, 8]]);
  });

  test("W17 a group knows what its streams wrote", async () => {
    const { session, core } = await play();
    const group = session.createSendGroup();
    const stream = await opening(core, session.createUnidirectionalStream({ sendGroup: group }));
    await stream.getWriter().write(bytes(1, 2, 3));
    expect(await group.getStats()).toEqual({ bytesWritten: 3 });
    const other = session.createSendGroup();
    stream.sendGroup = other;
    expect([await group.getStats(), await other.getStats()]).toEqual([{ bytesWritten: 0 }, { bytesWritten: 3 }]);
  });

  test("W21 an atomic write resolves when it is on its way, and counts as written", async () => {
    const { stream, writer, events, handle } = await sending(await play());
    const write = writer.atomicWrite(bytes(1, 2));
    await settle();
    expect(Bun.peek.status(write)).toBe("pending");
    expect(calls.at(-1)).toEqual(["write_atomic", handle, 1, 2]);
    events.atomic(0);
    await write;
    expect(await stream.getStats()).toEqual({ bytesWritten: 2 });
    expect(await failure(writer.atomicWrite("text" as never))).toBeInstanceOf(TypeError);
  });

  test("W21 one without room: AbortError, and so for those that wait behind it; the stream goes on", async () => {
    const { stream, writer, events, handle } = await sending(await play());
    const [first, second] = [failure(writer.atomicWrite(bytes(1))), failure(writer.atomicWrite(bytes(2)))];
    await settle();
    events.atomic(ERROR.WOULD_BLOCK);
    expect([await first, await second]).toEqual([expect.objectContaining({ name: "AbortError" }), await first]);
    await writer.write(bytes(3));
    expect(engine.written.get(handle)).toEqual([3]);
    expect(calls.filter(([name]) => name === "write_atomic")).toEqual([["write_atomic", handle, 1]]); // the second was never tried
    const third = writer.atomicWrite(bytes(4));
    await settle();
    events.atomic(0);
    await third;
    expect(await stream.getStats()).toEqual({ bytesWritten: 2 });
  });

  test("W21 one for which the way to the engine was full is made again, and does not fail", async () => {
    const { resume } = await import("../src/native/refused.ts");
    const { writer, events, handle } = await sending(await play());
    [engine.atomic, engine.refusal] = [ERROR.WOULD_BLOCK, REFUSAL.RING];
    const write = writer.atomicWrite(bytes(1));
    await settle();
    resume(handle);
    await settle();
    engine.atomic = 0;
    resume(handle);
    await settle();
    events.atomic(0);
    await write;
    expect(calls.filter(([name]) => name === "write_atomic")).toEqual(Array(3).fill(["write_atomic", handle, 1]));
  });

  test("W21 one without room that other writes wait behind: they fail, and the stream with them", async () => {
    const { writer, events, handle } = await sending(await play());
    const atomic = failure(writer.atomicWrite(bytes(1)));
    const plain = failure(writer.write(bytes(2)));
    await settle();
    events.atomic(ERROR.WOULD_BLOCK);
    expect(await atomic).toMatchObject({ name: "AbortError" });
    expect([await plain, await failure(writer.closed)]).toEqual([await atomic, await atomic]);
    expect(calls.at(-1)).toEqual(["reset", handle, 0]);
    expect(engine.written.get(handle)).toBeUndefined();
  });

  test("W21 a released writer's write is not one that waits", async () => {
    const { stream, writer, events } = await sending(await play());
    writer.releaseLock();
    expect(await failure(writer.write(bytes(1)))).toBeInstanceOf(TypeError);
    expect(() => writer.commit()).toThrow(TypeError);
    const next = stream.getWriter();
    const atomic = failure(next.atomicWrite(bytes(1)));
    await settle();
    events.atomic(ERROR.WOULD_BLOCK);
    await atomic;
    await next.write(bytes(2));
  });

  test("W21 a write that comes behind close() is not one that waits: the stream still ends as it was to", async () => {
    const { writer, events, handle } = await sending(await play());
    const atomic = failure(writer.atomicWrite(bytes(1)));
    const closed = writer.close();
    expect(await failure(writer.write(bytes(2)))).toBeInstanceOf(TypeError);
    await settle();
    events.atomic(ERROR.WOULD_BLOCK);
    expect(await atomic).toMatchObject({ name: "AbortError" });
    await settle();
    events.flushed();
    await closed;
    expect(calls.at(-1)).toEqual(["end", handle]);
  });

  test("W21 one that the library has no room for, or that is too long: AbortError, without an event", async () => {
    const { writer } = await sending(await play());
    for (const code of [ERROR.WOULD_BLOCK, ERROR.TOO_LARGE]) {
      engine.atomic = code;
      expect(await failure(writer.atomicWrite(bytes(1)))).toMatchObject({ name: "AbortError" });
    }
  });

  test("W21 the peer's stop, the session's end and abort() fail one that waits", async () => {
    const stopped = await sending(await play());
    const first = failure(stopped.writer.atomicWrite(bytes(1)));
    await settle();
    stopped.events.atomic(ERROR.RESET);
    await settle();
    stopped.events.stopped(5);
    expect(await first).toMatchObject({ source: "stream", streamErrorCode: 5 });

    const losing = await play();
    const lost = await sending(losing);
    const second = failure(lost.writer.atomicWrite(bytes(1)));
    await settle();
    losing.core.streamEnded(lost.handle, ERROR.CLOSED);
    losing.core.finished(ERROR.IDLE, 0, 0, "");
    expect((await second) === (await failure(losing.session.closed))).toBe(true); // the stream's end comes first, and is told as the session's

    const aborted = await sending(await play());
    const third = failure(aborted.writer.atomicWrite(bytes(1)));
    await settle();
    const reason = new WebTransportError("", { streamErrorCode: 9 });
    await aborted.writer.abort(reason);
    expect(await third).toBe(reason as never);
    expect(calls.at(-1)).toEqual(["reset", aborted.handle, 9]);
  });

  test("W21 commit() goes to the library before the reset behind it, also when the way there is full", async () => {
    const { writer, handle } = await sending(await play());
    engine.commit = ERROR.WOULD_BLOCK;
    await writer.write(bytes(1));
    writer.commit();
    await writer.abort(new WebTransportError("", { streamErrorCode: 3 }));
    expect(calls.at(-1)).toEqual(["commit", handle]);
    engine.commit = 0;
    const { resume } = await import("../src/native/refused.ts");
    resume(handle); // WRITABLE
    expect(calls.slice(-2)).toEqual([["commit", handle], ["reset", handle, 3]]);
  });

  test("W10 abort() right behind close() goes before it: the peer gets no end", async () => {
    const { writer, handle } = await sending(await play());
    await writer.write(bytes(1));
    const reason = new WebTransportError("", { streamErrorCode: 8 });
    const ends = [writer.close(), writer.abort(reason)].map(failure);
    for (const end of ends) expect((await end) === (reason as unknown)).toBe(true);
    expect(calls.map(([call]) => call)).toEqual(["open_stream", "reset"]);
    expect(calls[1]).toEqual(["reset", handle, 8]);
  });

  test("B8 close() that waits for the peer's flow control rejects when the peer stops the stream, or the session is lost", async () => {
    for (const [end, wanted] of [
      [({ events }: Sending): void => events.stopped(5), { source: "stream", streamErrorCode: 5 }],
      [({ events }: Sending): void => void events.ended(ERROR.CANCELLED), { source: "stream", streamErrorCode: null }],
      [({ handle }: Sending, { core }: Playing): void => (core.streamEnded(handle, ERROR.IDLE), core.finished(ERROR.IDLE, 0, 0, "")), { source: "session" }],
    ] as const) {
      const playing = await play();
      const { writer, ...stream } = await sending(playing);
      const close = failure(writer.close());
      await settle();
      end({ writer, ...stream }, playing);
      expect(await close).toMatchObject(wanted);
      expect(await failure(writer.closed)).toMatchObject(wanted);
    }
  });
});

describe("streams of the peer", () => {
  test("W08 chunks as they came, credit as they are read, and the end", async () => {
    const { stream, events } = await receiving(await play());
    events.data(bytes(1, 2), false);
    events.data(bytes(3), true);
    expect(calls).toEqual([]);
    const got: number[] = [];
    for await (const chunk of stream) got.push(...chunk);
    expect(got).toEqual([1, 2, 3]);
    expect(await stream.getStats()).toEqual({ bytesReceived: 3, bytesRead: 3 });
  });

  test("W17 a reader of its own buffer: filled from several pieces, the rest stays", async () => {
    const { stream, events } = await receiving(await play());
    const reader = stream.getReader({ mode: "byob" });
    const first = reader.read(new Uint8Array(4));
    await settle();
    events.data(bytes(1, 2, 3, 4, 5, 6), false);
    expect((await first).value).toEqual(bytes(1, 2, 3, 4));
    expect(calls).toEqual([["consumed", 500, 4]]);
    events.data(bytes(7, 8), true);
    expect((await reader.read(new Uint8Array(9))).value).toEqual(bytes(5, 6, 7, 8));
    expect((await reader.read(new Uint8Array(9))).done).toBe(true);
  });

  for (const [mode, reading] of [
    ["default", (stream: ReadableStream) => { const reader = stream.getReader(); return () => reader.read(); }],
    ["BYOB", (stream: ReadableStream) => { const reader = stream.getReader({ mode: "byob" }); return () => reader.read(new Uint8Array(9)); }],
  ] as const) {
    test(`U02 two reads pending when the last bytes come with the end, ${mode}: both settle`, async () => {
      const { stream, events } = await receiving(await play());
      const read = reading(stream);
      const reads = [read(), read()];
      await settle();
      events.data(bytes(1, 2, 3), true);
      await settle();
      expect(reads.map((read) => Bun.peek.status(read))).toEqual(["fulfilled", "fulfilled"]);
      const [first, second] = await Promise.all(reads);
      expect([first!.value, first!.done, second!.value?.length ?? 0, second!.done]).toEqual([bytes(1, 2, 3), false, 0, true]);
      expect(await stream.getStats()).toEqual({ bytesReceived: 3, bytesRead: 3 });
    });
  }

  test("U02 a read of larger elements that the end cuts off rejects, and nothing is thrown at the engine's event", async () => {
    const { stream, events } = await receiving(await play());
    const read = failure(stream.getReader({ mode: "byob" }).read(new Uint16Array(4)));
    await settle();
    events.data(bytes(1), false);
    events.data(bytes(), true);
    expect(await read).toBeInstanceOf(TypeError);
  });

  test("W10 the peer's reset fails reads with its code", async () => {
    const { stream, events } = await receiving(await play());
    events.data(bytes(1), false);
    events.reset(33);
    const error = await failure(stream.getReader().read());
    expect([error.name, error.source, error.streamErrorCode]).toEqual(["WebTransportError", "stream", 33]);
  });

  test("W10 cancel() stops the peer with its code", async () => {
    const { stream } = await receiving(await play());
    await stream.cancel(new WebTransportError("", { streamErrorCode: 44 }));
    expect(calls).toEqual([["stop", 500, 44]]);
  });

  test("W07 a stream piped into its own other side", async () => {
    const { session, core, streams } = await play();
    core.streamOpened(600, 0, 2);
    const { value } = await session.incomingBidirectionalStreams.getReader().read();
    const piped = value!.readable.pipeTo(value!.writable);
    for (let i = 0; i < 5; i++) streams.get(600)!.data(bytes(i), i === 4);
    await settle();
    streams.get(600)!.flushed();
    await piped;
    expect(engine.written.get(600)).toEqual([0, 1, 2, 3, 4]);
  });

  test("W13 streams that nobody took are given up once nobody wants any", async () => {
    const { session, core } = await play();
    core.streamOpened(601, 0, 2);
    await session.incomingBidirectionalStreams.cancel();
    core.streamOpened(602, 0, 2);
    expect(calls).toEqual([["reset", 601, 0], ["stop", 601, 0], ["reset", 602, 0], ["stop", 602, 0]]);
  });
});
