/** Sessions on the wire: aioquic in the dialect of draft 02, with capsules and codes made by hand, good ones and bad ones. */
import { describe, expect, test } from "bun:test";
import { WebTransportError, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import type { Connection } from "./client.ts";
import {
  BUFFERED_STREAM_REJECTED,
  CLOSE_SESSION,
  DRAIN_SESSION,
  DraftSession,
  capsule,
  capsules,
  closeCapsule,
  closeInfo,
  wireCode,
} from "./draft02.ts";
import { PATIENCE, Suite, failure, gate, settled, until } from "./suite.ts";

const suite = new Suite();
const draft = { webtransport: true };

function serve(webtransport: (session: WebTransportServerSession) => unknown, options: object = {}): ReturnType<Suite["serve"]> {
  return suite.serve({
    routes: {
      "/wt": { webtransport: async (session) => void (await webtransport(session)) },
      "/page": () => new Response("beside sessions"),
    },
    ...options,
  });
}

/** Payloads of a session's datagrams, without the flow id. */
async function payloads(connection: Connection, count: number, timeout?: number): Promise<string[]> {
  return (await connection.datagrams(count, timeout)).map((d) => Buffer.from(d.subarray(1)).toString());
}

describe("sessions of draft 02", () => {
  test("SETTINGS speak every dialect: draft 02, 07, 13 and 15, with the limits that Safari wants", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.connect(server, draft);
    await DraftSession.open(connection, "/wt");
    expect((await connection.stats()).settings).toMatchObject({
      [0x08]: 1,
      [0x33]: 1,
      [0x2b603742]: 1,
      [0xc671706a]: 1,
      [0x2c7cf000]: 1,
      [0x2b61]: 16 << 20,
      [0x2b64]: 100,
      [0x2b65]: 100,
    });
    expect((await connection.stats()).settings![0x14e9cd29]).toBeGreaterThanOrEqual(1);
  });

  test("W05 a server without sessions announces none, and answers 501; webtransport-go's client fails", async () => {
    const server = suite.serve({ fetch: () => new Response("fetch") });
    const connection = await suite.connect(server, { datagrams: true });
    expect((await connection.fetch("/")).text).toBe("fetch");
    const { settings } = await connection.stats();
    expect([0x2b603742, 0x2c7cf000, 0x14e9cd29].filter((id) => String(id) in settings!)).toEqual([]);
    const asked = await DraftSession.send(connection, "/");
    expect(await asked.exchange.response()).toMatchObject({ status: 501, ended: true });
    const error = await failure((await suite.goConnect(server)).dial("/"));
    expect(String(error)).toBe("Error: webtransport-go: server didn't enable QUIC datagram support");
    expect(server.stats()).toMatchObject({ sessions_total: 0, sessions_active: 0 });
  });

  test("W01 W06 W07 W08 datagrams and streams of both kinds come back", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await session.sendDatagrams(["one", "", "three"], { pace: 5 });
    expect((await payloads(connection, 3)).sort()).toEqual(["", "one", "three"]);
    expect(await (await session.open(false, "both ways", true)).ended()).toMatchObject({ text: "both ways", ended: true });
    await session.open(true, "one way", true);
    expect(await (await session.accept(true)).ended()).toMatchObject({ text: "one way", ended: true });
  });

  test("W10 codes as they stand on the wire: those that the server gives, and 0 for an error without one", async () => {
    const errors = [...[0, 29, 30, 0xffff_ffff].map((streamErrorCode) => new WebTransportError("", { streamErrorCode })), new Error("any other")];
    let next = 0;
    const server = serve(async (session) => {
      await session.accept();
      const error = errors[next++];
      const { value } = await session.incomingBidirectionalStreams.getReader().read();
      await value!.readable.cancel(error);
      await value!.writable.abort(error);
    });
    for (const code of [0, 29, 30, 0xffff_ffff, 0]) {
      const connection = await suite.connect(server, draft);
      const stream = await (await DraftSession.open(connection, "/wt")).open(false);
      expect([await stream.stopped(), (await stream.ended()).reset]).toEqual([wireCode(code), wireCode(code)]);
      await connection.close();
    }
    await settled(server);
  });

  test("W11 the server's close is one capsule and a clean end; the client's is heard", async () => {
    const closed = gate<object>();
    const server = serve(async (session) => {
      await session.accept();
      if (session.request.url.endsWith("?close")) session.close({ closeCode: 16, reason: "server closing" });
      else closed.open(await session.closed);
    });
    const connection = await suite.connect(server, draft);
    const first = await DraftSession.open(connection, "/wt?close");
    const report = await first.exchange.response();
    expect(report.ended).toBe(true);
    expect(capsules(report).map((c) => [c.type, closeInfo(c)])).toEqual([[CLOSE_SESSION, { code: 16, reason: "server closing" }]]);
    const second = await DraftSession.open(connection, "/wt");
    await second.sendCapsule(closeCapsule(7, "client closing"), true);
    expect(await closed.promise).toEqual({ closeCode: 7, reason: "client closing" });
    await until(() => server.stats().sessions_active === 0);
  });

  test("W11 a CONNECT stream that just ends closes with code 0, one that is reset fails", async () => {
    const ends: unknown[] = [];
    const server = serve(async (session) => {
      await session.accept();
      await session.closed.then(
        (info) => ends.push(info),
        (error: { source: string }) => ends.push(error.source),
      );
    });
    const connection = await suite.connect(server, draft);
    const first = await DraftSession.open(connection, "/wt");
    await first.sendCapsule(new Uint8Array(0), true);
    await until(() => ends.length === 1);
    const second = await DraftSession.open(connection, "/wt");
    await second.exchange.abort();
    await until(() => ends.length === 2);
    expect(ends).toEqual([{ closeCode: 0, reason: "" }, "session"]);
  });

  test("L05 stop() sends the drain capsule, session.drain() too; the client's resolves draining", async () => {
    const drained = gate();
    const server = serve(async (session) => {
      await session.accept();
      await session.draining;
      drained.open();
      session.drain();
    });
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await session.sendCapsule(capsule(DRAIN_SESSION));
    await drained.promise;
    await capsulesCame(session, 1);
    const stopped = server.stop({ deadlineMs: 300 });
    const report = await session.exchange.response();
    const types = capsules(report).map((c) => c.type);
    expect([types[0], types.at(-1)]).toEqual([DRAIN_SESSION, CLOSE_SESSION]);
    await stopped;
  });

  test("W19 L05 stop() sends GOAWAY and the drain capsule; a session lives on until its client closes it, whose code is heard", async () => {
    const drained = gate();
    const closed = gate<object>();
    const server = serve(async (session) => {
      await session.accept();
      await session.draining;
      drained.open();
      closed.open(await session.closed);
    });
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    const stopped = server.stop({ deadlineMs: 10_000 });
    await drained.promise;
    expect((await connection.command<{ goaways: number[] }>("goaway")).goaways).toEqual([4]);
    await capsulesCame(session, 1);
    await session.sendCapsule(closeCapsule(3, "done"), true);
    expect(await closed.promise).toEqual({ closeCode: 3, reason: "done" });
    const report = await session.exchange.response();
    expect([capsules(report).map((c) => c.type), report.ended, report.reset]).toEqual([[DRAIN_SESSION], true, null]);
    await stopped;
  });

  test("capsules of unknown types are skipped; a close capsule that is cut or too short ends the session with an error", async () => {
    const ends: unknown[] = [];
    const server = serve(async (session) => {
      session.onDatagram = (payload) => void session.sendDatagram(payload);
      await session.accept();
      await session.closed.then(
        (info) => ends.push(info),
        () => ends.push("failed"),
      );
    });
    const connection = await suite.connect(server, draft);
    const fine = await DraftSession.open(connection, "/wt");
    await fine.sendCapsule(capsule(0x3fff, "whatever"));
    await fine.sendDatagrams(["alive"]);
    expect(await payloads(connection, 1)).toEqual(["alive"]);
    for (const bad of [capsule(CLOSE_SESSION, "abc"), closeCapsule(1, "cut").subarray(0, 6)]) {
      const session = await DraftSession.open(connection, "/wt"); // draft 02 lets a connection have several
      await session.sendCapsule(bad, true);
      await until(() => server.stats().sessions_active === 1);
    }
    await until(() => ends.length === 2, PATIENCE, () => JSON.stringify(ends));
    expect(ends).toEqual(["failed", "failed"]);
    await fine.sendDatagrams(["still alive"]);
    expect(await payloads(connection, 1)).toEqual(["still alive"]);
  });

  test("streams and datagrams that come before the session is accepted are kept, up to a bound", async () => {
    const go = gate();
    const got: string[] = [];
    const server = serve(async (session) => {
      session.onDatagram = (payload) => got.push(Buffer.from(payload).toString());
      await go.promise;
      await session.accept();
      await sessions.each(session.incomingUnidirectionalStreams, async (stream) => got.push(await new Response(stream).text()));
    });
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.send(connection, "/wt");
    await session.open(true, "early stream", true);
    await session.sendDatagrams(["early datagram"]);
    await until(() => server.stats().sessions_total === 1);
    go.open();
    expect((await session.exchange.response("headers")).status).toBe(200);
    await until(() => got.includes("early stream"));
    await until(() => got.length + server.stats().datagrams_dropped_early! === 2);
  });

  test("a flood of streams for a session that never is: rejected with the buffered-stream code, the connection lives", async () => {
    const server = serve(sessions.echo, { webtransport: { decisionTimeoutMs: 500 } });
    const connection = await suite.connect(server, draft);
    const ghost = new DraftSession(connection, { stream: 4000 } as DraftSession["exchange"]);
    const streams = [];
    for (let i = 0; i < 50; i++) streams.push(await ghost.open(false)); // what would be written might meet its refusal
    for (const stream of streams) expect((await stream.ended()).reset).toBe(BUFFERED_STREAM_REJECTED);
    expect((await connection.fetch("/page")).text).toBe("beside sessions");
    expect(server.stats()).toMatchObject({ sessions_total: 0, session_streams_active: 0 });
  });

  test("a session id that cannot be one ends the connection with H3_ID_ERROR", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.connect(server, draft);
    const odd = new DraftSession(connection, { stream: 5 } as DraftSession["exchange"]);
    await odd.open(true, "x");
    expect(await connection.closed()).toMatchObject({ by: "peer", code: 0x108 });
    await settled(server);
  });

  test("datagrams on a dead session are counted, the connection lives", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await session.sendCapsule(closeCapsule(0), true);
    await until(() => server.stats().sessions_active === 0);
    await session.sendDatagrams(["x"], { count: 5 });
    await until(() => server.stats().datagrams_in === 5);
    await until(() => server.stats().datagrams_dropped_unknown === 5);
    expect(server.stats().datagrams_delivered).toBe(0);
    expect((await connection.fetch("/page")).text).toBe("beside sessions");
  });

  test("sending on a session that has ended, and before it is accepted, is refused", async () => {
    const results: unknown[] = [];
    const server = serve(async (session) => {
      results.push(session.sendDatagram(Buffer.from("early")));
      await session.accept();
      results.push(session.sendDatagram(new Uint8Array(5000)));
      await session.closed;
      results.push(session.sendDatagram(Buffer.from("late")));
      results.push(await session.createBidirectionalStream().then(() => "a stream", (error: Error) => error.name));
    });
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await until(() => results.length === 2); // or both its begin and its end may be read in one turn
    await session.sendCapsule(closeCapsule(0), true);
    await until(() => results.length === 4);
    expect(results).toEqual(["not-open", "too-large", "closed", "InvalidStateError"]);
  });
});

/** Waits for so many capsules of a session. */
async function capsulesCame(session: DraftSession, count: number): Promise<void> {
  for (;;) {
    const { response } = await session.exchange.progress();
    if (capsules(response).length >= count) return;
    await Bun.sleep(5);
  }
}
