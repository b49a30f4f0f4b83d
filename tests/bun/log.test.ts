/** What a server tells of failures: once each, and of whom. */
import { describe, expect, spyOn, test } from "bun:test";
import type { LogRecord } from "../../bindings/bun/src/index.ts";
import { Suite, settled } from "./suite.ts";

const suite = new Suite();

const fails = (): never => {
  throw new Error("on purpose");
};

describe("log", () => {
  test("E05 each failure of a handler is told once, with its tier, route, method and URL", async () => {
    const records: LogRecord[] = [];
    const server = suite.serve({
      routes: {
        "/sync/:id": fails,
        "/async": async () => fails(),
        "/nothing": () => undefined as unknown as Response,
        "/stream": () => new Response(new ReadableStream({ pull: fails })),
        "/generator": async function* () {
          yield "begun";
          fails();
        },
        "/trailers": (request) => Object.assign(new Response("x"), { h3: { trailers: fails }, request }),
      },
      fetch: fails,
      onLog: (record) => records.push(record),
    });
    const connection = await suite.connect(server);
    const paths = ["/sync/1?q", "/async", "/nothing", "/stream", "/generator", "/trailers", "/else"];
    for (const path of paths) await (await connection.request(path, { authority: "log.example" })).response();
    await connection.close();
    await settled(server);
    expect(records.map(({ level, tier, route, method, url }) => [level, tier, route, method, url])).toEqual(
      ["/sync/:id", "/async", "/nothing", "/stream", "/generator", "/trailers", "fetch"].map((route, i) => [
        "error",
        "handler",
        route,
        "GET",
        `https://log.example${paths[i]}`,
      ]),
    );
    for (const [i, { message, error }] of records.entries()) {
      expect(message).toContain(i === 2 ? "undefined" : "on purpose");
      expect(error).toBeInstanceOf(Error);
    }
  });

  test("E05 under development an error that cannot be shown disturbs nobody either", async () => {
    const shown = spyOn(console, "error").mockImplementation(fails);
    const server = suite.serve({ fetch: fails, development: true });
    const connection = await suite.connect(server);
    for (let i = 0; i < 2; i++) expect((await connection.fetch("/")).status).toBe(500);
    expect(shown.mock.calls.map(([text]) => text)).toEqual(Array(2).fill("zig_h3 error: a handler failed: on purpose"));
    shown.mockRestore();
  });

  test("E05 what error() and onLog throw disturbs nobody", async () => {
    const messages: string[] = [];
    const server = suite.serve({
      fetch: fails,
      error: fails,
      onLog: ({ message }) => {
        messages.push(message);
        fails();
      },
    });
    const connection = await suite.connect(server);
    for (let i = 0; i < 2; i++) expect((await connection.fetch("/")).status).toBe(500);
    expect(messages).toEqual(Array(2).fill(["a handler failed: on purpose", "error() failed: on purpose"]).flat());
  });
});
