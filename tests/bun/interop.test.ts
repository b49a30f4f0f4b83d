/** The server for outside tools, route by route. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Child } from "./child.ts";
import { Driver, http3, sha256, type Connection } from "./client.ts";
import { certificate } from "./suite.ts";

// The machine may be busy with other suites: nothing fails for being slow.
setDefaultTimeout(60_000);

const driver = new Driver();
let child: Child;
let connection: Connection;
let url: URL;
let hash: string;

async function start(env: Record<string, string>): Promise<[Child, URL, string]> {
  const server = new Child("../interop/server.ts", [], env);
  const [ready, url, hash] = (await server.line()).split(" ");
  expect(ready).toBe("ready");
  return [server, new URL(url!), hash!];
}

beforeAll(async () => {
  [child, url, hash] = await start({ PORT: "0" });
  connection = await driver.connect(Number(url.port));
});

afterAll(async () => {
  await child.kill();
  expect(await driver.stop()).toBe("");
});

describe("interop server", () => {
  test("its ready line names the address and the certificate", () => {
    expect(url.protocol).toBe("https:");
    expect(hash).toBe(connection.handshake.certificateHash!);
  });

  test("GET /hello", async () => {
    const answer = await connection.fetch("/hello");
    expect([answer.status, answer.text, answer.header("content-type")]).toEqual([200, "hello world", "text/plain"]);
  });

  test("POST /echo streams the body back", async () => {
    const exchange = await connection.request("/echo", { method: "POST", body: "ping", end: false });
    await exchange.response(4);
    await exchange.send([{ random: 3 << 20 }], true);
    const report = await exchange.response();
    expect([report.status, report.ended, report.sha256]).toEqual([200, true, report.sent.sha256]);
  });

  test("GET /bytes/:n", async () => {
    for (const n of [0, 1, 65_536, 1_000_003]) {
      const bytes = new Uint8Array(n).map((_, i) => i % 256);
      const answer = await connection.fetch(`/bytes/${n}`);
      expect([answer.status, answer.report.bytes, answer.report.sha256, answer.header("content-length")]).toEqual([
        200,
        n,
        sha256(bytes),
        String(n),
      ]);
    }
    expect((await connection.fetch("/bytes/many")).status).toBe(400);
  });

  test("POST /upload says how much came, and its hash", async () => {
    const answer = await connection.fetch("/upload", { method: "POST", body: [{ random: 2_000_000 }] });
    expect(answer.json<object>()).toEqual({ bytes: 2_000_000, sha256: answer.report.sent.sha256 });
  });

  test("GET /json, /slow, /trailers, /throw, /params and /stats", async () => {
    expect((await connection.fetch("/json")).json<object>()).toEqual({ message: "hello", numbers: [1, 2, 3] });
    expect((await connection.fetch("/slow?ms=20")).json<object>()).toEqual({ slept: 20 });
    const trailers = await connection.fetch("/trailers");
    expect([trailers.text, trailers.report.trailers]).toEqual(["the body", [["x-checksum", sha256("the body")]]]);
    expect((await connection.fetch("/throw")).status).toBe(500);
    expect((await connection.fetch("/params/one/t%20wo")).json<object>()).toEqual({ a: "one", b: "t wo" });
    expect((await connection.fetch("/stats")).json<object>()).toMatchObject({ connections_active: 1, requests_active: 1 });
  });

  test("Bun's own fetch is a client, too", async () => {
    const response = await http3(Number(url.port), "/upload", { method: "POST", body: "from Bun" });
    expect([response.status, await response.json()]).toEqual([200, { bytes: 8, sha256: sha256("from Bun") }]);
  });

  test("C07 CERT without KEY, and a PORT that is none, end it with the reason", async () => {
    for (const [env, reason] of [
      [{ PORT: "0", CERT: certificate("interop").certPath }, "TypeError: certPath needs keyPath: the file with its key"],
      [{ PORT: "http" }, 'TypeError: port must be a number from 0 to 65535, not "http"'],
    ] as const) {
      const { code, lines, stderr } = await new Child("../interop/server.ts", [], env).exit();
      expect([code, lines]).toEqual([1, []]);
      expect(stderr).toContain(reason);
    }
  });

  test("SIGTERM lets a request finish; CERT and KEY are used", async () => {
    const mine = certificate("interop");
    const [server, address, digest] = await start({ PORT: "0", CERT: mine.certPath, KEY: mine.keyPath });
    const strict = await driver.connect(Number(address.port), { serverName: "localhost", ca: mine.certPath });
    expect(digest).toBe(strict.handshake.certificateHash!);
    const slow = await strict.request("/slow?ms=300");
    expect((await strict.fetch("/hello")).status).toBe(200);
    server.signal("SIGTERM");
    await strict.goaway();
    const report = await slow.response();
    expect([report.status, report.ended]).toEqual([200, true]);
    const { code, stderr, lines } = await server.exit();
    expect({ code, stderr, lines }).toEqual({ code: 0, stderr: "", lines: [] });
  });
});
