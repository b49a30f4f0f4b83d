/** h3Fetch() at a server of ours: what is asked for and what comes back. Each case that Bun's own fetch has, too, is held against it. */
import { describe, expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { H3Response, h3Fetch, type H3Client, type H3FetchInit, type H3Server } from "../../bindings/bun/src/index.ts";
import { certificate, failure, gate, Suite, until, type Reference } from "./suite.ts";

const suite = new Suite();

/** Answers with what it was asked. */
async function mirror(request: Request): Promise<Response> {
  const headers = Object.fromEntries(request.headers);
  return Response.json({ method: request.method, path: new URL(request.url).pathname + new URL(request.url).search, headers, body: await request.text() });
}

const some = new Uint8Array(5_000_000).map((_, i) => i % 251);
const bytes = (length: number): Uint8Array<ArrayBuffer> => some.slice(0, length);

/** A stream of these chunks. */
function streamOf(chunks: unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

/** The handlers of both servers. */
const routes = {
  "/mirror": mirror,
  "/mirror/*": mirror,
  "/echo": async (request: Request) => new Response(await request.bytes()),
  "/text": () => new Response("hello", { headers: { "x-one": "1", "set-cookie": "a=1" } }),
  "/cookies": () => {
    const headers = new Headers({ "x-two": "1, 2" });
    headers.append("set-cookie", "a=1");
    headers.append("set-cookie", "b=2");
    return new Response("two", { headers });
  },
  "/status/:n": (request: Request) => new Response(null, { status: Number(request.url.split("/").pop()) }),
  "/big": () => new Response(bytes(3_000_000)),
  "/slices": () => new Response(new Blob([bytes(700_000)])),
};

const server: H3Server = suite.serve({ routes });
const reference: Reference = suite.reference({ routes });
const client: H3Client = suite.client(server);
const origin = `https://127.0.0.1:${server.port}`;
const { certPath } = certificate("reference");
const ca = Bun.file(certPath);

/** Bun's own fetch at its own server, by HTTP/1.1. */
function theirs(path: string, init: H3FetchInit = {}): Promise<Response> {
  return fetch(`https://127.0.0.1:${reference.port}${path}`, { ...init, tls: { ca, rejectUnauthorized: false } } as RequestInit);
}

/** The same by HTTP/3, where this Bun has that. */
function theirsH3(path: string, init: H3FetchInit = {}): Promise<Response> {
  return fetch(`https://127.0.0.1:${reference.port}${path}`, { ...init, protocol: "http3", tls: { rejectUnauthorized: false } } as RequestInit);
}

const ours = (path: string, init?: H3FetchInit): Promise<H3Response> => client.fetch(origin + path, init);

/** Fields that differ by the protocol or the moment, and none of which is about the answer. */
const OTHER = new Set(["date", "connection", "transfer-encoding", "host", "keep-alive", "alt-svc"]);

async function seen(response: Response): Promise<object> {
  const { status, redirected, ok, bodyUsed } = response;
  const text = await response.text();
  let body: unknown = text;
  if (text.startsWith('{"method"')) {
    const mirrored = JSON.parse(text) as { headers: Record<string, string> };
    for (const name of OTHER) delete mirrored.headers[name];
    // Bun says so of every method but GET and HEAD, the standard of POST and PUT.
    if (mirrored.headers["content-length"] === "0") delete mirrored.headers["content-length"];
    body = mirrored;
  }
  const headers = [...response.headers].filter(([name, value]) => !OTHER.has(name) && !(name === "content-length" && (value === "0" || text.startsWith('{"method"')))).sort();
  return { status, redirected, ok, bodyUsed, headers, body, url: new URL(response.url).pathname };
}

/** Asks all three for the same, and expects the same. `init` makes what can be used once. */
async function same(path: string, init: () => H3FetchInit = () => ({}), but: (seen: object) => object = (seen) => seen): Promise<void> {
  const mine = await seen(await ours(path, init()));
  expect(but(mine)).toEqual(but(await seen(await theirs(path, init()))));
  expect(but(mine)).toEqual(but(await seen(await theirsH3(path, init()))));
}

/** The standard gives a string's body a content-type, Bun none. */
const withoutType = (seen: object): object => {
  const { body, ...rest } = seen as { body: { headers?: Record<string, string> } };
  return { ...rest, body: { ...body, headers: { ...body.headers, "content-type": undefined } } };
};

describe("F01 what is asked for and what comes back", () => {
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"]) {
    test(`F01 ${method}`, () => same("/mirror?a=1&b=%20", () => ({ method })));
  }

  test("F01 HEAD has the head of GET and no body", async () => {
    await same("/text", () => ({ method: "HEAD" }));
    const response = await ours("/text", { method: "HEAD" });
    expect(response.body).toBe(null);
    expect(response.headers.get("content-length")).toBe("5");
  });

  test("F01 methods that are nobody's, and lower case that is kept", async () => {
    for (const method of ["PROPFIND", "patch", "x-y"]) {
      expect(await (await ours("/mirror", { method })).json()).toMatchObject({ method });
    }
    expect(await (await ours("/mirror", { method: "Post" })).json()).toMatchObject({ method: "POST" }); // Bun sends GET
  });

  test("F01 headers of every form", async () => {
    await same("/mirror", () => ({ headers: { "X-One": " a ", two: "b,c", "accept-language": "de" } }));
    await same("/mirror", () => ({ headers: [["x-a", "1"], ["X-A", "2"]] }));
    await same("/mirror", () => ({ headers: new Headers({ cookie: "a=1; b=2", accept: "text/html", "user-agent": "me" }) }));
    await same("/mirror", () => ({ headers: { connection: "close", "keep-alive": "1", upgrade: "x", te: "trailers", "x-latin": "\xe4" } }), (seen) => {
      const { body } = seen as { body: { headers: Record<string, string> } };
      delete body.headers.upgrade; // Bun sends it by HTTP/1
      delete body.headers.te;
      return seen;
    });
  });

  test("F01 headers of the answer", async () => {
    await same("/text");
    await same("/cookies");
    expect((await ours("/cookies")).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  for (const status of [200, 201, 204, 205, 299, 304, 400, 404, 418, 500, 503, 599]) {
    test(`F01 status ${status}`, async () => {
      await same(`/status/${status}`);
      const response = await ours(`/status/${status}`);
      expect(response.body === null).toBe([204, 205, 304].includes(status));
      expect(await response.text()).toBe("");
    });
  }

  test("F01 the URL of the answer, paths and queries", async () => {
    for (const path of ["/mirror/a%20b", "/mirror/%C3%A4?x=%zz", "/mirror/ä?q=ü", "/mirror//x/../y", "/mirror?"]) await same(path);
    const response = await ours("/text#part");
    expect(response.url).toBe(`${origin}/text`); // as the standard has it; Bun keeps the fragment
    expect([response.type, response.redirected, response.statusText]).toEqual(["default", false, ""]);
    expect(response).toBeInstanceOf(Response);
    expect(response).toBeInstanceOf(H3Response);
  });

  test("F01 a URL, a Request, a Request with an init", async () => {
    const request = new Request(`${origin}/mirror?r`, { method: "PUT", body: "of the request", headers: { "x-a": "1" } });
    expect(await (await client.fetch(new URL(`${origin}/mirror?u`))).json()).toMatchObject({ method: "GET", path: "/mirror?u" });
    const first = await client.fetch(request);
    expect(await first.json()).toMatchObject({ method: "PUT", path: "/mirror?r", body: "of the request", headers: { "x-a": "1", "content-length": "14" } });
    expect(request.bodyUsed).toBe(true);
    expect(String(await failure(client.fetch(request)))).toContain("has been used");
    const again = new Request(`${origin}/mirror`, { method: "POST", body: "one", headers: { "x-a": "1" } });
    const second = await client.fetch(again, { body: "two", headers: { "x-b": "2" }, method: "PATCH" });
    const told = (await second.json()) as { headers: Record<string, string> };
    expect(told).toMatchObject({ method: "PATCH", body: "two" });
    expect([told.headers["x-a"], told.headers["x-b"]]).toEqual([undefined as unknown as string, "2"]);
  });

  test("F01 a name and password in the URL go as authorization", async () => {
    const url = origin.replace("https://", "https://me:p%20w@");
    const response = await client.fetch(`${url}/mirror`);
    expect(await response.json()).toMatchObject({ headers: { authorization: `Basic ${btoa("me:p w")}` } });
    expect(response.url).toBe(`${origin}/mirror`);
    const own = await client.fetch(`${url}/mirror`, { headers: { authorization: "Bearer x" } });
    expect(await own.json()).toMatchObject({ headers: { authorization: "Bearer x" } });
    const odd = await client.fetch(`${origin.replace("https://", "https://100%:%ff%C3%BC@")}/mirror`); // no escape, no UTF-8, UTF-8
    expect(await odd.json()).toMatchObject({ headers: { authorization: `Basic ${btoa("100%:\xff\xc3\xbc")}` } });
  });

  test("F01 what fetch() refuses is refused", async () => {
    const refused = async (init: object, url = `${origin}/text`): Promise<unknown> => {
      const error = await failure(client.fetch(url, init));
      expect(error).toBeInstanceOf(TypeError);
      return (error as Error).message;
    };
    expect(await refused({}, "nowhere")).toContain("not a URL");
    expect(await refused({}, "http://127.0.0.1/")).toContain("http:");
    expect(await refused({}, "data:,x")).toContain("data:");
    for (const method of ["CONNECT", "trace", "TRACK"]) expect(await refused({ method })).toContain("forbidden");
    for (const method of ["", "G T", "ä"]) expect(await refused({ method })).toContain("token");
    expect(await refused({ method: "M".repeat(65) })).toContain("too long");
    expect(await refused({ headers: { "a b": "1" } })).toContain("a b");
    expect(await refused({ headers: { a: "1\n2" } })).not.toBe("");
    expect(await refused({ body: "x" })).toContain("GET or HEAD");
    expect(await refused({ body: "x", method: "HEAD" })).toContain("GET or HEAD");
    expect(await refused({ signal: {} })).toContain("AbortSignal");
    expect(await refused({ redirect: "maybe" })).toContain("redirect");
    expect(await refused({ duplex: "full" })).toContain("duplex");
    expect(await refused({ priority: "urgent" })).toContain("priority");
    expect(await refused({ compress: "lzma", method: "POST", body: "x" })).toContain("compress");
    expect(await refused({ fallback: "http1" })).toContain("fallback");
    expect(await refused({ protocol: "http2" })).toContain("protocol");
    expect(await refused({ onDatagram: 1 })).toContain("onDatagram");
    for (const name of ["proxy", "unix", "session", "s3", "verbose", "integrity"]) expect(await refused({ [name]: "x" })).toContain(`"${name}"`);
    expect(await failure(client.fetch(`${origin}/text`, { timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await failure(client.fetch(`${origin}/text`, { maxRedirects: 101 }))).toBeInstanceOf(RangeError);
  });

  test("F01 headers and URLs that are too long are named", async () => {
    const long = (await failure(ours("/text", { headers: { a: "x".repeat(70_000) } }))) as Error;
    expect(long).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_TOO_LARGE" });
    const url = (await failure(ours(`/${"x".repeat(70_000)}`))) as Error;
    expect(url).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_TOO_LARGE" });
    expect(await (await ours("/text")).text()).toBe("hello");
  });
});

describe("F02 bodies of requests", () => {
  const form = (): FormData => {
    const form = new FormData();
    form.set("a", "1");
    form.set("file", new Blob(["content"], { type: "text/x" }), "name.txt");
    return form;
  };
  const made: [string, () => H3FetchInit["body"]][] = [
    ["bytes", () => bytes(1000)],
    ["a view", () => new DataView(bytes(1000).buffer, 10, 20)],
    ["an ArrayBuffer", () => bytes(1000).buffer],
    ["a Blob", () => new Blob(["blob"])],
    ["a Blob with a type", () => new Blob(["blob"], { type: "text/x" })],
    ["parameters", () => new URLSearchParams({ a: "1", b: "ä" })],
    ["a file", () => Bun.file(certPath)],
    ["a slice of a file", () => Bun.file(certPath).slice(3, 30)],
    ["nothing", () => null],
    ["no bytes", () => new Uint8Array(0)],
  ];
  for (const [what, body] of made) {
    test(`F02 ${what}`, () => same("/mirror", () => ({ method: "POST", body: body()! })));
  }

  test("F02 a string, which the standard gives a type", async () => {
    await same("/mirror", () => ({ method: "POST", body: "täxt" }), withoutType);
    expect(await (await ours("/mirror", { method: "POST", body: "x" })).json()).toMatchObject({ headers: { "content-type": "text/plain;charset=utf-8" } });
    await same("/mirror", () => ({ method: "POST", body: "{}", headers: { "content-type": "application/json" } }));
    await same("/mirror", () => ({ method: "POST", body: 5 as unknown as string }), withoutType);
  });

  test("F02 a form with a file", async () => {
    const told = (await (await ours("/mirror", { method: "POST", body: form() })).json()) as { headers: Record<string, string>; body: string };
    const parsed = await new Response(told.body, { headers: { "content-type": told.headers["content-type"]! } }).formData();
    expect(parsed.get("a")).toBe("1");
    expect(await (parsed.get("file") as Blob).text()).toBe("content");
  });

  test("F02 streams and async iterators, without a length", async () => {
    const parts = ["one", "two", "three"];
    const stream = (): ReadableStream => streamOf(parts);
    async function* generate(): AsyncGenerator<string | Uint8Array> {
      yield "one";
      await Bun.sleep(1);
      yield Buffer.from("two");
      yield "three";
    }
    const direct = (): ReadableStream => new ReadableStream({ type: "direct", pull: (c: { write(s: string): void; end(): void }) => (parts.forEach((one) => c.write(one)), c.end()) } as never);
    for (const body of [stream, generate, direct]) {
      const told = (await (await ours("/mirror", { method: "POST", body: body() as ReadableStream, duplex: "half" })).json()) as { headers: Record<string, string>; body: string };
      expect(told.body).toBe("onetwothree");
      expect(told.headers["content-length"]).toBe(undefined as unknown as string);
    }
    const request = new Request(`${origin}/mirror`, { method: "POST", body: stream(), duplex: "half" } as RequestInit);
    expect(await (await client.fetch(request)).json()).toMatchObject({ body: "onetwothree" });
  });

  for (const size of [256 << 10, (256 << 10) + 1, 5_000_000]) {
    test(`F02 ${size} bytes arrive as they are, from memory, Blobs, files and streams`, async () => {
      const all = bytes(size);
      const path = `${process.env.TMPDIR ?? "/tmp"}/h3-fetch-${process.pid}-${size}`;
      await Bun.write(path, all);
      const hash = Bun.hash(all);
      const bodies = [all, new Blob([all]), Bun.file(path), Bun.file(path).stream(), new Blob([all]).stream()];
      for (const body of bodies) {
        expect(Bun.hash(await (await ours("/echo", { method: "POST", body })).bytes())).toBe(hash);
      }
      await Bun.file(path).delete();
    });
  }

  test("F02 what is changed behind the call is sent as it was", async () => {
    for (const size of [100, 1_000_000, 4_000_000]) {
      const body = new Uint8Array(size).fill(1);
      const asked = ours("/echo", { method: "POST", body });
      body.fill(2);
      expect(new Set(await (await asked).bytes())).toEqual(new Set([1]));
    }
  });

  test("F02 a body that is produced no faster than it is taken", async () => {
    let produced = 0;
    let over = false;
    const entered = gate();
    const go = gate();
    const slow = suite.serve({
      fetch: async (request) => {
        entered.open();
        await go.promise;
        let length = 0;
        for await (const chunk of request.body!) length += (chunk as Uint8Array).length;
        return new Response(String(length));
      },
    });
    const piece = new Uint8Array(64 << 10);
    const body = new ReadableStream({
      pull(controller) {
        if (produced === 64 << 20) {
          over = true;
          return controller.close();
        }
        produced += piece.length;
        controller.enqueue(piece);
      },
    });
    const asked = suite.client(slow).fetch(`https://127.0.0.1:${slow.port}/`, { method: "POST", body, duplex: "half" });
    await entered.promise;
    let before = -1;
    while (before !== produced) {
      before = produced;
      for (let i = 0; i < 20; i++) await Bun.sleep(5);
    }
    expect(over).toBe(false);
    expect(produced).toBeLessThan(8 << 20);
    go.open();
    expect(await (await asked).text()).toBe(String(64 << 20));
  });

  test("F02 a body that fails fails the fetch with what it failed with, and the server sees an abort", async () => {
    const aborted = gate<string>();
    const entered = gate();
    const watched = suite.serve({
      fetch: async (request) => {
        entered.open();
        await request.text().then(
          () => aborted.open("all of it"),
          (error: Error) => aborted.open(error.name),
        );
        return new Response();
      },
    });
    const to = suite.client(watched);
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new Uint8Array(10));
        await entered.promise;
        controller.error(new RangeError("on purpose"));
      },
    });
    const error = await failure(to.fetch(`https://127.0.0.1:${watched.port}/`, { method: "POST", body, duplex: "half" }));
    expect(error).toEqual(new RangeError("on purpose"));
    expect(await aborted.promise).toBe("AbortError");
    const wrong = await failure(to.fetch(`https://127.0.0.1:${watched.port}/`, { method: "POST", body: streamOf([5]), duplex: "half" }));
    expect((wrong as Error).message).toContain("bytes or a string, not 5");
    const missing = await failure(to.fetch(`https://127.0.0.1:${watched.port}/`, { method: "POST", body: Bun.file("/nowhere") }));
    expect(missing).toMatchObject({ code: "ENOENT" });
    const locked = new ReadableStream();
    locked.getReader();
    expect(String(await failure(to.fetch(`https://127.0.0.1:${watched.port}/`, { method: "POST", body: locked })))).toContain("in use");
  });

  test("F02 a content-length of a request without a body is not sent", async () => {
    for (const [method, length] of [["GET", undefined], ["DELETE", undefined], ["POST", "0"]] as const) {
      const { headers } = (await (await ours("/mirror", { method, headers: { "content-length": "5" } })).json()) as { headers: Record<string, string> };
      expect([method, headers["content-length"]]).toEqual([method, length as string]);
    }
  });

  test("F02 a content-length that the stream breaks is a failure, on both sides", async () => {
    for (const length of [3, 5]) {
      const error = await failure(ours("/echo", { method: "POST", body: streamOf(["four"]), headers: { "content-length": String(length) } }));
      expect((error as Error).message).toContain("content-length");
    }
  });

  test("F02 the answer comes though the body is not through, and the rest of it is not wanted", async () => {
    let cancelled: unknown;
    const early = suite.serve({ fetch: () => new Response("enough", { status: 413 }) });
    const body = new ReadableStream({
      pull: (controller) => void controller.enqueue(new Uint8Array(64 << 10)),
      cancel: (reason) => void (cancelled = reason ?? "cancelled"),
    });
    const response = await suite.client(early).fetch(`https://127.0.0.1:${early.port}/`, { method: "POST", body, duplex: "half" });
    expect([response.status, await response.text()]).toEqual([413, "enough"]);
    await until(() => cancelled !== undefined);
  });
});

describe("F03 bodies of responses", () => {
  test("F03 in one piece, in many, as everything that a Response gives", async () => {
    const all = Bun.hash(bytes(3_000_000));
    expect(Bun.hash(await (await ours("/big")).bytes())).toBe(all);
    expect(Bun.hash(await (await ours("/big")).arrayBuffer())).toBe(all);
    expect(Bun.hash(await (await (await ours("/big")).blob()).arrayBuffer())).toBe(all);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await ours("/big")).body!) pieces.push(piece as Uint8Array);
    expect(Bun.hash(Buffer.concat(pieces))).toBe(all);
    const response = await ours("/big");
    const copy = response.clone();
    expect([copy.url, copy.status, copy instanceof H3Response]).toEqual([response.url, 200, true]);
    expect([Bun.hash(await copy.bytes()), Bun.hash(await response.bytes())]).toEqual([all, all]);
    expect(String(await failure(response.text()))).toContain("already used");
  });

  test("F03 the first chunk comes before the last is made", async () => {
    const go = gate();
    const halves = suite.serve({
      fetch: () =>
        new Response(
          (async function* () {
            yield "first";
            await go.promise;
            yield "second";
          })() as never,
        ),
    });
    const response = await suite.client(halves).fetch(`https://127.0.0.1:${halves.port}/`);
    const reader = response.body!.getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value as Uint8Array).toString()).toBe("first");
    go.open();
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe("second");
    expect((await reader.read()).done).toBe(true);
  });

  test("F03 what is not read is not sent, and cancel() tells the server", async () => {
    let made = 0;
    const ended = gate<string>();
    const endless = suite.serve({
      fetch: (request) => {
        request.signal.addEventListener("abort", () => ended.open("aborted"));
        return new Response(new ReadableStream({ pull: (controller) => (made++, controller.enqueue(new Uint8Array(64 << 10))) }));
      },
    });
    const to = suite.client(endless);
    const response = await to.fetch(`https://127.0.0.1:${endless.port}/`);
    const reader = response.body!.getReader();
    await reader.read();
    let before = -1;
    while (before !== made) {
      before = made;
      for (let i = 0; i < 20; i++) await Bun.sleep(5);
    }
    expect(made).toBeLessThan(256); // of 64 KiB: windows and high-water marks on the way
    await reader.cancel("enough");
    expect(await ended.promise).toBe("aborted");
    await until(() => to.stats().fetches_active === 0);
  });

  test("F03 a response that is dropped unread is given up", async () => {
    const ended = gate<string>();
    const endless = suite.serve({
      fetch: (request) => {
        request.signal.addEventListener("abort", () => ended.open("aborted"));
        return new Response(new ReadableStream({ pull: (controller) => void controller.enqueue(new Uint8Array(64 << 10)) }));
      },
    });
    const to = suite.client(endless);
    let over: string | undefined;
    void ended.promise.then((how) => (over = how));
    await (async () => void (await to.fetch(`https://127.0.0.1:${endless.port}/`)))();
    const deadline = performance.now() + 20_000;
    while (over === undefined && performance.now() < deadline) {
      Bun.gc(true);
      await Bun.sleep(10);
    }
    expect(over).toBe("aborted");
  });
});

