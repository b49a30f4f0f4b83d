/** Peers that break the rules, ask for too much, or go away. */
import { describe, expect, test } from "bun:test";
import { Child, mib } from "./child.ts";
import { Answer, type Field, type Frame } from "./client.ts";
import * as native from "./native.ts";
import { PATIENCE, Suite, failure, gate, settled, until } from "./suite.ts";

const suite = new Suite();
const hello = { fetch: () => new Response("hello") };

const HEADERS = 0x1;
const DATA = 0x0;
const SETTINGS = 0x4;
const GOAWAY = 0x7;

/** The fields of a plain request, with some of them changed; undefined leaves one out. */
function fields(changes: Record<string, string | undefined> = {}, more: Field[] = []): Field[] {
  const all = { ":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/", ...changes };
  return [...Object.entries(all).filter((field): field is Field => field[1] !== undefined), ...more];
}

function request(headers: Field[] = fields()): Frame {
  return { type: HEADERS, headers };
}

describe("malformed requests", () => {
  const server = suite.serve(hello);
  const malformed: [string, Field[]][] = [
    ["no :path", fields({ ":path": undefined })],
    ["no :method", fields({ ":method": undefined })],
    ["no :scheme", fields({ ":scheme": undefined })],
    ["an empty :path", fields({ ":path": "" })],
    ["two :method", fields({}, [[":method", "GET"]])],
    ["a pseudo field behind others", [["accept", "*/*"], ...fields()]],
    ["an unknown pseudo field", fields({ ":status": "200" })],
    ["an upper-case name", fields({}, [["Accept", "*/*"]])],
    ["connection", fields({}, [["connection", "close"]])],
    ["transfer-encoding", fields({}, [["transfer-encoding", "chunked"]])],
    ["te other than trailers", fields({}, [["te", "gzip"]])],
    ["a space in a name", fields({}, [["x a", "b"]])],
  ];
  for (const [what, headers] of malformed) {
    test(`N02 ${what}: H3_MESSAGE_ERROR on the stream, and the connection lives`, async () => {
      const connection = await suite.connect(server);
      const report = await (await connection.raw([request(headers)])).response();
      expect({ reset: report.reset, status: report.status }).toEqual({ reset: 0x10e, status: null });
      expect((await connection.fetch("/")).text).toBe("hello");
      await connection.close();
    });
  }

  for (const [what, value] of [
    ["a line break", "b\r\nc: d"],
    ["a NUL", "b\0c"],
  ] as const) {
    test(`N01 ${what} in a value: refused, and the connection lives`, async () => {
      const connection = await suite.connect(server);
      const report = await (await connection.raw([request(fields({}, [["x-a", value]]))])).response();
      expect([report.status, report.reset, report.ended]).toEqual([400, null, true]);
      expect((await connection.fetch("/")).text).toBe("hello");
      await connection.close();
    });
  }

  test("N01 more headers than the limit: 431, and the connection lives", async () => {
    const many = Array.from({ length: 700 }, (_, i): Field => [`x-${i}`, "v".repeat(100)]);
    const connection = await suite.connect(server);
    const report = await (await connection.raw([request(fields({}, many))])).response();
    expect([report.status, report.ended]).toEqual([431, true]);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
  });

  test("caddyserver/caddy#7309: a WebSocket over HTTP/3 (RFC 9220) is answered 501, and the connection lives", async () => {
    const connection = await suite.connect(server);
    const report = await (await connection.raw([request(fields({ ":method": "CONNECT" }, [[":protocol", "websocket"]]))])).response();
    expect([report.status, report.ended]).toEqual([501, true]);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
  });

  test("N02 te: trailers is no malformed request", async () => {
    const connection = await suite.connect(server);
    const report = await (await connection.raw([request(fields({}, [["te", "trailers"]]))])).response();
    expect([report.status, report.ended]).toEqual([200, true]);
    await connection.close();
  });
});

describe("handshakes and strangers", () => {
  test("N05 a client without the protocol h3 is refused in the handshake", async () => {
    const server = suite.serve(hello);
    // TLS alert 120, no_application_protocol, as a QUIC error: 0x100 + 120.
    expect(String(await failure(suite.connect(server, { alpn: ["h9"] })))).toMatch(/'code': 376/);
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await settled(server);
  });

  test("N05 random datagrams leave nothing behind", async () => {
    const server = suite.serve(hello);
    const socket = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: server.port } });
    for (let i = 0; i < 2000; i++) {
      const bytes = crypto.getRandomValues(new Uint8Array(1 + (i % 1400)));
      socket.send(bytes);
      if (i % 50 === 0) await Bun.sleep(1);
    }
    socket.close();
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await settled(server);
  });
});

