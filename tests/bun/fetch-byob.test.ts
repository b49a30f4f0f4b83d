/** Bodies of responses for readers that bring their own memory, as the fetch standard has them ("set up with byte reading support"). Bun's own fetch has none. */
import { afterAll, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { failure, gate, Suite, until } from "./suite.ts";

const suite = new Suite();

const LARGE = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
const server = suite.serve({
  routes: {
    "/whole": () => new Response("all of it"),
    "/large": () => new Response(LARGE),
    "/coded": () => new Response(gzipSync(LARGE), { headers: { "content-encoding": "gzip" } }),
    "/empty": () => new Response(null),
    "/breaks": () => new Response((async function* () { yield LARGE; await hasRead.promise; throw new Error("on purpose"); })() as never),
    "/hangs": (request) => {
      request.signal.addEventListener("abort", () => aborted++);
      return new Response((async function* () { yield "begin"; await go.promise; })() as never);
    },
  },
});
const go = gate();
const hasRead = gate();
let aborted = 0;
const client = suite.client(server);
const at = (path: string): string => `https://127.0.0.1:${server.port}${path}`;

/** All of a body, by buffers of this size that are used again and again. */
async function read(body: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array> {
  const reader = body.getReader({ mode: "byob" });
  expect(reader).toBeInstanceOf(ReadableStreamBYOBReader);
  const pieces: Uint8Array[] = [];
  for (let buffer = new ArrayBuffer(size); ; ) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) break;
    expect(value.byteLength).toBeLessThanOrEqual(size);
    pieces.push(value.slice());
    buffer = value.buffer;
  }
  expect(body.locked).toBe(true);
  reader.releaseLock();
  expect(body.locked).toBe(false);
  return Buffer.concat(pieces);
}

for (const [path, expected] of [["/whole", Buffer.from("all of it")], ["/large", LARGE], ["/coded", LARGE]] as const) {
  for (const size of [7, 4096, 1 << 20]) {
    test(`${path} by ${size} bytes`, async () => {
      if (size === 7 && expected === LARGE) {
        const reader = (await client.fetch(at(path))).body!.getReader({ mode: "byob" });
        expect([...(await reader.read(new Uint8Array(7))).value!, ...(await reader.read(new Uint8Array(7))).value!]).toEqual([...LARGE.subarray(0, 14)]);
        await reader.cancel();
      } else {
        expect(Buffer.compare(await read((await client.fetch(at(path))).body!, size), expected)).toBe(0);
      }
    });
  }
}

test("readers of the other mode come before and behind it, and have what it has left", async () => {
  const { body } = await client.fetch(at("/whole"));
  const plain = body!.getReader();
  expect(await failure((async () => body!.getReader({ mode: "byob" }))())).toBeInstanceOf(TypeError); // there is one
  plain.releaseLock();
  const own = body!.getReader({ mode: "byob" });
  expect(await failure((async () => body!.getReader())())).toBeInstanceOf(TypeError);
  expect(Buffer.from((await own.read(new Uint8Array(3))).value!).toString()).toBe("all");
  own.releaseLock();
  const third = body!.getReader();
  expect(Buffer.from((await third.read()).value!).toString()).toBe(" of it");
  expect((await third.read()).done).toBe(true);
  const none = (await client.fetch(at("/empty"))).body!.getReader({ mode: "byob" });
  expect(await none.read(new Uint8Array(3))).toEqual({ done: true, value: new Uint8Array(0) });
  expect((await client.fetch(at("/whole"), { method: "HEAD" })).body).toBe(null);
});

test("iteration, pipes and clones go on with what is left", async () => {
  const first = async (path: string): Promise<ReadableStream<Uint8Array>> => {
    const body = (await client.fetch(at(path))).body!;
    const reader = body.getReader({ mode: "byob" });
    await reader.read(new Uint8Array(4));
    reader.releaseLock();
    return body;
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of await first("/large")) pieces.push(piece);
  expect(Buffer.compare(Buffer.concat(pieces), LARGE.subarray(4))).toBe(0);
  expect(await new Response((await first("/whole")).pipeThrough(new TransformStream())).text()).toBe("of it");
  const [one, two] = (await first("/whole")).tee();
  expect([await new Response(one).text(), await new Response(two).text()]).toEqual(["of it", "of it"]);
  const response = await client.fetch(at("/large"));
  const copy = response.clone();
  expect(Buffer.compare(await read(copy.body!, 65_536), LARGE)).toBe(0);
  expect(Buffer.compare(await read(response.body!, 1000), LARGE)).toBe(0);
});

test("a body that breaks off fails its reader, behind what has come", async () => {
  const reader = (await client.fetch(at("/breaks"))).body!.getReader({ mode: "byob" });
  expect((await reader.read(new Uint8Array(100))).value).toEqual(LARGE.subarray(0, 100));
  hasRead.open();
  const failed = await failure(
    (async () => {
      for (;;) if ((await reader.read(new Uint8Array(65_536))).done) return "it has ended";
    })(),
  );
  expect(failed).toBeInstanceOf(TypeError);
  expect((failed as { code?: string }).code).toBe("ZIG_H3_ERR_RESET");
});

test("cancelling gives the rest up", async () => {
  const reader = (await client.fetch(at("/hangs"))).body!.getReader({ mode: "byob" });
  expect(Buffer.from((await reader.read(new Uint8Array(100))).value!).toString()).toBe("begin");
  const waits = reader.read(new Uint8Array(1));
  await reader.cancel();
  expect((await waits).done).toBe(true);
  await until(() => aborted === 1);
  await until(() => client.stats().fetches_active === 0);
});

test("closed tells who reads nothing of the end", async () => {
  const reader = (await client.fetch(at("/whole"))).body!.getReader({ mode: "byob" });
  expect((await reader.read(new Uint8Array(9))).value!.length).toBe(9);
  await reader.closed;
  expect(await reader.read(new Uint8Array(1))).toEqual({ done: true, value: new Uint8Array(0) });
  const controller = new AbortController();
  const waits = (await client.fetch(at("/hangs"), { signal: controller.signal })).body!.getReader({ mode: "byob" });
  expect((await waits.read(new Uint8Array(2))).value!.length).toBe(2); // the rest of what has come is there still
  const closed = failure(waits.closed);
  controller.abort(new Error("enough"));
  expect(await closed).toEqual(new Error("enough"));
  expect(await failure(waits.read(new Uint8Array(1)))).toEqual(new Error("enough"));
});

afterAll(() => go.open());
