/** What h3Fetch() makes of answers: redirects, content codings, trailers, what HTTP/3 tells; and what it sends smaller. */
import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { withTrailers, type H3FetchInit, type H3Response } from "../../bindings/bun/src/index.ts";
import { failure, gate, Suite, until } from "./suite.ts";

const suite = new Suite();

const rest = (request: Request): string => new URL(request.url).search.slice(1);

/** Redirects with a status to what the query says. */
const redirect = (request: Request): Response => new Response("moved", { status: Number(new URL(request.url).pathname.split("/").pop()), headers: { location: decodeURIComponent(rest(request)) } });

async function mirror(request: Request): Promise<Response> {
  return Response.json({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body: await request.text() });
}

const routes = {
  "/to/:status": redirect,
  "/here": mirror,
  "/round/:n": (request: Request) => {
    const n = Number(new URL(request.url).pathname.split("/").pop());
    return n === 0 ? new Response("there") : new Response(null, { status: 302, headers: { location: `/round/${n - 1}` } });
  },
  "/bare": () => new Response("no location", { status: 302 }),
};

const server = suite.serve({ routes });
const other = suite.serve({ routes });
const reference = suite.reference({ routes });
const client = suite.client(server, { serverCertificateHashes: [server.certificateHash, other.certificateHash] });
const origin = `https://127.0.0.1:${server.port}`;
const elsewhere = `https://127.0.0.1:${other.port}`;
const ours = (path: string, init?: H3FetchInit): Promise<H3Response> => client.fetch(origin + path, init);
const theirs = (path: string, init: object = {}): Promise<Response> => fetch(`https://127.0.0.1:${reference.port}${path}`, { ...init, tls: { rejectUnauthorized: false } } as RequestInit);