describe("address validation", () => {
  test("N05 while handshakes are unfinished a new client is asked for Retry, and served", async () => {
    const server = new native.RawServer('{"max_unverified_handshakes":1}');
    const survivor = await suite.connect(server);
    await suite.driver.command("initials", { port: server.port, count: 5 });
    // What was sent before this has been received before this.
    expect((await survivor.fetch("/")).text).toBe("hello");
    const connection = await suite.connect(server);
    expect(connection.handshake.retried).toBe(true);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await survivor.close();
    await server.end();
  });

  test("N05 without that demand there is no Retry", async () => {
    const server = suite.serve(hello);
    expect((await suite.connect(server)).handshake.retried).toBe(false);
  });

  test("N05 handshakes that are begun and given up leave nothing behind", async () => {
    const server = new native.RawServer('{"handshake_timeout_ms":300}');
    await suite.driver.command("initials", { port: server.port, count: 50 });
    await until(
      () => server.stats().handshakes_failed === 50,
      PATIENCE,
      () => JSON.stringify(server.stats()),
    );
    expect(server.stats()).toMatchObject({ handshakes_pending: 0, connections_active: 0, connections_total: 0 });
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await server.end();
  });

  test("N05 an Initial sent again a hundred times leaves nothing behind", async () => {
    const server = new native.RawServer('{"handshake_timeout_ms":300}');
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
    await connection.command("replay", { port: server.port, count: 100 });
    const next = await suite.connect(server);
    expect((await next.fetch("/")).text).toBe("hello");
    await next.close();
    await until(
      () => server.stats().handshakes_pending === 0 && server.stats().connections_active === 0,
      PATIENCE,
      () => JSON.stringify(server.stats()),
    );
    expect(server.stats().requests_total).toBe(2);
    await server.end();
  });
});

describe("frames and streams", () => {
  const server = suite.serve({ fetch: async (request) => new Response(await request.text()) });

  const connectionErrors: [string, Frame[], number][] = [
    ["DATA before HEADERS", [{ type: DATA, text: "early" }], 0x105],
    ["SETTINGS on a request stream", [{ type: SETTINGS, base64: "" }], 0x105],
    ["GOAWAY on a request stream", [{ type: GOAWAY, varints: [0] }], 0x105],
    ["a frame that HTTP/2 had", [{ type: 0x2, base64: "" }], 0x105],
    ["HEADERS after trailers", [request(fields({ ":method": "POST" })), request([["a", "b"]]), request([["c", "d"]])], 0x105],
    ["a frame cut off by the end of its stream", [request(), { type: DATA, text: "cut", length: 100 }], 0x106],
  ];
  for (const [what, frames, code] of connectionErrors) {
    test(`N08 ${what} closes the connection with 0x${code.toString(16)}`, async () => {
      const connection = await suite.connect(server);
      await connection.raw(frames);
      expect(await connection.closed()).toMatchObject({ by: "peer", application: true, code });
      await settled(server);
    });
  }

  const controls: [string, Frame[], boolean, number][] = [
    ["a control stream that does not begin with SETTINGS", [{ raw: "AA==" }, { type: GOAWAY, varints: [0] }], false, 0x10a],
    ["SETTINGS twice", [{ raw: "AA==" }, { type: SETTINGS }, { type: SETTINGS }], false, 0x105],
    ["a setting twice", [{ raw: "AA==" }, { type: SETTINGS, varints: [6, 100, 6, 100] }], false, 0x109],
    ["DATA on the control stream", [{ raw: "AA==" }, { type: SETTINGS }, { type: DATA, text: "x" }], false, 0x105],
    ["the end of the control stream", [{ raw: "AA==" }, { type: SETTINGS }], true, 0x104],
    ["a push stream from a client", [{ raw: "AQA=" }], false, 0x103],
  ];
  for (const [what, frames, end, code] of controls) {
    test(`N08 ${what} closes the connection with 0x${code.toString(16)}`, async () => {
      const connection = await suite.connect(server, { http: false });
      await connection.unidirectional(frames, end);
      expect(await connection.closed()).toMatchObject({ by: "peer", application: true, code });
      await settled(server);
    });
  }

  test("N08 a setting that HTTP/2 had closes the connection with 0x109", async () => {
    const connection = await suite.connect(server, { settings: { 2: 0 } });
    expect(await connection.closed()).toMatchObject({ by: "peer", application: true, code: 0x109 });
  });

  test("N08 a second control stream closes the connection with H3_STREAM_CREATION_ERROR", async () => {
    const connection = await suite.connect(server);
    await connection.unidirectional([{ raw: "AA==" }, { type: SETTINGS }]);
    expect(await connection.closed()).toMatchObject({ by: "peer", application: true, code: 0x103 });
  });

  test("N08 a reference to a dynamic table that was never allowed is QPACK_DECOMPRESSION_FAILED", async () => {
    const connection = await suite.connect(server);
    // Required insert count 2 (encoded), base 0, indexed field line, dynamic, index 0.
    await connection.raw([{ type: HEADERS, base64: Buffer.from([0x03, 0x00, 0x80]).toString("base64") }]);
    expect(await connection.closed()).toMatchObject({ by: "peer", application: true, code: 0x200 });
  });

  test("N08 unknown frames, streams and settings are ignored", async () => {
    const connection = await suite.connect(server, { settings: { 1: 0, 7: 0, 0x21: 5, 0x1f: 9, 12345678: 1 } });
    await connection.unidirectional([{ raw: Buffer.from([0x40, 0x57, 1, 2, 3]).toString("base64") }], true);
    const exchange = await connection.raw([
      { type: 0x21, text: "grease" },
      request(fields({ ":method": "POST" })),
      { type: 0x40, base64: "" },
      { type: DATA, text: "be" },
      { type: 0x5f, text: "more grease" },
      { type: DATA, text: "tween" },
      { type: 0x21, text: "the last" },
    ]);
    const answer = new Answer(await exchange.response());
    expect([answer.status, answer.text]).toEqual([200, "between"]);
    await connection.close();
  });
});

