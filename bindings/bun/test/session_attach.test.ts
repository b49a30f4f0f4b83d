/** Sessions whose handle comes later than they, as a client's do. */
import { describe, expect, test } from "bun:test";
import { WebTransportError } from "../src/webtransport/streams/webtransport_error.ts";
import { ERROR } from "../src/native/layout.ts";
import { calls, failure, opening, play, settle, withFakeLibrary } from "./fake_library.ts";

withFakeLibrary();

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

describe("before its handle is there", () => {
  test("W17 streams and datagrams wait, and go when it is open", async () => {
    const { session, core } = await play(false, NaN);
    const writer = session.datagrams.createWritable().getWriter();
    await writer.write(bytes(1, 2, 3));
    const asked = session.createUnidirectionalStream({ sendOrder: 5 });
    await settle();
    expect([calls, session.datagrams.maxDatagramSize, core.handle]).toEqual([[], 1024, 0]);
    core.attach(9);
    await settle();
    expect(calls).toEqual([]);
    core.opened(1200, "", [["x", "y"]]);
    expect(calls).toEqual([["send_datagram", 3, 0]]);
    expect((await opening(core, asked)).sendOrder).toBe(5);
    expect([...session.responseHeaders!]).toEqual([["x", "y"]]);
  });

  test("W17 close() rejects ready and closed, and the library is told when it knows it", async () => {
    const { session, core } = await play(false, NaN);
    session.close({ closeCode: 7, reason: "no" });
    const lost = await failure(session.closed);
    expect([lost.source, await failure(session.ready)]).toEqual(["session", lost]);
    expect(calls).toEqual([]);
    core.attach(9);
    expect(calls).toEqual([["close", 0, ""]]);
    core.finished(ERROR.CANCELLED, 0, 0, "");
    await core.ended.promise;
    expect(await failure(session.closed)).toBe(lost);
  });

  test("a session that the library never takes fails like any other", async () => {
    const { session, core } = await play(false, NaN);
    const error = new WebTransportError("no room", { source: "session" });
    const asked = session.createBidirectionalStream();
    core.neverAttached(error);
    expect([await failure(session.ready), await failure(session.closed)]).toEqual([error, error] as never);
    expect((await failure(asked)).name).toBe("InvalidStateError");
    expect((await failure(session.getStats())).name).toBe("InvalidStateError");
    await core.ended.promise;
    expect(calls).toEqual([]);
  });
});

describe("a server's answer", () => {
  test("responseHeaders have neither cookies nor wt-protocol, and cannot be changed", async () => {
    const { session, core } = await play(false, 7);
    expect(session.responseHeaders).toBeNull();
    core.opened(1200, "chat", [["a", "1"], ["wt-protocol", '"chat"'], ["set-cookie", "b=2"], ["a", "3"]]);
    const headers = session.responseHeaders!;
    expect([...headers]).toEqual([["a", "1, 3"]]);
    for (const change of [() => headers.set("a", "4"), () => headers.append("c", "5"), () => headers.delete("a")]) expect(change).toThrow(TypeError);
    expect(session.responseHeaders).toBe(headers);
  });

  test("one that refuses is the error's cause, with the status", async () => {
    const { session, core } = await play(false, 7);
    core.finished(ERROR.REJECTED, 2, 0, "the server answered 403", undefined, 403);
    const error = await failure(session.ready);
    expect(error.message).toBe("The session was refused by the peer: the server answered 403");
    expect(error.cause).toMatchObject({ name: "H3Error", code: "ZIG_H3_ERR_REJECTED", status: 403 });
  });
});