interface Told {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

const told = async (response: Response): Promise<Told> => (await response.json()) as Told;

describe("F11 redirects", () => {
  const kept = ["content-type", "content-language", "content-length", "x-own"];
  for (const status of [301, 302, 303, 307, 308]) {
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE"]) {
      test(`F11 ${status} of ${method}: method, body and its fields as in Bun's fetch and in the standard`, async () => {
        const body = method === "GET" || method === "HEAD" ? undefined : new Blob(["body"], { type: "text/x" });
        const init = { method, body, headers: { "content-language": "de", "x-own": "1" } } as H3FetchInit & RequestInit;
        const [mine, reference] = [await ours(`/to/${status}?/here`, init), await theirs(`/to/${status}?/here`, init)];
        expect([mine.status, mine.redirected, mine.url]).toEqual([200, true, `${origin}/here`]);
        if (method === "HEAD") {
          expect(mine.body).toBe(null); // it is one still
          return;
        }
        const [a, b] = [await told(mine), await told(reference)];
        const said = ({ method, body, headers }: Told): object => ({ method, body, fields: kept.map((name) => (headers[name] === "0" ? undefined : headers[name])) });
        expect(said(a)).toEqual(said(b));
        const toGet = method === "POST" ? status < 304 : status === 303;
        expect(a).toMatchObject({ method: toGet ? "GET" : method, body: toGet || method === "GET" ? "" : "body" });
      });
    }
  }

  test("F11 manual gives it as it came, error fails, no location is no redirect", async () => {
    const manual = await ours("/to/302?/here", { redirect: "manual" });
    expect([manual.status, manual.headers.get("location"), manual.redirected, await manual.text()]).toEqual([302, "/here", false, "moved"]);
    expect(await failure(ours("/to/302?/here", { redirect: "error" }))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_REJECTED" });
    expect(await failure(client.fetch(new Request(`${origin}/to/302?/here`, { redirect: "error" })))).toMatchObject({ code: "ZIG_H3_ERR_REJECTED" });
    const bare = await ours("/bare");
    expect([bare.status, await bare.text()]).toEqual([302, "no location"]);
    for (const status of [300, 304, 305]) expect((await ours(`/to/${status}?/here`)).status).toBe(status);
  });

  test("F11 twenty are followed, one more is not, nor more than was said", async () => {
    expect(await (await ours("/round/20")).text()).toBe("there");
    expect(await failure(ours("/round/21"))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_LIMIT" });
    expect(await (await ours("/round/3", { maxRedirects: 3 })).text()).toBe("there");
    expect(await failure(ours("/round/4", { maxRedirects: 3 }))).toMatchObject({ code: "ZIG_H3_ERR_LIMIT" });
    await until(() => client.stats().fetches_active === 0);
  });

  test("F11 another origin gets neither authorization nor cookies, the same one does", async () => {
    const headers = { authorization: "Bearer x", cookie: "a=1", "proxy-authorization": "y", "x-own": "1" };
    const same = await told(await ours("/to/307?/here", { headers }));
    expect(same.headers).toMatchObject(headers);
    const cross = await told(await ours(`/to/307?${encodeURIComponent(`${elsewhere}/here`)}`, { headers }));
    expect(cross.url).toBe(`${elsewhere}/here`);
    expect(cross.headers["x-own"]).toBe("1");
    for (const name of ["authorization", "cookie", "proxy-authorization"]) expect([name, cross.headers[name]]).toEqual([name, undefined as unknown as string]);
  });

  test("F11 a host that was said goes to its own origin alone", async () => {
    const cross = await told(await ours(`/to/302?${encodeURIComponent(`${elsewhere}/here`)}`, { headers: { host: "one.example" } }));
    expect(cross.url).toBe(`${elsewhere}/here`);
    expect((await told(await ours("/to/302?/here", { headers: { host: "one.example" } }))).url).toBe("https://one.example/here");
  });

  test("F11 a stream cannot be sent again, unless nothing of it is", async () => {
    const stream = (): ReadableStream => new Blob(["body"]).stream();
    expect(await failure(ours("/to/307?/here", { method: "POST", body: stream() }))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_REJECTED" });
    expect(await told(await ours("/to/303?/here", { method: "POST", body: stream() }))).toMatchObject({ method: "GET", body: "" });
  });

  test("F11 a large body goes whole to where it is redirected, as it was when it was given", async () => {
    const body = Buffer.alloc(1 << 20, "given ");
    const expected = body.toString();
    const answer = ours("/to/307?%2Fto%2F308%3F%2Fhere", { method: "POST", body });
    body.fill(0);
    expect((await told(await answer)).body === expected).toBe(true);
  });

  test("F11 places that cannot be gone to", async () => {
    for (const [to, code] of [["http://127.0.0.1/", "ZIG_H3_ERR_INVALID_ARGUMENT"], ["data:,x", "ZIG_H3_ERR_INVALID_ARGUMENT"], ["https://[", "ZIG_H3_ERR_PROTOCOL"]]) {
      expect(await failure(ours(`/to/302?${encodeURIComponent(to!)}`))).toMatchObject({ name: "TypeError", code });
    }
  });

  test("F11 the fragment goes along, and shows in no URL", async () => {
    expect((await ours("/to/302?/here#part")).url).toBe(`${origin}/here`);
    expect((await ours("/to/302?%2Fhere%23other#part")).url).toBe(`${origin}/here`);
  });
});

describe("content codings", () => {
  const brotli = (bytes: Uint8Array): Uint8Array => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } });
  const codings: Record<string, (bytes: Uint8Array) => Uint8Array> = {
    gzip: (bytes) => zlib.gzipSync(bytes),
    "x-gzip": (bytes) => zlib.gzipSync(bytes),
    deflate: (bytes) => zlib.deflateSync(bytes),
    DEFLATE: (bytes) => zlib.deflateRawSync(bytes),
    br: (bytes) => brotli(bytes),
    zstd: (bytes) => zlib.zstdCompressSync(bytes),
    "gzip, br": (bytes) => brotli(zlib.gzipSync(bytes)),
    " gzip , identity": (bytes) => zlib.gzipSync(bytes),
  };
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  const large = Buffer.concat(Array.from({ length: 30 }, (_, i) => Buffer.concat([noise, Buffer.alloc(20_000, i)])));
  const bodies: Record<string, Uint8Array> = { small: Buffer.from("small ".repeat(100)), none: new Uint8Array(0), zeros: new Uint8Array(5_000_000), large };
  const packed = new Map<string, Uint8Array>();
  const pack = (what: string, coding: string): Uint8Array => {
    const key = `${what} ${coding}`;
    const bytes = packed.get(key) ?? (codings[coding] === undefined ? bodies[what]! : codings[coding](bodies[what]!));
    packed.set(key, bytes);
    return bytes;
  };
  const cut = zlib.gzipSync(large).subarray(0, 10_000);
  const shop = suite.serve({
    fetch: (request) => {
      const { pathname, searchParams } = new URL(request.url);
      const coding = searchParams.get("coding")!;
      const [, what, how] = pathname.split("/");
      const bytes = what === "cut" ? cut : what === "wrong" ? Buffer.from("this is none of that".repeat(1000)) : pack(what!, coding);
      const body = how === "stream" ? new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() : (bytes as Uint8Array<ArrayBuffer>);
      return new Response(body, { headers: { "content-encoding": coding } });
    },
  });
  const to = suite.client(shop);
  const buy = (what: string, coding: string, how = "whole", init?: H3FetchInit): Promise<H3Response> => to.fetch(`https://127.0.0.1:${shop.port}/${what}/${how}?coding=${encodeURIComponent(coding)}`, init);

  for (const coding of Object.keys(codings)) {
    test(`"${coding}" is undone, whole and in pieces`, async () => {
      for (const [name, bytes] of Object.entries(bodies)) {
        for (const how of ["whole", "stream"]) {
          const response = await buy(name, coding, how);
          expect([name, how, Bun.hash(await response.bytes())]).toEqual([name, how, Bun.hash(bytes)]);
          expect(response.headers.get("content-encoding")).toBe(coding.trim());
        }
      }
    });
  }

  test("what is not known stays as it is, and so does everything with decompress: false", async () => {
    expect(await (await buy("small", "compress")).text()).toBe("small ".repeat(100));
    expect(await (await buy("small", "gzip, compress")).text()).toBe("small ".repeat(100));
    const raw = await (await buy("small", "gzip", "whole", { decompress: false })).bytes();
    expect(zlib.gunzipSync(raw).toString()).toBe("small ".repeat(100));
    expect(await failure(buy("small", "gzip,gzip,gzip,gzip,gzip,gzip"))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_PROTOCOL" });
  });

  test("what is cut off or wrong is an error, never a short success", async () => {
    for (const how of ["whole", "stream"]) {
      expect(await failure((await buy("cut", "gzip", how)).bytes())).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_TRUNCATED" });
      for (const coding of ["gzip", "deflate", "br", "zstd"]) {
        expect([coding, await failure((await buy("wrong", coding, how)).bytes())]).toMatchObject([coding, { name: "TypeError", code: "ZIG_H3_ERR_PROTOCOL" }]);
      }
    }
  });

  test("zstd that is cut off anywhere is an error, never a short success", async () => {
    const frames: Record<string, Uint8Array> = {
      "one block": zlib.zstdCompressSync("again and again ".repeat(10)),
      "a checksum, a large content": zlib.zstdCompressSync(Buffer.alloc(70_000, 1), { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }),
      "many blocks": zlib.zstdCompressSync(large),
      "two frames and one that is skipped": Buffer.concat([
        zlib.zstdCompressSync("one"), Buffer.from("502a4d1803000000aabbcc", "hex"), zlib.zstdCompressSync("two"),
      ]),
    };
    let sent: Uint8Array = new Uint8Array(0);
    const short = suite.serve({
      fetch: (request) => {
        const body = request.url.endsWith("/stream") ? new Blob([sent as Uint8Array<ArrayBuffer>]).stream() : (sent as Uint8Array<ArrayBuffer>);
        return new Response(body, { headers: { "content-encoding": "zstd" } });
      },
    });
    const of = suite.client(short);
    for (const [what, frame] of Object.entries(frames)) {
      const all = new Bun.CryptoHasher("sha256").update(zlib.zstdDecompressSync(frame)).digest("hex");
      const cuts = [1, 3, 4, 5, 6, 8, 10, frame.length >> 1, frame.length - 4, frame.length - 1].filter((cut) => cut < frame.length);
      for (const how of ["whole", "stream"]) {
        const get = () => of.fetch(`https://127.0.0.1:${short.port}/${how}`);
        for (const cut of cuts) {
          sent = frame.subarray(0, cut);
          expect([what, how, cut, await failure((await get()).bytes())]).toMatchObject([what, how, cut, { name: "TypeError", code: "ZIG_H3_ERR_TRUNCATED" }]);
        }
        sent = frame;
        expect([what, how, new Bun.CryptoHasher("sha256").update(await (await get()).bytes()).digest("hex")]).toEqual([what, how, all]);
      }
    }
  });

  test("what is broken off behind the end of the coding is an error, too", async () => {
    const [read, broken] = [gate(), gate()];
    const packed = Buffer.concat([zlib.deflateSync(noise), Buffer.from("what is nothing")]);
    const breaking = suite.serve({
      fetch: () =>
        new Response(
          (async function* () {
            yield packed;
            await read.promise;
            yield "and more of it";
            await broken.promise;
            throw new Error("on purpose");
          })() as never,
          { headers: { "content-encoding": "deflate" } },
        ),
    });
    const client = suite.client(breaking);
    const reader = (await client.fetch(`https://127.0.0.1:${breaking.port}/`)).body!.getReader();
    let length = 0;
    while (length < noise.length) length += ((await reader.read()).value as Uint8Array).length;
    const last = failure(reader.read());
    read.open();
    await until(() => client.stats().body_bytes_in! > packed.length);
    broken.open();
    expect(await last).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_RESET" });
  });

  test("a bomb costs its reader what it reads, and no more", async () => {
    const bomb = suite.serve({ fetch: () => new Response(bombs(), { headers: { "content-encoding": "gzip" } }) });
    // A gigabyte of zeros in a megabyte.
    const block = new Uint8Array(16 << 20);
    function bombs(): ReadableStream {
      const gzip = zlib.createGzip({ level: 9 }).setMaxListeners(0);
      let left = 64;
      const feed = (): void => void (left-- > 0 ? gzip.write(block, feed) : gzip.end());
      feed();
      return new ReadableStream({
        async pull(controller) {
          for (;;) {
            const piece = gzip.read() as Uint8Array | null;
            if (piece !== null) return controller.enqueue(piece);
            if (gzip.readableEnded) return controller.close();
            await new Promise<void>((resolve) => gzip.once("readable", resolve).once("end", resolve));
          }
        },
        cancel: () => void gzip.destroy(),
      });
    }
    const before = process.memoryUsage.rss();
    const response = await suite.client(bomb).fetch(`https://127.0.0.1:${bomb.port}/`);
    const reader = response.body!.getReader();
    let length = 0;
    while (length < 50 << 20) length += ((await reader.read()).value as Uint8Array).length;
    await reader.cancel();
    expect(process.memoryUsage.rss() - before).toBeLessThan(400 << 20);
  });

  test("cancel() in the middle tells the server", async () => {
    const gone = gate();
    const endless = suite.serve({
      fetch: (request) => {
        request.signal.addEventListener("abort", () => gone.open());
        const piece = zlib.gzipSync(noise);
        return new Response(new ReadableStream({ pull: (controller) => void controller.enqueue(piece) }), { headers: { "content-encoding": "gzip" } });
      },
    });
    const response = await suite.client(endless).fetch(`https://127.0.0.1:${endless.port}/`);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await gone.promise;
  });

  test("ranges are asked for as they are", async () => {
    const headers = (await told(await ours("/here", { headers: { range: "bytes=0-1" } }))).headers;
    expect([headers.range, headers["accept-encoding"]]).toEqual(["bytes=0-1", "identity"]);
    expect((await told(await ours("/here", { headers: { range: "bytes=0-1", "accept-encoding": "br" } }))).headers["accept-encoding"]).toBe("br");
  });
});

test("G10 a file that is asked for in parts, as resumed downloads do", async () => {
  const all = crypto.getRandomValues(new Uint8Array(60_000));
  const path = `${process.env.TMPDIR ?? "/tmp"}/h3-ranges-${process.pid}`;
  await Bun.write(path, all);
  const files = suite.serve({
    fetch: (request) => {
      const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get("range")!)!;
      const file = Bun.file(path);
      if (from === "") return new Response(file.slice(all.length - Number(to), all.length));
      if (Number(from) >= all.length) return new Response(null, { status: 416 });
      return new Response(file.slice(Number(from), to === "" ? all.length : Number(to) + 1));
    },
  });
  const to = suite.client(files);
  const get = (range: string): Promise<H3Response> => to.fetch(`https://127.0.0.1:${files.port}/file`, { headers: { range } });
  const parts = [
    ["bytes=0-99", 0, 100], ["bytes=1000-", 1000, 60_000], ["bytes=59000-", 59_000, 60_000], ["bytes=-100", 59_900, 60_000], ["bytes=0-0", 0, 1],
    ["bytes=59999-59999", 59_999, 60_000],
  ] as const;
  for (const [range, from, end] of parts) {
    const response = await get(range);
    const said = ["content-range", "content-length"].map((name) => response.headers.get(name));
    expect([range, response.status, ...said]).toEqual([range, 206, `bytes ${from}-${end - 1}/60000`, String(end - from)]);
    expect(await response.bytes()).toEqual(all.slice(from, end));
  }
  expect((await get("bytes=60000-")).status).toBe(416);
  await Bun.file(path).delete();
});