describe("F05 giving up", () => {
  const hang = gate();
  let arrived = gate<Request>();
  const slow = suite.serve({
    routes: {
      "/never": async (request) => {
        arrived.open(request);
        await hang.promise;
        return new Response("late");
      },
      "/half": (request) => {
        arrived.open(request);
        return new Response(
          (async function* () {
            yield "half";
            await hang.promise;
          })() as never,
        );
      },
    },
  });
  const to = suite.client(slow);
  const at = `https://127.0.0.1:${slow.port}`;
  const aborted = (request: Request): Promise<void> => new Promise((resolve) => (request.signal.aborted ? resolve() : request.signal.addEventListener("abort", () => resolve())));

  test("F05 before it is asked: nothing reaches the server", async () => {
    const before = slow.stats().requests_total;
    const error = await failure(to.fetch(`${at}/never`, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ name: "AbortError" });
    expect(await failure(to.fetch(`${at}/never`, { signal: AbortSignal.abort("why") }))).toBe("why");
    let cancelled: unknown;
    const body = new ReadableStream({ cancel: (reason) => void (cancelled = reason) });
    await failure(to.fetch(`${at}/never`, { signal: AbortSignal.abort("why"), method: "POST", body }));
    expect(cancelled).toBe("why");
    expect(slow.stats().requests_total).toBe(before);
  });

  test("F05 while the head is awaited: the reason, and the server learns of it", async () => {
    arrived = gate();
    const controller = new AbortController();
    const asked = failure(to.fetch(`${at}/never`, { signal: controller.signal }));
    const request = await arrived.promise;
    controller.abort();
    expect(await asked).toMatchObject({ name: "AbortError" });
    await aborted(request);
    await until(() => to.stats().fetches_active === 0);
  });

  test("F05 while the body is read: the reader fails with the reason, and the server learns of it", async () => {
    arrived = gate();
    const controller = new AbortController();
    const response = await to.fetch(`${at}/half`, { signal: controller.signal });
    const text = failure(response.text());
    const request = await arrived.promise;
    controller.abort(new RangeError("mine"));
    expect(await text).toEqual(new RangeError("mine"));
    await aborted(request);
  });

  test("F05 by the signal of a Request, and behind the end nothing", async () => {
    arrived = gate();
    const controller = new AbortController();
    const asked = failure(to.fetch(new Request(`${at}/never`, { signal: controller.signal })));
    await arrived.promise;
    controller.abort();
    expect(await asked).toMatchObject({ name: "AbortError" });
    const other = new AbortController();
    const response = await ours("/text", { signal: other.signal });
    other.abort();
    expect(await response.text()).toBe("hello");
  });

  test("F05 a signal is let go of with the end, however that is", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = (): number => getEventListeners(signal, "abort").length;
    await (await ours("/text", { signal })).text();
    await (await ours("/big", { signal })).bytes();
    await (await ours("/mirror", { signal, method: "POST", body: streamOf(["some"]) })).text();
    await failure(client.fetch("https://127.0.0.1:9/", { signal }));
    await until(() => listeners() === 0);
    arrived = gate();
    const asked = failure(to.fetch(`${at}/never`, { signal }));
    await arrived.promise;
    expect(listeners()).toBe(1);
    controller.abort();
    await asked;
    expect(listeners()).toBe(0);
  });

  test("F05 AbortSignal.timeout()", async () => {
    expect(await failure(to.fetch(`${at}/never`, { signal: AbortSignal.timeout(20) }))).toMatchObject({ name: "TimeoutError" });
    const response = await to.fetch(`${at}/half`, { signal: AbortSignal.timeout(3000) });
    expect(await failure(response.text())).toMatchObject({ name: "TimeoutError" });
  });

  test("F05 a request's body that is under way is cancelled", async () => {
    const controller = new AbortController();
    let cancelled: unknown;
    const body = new ReadableStream({ pull: (c) => void c.enqueue(new Uint8Array(64 << 10)), cancel: (reason) => void (cancelled = reason) });
    arrived = gate();
    const asked = failure(to.fetch(`${at}/never`, { method: "POST", body, signal: controller.signal, duplex: "half" }));
    await arrived.promise;
    controller.abort("enough");
    expect(await asked).toBe("enough");
    await until(() => cancelled === "enough");
  });

  test("F06 the option timeout: no sign of the answer, then of the body; the connection serves on", async () => {
    const error = await failure(to.fetch(`${at}/never`, { timeout: 40 }));
    expect(error).toMatchObject({ name: "TimeoutError", cause: { name: "H3Error", code: "ZIG_H3_ERR_TIMEOUT" } });
    const response = await to.fetch(`${at}/half`, { timeout: 3000 });
    expect(await failure(response.text())).toMatchObject({ name: "TimeoutError" });
    expect(to.stats().connections_total).toBe(1);
    for (const timeout of [0, false, true, Infinity]) expect(await (await ours("/text", { timeout })).text()).toBe("hello");
  });

  test("F06 what the reader does not take costs no time", async () => {
    const response = await ours("/big", { timeout: 2000 });
    await Bun.sleep(4500);
    expect((await response.bytes()).length).toBe(3_000_000);
  });
});

