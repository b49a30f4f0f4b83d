/** h3Fetch at a server of other make: h3 on quinn. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createH3Client, type H3Client, type H3FetchInit } from "../../../bindings/bun/src/index.ts";
import { PeerServer } from "../../bun/peer_server.ts";
import { failure } from "../../bun/suite.ts";

setDefaultTimeout(60_000); // the machine may be busy: nothing fails for being slow

let server: PeerServer;
let client: H3Client;
beforeAll(async () => {
  server = await PeerServer.start("h3");
  client = createH3Client({ tls: { ca: server.ca } });
});
afterAll(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
});

const ask = (path: string, init?: H3FetchInit) => client.fetch(server.url + path, init);
/** What a fetch or a body fails with. */
const code = async (promise: Promise<unknown>): Promise<string> => {
  const error = (await failure(promise)) as Error;
  expect(error).toBeInstanceOf(TypeError);
  return (error.cause as { code: string }).code;
};

test("F01 GET, HEAD and a status of an error", async () => {
  const response = await ask("/hello");
  expect([response.status, response.headers.get("x-method"), await response.text()]).toEqual([200, "GET", "hello"]);
  const head = await ask("/hello", { method: "HEAD" });
  expect([head.status, head.headers.get("x-method"), head.headers.get("content-length"), head.body]).toEqual([200, "HEAD", "5", null]);
  const forbidden = await ask("/nowhere");
  expect([forbidden.status, await forbidden.text()]).toEqual([403, ""]);
});

for (const size of [0, 1, 1 << 20]) {
  test(`F02 ${size} bytes there and back, as bytes and as a stream; F14 trailers`, async () => {
    const body = new Uint8Array(size).map((_, i) => i % 251);
    for (const init of [{ body }, { body: new Blob([body]).stream(), duplex: "half" as const }]) {
      const response = await ask("/echo", { method: "POST", ...init });
      expect(Bun.SHA256.hash(await response.bytes(), "hex")).toBe(Bun.SHA256.hash(body, "hex"));
      expect([...(await response.trailers)]).toEqual([["x-bytes", String(size)]]);
    }
  });

  test(`F03 ${size} bytes back`, async () => {
    const response = await ask(`/bytes/${size}`);
    expect((await response.bytes()).filter((byte) => byte === 7).length).toBe(size);
  });
}

test("P13 a 103 before the answer", async () => {
  const response = await ask("/hints");
  expect(response.informational.map(({ status, headers }) => [status, headers.get("link")])).toEqual([[103, "</style.css>; rel=preload"]]);
  expect(await response.text()).toBe("hints");
});

test("F13 a reset inside the body", async () => {
  const response = await ask("/reset");
  const reader = response.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("some");
  expect(await (await ask("/go")).text()).toBe("gone");
  expect(await code(reader.read())).toBe("ZIG_H3_ERR_RESET");
});

test("F13 a request that is refused", async () => {
  expect(await code(ask("/refuse", { method: "POST", body: "x" }))).toBe("ZIG_H3_ERR_REJECTED");
  expect(await code(ask("/refuse"))).toBe("ZIG_H3_ERR_REJECTED");
});

test("F12 GOAWAY: what goes before it is answered, what comes behind has a new connection", async () => {
  const own = createH3Client({ tls: { ca: server.ca } });
  const first = await own.fetch(`${server.url}/hello`);
  const number = Number(first.headers.get("x-connection"));
  const held = await own.fetch(`${server.url}/reset`);
  const last = await own.fetch(`${server.url}/last`);
  expect([await last.text(), last.headers.get("x-connection"), held.headers.get("x-connection")]).toEqual(["last", `${number}`, `${number}`]);
  const next = await own.fetch(`${server.url}/hello`);
  expect([await next.text(), next.headers.get("x-connection")]).toEqual(["hello", `${number + 1}`]);
  await own.fetch(`${server.url}/go`);
  expect(await code(held.text())).toBe("ZIG_H3_ERR_RESET");
  await own.close();
});
