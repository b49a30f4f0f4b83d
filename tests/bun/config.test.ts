/** What a server refuses to be made with. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

  for (const method of ["", "GET POST", "GET\n", "GÉT"]) {
    test(`C04 method ${JSON.stringify(method)} is a TypeError`, () => {
      const { name, message } = thrown(made({ routes: [{ method, pattern: "/", fetch }] }));
      expect(name).toBe("TypeError");
      expect(message).toContain("method");
    });
  }

  for (const pattern of ["", "test", "/a b", "/test\n", "/:id/x/:id", "/*/more", "/a*"]) {
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
      expect(thrown(made({ certPath: missing, keyPath: mine.keyPath })).message).toContain(missing);
      expect(thrown(made({ certPath: mine.certPath, keyPath: missing })).message).toContain(missing);
    });

    test("C07 a file that is no PEM is named", () => {
      expect(thrown(made({ certPath: garbage, keyPath: mine.keyPath })).message).toContain(garbage);
      expect(thrown(made({ certPath: mine.certPath, keyPath: garbage })).message).toContain(garbage);
    });

    test("C07 a key of another certificate: both are named, with the reason", () => {
      const { message } = thrown(made({ certPath: mine.certPath, keyPath: other.keyPath }));
      expect(message).toContain(mine.certPath);
      expect(message).toContain(other.keyPath);
      expect(message).toMatch(/match|pair|belong/);
    });

    test("C07 half a pair is refused", () => {
      expect(thrown(made({ certPath: mine.certPath })).message).toContain("key");
      expect(thrown(made({ keyPath: mine.keyPath })).message).toContain("cert");
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

  test("C09 an unknown option is a TypeError that names it", () => {
    const { name, message } = thrown(made({ maxBanana: 1 }));
    expect(name).toBe("TypeError");
    expect(message).toContain("maxBanana");
  });

  test("C09 a limit out of range is named", () => {
    expect(thrown(made({ maxRequestBodySize: -1 })).message).toContain("maxRequestBodySize");
  });
});
