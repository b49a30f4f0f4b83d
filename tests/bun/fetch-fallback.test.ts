/** The option `fallback: "fetch"`: origins without HTTP/3, and those that say where they have it. */
import { afterAll, expect, test } from "bun:test";
import { createH3Client, h3Fetch, H3Response, type H3Client } from "../../bindings/bun/src/index.ts";
import { certificate, failure, Suite } from "./suite.ts";

const suite = new Suite();
const { certPath, keyPath } = certificate("fallback");
const tls = { cert: Bun.file(certPath), key: Bun.file(keyPath) };
const ours = suite.serve({ tls, fetch: async (request) => new Response(`h3 ${request.method} ${await request.text()}`) });

let altSvc: string | undefined;
let asked = 0;
const plain: Bun.Server<undefined>[] = [];

/** A port of TCP whose number no socket of UDP has by chance: those that the system chooses begin at 32768. */
function serve(): Bun.Server<undefined> {
  for (;;) {
    try {
      return serveAt(20_000 + Math.floor(Math.random() * 10_000));
    } catch (error) {
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
}

/** A server without HTTP/3. */
function serveAt(port: number): Bun.Server<undefined> {
  const server = Bun.serve({
    port,
    hostname: "127.0.0.1",
    tls,
    fetch: async (request) => {
      asked++;
      const { pathname, search } = new URL(request.url);
      if (pathname === "/never") return new Promise<Response>(() => {});
      if (pathname === "/to") return new Response(null, { status: 307, headers: { location: search.slice(1) } });
      const headers: Record<string, string> = altSvc === undefined ? {} : { "alt-svc": altSvc };
      return new Response(`h1 ${request.method} ${await request.text()} ${request.headers.get("x-own") ?? ""}`, { headers });
    },
  });
  plain.push(server);
  return server;
}
afterAll(async () => {
  for (const server of plain) await server.stop(true);
});

const made = (): H3Client => suite.client(undefined, { tls: { ca: Bun.file(certPath) }, fallback: "fetch" });

test("where nobody listens for HTTP/3 it is asked by fetch(), and then at once", async () => {
  altSvc = undefined;
  const client = made();
  const at = `https://127.0.0.1:${serve().port}/`;
  const response: Response = await client.fetch(at, { headers: { "x-own": "1" } });
  expect([response.status, await response.text(), response instanceof H3Response]).toEqual([200, "h1 GET  1", false]);
  const failed = client.stats().connects_failed!;
  expect(failed).toBeGreaterThan(0);
  for (const body of ["text", new Blob(["blob"]), new Uint8Array([65]), new Blob(["stream"]).stream()]) {
    expect(await (await client.fetch(at, { method: "POST", body })).text()).toStartWith("h1 POST ");
  }
  expect(client.stats().connects_failed).toBe(failed);
});

test("a body in memory is sent once, by the way that works; a stream that was begun is no more", async () => {
  altSvc = undefined;
  const before = asked;
  expect(await (await made().fetch(`https://127.0.0.1:${serve().port}/`, { method: "PUT", body: "text" })).text()).toBe("h1 PUT text ");
  expect(asked - before).toBe(1);
  const error = await failure(made().fetch(`https://127.0.0.1:${serve().port}/`, { method: "PUT", body: new Blob(["x"]).stream() }));
  expect(error).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_REFUSED" });
});

test("Alt-Svc says where HTTP/3 is, and certificates are looked at for the origin", async () => {
  altSvc = `h3=":${ours.port}"; ma=60`;
  const client = made();
  const at = `https://127.0.0.1:${serve().port}/`;
  expect(await (await client.fetch(at)).text()).toBe("h1 GET  ");
  const response = await client.fetch(at);
  expect([await response.text(), response instanceof H3Response, response.url]).toEqual(["h3 GET ", true, at]);
  expect(response.h3.connection!.remote.port).toBe(ours.port);
  altSvc = `h3="localhost:${ours.port}"`;
  const named = made();
  const other = `https://127.0.0.1:${serve().port}/`;
  await named.fetch(other);
  expect(await (await named.fetch(other)).text()).toBe("h3 GET ");
});

test("an alternative that is not there is asked for no more", async () => {
  altSvc = 'h3=":1"';
  const client = made();
  const at = `https://127.0.0.1:${serve().port}/`;
  for (let i = 0; i < 3; i++) expect(await (await client.fetch(at)).text()).toBe("h1 GET  ");
});

test("where there is HTTP/3 nobody asks otherwise, and what fails there fails", async () => {
  const response: Response = await h3Fetch(`https://127.0.0.1:${ours.port}/`, { tls: { ca: Bun.file(certPath) }, fallback: "fetch" });
  expect([await response.text(), response instanceof H3Response]).toEqual(["h3 GET ", true]);
  expect(await failure(h3Fetch(`https://127.0.0.1:${ours.port}/`, { fallback: "fetch" }))).toMatchObject({ code: "ZIG_H3_ERR_UNKNOWN_AUTHORITY" });
});

test("http: goes by fetch(), from the begin or from a redirect", async () => {
  const insecure = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("http") });
  plain.push(insecure);
  const at = `http://127.0.0.1:${insecure.port}/`;
  expect(await (await made().fetch(at)).text()).toBe("http");
  const front = suite.serve({ tls, fetch: () => new Response(null, { status: 302, headers: { location: at } }) });
  expect(await (await made().fetch(`https://127.0.0.1:${front.port}/`)).text()).toBe("http");
  expect(await failure(suite.client(undefined, { tls: { ca: Bun.file(certPath) } }).fetch(`https://127.0.0.1:${front.port}/`))).toMatchObject({ code: "ZIG_H3_ERR_INVALID_ARGUMENT" });
});

test("what fetch() cannot be told of does not go together with it", async () => {
  for (const options of [{ serverCertificateHashes: ["00".repeat(32)] }, { hosts: { "a.example": "127.0.0.1" } }]) {
    expect(String(await failure(h3Fetch("https://a.example/", { ...options, fallback: "fetch" })))).toContain("do not go together");
    await using client = createH3Client({ ...options, fallback: "fetch" });
    expect(String(await failure(client.fetch("https://a.example/")))).toContain("do not go together");
  }
});

test("timeout bounds the wait there, too, and a signal is heard beside it", async () => {
  altSvc = undefined;
  const client = made();
  const at = `https://127.0.0.1:${serve().port}`;
  expect(await (await client.fetch(`${at}/`, { timeout: 30_000 })).text()).toBe("h1 GET  ");
  expect(await failure(client.fetch(`${at}/never`, { timeout: 50 }))).toMatchObject({ name: "TimeoutError", message: `nothing came of ${at}/never for 50 ms` });
  const controller = new AbortController();
  const given = failure(client.fetch(`${at}/never`, { timeout: 300_000, signal: controller.signal }));
  controller.abort(new Error("enough"));
  expect(await given).toEqual(new Error("enough"));
});
