/** What a client gets of a response. */
import { describe, expect, test } from "bun:test";
import { withTrailers, type LogRecord } from "../../bindings/bun/src/index.ts";
import { ERROR } from "../../bindings/bun/src/native/layout.ts";
import { library } from "../../bindings/bun/src/native/library.ts";
import { Suite, gate, settled, until } from "./suite.ts";
import { Answer, sha256 } from "./client.ts";

const suite = new Suite();
const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s);

describe("responses", () => {
  test("P01 every kind of body, with its content-type and content-length", async () => {
    const form = (): FormData => {
      const data = new FormData();
      data.set("name", "value");
      return data;
    };
    const bodies: Record<string, () => Response> = {
      "/string": () => new Response("ä string"),
      "/json": () => Response.json({ a: [1] }),
      "/bytes": () => new Response(new Uint8Array([0, 1, 255])),
      "/buffer": () => new Response(new ArrayBuffer(300)),
      "/blob": () => new Response(new Blob(["a blob"], { type: "text/x-thing" })),
      "/file": () => new Response(new File(["in memory"], "a.html", { type: "text/html" })),
      "/large-file": () => new Response(new File(["in memory".repeat(100_000)], "a.txt")),
      "/form": () => new Response(form()),
      "/params": () => new Response(new URLSearchParams({ q: "a b" })),
      "/null": () => new Response(null),
      "/empty": () => new Response(""),
      "/typed": () => new Response("<p>", { headers: { "Content-Type": "text/html" }, status: 201 }),
      "/large": () => new Response("0123456789".repeat(100_000)),
    };
    const answers = await suite.same(
      { routes: bodies },
      Object.keys(bodies).map((path) => [path]),
    );
    expect(answers.map((a) => [a.status, a.report.bytes, a.header("content-type")?.split("=")[0] ?? null])).toEqual([
      [200, 9, "text/plain;charset"],
      [200, 9, "application/json;charset"],
      [200, 3, "application/octet-stream"],
      [200, 300, "application/octet-stream"],
      [200, 6, "text/x-thing"],
      [200, 9, "text/html;charset"],
      [200, 900_000, "text/plain;charset"],
      [200, 172, "multipart/form-data; boundary"],
      [200, 5, "application/x-www-form-urlencoded;charset"],
      [200, 0, null],
      [200, 0, null],
      [201, 3, "text/html"],
      [200, 1_000_000, "text/plain;charset"],
    ]);
  });

  test("P01 a Blob without a type is called text when it is, also a large one", async () => {
    const server = suite.serve({
      routes: {
        "/text": () => new Response(new Blob(["a" + "ä".repeat(200_000)])),
        "/no-text": () => new Response(new Blob([new Uint8Array(400_000).fill(0xe4)])),
      },
    });
    const connection = await suite.connect(server);
    const types = [];
    for (const path of ["/text", "/no-text"]) types.push((await connection.fetch(path)).header("content-type"));
    expect(types).toEqual(["text/plain;charset=utf-8", "application/octet-stream"]);
  });

  test("P01 large bytes arrive whole, and the handler's own stay as they are", async () => {
    const content = new Uint8Array((1 << 20) + 3).map((_, i) => (i * 7) >> 3);
    const whole = sha256(content);
    const bodies: Record<string, () => Response> = {
      "/bytes": () => new Response(content),
      "/part": () => new Response(content.subarray(1, (256 << 10) + 2)),
      "/buffer": () => new Response(content.buffer),
      "/blob": () => new Response(new Blob([content])),
      "/status": () => new Response(content, { status: 404 }),
    };
    const paths = Object.keys(bodies);
    const answers = await suite.same({ routes: bodies }, [...paths, ...paths].map((path) => [path]));
    const expected = [
      [200, whole, String(content.length)],
      [200, sha256(content.subarray(1, (256 << 10) + 2)), String((256 << 10) + 1)],
      [200, whole, String(content.length)],
      [200, whole, String(content.length)],
      [404, whole, String(content.length)],
    ];
    expect(answers.map((a) => [a.status, a.report.sha256, a.header("content-length")])).toEqual([...expected, ...expected]);
    expect(sha256(content)).toBe(whole);
  });

  test("P02 a stream of three chunks arrives as it is produced", async () => {
    const gates = [gate(), gate()];
    const server = suite.serve({
      fetch: () => {
        let i = 0;
        return new Response(
          new ReadableStream<Uint8Array>({
            async pull(controller) {
              if (i > 0) await gates[i - 1]!.promise;
              controller.enqueue(text(`chunk ${i}`));
              if (++i === 3) controller.close();
            },
          }),
        );
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/");
    for (const open of gates) {
      const so = await exchange.response((gates.indexOf(open) + 1) * 7);
      expect([so.status, so.ended]).toEqual([200, false]);
      open.open();
    }
    const answer = new Answer(await exchange.response());
    expect([answer.text, answer.report.ended]).toEqual(["chunk 0chunk 1chunk 2", true]);
    await connection.close();
  });

  test("P07 where slow readers hold all that may wait, another response goes out in pieces as there is room, and is not tried again and again", async () => {
    const size = 100 << 10;
    const body = new Uint8Array(size).map((_, i) => i >> 4);
    const server = suite.serve({ fetch: () => new Response(body), engine: { max_queued_response_bytes: 1 << 20 } });
    const native = library() as { zig_h3_response_send: (...args: never[]) => number };
    const send = native.zig_h3_response_send;
    const codes: number[] = [];
    native.zig_h3_response_send = (...args) => {
      codes.push(send(...args));
      return codes.at(-1)!;
    };
    try {
      const slow = await suite.connect(server, { maxStreamData: 4096 });
      const exchanges = [];
      for (let i = 0; i < 20; i++) exchanges.push(await slow.request("/", { allowance: 0 }));
      for (const exchange of exchanges) await exchange.response("headers");
      const other = await suite.connect(server);
      const head = await other.fetch("/", { method: "HEAD" });
      expect([head.status, head.header("content-length"), head.report.bytes]).toEqual([200, String(size), 0]);
      for (const exchange of exchanges) await exchange.allow();
      for (const exchange of exchanges) expect((await exchange.response()).sha256).toBe(sha256(body));
      expect(new Set(codes)).toEqual(new Set([0, ERROR.WOULD_BLOCK]));
      expect(codes.length).toBe(20 + 1); // each once: the answer to HEAD keeps nothing of its body, so it needs no room
    } finally {
      native.zig_h3_response_send = send;
    }
  });

  test("P02 a direct stream is pulled once, and ends where an async pull() returns or at end(), as in Bun.serve()", async () => {
    const pulls: Record<string, number> = {};
    const long = new Uint8Array(200 << 10).map((_, i) => i >> 3);
    const direct = (name: string, pull: (controller: ReadableStreamDirectController) => void | Promise<void>) => (): Response => {
      const counted = (controller: ReadableStreamDirectController): void | Promise<void> => {
        pulls[name] = (pulls[name] ?? 0) + 1;
        return pull(controller);
      };
      return new Response(new ReadableStream({ type: "direct", pull: counted }));
    };
    const routes = {
      "/end-at-once": direct("end-at-once", (c) => {
        c.write("at ");
        c.write(text("once"));
        c.end();
      }),
      "/end-later": direct("end-later", (c) => {
        c.write("A");
        c.flush();
        setTimeout(() => {
          c.write("B");
          c.end();
        }, 5);
      }),
      "/async": direct("async", async (c) => {
        c.write("b");
        await Bun.sleep(5);
        c.write("un");
      }),
      "/async-flush": direct("async-flush", async (c) => {
        for (const part of ["one ", "two ", "three"]) {
          c.write(part);
          await c.flush();
          await Bun.sleep(1);
        }
      }),
      "/nothing": direct("nothing", async () => {}),
      "/large": direct("large", async (c) => {
        for (let i = 0; i < 200; i++) await c.write(long.subarray(i << 10, (i + 1) << 10));
      }),
    };
    const names = Object.keys(routes);
    for (const server of [suite.serve({ routes }), suite.reference({ routes })]) {
      const connection = await suite.connect(server);
      const answers = await Promise.all(names.map((name) => connection.fetch(name)));
      expect(answers.map((a) => a.report.sha256)).toEqual(["at once", "AB", "bun", "one two three", "", long].map(sha256));
      expect(answers.map((a) => [a.status, a.report.ended])).toEqual(names.map(() => [200, true]));
    }
    expect(pulls).toEqual(Object.fromEntries(names.map((name) => [name.slice(1), 2]))); // once on each server
  });

  test("P02 a direct stream arrives as it is flushed, fails with its pull(), and waits for a slow client", async () => {
    const proceed = gate();
    const cancelled = gate<unknown>();
    const late = gate<unknown>();
    let written = 0;
    const server = suite.serve({
      routes: {
        "/parts": () =>
          new Response(
            new ReadableStream({
              type: "direct",
              async pull(controller) {
                controller.write("first");
                await controller.flush();
                await proceed.promise;
                controller.write("second");
              },
            }),
          ),
        "/fails": () =>
          new Response(
            new ReadableStream({
              type: "direct",
              async pull(controller) {
                controller.write("so far");
                await controller.flush();
                throw new Error("no further");
              },
            }),
          ),
        "/throws": () =>
          new Response(
            new ReadableStream({
              type: "direct",
              pull(controller) {
                setTimeout(() => {
                  try {
                    controller.write("late");
                    late.open("taken");
                  } catch (error) {
                    late.open(error);
                  }
                }, 1);
                throw new Error("at once");
              },
            }),
          ),
        "/endless": () =>
          new Response(
            new ReadableStream({
              type: "direct",
              async pull(controller) {
                while ((await controller.write(new Uint8Array(1 << 16))) > 0) written += 1 << 16;
              },
              cancel: cancelled.open,
            } as Bun.DirectUnderlyingSource<Uint8Array>),
          ),
      },
    });
    const connection = await suite.connect(server);
    const parts = await connection.request("/parts");
    expect((await parts.response(5)).ended).toBe(false);
    proceed.open();
    expect(new Answer(await parts.response()).text).toBe("firstsecond");

    expect((await connection.fetch("/fails")).report.reset).toBe(0x102);
    await connection.fetch("/throws");
    expect(await late.promise).toBeInstanceOf(TypeError); // where it was written, not where nobody can catch it

    const endless = await connection.request("/endless", { allowance: 0 });
    await endless.response("headers");
    await until(() => written > 0);
    await connection.fetch("/parts"); // the time in which a stream that waits for nobody would fill the memory
    expect(written).toBeLessThan(8 << 20);
    await endless.abort();
    expect(await cancelled.promise).toBeInstanceOf(DOMException);
    await connection.close();
    await settled(server);
  });

  test("P02 ReadableStream is to programs what it was", () => {
    class Own extends (ReadableStream as new () => ReadableStream) {}
    const [plain, own] = [new ReadableStream({ type: "direct", pull() {} }), new Own()];
    expect([plain instanceof ReadableStream, own instanceof ReadableStream, own instanceof Own]).toEqual([true, true, true]);
    expect(plain.constructor).toBe(ReadableStream);
    expect(Object.getPrototypeOf(plain)).toBe(ReadableStream.prototype);
    expect([ReadableStream.name, ReadableStream.length, Object.keys(globalThis).includes("ReadableStream")]).toEqual(["ReadableStream", 0, false]);
    expect(() => new ReadableStream(null as never)).toThrow(TypeError);
  });

  test("P02 a stream that fails in the middle resets with H3_INTERNAL_ERROR", async () => {
    const proceed = gate();
    const server = suite.serve({
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start: (controller) => controller.enqueue(text("so far")),
            async pull() {
              await proceed.promise;
              throw new Error("no further");
            },
          }),
        ),
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/");
    await exchange.response(6);
    proceed.open();
    const report = await exchange.response();
    expect([report.status, report.reset, report.ended]).toEqual([200, 0x102, false]);
    await connection.close();
    await settled(server);
  });

  test("P02 what fetch() gives is passed on, also while its body is on its way", async () => {
    const proceed = gate();
    const upstream = Bun.serve({
      port: 0,
      routes: {
        "/coming": () =>
          new Response(
            (async function* () {
              yield "first";
              await proceed.promise;
              yield ", last";
            })() as unknown as ReadableStream,
            { headers: { "x-from": "upstream" } },
          ),
        "/there": () => new Response("all of it", { status: 404 }),
        "/packed": () => new Response(Bun.gzipSync(text("packed".repeat(100))), { headers: { "content-encoding": "gzip" } }),
      },
    });
    const server = suite.serve({
      routes: {
        "/made/:what": async (request) => {
          const response = await fetch(upstream.url + request.params.what!);
          return new Response(response.body, response);
        },
        "/:what": (request) => fetch(upstream.url + request.params.what!),
      },
    });
    const connection = await suite.connect(server);
    const coming = await connection.request("/coming");
    expect((await coming.response(5)).ended).toBe(false);
    proceed.open();
    const answers = [new Answer(await coming.response())];
    for (const path of ["/there", "/packed", "/made/coming", "/made/there", "/made/packed"]) answers.push(await connection.fetch(path));
    expect(answers.map((a) => [a.status, a.text, a.header("x-from"), a.report.ended])).toEqual([
      [200, "first, last", "upstream", true],
      [404, "all of it", null, true],
      [200, "packed".repeat(100), null, true],
      [200, "first, last", "upstream", true],
      [404, "all of it", null, true],
      [200, "packed".repeat(100), null, true],
    ]);
    await upstream.stop(true);
  });

  test("P03 an async generator as body: each chunk arrives before the next is made", async () => {
    const gates = [gate(), gate()];
    const server = suite.serve({
      fetch: () =>
        new Response(
          (async function* () {
            yield "one,";
            await gates[0]!.promise;
            yield text("two,");
            await gates[1]!.promise;
            yield "three";
          })() as unknown as ReadableStream,
        ),
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/");
    await exchange.response("one,".length);
    gates[0]!.open();
    await exchange.response("one,two,".length);
    gates[1]!.open();
    const answer = new Answer(await exchange.response());
    expect([answer.text, answer.report.ended]).toEqual(["one,two,three", true]);
    await connection.close();
  });

  test("P06 204, 205, 304 and HEAD send no body", async () => {
    const answers = await suite.same(
      {
        routes: {
          "/204": () => new Response("not sent", { status: 204 }),
          "/205": () => new Response("not sent", { status: 205 }),
          "/205-stream": () => new Response(new ReadableStream({ start: (c) => c.enqueue(text("not sent")) }), { status: 205 }),
          "/304": () => new Response(null, { status: 304, headers: { etag: '"v1"' } }),
          "/304-content": () => new Response("not sent", { status: 304 }),
          "/head": () => new Response("the body"),
          "/stream": () => new Response(new ReadableStream({ start: (c) => (c.enqueue(text("streamed")), c.close()) })),
        },
      },
      [["/204"], ["/205"], ["/205-stream"], ["/304"], ["/304-content"], ["/head", { method: "HEAD" }], ["/stream", { method: "HEAD" }]],
    );
    expect(answers.map((a) => [a.status, a.report.bytes, a.report.ended])).toEqual([
      [204, 0, true],
      [205, 0, true],
      [205, 0, true],
      [304, 0, true],
      [304, 0, true],
      [200, 0, true],
      [200, 0, true],
    ]);
    expect(answers[5]!.header("content-length")).toBe("8");
  });

  test("P12 headers of HTTP/1 and a wrong content-length: code moves over unchanged", async () => {
    const answers = await suite.same(
      {
        routes: {
          "/connection": () =>
            new Response("kept", { headers: { connection: "keep-alive", "keep-alive": "timeout=5", "x-kept": "yes" } }),
          "/encoding": () => new Response("kept", { headers: { "transfer-encoding": "chunked", upgrade: "h2c" } }),
          "/short": () => new Response("hello", { headers: { "content-length": "3" } }),
          "/long": () => new Response("hello", { headers: { "content-length": "30" } }),
        },
      },
      [["/connection"], ["/encoding"], ["/short"], ["/long"]],
    );
    expect(answers.map((a) => [a.status, a.text, a.header("content-length"), a.header("x-kept")])).toEqual([
      [200, "kept", "4", "yes"],
      [200, "kept", "4", null],
      [200, "hello", "5", null],
      [200, "hello", "5", null],
    ]);
  });

  test("P12 a stream keeps its content-length or is reset, and no other response suffers", async () => {
    const sends = (length: string, headers: Record<string, string> = {}) => () =>
      new Response(
        (async function* () {
          yield "12345";
          await Bun.sleep(1);
          yield "67890";
        })() as unknown as ReadableStream,
        { headers: { "content-length": length, ...headers } },
      );
    const messages: string[] = [];
    const server = suite.serve({
      onLog: ({ message }) => messages.push(message),
      routes: {
        "/right": sends("10"),
        "/short": sends("7"),
        "/long": sends("11"),
        "/none": sends("ten"),
        "/decoded": sends("3", { "content-encoding": "gzip" }),
      },
    });
    const connection = await suite.connect(server);
    const answers = [];
    for (const path of ["/right", "/short", "/long", "/none", "/decoded"]) {
      const answer = await connection.fetch(path);
      const { ended, reset } = answer.report;
      answers.push(ended ? [path, answer.header("content-length"), answer.text] : [path, reset]);
    }
    expect(answers).toEqual([
      ["/right", "10", "1234567890"],
      ["/short", 0x102],
      ["/long", 0x102],
      ["/none", null, "1234567890"],
      ["/decoded", null, "1234567890"],
    ]);
    expect(messages).toEqual([
      "the body of a response failed: it is longer than its content-length of 7",
      "the body of a response failed: it has 10 bytes, and a content-length of 11",
    ]);
    expect((await connection.fetch("/long", { method: "HEAD" })).header("content-length")).toBe("11");
  });

  test("P12 headers of HTTP/1 beside a stream are left out, too", async () => {
    const server = suite.serve({
      fetch: () =>
        new Response(new ReadableStream({ start: (c) => (c.enqueue(text("kept")), c.close()) }), {
          headers: { connection: "close", "x-kept": "yes" },
        }),
    });
    const connection = await suite.connect(server);
    const answer = await connection.fetch("/");
    expect([answer.status, answer.text, answer.header("connection"), answer.header("x-kept")]).toEqual([
      200,
      "kept",
      null,
      "yes",
    ]);
  });

  test("P12 a status that is none, and headers that are too large, are 500 through error()", async () => {
    const messages: string[] = [];
    const server = suite.serve({
      routes: {
        "/status": () => Response.error(),
        "/large": () => new Response("", { headers: { "x-large": "x".repeat(70_000) } }),
        "/status-and-bytes": () => new Response(new Uint8Array(1 << 20), { status: 101 }),
        "/large-and-bytes": () => new Response(new Uint8Array(1 << 20), { headers: { "x-large": "x".repeat(70_000) } }),
      },
      error: (error) => {
        messages.push(error.message);
        return new Response("failed", { status: 500 });
      },
    });
    const connection = await suite.connect(server);
    for (const path of ["/status", "/large", "/status-and-bytes", "/large-and-bytes"]) {
      const answer = await connection.fetch(path);
      expect([path, answer.status, answer.text]).toEqual([path, 500, "failed"]);
    }
    for (const i of [0, 2]) expect(messages[i]).toContain("status");
    for (const i of [1, 3]) expect(messages[i]).toContain("64 KiB");
  });

  test("E03 a Response whose body is used or locked is 500 through error(), and never hangs", async () => {
    const thrown: string[] = [];
    const server = suite.serve({
      routes: {
        "/used": async () => {
          const response = new Response("once");
          await response.text();
          return response;
        },
        "/locked": () => {
          const response = new Response(new ReadableStream({ start: (c) => (c.enqueue(text("x")), c.close()) }));
          response.body!.getReader();
          return response;
        },
      },
      error: (error) => {
        thrown.push(error.name);
        return new Response("failed", { status: 500 });
      },
    });
    const connection = await suite.connect(server);
    for (const path of ["/used", "/locked"]) {
      const answer = new Answer(await (await connection.request(path)).response("end", 3));
      expect([path, answer.status, answer.text]).toEqual([path, 500, "failed"]);
    }
    expect(thrown).toEqual(["TypeError", "TypeError"]);
  });

  test("P08 trailers follow the body, also an empty one, and not the answer to HEAD", async () => {
    const server = suite.serve({
      routes: {
        "/body": () => withTrailers(new Response("with a body"), { "X-Checksum": "abc", "x-count": "2" }),
        "/empty": () => withTrailers(new Response(null), new Headers({ "x-empty": "yes" })),
        "/wrong-length": () => withTrailers(new Response("with a body", { headers: { "content-length": "3" } }), { "x-after": "yes" }),
        "/static": withTrailers(new Response("static"), { "x-static": "yes" }),
        "/stream": () => {
          const hash = new Bun.CryptoHasher("sha256");
          const body = new ReadableStream<Uint8Array>({
            start(controller) {
              for (const part of ["a", "b", "c"]) {
                hash.update(part);
                controller.enqueue(text(part));
              }
              controller.close();
            },
          });
          return withTrailers(new Response(body), () => ({ "x-hash": hash.digest("hex") }));
        },
      },
    });
    const connection = await suite.connect(server);
    const answers = [
      await connection.fetch("/body"),
      await connection.fetch("/empty"),
      await connection.fetch("/stream"),
      await connection.fetch("/static"),
      await connection.fetch("/static"),
      await connection.fetch("/body", { method: "HEAD" }),
    ];
    const wrong = await connection.fetch("/wrong-length");
    expect([wrong.header("content-length"), wrong.text, wrong.report.trailers]).toEqual(["11", "with a body", [["x-after", "yes"]]]);
    expect(answers.map((a) => [a.status, a.text, a.report.trailers, a.report.ended])).toEqual([
      [
        200,
        "with a body",
        [
          ["x-checksum", "abc"],
          ["x-count", "2"],
        ],
        true,
      ],
      [200, "", [["x-empty", "yes"]], true],
      [200, "abc", [["x-hash", sha256("abc")]], true],
      [200, "static", [["x-static", "yes"]], true],
      [200, "static", [["x-static", "yes"]], true],
      [200, "", null, true],
    ]);
    await connection.close();
  });

  test("P08 trailers whose promise rejects while the body is sent reset the response, and nothing escapes", async () => {
    const escaped: unknown[] = [];
    const catches = (error: unknown): void => void escaped.push(error);
    process.on("unhandledRejection", catches);
    const messages: string[] = [];
    const server = suite.serve({
      onLog: async ({ message }) => {
        messages.push(message);
        throw new Error("in the log");
      },
      fetch: () =>
        withTrailers(
          new Response(
            (async function* () {
              yield "the body";
              await Bun.sleep(20);
            })() as unknown as ReadableStream,
          ),
          Bun.sleep(1).then(() => Promise.reject(new Error("no trailers"))),
        ),
    });
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).report.reset).toBe(0x102);
    expect((await connection.fetch("/", { method: "HEAD" })).status).toBe(200);
    await Bun.sleep(10);
    process.off("unhandledRejection", catches);
    expect(messages).toEqual(["the body of a response failed: no trailers"]);
    expect(escaped).toEqual([]);
  });

  test("P10 a handler that answers when the client has gone disturbs nobody", async () => {
    const started = gate();
    const proceed = gate();
    let rejected = 0;
    const count = (): void => void rejected++;
    process.on("unhandledRejection", count);
    const records: LogRecord[] = [];
    const server = suite.serve({
      onLog: (record) => records.push(record),
      routes: {
        "/late": async () => {
          started.open();
          await proceed.promise;
          return new Response("late");
        },
        "/late-stream": async () =>
          new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue(text("begun")),
              async pull(controller) {
                await proceed.promise;
                controller.enqueue(new Uint8Array(100_000));
                controller.close();
              },
            }),
          ),
        "/": () => new Response("fine"),
      },
    });
    const connection = await suite.connect(server);
    const late = await connection.request("/late", { authority: "late.example" });
    const stream = await connection.request("/late-stream");
    await started.promise;
    await stream.response("headers");
    await late.abort();
    await stream.abort();
    await until(() => server.stats().requests_active === 0);
    proceed.open();
    expect((await connection.fetch("/")).text).toBe("fine");
    await connection.close();
    await Bun.sleep(10);
    process.off("unhandledRejection", count);
    expect(rejected).toBe(0);
    expect(records).toEqual([
      {
        level: "debug",
        tier: "peer",
        message: "a response came too late (its request has ended)",
        route: "/late",
        method: "GET",
        url: "https://late.example/late",
      },
    ]);
  });
});
