/** Sessions in the web's shape: their life and their datagrams. */
import { afterAll, describe, expect, test } from "bun:test";
import { connectionStats } from "../src/webtransport/connection_stats.ts";
import type { OlderDatagramDuplexStream } from "../src/webtransport/datagrams/older_names.ts";
import { WebTransportSession } from "../src/webtransport/session.ts";
import { ERROR } from "../src/native/layout.ts";
import { calls, engine, failure, opening, play, settle, withFakeLibrary } from "./fake_library.ts";

withFakeLibrary();

const unhandled: unknown[] = [];
const take = (error: unknown): void => void unhandled.push(error);
process.on("unhandledRejection", take);
afterAll(() => void process.off("unhandledRejection", take));

/** Its datagrams as a server has them. */
const older = (session: WebTransportSession): OlderDatagramDuplexStream => session.datagrams as OlderDatagramDuplexStream;

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

describe("the life of a session", () => {
  test("W17 ready resolves when it is open, with the protocol", async () => {
    const { session, core } = await play(false);
    expect([session.protocol, session.reliability, Bun.peek.status(session.ready)]).toEqual(["", "pending", "pending"]);
    core.opened(1200, "chat");
    await session.ready;
    expect([session.protocol, session.reliability, session.congestionControl]).toEqual(["chat", "supports-unreliable", "default"]);
  });

  test("W17 reliability stays pending where the session never opens, and what it was where it did", async () => {
    const never = await play(false);
    never.core.finished(-503, 0, 0, "");
    const lost = await play();
    lost.core.finished(-503, 0, 0, "");
    expect([never.session.reliability, lost.session.reliability]).toEqual(["pending", "supports-unreliable"]);
  });

  test("W11 close() resolves closed at once, with all of the reason; the peer gets 1024 bytes", async () => {
    const { session } = await play();
    const reason = "x".repeat(2000);
    session.close({ closeCode: 5, reason });
    session.close({ closeCode: 6 });
    expect(await session.closed).toEqual({ closeCode: 5, reason });
    expect(calls).toEqual([["close", 5, "x".repeat(1024)]]);
  });

  test("W11 the peer's close resolves closed", async () => {
    const { session, core } = await play();
    core.finished(0, 2, 9, "bye");
    expect(await session.closed).toEqual({ closeCode: 9, reason: "bye" });
  });

  test("W17 a regular end closes readables and datagram writables, and fails streams", async () => {
    const { session, core } = await play();
    const stream = await opening(core, session.createBidirectionalStream());
    const datagrams = session.datagrams.readable.getReader();
    const incoming = session.incomingBidirectionalStreams.getReader();
    const writer = session.datagrams.createWritable().getWriter();
    const reading = failure(stream.readable.getReader().read());
    const writing = failure(stream.writable.getWriter().closed);
    session.close();
    expect([(await datagrams.read()).done, (await incoming.read()).done, await writer.closed]).toEqual([true, true, undefined]);
    expect(await reading).toMatchObject({ name: "WebTransportError", source: "session" });
    expect(await writing).toBe(await reading);
  });

  test("W13 a loss fails everything with one error", async () => {
    const { session, core } = await play();
    const stream = await opening(core, session.createBidirectionalStream());
    const waiting = [
      session.closed,
      session.datagrams.readable.getReader().read(),
      older(session).writable.getWriter().closed,
      session.incomingUnidirectionalStreams.getReader().read(),
    ].map(failure);
    const reading = failure(stream.readable.getReader().read());
    core.streamEnded(101, -505);
    core.finished(-505, 2, 0, "");
    const [error, ...others] = await Promise.all(waiting);
    expect(error).toMatchObject({ name: "WebTransportError", source: "session", message: "The session was lost by the peer (ZIG_H3_ERR_IDLE)" });
    for (const other of others) expect(other).toBe(error!);
    expect(await reading).toMatchObject({ name: "WebTransportError", source: "session" });
  });

  test("W17 close() before it is open: ready and closed reject", async () => {
    const { session } = await play(false);
    session.close({ closeCode: 1 });
    const error = await failure(session.ready);
    expect([error.name, error.source]).toEqual(["WebTransportError", "session"]);
    expect(await failure(session.closed)).toBe(error);
  });

  test("W17 after the end nothing is begun", async () => {
    const { session } = await play();
    session.close();
    expect(await failure(session.createUnidirectionalStream())).toMatchObject({ name: "InvalidStateError" });
    expect(() => session.createSendGroup()).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    expect(() => session.datagrams.createWritable()).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    expect(session.sendDatagram(bytes(1))).toBe("closed");
    session.drain();
    expect(calls).toEqual([["close", 0, ""]]);
  });

  test("W17 a stream or keying material that is asked for is InvalidStateError when the session ends before, or never opens", async () => {
    const { session, core } = await play();
    const asked = [session.createBidirectionalStream(), session.createUnidirectionalStream({ waitUntilAvailable: true })].map(failure);
    await settle();
    session.close();
    core.finished(0, 0, 0, "");
    const unopened = await play(false);
    const early = [unopened.session.createUnidirectionalStream(), unopened.session.exportKeyingMaterial(bytes(1), bytes(), 8)].map(failure);
    unopened.core.finished(-505, 2, 0, "");
    const late = session.exportKeyingMaterial(bytes(1), bytes(), 8);
    for (const error of await Promise.all([...asked, ...early, failure(late)])) expect(error.name).toBe("InvalidStateError");
  });

  test("W17 keying material has a size, a label and a context within bounds", async () => {
    const { session } = await play();
    expect(await session.exportKeyingMaterial(bytes(1, 2), bytes(), 4)).toEqual(bytes(2, 0, 4, 0));
    const [none, long] = [bytes(), new Uint8Array(256)];
    const wrong = [[long, none, 1], [none, long, 1], [none, none, 0], [none, none, 4097], [none, none, NaN]] as const;
    for (const [label, context, length] of wrong) {
      expect(await failure(session.exportKeyingMaterial(label, context, length))).toBeInstanceOf(RangeError);
    }
    expect(await failure(session.exportKeyingMaterial("label" as never, none, 1))).toBeInstanceOf(TypeError);
  });

  test("W17 what has no effect here throws, the rest says how it is", async () => {
    const { session, core } = await play(false);
    expect([WebTransportSession.supportsReliableOnly, session.responseHeaders]).toEqual([false, null]);
    core.answered = new Headers({ "x-room": "7" });
    core.opened(1200, "");
    expect([...session.responseHeaders!]).toEqual([["x-room", "7"]]);
    expect(session.responseHeaders).toBe(session.responseHeaders);
    for (const kind of ["Unidirectional", "Bidirectional"] as const) {
      const name = `anticipatedConcurrentIncoming${kind}Streams` as const;
      expect(session[name]).toBeNull();
      expect(() => void (session[name] = 200)).toThrow(expect.objectContaining({ name: "NotSupportedError" }));
    }
  });

  test("W17 await using waits for the library", async () => {
    const { session, core } = await play();
    const disposed = session[Symbol.asyncDispose]();
    await settle();
    expect(Bun.peek.status(disposed)).toBe("pending");
    core.finished(0, 0, 0, "");
    await disposed;
  });

  test("W17 draining resolves, and the session goes on", async () => {
    const { session, core } = await play();
    core.drains();
    await session.draining;
    session.drain();
    expect(session.sendDatagram(bytes(1))).toBe("queued");
    expect(calls).toEqual([["drain", 7], ["send_datagram", 1, 0]]);
  });

  test("W17 getStats() waits for an open session and rejects for one that failed", async () => {
    const { session, core } = await play(false);
    const stats = session.getStats();
    core.opened(1200, "");
    expect(await stats).toEqual({
      datagrams: { droppedIncoming: 0, expiredIncoming: 0, expiredOutgoing: 0 },
      estimatedSendRate: null,
      atSendCapacity: false,
    });
    core.finished(-505, 0, 0, "");
    expect(await failure(session.getStats())).toMatchObject({ name: "InvalidStateError" });
  });

  test("W17 getStats() has the path's rate in bits per second where the engine knows it", () => {
    const datagrams = { droppedIncoming: 0, expiredIncoming: 0, expiredOutgoing: 0 };
    const known = (counters: Record<string, number>): unknown => {
      const { estimatedSendRate, atSendCapacity } = connectionStats(counters, datagrams, false);
      return [estimatedSendRate, atSendCapacity];
    };
    expect(known({ send_rate: 1_000_000, at_send_capacity: 1 })).toEqual([8_000_000, true]);
    expect(known({ send_rate: 1_000_000, at_send_capacity: 0 })).toEqual([8_000_000, false]);
    expect(known({ send_rate: 0, at_send_capacity: 1 })).toEqual([null, false]);
    expect(known({})).toEqual([null, false]); // a build with quic-go's own congestion control
  });

  test("W17 getStats() waits for the last counters while they are on their way", async () => {
    const closed = await play();
    closed.session.close();
    engine.stats = ERROR.STALE_HANDLE;
    const stats = closed.session.getStats();
    await settle();
    expect(Bun.peek.status(stats)).toBe("pending");
    closed.core.finished(0, 0, 0, "", new Uint32Array(0));
    expect((await stats).estimatedSendRate).toBeNull();
    const lost = await play();
    engine.stats = ERROR.STALE_HANDLE;
    const late = failure(lost.session.getStats());
    lost.core.finished(-505, 2, 0, "", new Uint32Array(0));
    expect(await late).toMatchObject({ name: "InvalidStateError" });
  });

  test("E04 what nobody waits for rejects unseen", async () => {
    const { session, core } = await play(false);
    void [session.datagrams.readable, older(session).writable, session.incomingBidirectionalStreams];
    core.streamOpened(500, 0, 2);
    core.finished(-505, 2, 0, "");
    await settle();
    await settle();
    expect(unhandled).toEqual([]);
  });
});

