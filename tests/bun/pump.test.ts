/** What a fault on this side of the queue ends: with one event what that event is about, and only without the queue itself everything. */
import { afterEach, describe, expect, spyOn, test, type Mock } from "bun:test";
import { createH3Server, H3Error, type H3Server, type LogRecord } from "../../bindings/bun/src/index.ts";
import { Exchange } from "../../bindings/bun/src/server/requests/exchange.ts";
import { ERROR } from "../../bindings/bun/src/native/layout.ts";
import { library } from "../../bindings/bun/src/native/library.ts";
import { IncomingBody } from "../../bindings/bun/src/http/incoming_body.ts";
import { HeadReader } from "../../bindings/bun/src/http/head_reader.ts";
import { OutgoingStream } from "../../bindings/bun/src/http/outgoing_stream.ts";
import type { H3Server as Behind } from "../../bindings/bun/src/server/server.ts";
import { SessionCore } from "../../bindings/bun/src/webtransport/session_core.ts";
import { SessionStream } from "../../bindings/bun/src/webtransport/streams/session_stream.ts";
import { varint } from "./draft02.ts";
import { gate, settled, Suite, until } from "./suite.ts";

const suite = new Suite();
const INTERNAL_ERROR = 0x102;

let spies: Mock<never>[] = [];
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

/** Lets the next call of a method throw. */
function breakOnce(of: object, method: string): void {
  const spy = spyOn(of as Record<string, () => unknown>, method) as unknown as Mock<never>;
  spies.push(spy);
  spy.mockImplementationOnce((() => {
    throw new Error("on purpose");
  }) as never);
}

/** The pump behind a server. */
function pumpOf(server: H3Server): Behind["pump"] {
  return (server as Behind).pump;
}

/** A server that notes what it is told, and another one of the same thread. */
function pair(options: Parameters<Suite["serve"]>[0]): { server: H3Server; other: H3Server; told: string[] } {
  const told: string[] = [];
  const onLog = ({ level, tier, message }: LogRecord): void => void (level === "debug" || told.push(`${tier}: ${message}`));
  const server = suite.serve({ fetch: () => new Response("well"), onLog, ...options });
  const other = suite.serve({ fetch: () => new Response("another"), onLog: () => void told.push("the other server was told") });
  return { server, other, told };
}

/** Both serve on: the first one on the connection where it happened, too. */
async function well(server: H3Server, other: H3Server, fetch: (path: string) => Promise<{ text: string }>): Promise<void> {
  expect((await fetch("/")).text).toBe("well");
  expect((await (await suite.connect(other)).fetch("/")).text).toBe("another");
  expect([server.running, other.running, server.pendingRequests]).toEqual([true, true, 0]);
}

