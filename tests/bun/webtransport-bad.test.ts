/** Bad input to sessions: each is a counted drop or a clear error, and the connection lives. aioquic, frame by frame. */
import { describe, expect, test } from "bun:test";
import type { H3Server, WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import type { ConnectOptions } from "./client.ts";
import { BUFFERED_STREAM_REJECTED, CLOSE_SESSION, DraftSession, SESSION_GONE, capsule, closeCapsule, varint } from "./draft02.ts";
import { Suite, settled, until } from "./suite.ts";

const suite = new Suite();
const draft = { webtransport: true };
/** A client of draft 14, with flow control: it announces limits of its own. */
const flowControl = { webtransport: true, settings: { 0x33: 1, 0x14e9cd29: 1, 0x2b61: 1 << 20, 0x2b64: 100, 0x2b65: 100 } };
const H3_MESSAGE_ERROR = 0x10e;

/** A server with sessions at /wt that echo, or are rejected, and a note of how each has ended. */
function serve(options: object = {}): { server: H3Server; ends: unknown[] } {
  const ends: unknown[] = [];
  const webtransport = async (session: WebTransportServerSession): Promise<void> => {
    session.closed.then(
      (info) => ends.push(info),
      (error: { source: string }) => ends.push(error.source),
    );
    if (session.request.url.endsWith("?reject")) await session.reject(418);
    else await sessions.echo(session);
  };
  const server = suite.serve({
    routes: { "/wt": { webtransport }, "/page": () => new Response("alive"), "/hangs": () => new Promise<Response>(() => {}) },
    ...options,
  });
  return { server, ends };
}

/** A capsule that says that it is so long, and its beginning. */
function begun(type: number, length: number): Uint8Array {
  return Buffer.concat([varint(type), varint(length), Buffer.alloc(3000, "x")]);
}

describe("capsules", () => {
  const reason = "€".repeat(341); // 1,023 bytes
  for (const [what, data, end, client = draft] of [
    ["a reason of the longest", closeCapsule(1, reason), { closeCode: 1, reason }],
    ["two that close", Buffer.concat([closeCapsule(1, "first"), closeCapsule(2, "second")]), { closeCode: 1, reason: "first" }],
    ["one that closes, and more behind it", Buffer.concat([closeCapsule(1, "first"), Buffer.from("more")]), { closeCode: 1, reason: "first" }],
    ["unknown ones around it", Buffer.concat([capsule(0x21, "x"), capsule(0x1234567), closeCapsule(3)]), { closeCode: 3, reason: "" }],
    ["a reason that is too long", closeCapsule(1, reason + "€"), "session"],
    ["a reason that is no UTF-8", closeCapsule(1, Uint8Array.of(0x61, 0xe2, 0x82)), "session"],
    ["one that closes without a code", capsule(CLOSE_SESSION, "abc"), "session"],
    ["one that closes and never ends", begun(CLOSE_SESSION, 2 ** 50), "session"],
    ["WT_MAX_DATA that is cut", capsule(0x190b4d3d, Uint8Array.of(0xff)), "session", flowControl],
    ["WT_MAX_DATA with more behind it", capsule(0x190b4d3d, Uint8Array.of(1, 2)), "session", flowControl],
    ["WT_MAX_DATA that goes down", capsule(0x190b4d3d, varint(1 << 19)), "session", flowControl],
    ["WT_MAX_STREAMS beyond 2^60", capsule(0x190b4d3f, varint(2 ** 61)), "session", flowControl],
    ["WT_MAX_STREAM_DATA, which HTTP/3 forbids", capsule(0x190b4d3e, varint(1)), "session", flowControl],
    [
      "those of flow control, which draft 02 does not know",
      Buffer.concat([capsule(0x190b4d3d, Uint8Array.of(0xff)), capsule(0x190b4d3e, varint(1)), closeCapsule(4)]),
      { closeCode: 4, reason: "" },
    ],
  ] as [what: string, data: Uint8Array, end: unknown, client?: ConnectOptions][]) {
    test(`W12 ${what}: the session ends once, ${typeof end === "string" ? "with an error" : "regularly"}`, async () => {
      const { server, ends } = serve();
      const connection = await suite.connect(server, client);
      const session = await DraftSession.open(connection, "/wt");
      await session.sendCapsule(data);
      await until(() => server.stats().sessions_active === 0);
      await until(() => ends.length > 0);
      expect((await connection.fetch("/page")).text).toBe("alive");
      await connection.close();
      await settled(server);
      expect(ends).toEqual([end]);
    });
  }

  test("W12 what is malformed, or comes behind the one that closes, is H3_MESSAGE_ERROR for the peer", async () => {
    const { server } = serve();
    for (const data of [closeCapsule(1, Uint8Array.of(0xff)), Buffer.concat([closeCapsule(1), closeCapsule(2)])]) {
      const connection = await suite.connect(server, draft);
      const session = await DraftSession.open(connection, "/wt");
      await session.sendCapsule(data);
      await session.exchange.response("stopped");
      const report = await session.exchange.response();
      expect([report.sent.stopped, report.reset]).toEqual([H3_MESSAGE_ERROR, H3_MESSAGE_ERROR]);
    }
  });

  test("W12 an unknown one that never ends disturbs nothing", async () => {
    const { server, ends } = serve();
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await session.sendCapsule(begun(0x21, 2 ** 60));
    expect(await (await session.open(false, "still there", true)).ended()).toMatchObject({ text: "still there", ended: true });
    expect(ends).toEqual([]);
    await session.sendCapsule(new Uint8Array(0), true); // cut off
    await until(() => ends.length === 1);
    expect(ends).toEqual(["session"]);
  });

  test("a frame that has no place on a session's stream ends the connection, one that nobody knows does not", async () => {
    const { server, ends } = serve();
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    await session.exchange.write([{ type: 0x21, text: "grease" }]);
    expect(await (await session.open(false, "still there", true)).ended()).toMatchObject({ text: "still there", ended: true });
    await session.exchange.write([{ type: 0x4, base64: "" }]); // SETTINGS
    expect(await connection.closed()).toMatchObject({ by: "peer", code: 0x105 });
    await settled(server);
    expect(ends).toEqual(["session"]);
  });
});

describe("handlers that throw", () => {
  test("E04 who asks for origins, before the decision, behind it, in a stream, in a datagram: logged each, and the server serves on", async () => {
    const logged: string[] = [];
    const oops = (what: string) => (): never => {
      throw new Error(what);
    };
    const takes = async (session: WebTransportServerSession): Promise<void> => {
      session.onDatagram = oops("in a datagram");
      await session.accept();
      for await (const { readable } of session.incomingBidirectionalStreams) {
        for await (const _ of readable) throw new Error("in a stream");
      }
    };
    const server = suite.serve({
      onLog: ({ level, tier, message }) => logged.push(`${level} ${tier} ${/(?:of|in|before|behind) [\w ]+$/.exec(message)?.[0]}`),
      routes: {
        "/origins": { origins: oops("of origins"), webtransport: sessions.echo },
        "/origins-later": { origins: async () => oops("of origins later")(), webtransport: sessions.echo },
        "/before": { webtransport: oops("before the decision") },
        "/behind": {
          webtransport: async (session) => {
            await session.accept();
            oops("behind the decision")();
          },
        },
        "/takes": { webtransport: takes },
        "/page": () => new Response("alive"),
      },
    });
    const connection = await suite.goConnect(server);
    for (const path of ["/origins", "/origins-later", "/before"]) expect(await connection.dial(path)).toMatchObject({ session: 0, status: 500 });
    const behind = await connection.session("/behind");
    const taken = await connection.session("/takes");
    await taken.send("x");
    await until(() => logged.length === 5);
    const stream = await taken.open({ data: "x" });
    await until(() => logged.length === 6);
    // The loop that was left has cancelled the stream, and no other is taken; the session is there all the same.
    expect(await stream.written()).toBe("stream code 0 remote true");
    await taken.close();
    await behind.close();
    expect((await connection.get("/page")).body).toBe("alive");
    await until(() => server.stats().sessions_active === 0);
    expect(logged).toEqual(
      ["of origins", "of origins later", "before the decision", "behind the decision", "in a datagram", "in a stream"].map((what) => `error protocol ${what}`),
    );
    expect(server.stats()).toMatchObject({ sessions_total: 5, sessions_rejected: 3, session_streams_active: 0 });
  });
});

describe("streams and datagrams of no session", () => {
  /** Both kinds of stream, which are turned away with this code. */
  async function turnedAway(session: DraftSession, code: number): Promise<void> {
    const both = await session.open(false);
    const one = await session.open(true);
    expect([(await both.ended()).reset, await both.stopped(), await one.stopped()]).toEqual([code, code, code]);
  }

  test("of a request that is none", async () => {
    const { server } = serve({ webtransport: { decisionTimeoutMs: 200 } });
    const connection = await suite.connect(server, draft);
    await turnedAway(new DraftSession(connection, await connection.request("/hangs")), BUFFERED_STREAM_REJECTED);
    expect((await connection.fetch("/page")).text).toBe("alive");
    expect(server.stats()).toMatchObject({ sessions_total: 0, session_streams_total: 0 });
  });

  test("of a session that was rejected", async () => {
    const { server, ends } = serve({ webtransport: { decisionTimeoutMs: 200 } });
    const connection = await suite.connect(server, draft);
    const { session, report } = await DraftSession.request(connection, "/wt?reject");
    expect(report.status).toBe(418);
    await turnedAway(session, SESSION_GONE);
    await session.sendDatagrams(["x"]);
    await until(() => server.stats().datagrams_dropped_unknown === 1);
    expect((await connection.fetch("/page")).text).toBe("alive");
    expect(ends).toEqual(["session"]);
    expect(server.stats()).toMatchObject({ sessions_active: 0, session_streams_total: 0, datagrams_delivered: 0 });
  });

  test("of a session that has ended; those that it had are given up with WT_SESSION_GONE", async () => {
    const { server, ends } = serve();
    const connection = await suite.connect(server, draft);
    const session = await DraftSession.open(connection, "/wt");
    const open = await session.open(false, "open");
    await open.bytes(4);
    await session.sendCapsule(closeCapsule(5, "enough"), true);
    expect(await open.ended()).toMatchObject({ text: "open", reset: SESSION_GONE, stopped: SESSION_GONE });
    await until(() => server.stats().session_streams_active === 0);
    await turnedAway(session, SESSION_GONE);
    expect((await connection.fetch("/page")).text).toBe("alive");
    expect(ends).toEqual([{ closeCode: 5, reason: "enough" }]);
    expect(server.stats()).toMatchObject({ sessions_active: 0, session_streams_total: 1 });
  });

  test("a stream that ends inside of its head: nothing of one way, H3_FRAME_ERROR of both ways, as of any frame", async () => {
    const { server } = serve();
    const connection = await suite.connect(server, draft);
    await connection.unidirectional([{ raw: Buffer.from([0x40, 0x54, 0x80]).toString("base64") }], true);
    expect((await connection.fetch("/page")).text).toBe("alive");
    const cut = await connection.command<{ stream: number }>("open", { request: false });
    await connection.command("write", { stream: cut.stream, frames: [{ raw: Buffer.from([0x40, 0x41, 0x80]).toString("base64") }], end: true });
    expect(await connection.closed()).toMatchObject({ by: "peer", code: 0x106 });
  });

  test("flow ids that nobody has: nothing but a count; a datagram without one: H3_DATAGRAM_ERROR", async () => {
    const { server } = serve();
    const connection = await suite.connect(server, draft);
    await connection.sendDatagrams([2, 2 ** 30, 2 ** 52].map((flow) => Buffer.concat([varint(flow), Buffer.from("x")])));
    await until(() => server.stats().datagrams_dropped_unknown === 3);
    expect((await connection.fetch("/page")).text).toBe("alive");
    await connection.sendDatagrams([new Uint8Array(0)]); // not even a flow id
    expect(await connection.closed()).toMatchObject({ by: "peer", code: 0x33 }); // H3_DATAGRAM_ERROR
  });
});