describe("the option compress", () => {
  const undo: Record<string, (bytes: Uint8Array) => Uint8Array> = {
    gzip: (bytes) => zlib.gunzipSync(bytes),
    deflate: (bytes) => zlib.inflateSync(bytes),
    br: (bytes) => zlib.brotliDecompressSync(bytes),
    zstd: (bytes) => zlib.zstdDecompressSync(bytes),
  };
  const store = suite.serve({
    fetch: async (request) => {
      const coding = request.headers.get("content-encoding");
      const came = await request.bytes();
      const bytes = coding === null || coding === "own" ? came : undo[coding]!(came);
      return Response.json({ coding, length: came.length, said: Number(request.headers.get("content-length")), hash: String(Bun.hash(bytes)) });
    },
  });
  const to = suite.client(store);
  const put = async (body: H3FetchInit["body"], init: H3FetchInit): Promise<Record<string, unknown>> =>
    (await (await to.fetch(`https://127.0.0.1:${store.port}/`, { method: "POST", body, ...init })).json()) as Record<string, unknown>;
  const text = "again and again ".repeat(50_000);
  const hash = String(Bun.hash(text));

  for (const [compress, coding] of [[true, "gzip"], ["gzip", "gzip"], ["deflate", "deflate"], ["br", "br"], ["zstd", "zstd"], [{ encoding: "br", level: 1 }, "br"], [{ encoding: "zstd", level: 19 }, "zstd"]] as const) {
    test(`compress: ${JSON.stringify(compress)}`, async () => {
      for (const body of [text, new Blob([text]), Buffer.from(text)]) {
        const { length, said, ...stored } = await put(body, { compress });
        expect(stored).toEqual({ coding, hash });
        expect(said).toBe(length as number);
        expect(length).toBeLessThan(20_000);
      }
    });
  }

  test("streams, and what has a coding already, go as they are", async () => {
    expect(await put(new Blob([text]).stream(), { compress: true })).toMatchObject({ coding: null, hash, length: text.length });
    expect(await put(text, { compress: true, headers: { "content-encoding": "own" } })).toMatchObject({ coding: "own", hash, length: text.length });
    expect(await put(text, { compress: false })).toMatchObject({ coding: null, hash });
  });

  test("a level that is none", async () => {
    expect(await failure(put(text, { compress: { encoding: "gzip", level: 10 } }))).toBeInstanceOf(RangeError);
    expect(await failure(put(text, { compress: { encoding: "gzip", level: 1.5 } }))).toBeInstanceOf(TypeError);
  });
});