describe("an event that cannot be dealt with", () => {
  test("U01 REQUEST: that request is reset, and those beside it are answered", async () => {
    const { server, other, told } = pair({});
    const connection = await suite.connect(server);
    breakOnce(HeadReader.prototype, "read");
    const reports = await Promise.all(Array.from({ length: 20 }, async () => (await connection.request("/")).response()));
    expect(reports.filter(({ reset }) => reset === INTERNAL_ERROR)).toHaveLength(1);
    expect(reports.filter(({ status, ended }) => status === 200 && ended)).toHaveLength(19);
    expect(told).toEqual(["engine: REQUEST could not be dealt with: on purpose"]);
    await well(server, other, (path) => connection.fetch(path));
  });

  for (const [event, method] of [["BODY", "push"], ["BODY_END", "end"]] as const) {
    test(`U01 ${event}: that request is reset, its handler learns of it`, async () => {
      const [reading, ended] = [gate(), gate<unknown[]>()];
      const { server, other, told } = pair({
        routes: {
          "/body": async (request) => {
            const text = request.text().then(() => "all", (error: Error) => error.message);
            reading.open();
            const read = await text;
            ended.open([read, request.signal.aborted]);
            return new Response("too late");
          },
        },
      });
      const connection = await suite.connect(server);
      const request = await connection.request("/body", { method: "POST", body: "begun", end: false });
      await reading.promise;
      breakOnce(IncomingBody.prototype, method);
      await request.send([{ text: "more" }], true);
      expect((await request.response()).reset).toBe(INTERNAL_ERROR);
      expect(await ended.promise).toEqual(["on purpose", true]);
      expect(told).toEqual([`engine: ${event} could not be dealt with: on purpose`]);
      await well(server, other, (path) => connection.fetch(path));
    });
  }

  test("U01 WRITABLE: that response is reset, its stream cancelled", async () => {
    const cancelled = gate<unknown>();
    const piece = new Uint8Array(1 << 16);
    const { server, other, told } = pair({
      routes: {
        "/long": () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece), cancel: cancelled.open })),
      },
    });
    const connection = await suite.connect(server);
    const request = await connection.request("/long", { allowance: 0 });
    await request.response("headers");
    breakOnce(OutgoingStream.prototype, "writable");
    await request.allow();
    expect((await request.response()).reset).toBe(INTERNAL_ERROR);
    expect(await cancelled.promise).toMatchObject({ message: "on purpose" });
    expect(told).toEqual(["engine: WRITABLE could not be dealt with: on purpose"]);
    await well(server, other, (path) => connection.fetch(path));
  });

  test("U01 STREAM_CLOSED: the request is over all the same", async () => {
    const called = gate();
    const { server, other, told } = pair({ routes: { "/slow": () => { called.open(); return new Promise<Response>(() => {}); } } });
    const connection = await suite.connect(server);
    const request = await connection.request("/slow");
    await called.promise;
    breakOnce(Exchange.prototype, "fail");
    await request.abort();
    await until(() => told.length > 0);
    expect(told).toEqual(["engine: STREAM_CLOSED could not be dealt with: on purpose"]);
    await well(server, other, (path) => connection.fetch(path));
  });

  test("U01 H3_DATAGRAM: its request is reset", async () => {
    const called = gate();
    const { server, other, told } = pair({
      routes: { "/datagrams": { POST: () => { called.open(); return new Promise<Response>(() => {}); }, h3Datagram: () => {} } },
    });
    const connection = await suite.connect(server, { datagrams: true, settings: { 1: 4096, 7: 16, 0x33: 1 } });
    const request = await connection.request("/datagrams", { method: "POST", end: false });
    await called.promise;
    breakOnce(Exchange.prototype, "datagram");
    await connection.sendDatagrams([Buffer.concat([varint(request.stream / 4), Buffer.from("x")])]);
    expect((await request.response()).reset).toBe(INTERNAL_ERROR);
    expect(told).toEqual(["engine: H3_DATAGRAM could not be dealt with: on purpose"]);
    await well(server, other, (path) => connection.fetch(path));
  });

  test("U01 SESSION_REQUEST: that session is refused, the next one is not", async () => {
    const { server, other, told } = pair({ routes: { "/wt": { webtransport: (session) => void session.accept() } } });
    const connection = await suite.goConnect(server);
    breakOnce(HeadReader.prototype, "read");
    expect((await connection.dial("/wt")).status).toBe(500);
    expect((await connection.dial("/wt")).status).toBe(200);
    expect(told).toEqual(["engine: SESSION_REQUEST could not be dealt with: on purpose"]);
    await well(server, other, async (path) => ({ text: (await connection.get(path)).body }));
  });

  test("U01 SESSION_DATAGRAM: that session is closed, for both sides", async () => {
    const ended = gate<unknown>();
    const { server, other, told } = pair({
      routes: {
        "/wt": {
          webtransport: async (session) => {
            session.closed.catch((error: Error) => ended.open([error.name, error.message]));
            await session.accept();
          },
        },
      },
    });
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    breakOnce(SessionCore.prototype, "receive");
    await session.send("x");
    expect(await session.closed()).toMatchObject({ remote: true, code: 0 });
    expect(await ended.promise).toEqual(["WebTransportError", "The session was given up: on purpose"]);
    expect(told).toEqual(["engine: SESSION_DATAGRAM could not be dealt with: on purpose"]);
    await well(server, other, async (path) => ({ text: (await connection.get(path)).body }));
  });

  test("U01 SESSION_CLOSED: whoever waits for the end of the session gets it", async () => {
    const ended = gate<unknown>();
    const { server, other, told } = pair({
      routes: {
        "/wt": {
          webtransport: async (session) => {
            session.closed.then(ended.open, (error: Error) => ended.open(error.message));
            await session.accept();
          },
        },
      },
    });
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    breakOnce(SessionCore.prototype, "finished");
    await session.close(3, "enough");
    expect(await ended.promise).toBe("The session was given up: on purpose");
    expect(told).toEqual(["engine: SESSION_CLOSED could not be dealt with: on purpose"]);
    await well(server, other, async (path) => ({ text: (await connection.get(path)).body }));
    expect(pumpOf(server).dispatcher.sessions.sessions.size).toBe(0);
  });

  for (const [event, method] of [["STREAM_DATA", "data"], ["STREAM_RESET", "reset"]] as const) {
    test(`U01 ${event}: that stream is given up both ways, its session lives`, async () => {
      const [begun, read] = [gate(), gate<unknown>()];
      const { server, other, told } = pair({
        routes: {
          "/wt": {
            webtransport: async (session) => {
              await session.accept();
              for await (const { readable, writable } of session.incomingBidirectionalStreams) {
                const reader = readable.getReader();
                const first = await reader.read();
                if (Buffer.from(first.value!).toString() === "echo") {
                  const writer = writable.getWriter();
                  await writer.write(first.value!);
                  void writer.close().catch(() => {});
                  continue;
                }
                begun.open();
                reader.read().catch((error: Error) => read.open([error.name, error.message]));
              }
            },
          },
        },
      });
      const connection = await suite.goConnect(server);
      const session = await connection.session("/wt");
      const stream = await session.open({ data: "begun", end: false });
      await begun.promise;
      breakOnce(SessionStream.prototype, method);
      if (event === "STREAM_DATA") await stream.write("more");
      else await stream.reset(9);
      expect(await read.promise).toEqual(["WebTransportError", "The stream was given up: on purpose"]);
      expect(told).toEqual([`engine: ${event} could not be dealt with: on purpose`]);
      const echo = await session.open({ data: "echo", end: true });
      expect(await echo.text()).toBe("echo");
      await well(server, other, async (path) => ({ text: (await connection.get(path)).body }));
      await session.close();
      await connection.close();
      await settled(server);
    });
  }
});