describe("F08 whom a client believes", () => {
  const { certPath, keyPath } = certificate("fetch");
  const named = suite.serve({ tls: { cert: Bun.file(certPath), key: Bun.file(keyPath) }, fetch: () => new Response("believed") });
  const at = `https://127.0.0.1:${named.port}/`;
  const code = async (init: H3FetchInit): Promise<unknown> => {
    const error = await failure(h3Fetch(at, init));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as { code: string }).code).toBe(((error as Error).cause as { code: string }).code);
    return ((error as Error).cause as { code: string }).code;
  };

  test("F08 nobody unknown; an authority that is given, any, a hash; not by another name", async () => {
    expect(await code({})).toBe("ZIG_H3_ERR_UNKNOWN_AUTHORITY");
    for (const tls of [{ ca: Bun.file(certPath) }, { ca: await Bun.file(certPath).text() }, { ca: [Buffer.from(await Bun.file(certPath).bytes())] }, { rejectUnauthorized: false }]) {
      expect(await (await h3Fetch(at, { tls })).text()).toBe("believed");
    }
    expect(await code({ tls: { ca: Bun.file(certPath), serverName: "elsewhere.example" } })).toBe("ZIG_H3_ERR_WRONG_NAME");
    expect(await code({ serverCertificateHashes: ["00".repeat(32)] })).toBe("ZIG_H3_ERR_PIN");
    expect(await (await h3Fetch(origin + "/text", { serverCertificateHashes: [server.certificateHash] })).text()).toBe("hello");
  });

  test("K04 what differs in that shares no connection, and what does not, does", async () => {
    const believing = (): Promise<H3Response> => h3Fetch(at, { tls: { ca: Bun.file(certPath) } });
    const [one, two] = [await believing(), await believing()];
    const other = await h3Fetch(at, { tls: { rejectUnauthorized: false } });
    const ids = [one, two, other].map((response) => response.h3.connection!.id);
    expect(ids[0]).toBe(ids[1]!);
    expect(ids[2]).not.toBe(ids[0]!);
    expect(two.h3.connection!.reused).toBe(true);
  });
});

describe("F09 servers that are not there", () => {
  test("F09 nobody listens, nobody answers, no such name: each by its own code", async () => {
    const told = async (url: string, options: object): Promise<unknown> => {
      const error = (await failure(suite.client(undefined, { connectTimeoutMs: 300, ...options }).fetch(url))) as Error;
      expect(error).toBeInstanceOf(TypeError);
      return (error.cause as { code: string }).code;
    };
    expect(await told("https://127.0.0.1:1/", { connectTimeoutMs: 20_000 })).toBe("ZIG_H3_ERR_REFUSED");
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1" });
    expect(await told(`https://127.0.0.1:${silent.port}/`, {})).toBe("ZIG_H3_ERR_CONNECT_TIMEOUT");
    silent.close();
    expect(await told("https://nowhere.invalid/", { connectTimeoutMs: 20_000 })).toBe("ENOTFOUND");
  });

  test("hosts say where a name is", async () => {
    const named = suite.client(server, { hosts: { "one.example": `127.0.0.1:${server.port}` } });
    expect(await (await named.fetch("https://one.example/mirror")).json()).toMatchObject({ path: "/mirror" });
  });
});
