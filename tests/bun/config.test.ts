/** What a server refuses to be made with. */
import { beforeAll, describe, expect, spyOn, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { library } from "../../bindings/bun/src/native/library.ts";
import { ENGINE_KEYS } from "../../bindings/bun/src/server/options/engine_options.ts";
import { createH3Server, type H3ServerOptions } from "../../bindings/bun/src/index.ts";
import { Suite, certificate } from "./suite.ts";

const suite = new Suite();
const folder = join(import.meta.dir, "../../build/tests");
const fetch = (): Response => new Response("hello");

/** Options as a program without types may give them. */
function made(options: object): () => unknown {
  return () => createH3Server({ port: 0, hostname: "127.0.0.1", fetch, ...options } as unknown as H3ServerOptions);
}

/** What making a server throws: its class and its words. */
function thrown(make: () => unknown): { name: string; message: string } {
  try {
    make();
  } catch (error) {
    if (error instanceof Error) return { name: error.constructor.name, message: error.message };
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("configuration", () => {
  for (const port of [-1, 99_999, 1.5, NaN, Infinity]) {
    test(`C01 port ${port} is a RangeError`, () => {
      const { name, message } = thrown(made({ port }));
      expect(name).toBe("RangeError");
      expect(message).toMatch(/0.{1,4}65535/);
    });
  }

  test("C02 an empty hostname is a TypeError", () => {
    expect(thrown(made({ hostname: "" })).name).toBe("TypeError");
    expect(thrown(made({ hostname: "" })).message).toContain("hostname");
  });

  test("C03 neither fetch nor routes is a TypeError", () => {
    const { name, message } = thrown(made({ fetch: undefined }));
    expect(name).toBe("TypeError");
    expect(message).toContain("fetch");
    expect(message).toContain("routes");
  });

  for (const method of ["", "GET POST", "GET\n", "GÉT", "get"]) {
    test(`C04 method ${JSON.stringify(method)} is a TypeError`, () => {
      const { name, message } = thrown(made({ routes: [{ method, pattern: "/", fetch }] }));
      expect(name).toBe("TypeError");
      expect(message).toContain("method");
    });
  }

  for (const pattern of ["", "test", "/a b", "/test\n", "/:id/x/:id", "/*/more", "/a*", "/%zz", "/%00", "/\ud800"]) {
    test(`C05 pattern ${JSON.stringify(pattern)} is a TypeError`, () => {
      for (const routes of [[{ method: "GET", pattern, fetch }], { [pattern]: fetch }]) {
        expect(thrown(made({ routes })).name).toBe("TypeError");
      }
    });
  }

  for (const [what, route] of [
    ["without a handler", { method: "GET", pattern: "/here" }],
    ["with a handler that is no function", { method: "GET", pattern: "/here", fetch: "no" }],
    ["with a mode that is none", { method: "GET", pattern: "/here", mode: "sometimes", fetch }],
  ] as const) {
    test(`C06 a route ${what} is a TypeError that names it`, () => {
      const { name, message } = thrown(made({ routes: [route] }));
      expect(name).toBe("TypeError");
      expect(message).toContain("/here");
    });
  }

  test("C06 an object route without a handler is a TypeError that names it", () => {
    for (const value of [null, 5, {}, { GET: 5 }]) {
      const { name, message } = thrown(made({ routes: { "/there": value } }));
      expect({ value, name }).toEqual({ value, name: "TypeError" });
      expect(message).toContain("/there");
    }
  });

  test("C06 routes that would be lost, and static Responses that could not be sent, are a TypeError", async () => {
    const used = new Response("once");
    await used.text();
    for (const [routes, words] of [
      [new Map([["/", fetch]]), "routes"],
      [{ "/there": used }, "/there"],
      [{ "/there": Response.error() }, "/there"],
      [{ "/there": new Response(null, { status: 101 }) }, "/there"],
    ] as const) {
      const { name, message } = thrown(made({ routes }));
      expect({ words, name }).toEqual({ words, name: "TypeError" });
      expect(message).toContain(words);
    }
  });

  describe("certificates", () => {
    const garbage = join(folder, "garbage.pem");
    beforeAll(() => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(garbage, "this is no certificate\n");
    });
    const mine = certificate("config-mine");
    const other = certificate("config-other");

    test("C07 a file that is missing is named", () => {
      const missing = join(folder, "no-such.pem");
      expect(thrown(made({ certPath: missing, keyPath: mine.keyPath })).message).toBe(`certificate file "${missing}": no such file or directory`);
      expect(thrown(made({ certPath: mine.certPath, keyPath: missing })).message).toBe(`key file "${missing}": no such file or directory`);
    });

    test("C07 a file that is no PEM is named", () => {
      expect(thrown(made({ certPath: garbage, keyPath: mine.keyPath })).message).toBe(
        `certificate file "${garbage}": failed to find any PEM data in certificate input`,
      );
      expect(thrown(made({ certPath: mine.certPath, keyPath: garbage })).message).toBe(
        `key file "${garbage}": failed to find any PEM data in key input`,
      );
    });

    test("C07 a key of another certificate: both are named, with the reason", () => {
      const { name, message } = thrown(made({ certPath: mine.certPath, keyPath: other.keyPath }));
      expect(name).toBe("H3Error");
      expect(message).toBe(
        `certificate file "${mine.certPath}" and key file "${other.keyPath}": they are not a pair: private key does not match public key`,
      );
    });

    test("C07 half a pair is refused", () => {
      expect(thrown(made({ certPath: mine.certPath }))).toEqual({ name: "TypeError", message: "certPath needs keyPath: the file with its key" });
      expect(thrown(made({ keyPath: mine.keyPath }))).toEqual({ name: "TypeError", message: "keyPath needs certPath: the file with its certificate" });
    });

    test("C07 text that is no PEM: the option is named, of a list its place too", () => {
      const tls = { cert: readFileSync(mine.certPath), key: readFileSync(mine.keyPath) };
      expect(thrown(made({ tls: { ...tls, cert: "none" } })).message).toContain('"tls[0].cert"');
      expect(thrown(made({ tls: [tls, { ...tls, key: "none" }] })).message).toContain('"tls[1].key"');
    });

    test("tls as Bun.serve takes it", async () => {
      const tls = { cert: await Bun.file(mine.certPath).text(), key: await Bun.file(mine.keyPath).text() };
      for (const form of [
        tls,
        { cert: Bun.file(mine.certPath), key: Bun.file(mine.keyPath) },
        [{ ...tls, serverName: "localhost" }],
      ]) {
        const server = suite.serve({ fetch, tls: form } as H3ServerOptions);
        const connection = await suite.connect(server, { serverName: "localhost", ca: mine.certPath });
        expect((await connection.fetch("/")).text).toBe("hello");
        await connection.close();
      }
    });
  });

  test("C08 a method of one's own is routable", async () => {
    const server = suite.serve({
      routes: [{ method: "PROPFIND", pattern: "/", fetch: (request) => new Response(request.method) }],
    });
    const connection = await suite.connect(server);
    expect((await connection.fetch("/", { method: "PROPFIND" })).text).toBe("PROPFIND");
    await connection.close();
  });

  test("C08 a method that nobody knows is routable, and the handler sees it as it was sent", async () => {
    const server = suite.serve({
      routes: [{ method: "FOO-BAR", pattern: "/", fetch: (request) => new Response(`${request.method} ${request.clone().method}`) }],
      fetch: (request) => new Response(`fetch ${request.method}`),
    });
    const connection = await suite.connect(server);
    const texts = [];
    for (const method of ["FOO-BAR", "get", "BAZ", "TRACE"]) texts.push((await connection.fetch("/", { method })).text);
    expect(texts).toEqual(["FOO-BAR FOO-BAR", "fetch get", "fetch BAZ", "fetch TRACE"]);
  });

  test("C09 an unknown option is a TypeError that names it", () => {
    const { name, message } = thrown(made({ maxBanana: 1 }));
    expect(name).toBe("TypeError");
    expect(message).toContain("maxBanana");
  });

  test("B03 settings of the engine take effect, and those that cannot be are named", async () => {
    const server = suite.serve({ fetch, engine: { max_header_bytes: 1024, date: false, go: { gc_percent: 100 } } });
    const connection = await suite.connect(server);
    const answer = await connection.fetch("/");
    expect([answer.status, answer.header("date")]).toEqual([200, null]);
    expect((await connection.fetch("/", { headers: [["x-long", "x".repeat(1024)]] })).status).toBe(431);
    for (const [engine, words] of [
      [{ max_header_bytes: 1 }, "max_header_bytes"],
      [{ go: { threads: 1 } }, "go.threads"],
    ] as const) {
      const { name, message } = thrown(made({ engine }));
      expect(name).toBe("H3Error");
      expect(message).toContain(words);
    }
  });

  test("B03 every setting of the engine is one that it knows", () => {
    for (const key of ENGINE_KEYS) {
      const { name, message } = thrown(made({ engine: { [key]: "none" } }));
      expect([name, message.startsWith("unknown"), message.includes(key)]).toEqual(["H3Error", false, true]);
    }
  });

  test("C09 the sessions' settings are taken by the engine as they are", () => {
    const webtransport = { maxEarlyStreams: 0, capsuleTimeoutMs: 10, capsuleBudget: 1, maxStreamsBidi: 1, maxStreamsUni: 1, maxData: 65_536 };
    const server = suite.serve({ routes, webtransport });
    expect(server.running).toBe(true);
  });

  test("servers share a queue where its capacity is the same, and it has that", async () => {
    const made = spyOn(library() as unknown as Record<string, (config: Uint8Array, at: number) => number>, "zig_h3_queue_new");
    const capacity = 1 << 20;
    const servers = [1, 2, 2].map((times) => suite.serve({ fetch: () => new Response("served"), pump: { intervalMs: 77 }, queue: { capacity: times * capacity } }));
    expect(made.mock.calls.map(([config]) => new DataView(config.buffer).getUint32(4, true))).toEqual([capacity, 2 * capacity]);
    made.mockRestore();
    for (const server of servers) expect((await (await suite.connect(server)).fetch("/")).text).toBe("served");
  });

  const routes = { "/": { webtransport: () => {} } };
  for (const [name, options] of [
    ["maxRequestBodySize", { maxRequestBodySize: -1 }],
    ["idleTimeout", { idleTimeout: 3601 }],
    ["requestTimeoutMs", { requestTimeoutMs: -1 }],
    ["queue.capacity", { queue: { capacity: 1 } }],
    ["pump.intervalMs", { pump: { intervalMs: 0 } }],
    ["datagrams.incoming", { datagrams: { incoming: 0 } }],
    ["datagrams.outgoing", { datagrams: { outgoing: 65_536 } }],
    ["webtransport.maxStreamsBidi", { routes, webtransport: { maxStreamsBidi: 10_001 } }],
    ["webtransport.maxStreamsUni", { routes, webtransport: { maxStreamsUni: 0 } }],
    ["webtransport.maxData", { routes, webtransport: { maxData: 2 ** 30 + 1 } }],
    ["webtransport.maxEarlyStreams", { routes, webtransport: { maxEarlyStreams: -1 } }],
    ["webtransport.capsuleTimeoutMs", { routes, webtransport: { capsuleTimeoutMs: 0 } }],
    ["webtransport.capsuleBudget", { routes, webtransport: { capsuleBudget: 0 } }],
    ["webtransport.decisionTimeoutMs", { routes, webtransport: { decisionTimeoutMs: 0 } }],
  ] as const) {
    test(`C09 ${name} out of range is a RangeError that names it`, () => {
      const { name: error, message } = thrown(made(options));
      expect([error, message.split(" ")[0]]).toEqual(["RangeError", name]);
    });
  }

  test("C09 a list where an object belongs is a TypeError that names the option", () => {
    for (const name of ["datagrams", "webtransport"]) {
      const { name: error, message } = thrown(made({ [name]: [] }));
      expect([error, message.split(" ")[0]]).toEqual(["TypeError", name]);
    }
  });
});