describe("datagrams", () => {
  test("W06 the readable gives what came, the oldest is dropped beyond the limit", async () => {
    const { session, core } = await play();
    for (let i = 0; i < 6; i++) core.receive(bytes(i), 0);
    const reader = session.datagrams.readable.getReader();
    expect((await reader.read()).value).toEqual(bytes(2));
    const waiting = reader.read();
    expect((await waiting).value).toEqual(bytes(3));
    expect((await session.getStats()).datagrams.droppedIncoming).toBe(2);
  });

  test("W17 a byte stream reads into the reader's buffer, or fails where that is too small", async () => {
    const { session, core } = await play(false);
    core.datagramsReadableType = "bytes";
    core.opened(1200, "");
    const reader = (session.datagrams.readable as ReadableStream<any>).getReader({ mode: "byob" });
    core.receive(bytes(1, 2, 3), 0);
    expect((await reader.read(new Uint8Array(4))).value).toEqual(bytes(1, 2, 3));
    const small = failure(reader.read(new Uint8Array(2)));
    core.receive(bytes(1, 2, 3), 0);
    expect(await small).toMatchObject({ name: "RangeError", message: "a datagram of 3 bytes does not fit into a view of 2" });
  });

  test("E04 onDatagram gets what waits and what comes; what it throws or rejects with is logged", async () => {
    const { session, core, log } = await play();
    core.receive(bytes(1), 0);
    const got: number[] = [];
    session.onDatagram = ([value]) => {
      got.push(value!);
      if (value === 2) throw new Error("thrown");
      if (value === 3) return Promise.reject(new Error("rejected"));
    };
    for (const value of [2, 3, 4]) core.receive(bytes(value), 0);
    await settle();
    expect(got).toEqual([1, 2, 3, 4]);
    expect(log.map((record) => [record.level, record.tier, record.message])).toEqual([
      ["error", "protocol", "onDatagram failed: thrown"],
      ["error", "protocol", "onDatagram failed: rejected"],
    ]);
    expect(unhandled).toEqual([]);
  });

  test("W06 sendDatagram says what became of it, with the age that is set", async () => {
    const { session } = await play();
    expect(session.sendDatagram(bytes())).toBe("queued");
    session.datagrams.outgoingMaxAge = 5;
    expect(session.sendDatagram(new Uint16Array(2))).toBe("queued");
    session.datagrams.outgoingMaxAge = 0.5; // 0 is as old as it likes
    expect(session.sendDatagram(bytes(1))).toBe("queued");
    session.datagrams.outgoingMaxAge = null;
    expect(session.sendDatagram(bytes(1))).toBe("queued");
    expect(() => session.sendDatagram("text" as never)).toThrow(TypeError);
    expect(calls).toEqual([["send_datagram", 0, 0], ["send_datagram", 4, 5], ["send_datagram", 1, 1], ["send_datagram", 1, 0]]);
  });

  test("W17 a writable takes BufferSources", async () => {
    const { session } = await play();
    const writer = session.datagrams.createWritable().getWriter();
    await writer.write(bytes(1, 2));
    expect(await failure(writer.write("text" as never))).toBeInstanceOf(TypeError);
    expect(calls).toEqual([["send_datagram", 2, 0]]);
    expect(older(session).writable).toBe(older(session).writable);
  });

  test("W17 a group of another session is refused: TypeError for streams, InvalidStateError elsewhere", async () => {
    const other = (await play()).session.createSendGroup();
    const { session } = await play();
    expect(await failure(session.createBidirectionalStream({ sendGroup: other }))).toBeInstanceOf(TypeError);
    expect(() => session.datagrams.createWritable({ sendGroup: other })).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    const own = session.createSendGroup();
    expect(session.datagrams.createWritable({ sendGroup: own, sendOrder: 4 })).toMatchObject({ sendGroup: own, sendOrder: 4 });
  });

  test("W17 the older names are the same limits", async () => {
    const datagrams = older((await play()).session);
    datagrams.incomingHighWaterMark = 0;
    datagrams.outgoingHighWaterMark = 9.5;
    expect([datagrams.incomingMaxBufferedDatagrams, datagrams.outgoingMaxBufferedDatagrams, datagrams.maxDatagramSize]).toEqual([1, 9, 1200]);
    datagrams.incomingMaxBufferedDatagrams = 2.5;
    expect(datagrams.incomingHighWaterMark).toBe(2);
    for (const bad of [-1, NaN]) expect(() => void (datagrams.outgoingHighWaterMark = bad)).toThrow(RangeError);
    expect(() => void (datagrams.incomingMaxAge = -1)).toThrow(RangeError);
  });
});
