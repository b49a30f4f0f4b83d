/** Request bodies that a handler takes whole. */
import { describe, expect, test } from "bun:test";
import { Suite, settled } from "./suite.ts";
import { http3, sha256, type Piece } from "./client.ts";

const suite = new Suite();
const limit = 1 << 20;

/** A route that answers with what it got, in either mode. */
function measuring(calls: { count: number }, mode: "buffered" | "streaming") {
  return {
    method: "POST",
    pattern: `/${mode}`,
    mode,
    fetch: async (request: Request) => {
      calls.count++;
      const bytes = await request.bytes();
      return Response.json({ bytes: bytes.length, sha256: sha256(bytes) });
    },
  } as const;
}

describe("bodies", () => {
  const calls = { count: 0 };
  const server = suite.serve({
    maxRequestBodySize: limit,
    routes: [measuring(calls, "buffered"), measuring(calls, "streaming")],
    fetch: async (request) => new Response(await request.text()),
  });

  for (const mode of ["buffered", "streaming"] as const) {
    test(`B01 ${mode}: 1 KB of JSON, 512 KB, nothing, exactly the limit`, async () => {
      const connection = await suite.connect(server);
      const json = JSON.stringify({ text: "x".repeat(1013) });
      expect(json.length).toBe(1024);
      const bodies: Piece[][] = [[{ text: json }], [{ random: 512 << 10 }], [], [{ random: limit, seed: 2 }]];
      for (const body of bodies) {
        const answer = await connection.fetch(`/${mode}`, { method: "POST", body });
        expect(answer.status).toBe(200);
        const { bytes, sha256 } = answer.report.sent;
        expect(answer.json()).toEqual({ bytes, sha256 });
      }
      await connection.close();
    });

    test(`B02 ${mode}: a body over the limit by content-length is 413, unseen by the handler`, async () => {
      const connection = await suite.connect(server);
      const before = calls.count;
      const exchange = await connection.request(`/${mode}`, {
        method: "POST",
        headers: [["content-length", String(limit + 1)]],
        body: [{ mod256: limit }],
        end: false,
      });
      const report = await exchange.response();
      expect([report.status, report.ended]).toEqual([413, true]);
      expect((await exchange.response("stopped")).sent.stopped).toBe(0x100);
      expect(calls.count).toBe(before);
      expect((await connection.fetch("/", { method: "POST", body: "still here" })).text).toBe("still here");
      await connection.close();
    });
  }

  test("B02 a buffered body that grows over the limit is 413, unseen by the handler", async () => {
    const connection = await suite.connect(server);
    const before = calls.count;
    const exchange = await connection.request("/buffered", { method: "POST", body: [{ mod256: limit + 1 }], end: false });
    const report = await exchange.response();
    expect(report.status).toBe(413);
    expect(report.ended).toBe(true);
    expect((await exchange.response("stopped")).sent.stopped).toBe(0x100);
    expect(calls.count).toBe(before);
    expect((await connection.fetch("/", { method: "POST", body: "still here" })).text).toBe("still here");
    await connection.close();
  });

  test("B02 a streamed body that grows over the limit fails the read, and the answer is 413", async () => {
    const connection = await suite.connect(server);
    const exchange = await connection.request("/streaming", { method: "POST", body: [{ mod256: limit + 1 }], end: false });
    const report = await exchange.response();
    expect(report.status).toBe(413);
    expect((await exchange.response("stopped")).sent.stopped).toBe(0x100);
    expect((await connection.fetch("/", { method: "POST", body: "still here" })).text).toBe("still here");
    await connection.close();
  });

  for (const most of [0, 10]) {
    test(`B03 a limit of ${most} bytes holds, also for bodies that come in one packet with their request`, async () => {
      const options = {
        maxRequestBodySize: most,
        routes: { "/route": { POST: async (request: Request) => new Response(await request.text()) } },
        fetch: async (request: Request) => new Response(`fetch: ${await request.text()}`),
      };
      const [fits, over] = ["x".repeat(most), "x".repeat(most + 1)];
      const bodies: [path: string, method: string, body: string][] = [
        ["/route", "POST", fits],
        ["/route", "POST", over],
        ["/", "PUT", over],
        ["/", "PUT", fits],
      ];
      const expected = [
        [200, fits],
        [413, ""],
        [413, ""],
        [200, `fetch: ${fits}`],
      ];
      for (const server of [suite.serve(options), suite.reference(options)]) {
        const answers = [];
        for (const [path, method, body] of bodies) {
          const answer = await http3(server.port!, path, { method, body });
          answers.push([answer.status, await answer.text()]);
        }
        expect(answers).toEqual(expected);
      }
      const answers = await suite.same(options, bodies.map(([path, method, body]) => [path, { method, body }]));
      expect(answers.map((a) => [a.status, a.text])).toEqual(expected);
    });
  }

  for (const [what, declared] of [
    ["longer", 3],
    ["shorter", 100],
  ] as const) {
    test(`B04 a body ${what} than its content-length resets the stream with H3_MESSAGE_ERROR`, async () => {
      const connection = await suite.connect(server);
      for (const path of ["/buffered", "/streaming"]) {
        const exchange = await connection.request(path, {
          method: "POST",
          headers: [["content-length", String(declared)]],
          body: "ten bytes.",
        });
        const report = await exchange.response();
        expect({ path, reset: report.reset, ended: report.ended }).toEqual({ path, reset: 0x10e, ended: false });
      }
      expect((await connection.fetch("/", { method: "POST", body: "still here" })).text).toBe("still here");
      await connection.close();
      await settled(server);
    });
  }

  test("B06 GET with a body is accepted, HEAD and OPTIONS too, HEAD answers without one", async () => {
    const answers = await suite.same({ fetch: (request: Request) => new Response(`to ${request.method}`) }, [
      ["/", { method: "GET", body: "with a body" }],
      ["/", { method: "HEAD" }],
      ["/", { method: "OPTIONS" }],
    ]);
    expect(answers.map((a) => [a.status, a.text, a.header("content-length")])).toEqual([
      [200, "to GET", "6"],
      [200, "", "7"],
      [200, "to OPTIONS", "10"],
    ]);
  });
});