describe("what HTTP/3 tells beside the Response", () => {
  const go = gate();
  const broken = gate();
  const told = suite.serve({
    routes: {
      "/trailers": () => withTrailers(new Response("body"), { "x-sum": "1", "x-more": "2" }),
      "/late": () =>
        withTrailers(
          new Response(
            (async function* () {
              yield "half";
              await go.promise;
              yield "half";
            })() as never,
          ),
          () => new Headers({ "x-sum": "late" }),
        ),
      "/none": () => new Response("none"),
      "/priority": (request) => new Response(request.headers.get("priority")),
      "/fails": () =>
        new Response(
          (async function* () {
            yield "half";
            await broken.promise;
            throw new Error("on purpose");
          })() as never,
        ),
    },
  });
  const to = suite.client(told);
  const at = `https://127.0.0.1:${told.port}`;

  test("F14 trailers", async () => {
    const response = await to.fetch(`${at}/trailers`);
    expect(await response.text()).toBe("body");
    expect([...(await response.h3.trailers)]).toEqual([["x-more", "2"], ["x-sum", "1"]]);
    expect(response.trailers).toBe(response.h3.trailers);
    const late = await to.fetch(`${at}/late`);
    let there = false;
    void late.trailers.then(() => (there = true));
    const text = late.text();
    expect(there).toBe(false);
    go.open();
    expect([await text, (await late.trailers).get("x-sum")]).toEqual(["halfhalf", "late"]);
    expect([...(await (await to.fetch(`${at}/none`)).trailers)]).toEqual([]);
  });

  test("F14 trailers of a body that fails", async () => {
    const response = await to.fetch(`${at}/fails`);
    broken.open(); // a reset could overtake the head
    const error = await failure(response.text());
    expect(error).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_RESET" });
    expect(await failure(response.trailers)).toBe(error);
  });

  test("connection, stream and times", async () => {
    const before = performance.now();
    const [one, two] = [await to.fetch(`${at}/none`), await to.fetch(`${at}/none`)];
    await one.text();
    expect(one.h3.connection!.remote).toEqual({ address: "127.0.0.1", port: told.port, family: "IPv4" });
    expect(two.h3.connection).toMatchObject({ id: one.h3.connection!.id, reused: true });
    expect(two.h3.streamId).toBe(one.h3.streamId + 4);
    const { start, head, end } = one.h3.timings;
    const times = [before, start, head, end!, performance.now()];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test("what is done to one answer's headers is not seen in the next one's", async () => {
    const one = await to.fetch(`${at}/none`);
    one.headers.set("content-type", "other");
    one.headers.append("x-own", "1");
    const copy = one.clone();
    const next = await to.fetch(`${at}/none`);
    expect([copy.headers.get("x-own"), next.headers.get("x-own"), next.headers.get("content-type")]).toEqual(["1", null, "text/plain;charset=utf-8"]);
  });

  test("the option priority", async () => {
    const sent = async (priority: H3FetchInit["priority"], headers = {}): Promise<string> => (await to.fetch(`${at}/priority`, { priority, headers })).text();
    expect(await Promise.all([sent("high"), sent("low"), sent("auto"), sent({ urgency: 0 }), sent({ incremental: true })])).toEqual(["u=1", "u=5", "", "u=0", "u=3, i"]);
    expect(await sent("high", { priority: "u=7" })).toBe("u=7");
    expect(await failure(sent({ urgency: 8 }))).toBeInstanceOf(RangeError);
  });

  test("a Response that is passed on by a server of ours has its trailers, too", async () => {
    const front = suite.serve({ fetch: () => to.fetch(`${at}/trailers`) });
    const response = await suite.client(front).fetch(`https://127.0.0.1:${front.port}/`);
    expect([await response.text(), (await response.trailers).get("x-sum")]).toEqual(["body", "1"]);
    const plain = suite.serve({ fetch: () => to.fetch(`${at}/none`) });
    const passed = await suite.client(plain).fetch(`https://127.0.0.1:${plain.port}/`);
    expect([await passed.text(), [...(await passed.trailers)]]).toEqual(["none", []]);
  });
});