describe("slow, many and gone", () => {
  test("N09 a header block in single bytes holds nobody up, and is answered when complete", async () => {
    const server = suite.serve({ fetch: (request) => new Response(new URL(request.url).pathname) });
    const connection = await suite.connect(server);
    const slow = await connection.raw([], false);
    const whole: Frame = request(fields({ ":path": "/slow" }, [["x-long", "a value of some length"]]));
    const writing = slow.write([whole], { pace: 15, hold: true, end: true });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => connection.fetch(`/${i}`)));
    expect(answers.map((a) => a.text)).toEqual(Array.from({ length: 50 }, (_, i) => `/${i}`));
    expect((await slow.progress()).response.status).toBe(null);
    await slow.release();
    await writing;
    const late = new Answer(await slow.response());
    expect([late.status, late.text]).toEqual([200, "/slow"]);
    await connection.close();
  });

  test("N10 16 requests always in flight at a limit of 16: 10,000 are answered, and then 16 streams are free", async () => {
    const server = new native.RawServer('{"max_incoming_streams":16}');
    const connection = await suite.driver.connect(server.port);
    const many = { headers: fields(), count: 10_000, inflight: 16, timeout: 100 };
    expect(await connection.command<object>("many", many)).toMatchObject({
      statuses: { 200: 10_000 },
      bodies: { hello: 10_000 },
      end: null,
    });
    // Each stream comes back a round trip after its answer, so a client this greedy waits for one now and then. At rest all come.
    await connection.command("free", { count: 16 });
    expect(await connection.command<object>("many", { ...many, count: 16 })).toMatchObject({ statuses: { 200: 16 }, blocked: 0 });
    await connection.close();
    await server.end();
  }, 120_000);

  test("N11 opening and resetting streams at once ends that connection with H3_EXCESSIVE_LOAD, and no other", async () => {
    const child = new Child("programs/hello.ts");
    const port = await child.number();
    const [bad, good] = [await suite.driver.connect(port), await suite.driver.connect(port)];
    expect((await good.fetch("/")).text).toBe("hello");
    const before = child.resident();
    const { opened, end } = await bad.command<{ opened: number; end: object }>("flood", { headers: fields(), count: 100_000 });
    const answer = await good.fetch("/");
    const grown = child.peak() - before;
    console.log(`N11: closed after ${opened} streams, the server grew by ${mib(grown)}`);
    expect(end ?? (await bad.closed())).toMatchObject({ by: "peer", application: true, code: 0x107 });
    expect(opened).toBeLessThan(100_000);
    expect([answer.status, answer.text]).toEqual([200, "hello"]);
    expect(grown).toBeLessThan(32 << 20);
    await good.close();
    child.say("end");
    expect((await child.exit()).code).toBe(0);
  }, 120_000);

  test("N07 a client that vanishes is gone after the idle timeout, with all it held", async () => {
    const began = gate();
    const aborted = gate();
    const server = suite.serve({
      idleTimeout: 1,
      fetch: async (request) => {
        request.signal.addEventListener("abort", () => aborted.open());
        began.open();
        await aborted.promise;
        return new Response("nobody hears it");
      },
    });
    const connection = await suite.connect(server);
    await connection.request("/");
    await connection.request("/", { method: "POST", body: "unfinished", end: false });
    await began.promise;
    expect(server.stats().connections_active).toBe(1);
    await connection.vanish();
    await aborted.promise;
    await settled(server);
  });
});