describe("a queue that fails", () => {
  for (const [what, interval] of [
    ["zig_h3_queue_peek", undefined],
    ["zig_h3_queue_advance", undefined],
    ["zig_h3_queue_arm", undefined],
    ["FATAL", undefined],
    ["zig_h3_queue_peek", 5],
    ["zig_h3_queue_advance", 5],
    ["FATAL", 5],
  ] as const) {
    test(`U01 ${what}${interval === undefined ? "" : ", looked at by interval"}: its servers end, also for their clients, and one made later serves`, async () => {
      const [called, aborted] = [gate(), gate<unknown>()];
      const told: unknown[] = [];
      const later: H3Server[] = [];
      const options: Parameters<Suite["serve"]>[0] = {
        port: 0,
        hostname: "127.0.0.1",
        ...(interval === undefined ? {} : { pump: { intervalMs: interval } }),
        onLog({ level, tier, error }, server) {
          if (level !== "error") return;
          told.push([tier, (error as H3Error).code, server?.running, server?.pendingRequests]);
          // At once, as who wants to go on would.
          later.push(createH3Server({ ...options, fetch: () => new Response("made at once") }));
        },
      };
      const slow = (request: Request): Promise<Response> => {
        request.signal.addEventListener("abort", () => aborted.open((request.signal.reason as H3Error).code));
        called.open();
        return new Promise(() => {});
      };
      const servers = [0, 1].map(() => createH3Server({ ...options, routes: { "/slow": slow }, fetch: () => new Response("well") }));
      const connections = [await suite.connect(servers[0]!), await suite.connect(servers[1]!)];
      await connections[0]!.request("/slow");
      await called.promise;

      const error = what === "FATAL" ? "ZIG_H3_ERR_FATAL" : "ZIG_H3_ERR_BUSY";
      if (what === "FATAL") {
        // What the event does, amid a batch.
        const spy = spyOn(HeadReader.prototype, "read") as unknown as Mock<never>;
        spies.push(spy);
        spy.mockImplementationOnce((() => pumpOf(servers[0]!).dispatcher.broken(new H3Error(ERROR.FATAL))) as never);
      } else {
        const native = library() as unknown as Record<string, (...args: unknown[]) => number>;
        const was = native[what]!;
        native[what] = (...args) => {
          native[what] = was;
          if (what !== "zig_h3_queue_peek") was(...args);
          return ERROR.BUSY;
        };
      }
      await connections[1]!.request("/");
      expect(await aborted.promise).toBe(error);
      await until(() => told.length === 2);
      expect(told).toEqual(Array(2).fill(["engine", error, false, 0]));
      for (const connection of connections) expect((await connection.closed()).by).toBe("peer");
      expect(() => servers[0]!.start()).toThrow("make a new server");
      later.push(createH3Server({ ...options, port: servers[0]!.port, fetch: () => new Response("made at once") }));
      for (const server of later) expect((await (await suite.connect(server)).fetch("/")).text).toBe("made at once");
      expect(later.map((server) => pumpOf(server) === pumpOf(later[0]!))).toEqual([true, true, true]);
      if (interval !== undefined) {
        // The new queue is looked at again and again, the failed one is not.
        const looked = spyOn(library() as unknown as Record<string, (queue: number) => number>, "zig_h3_queue_peek");
        spies.push(looked as unknown as Mock<never>);
        const looks = (server: H3Server): number => looked.mock.calls.filter(([queue]) => queue === pumpOf(server).queue).length;
        await until(() => looks(later[0]!) > 3);
        expect(looks(servers[0]!)).toBe(0);
      }
      for (const server of [...servers, ...later]) await server.close();
      expect(told).toHaveLength(2);
    });
  }
});

test("U04 a handler that has its events looked for from inside of itself: none is dealt with twice, and none is lost", async () => {
  const called: string[] = [];
  const server = suite.serve({
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      called.push(pathname);
      server.ref(); // who was not referenced was looked at by a timer, and is waited for from now on
      return new Response(pathname);
    },
  });
  server.unref();
  const connection = await suite.connect(server);
  const paths = ["/a", "/b", "/c", "/d"];
  const texts = await Promise.all(paths.map(async (path) => (await connection.fetch(path)).text));
  expect([texts, [...called].sort()]).toEqual([paths, paths]);
  expect((await connection.fetch("/e")).text).toBe("/e");
});
