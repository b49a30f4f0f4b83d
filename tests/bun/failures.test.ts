/** Handlers that fail. */
import { describe, expect, test } from "bun:test";
import type { LogRecord } from "../../bindings/bun/src/index.ts";
import { gate, Suite } from "./suite.ts";

const suite = new Suite();

describe("handler failures", () => {
  test("E01 what a handler throws reaches error(), whose Response is sent", async () => {
    const thrown: unknown[] = [];
    const paths: string[] = [];
    const server = suite.serve({
      routes: {
        "/sync": () => {
          throw new Error("sync");
        },
        "/async": async () => {
          await Bun.sleep(1);
          throw new Error("async");
        },
        "/type": () => (undefined as unknown as { response: Response }).response,
      },
      error: (error, request) => {
        thrown.push(error);
        paths.push(new URL(request.url).pathname);
        return Response.json({ failed: error.name }, { status: 500, headers: { "x-tier": "handler" } });
      },
    });
    const connection = await suite.connect(server);
    const answers = [];
    for (const path of ["/sync", "/async", "/type"]) {
      const answer = await connection.fetch(path);
      answers.push([answer.status, answer.json(), answer.header("x-tier")]);
    }
    expect(answers).toEqual([
      [500, { failed: "Error" }, "handler"],
      [500, { failed: "Error" }, "handler"],
      [500, { failed: "TypeError" }, "handler"],
    ]);
    expect(thrown.map((e) => e instanceof Error && e.message).slice(0, 2)).toEqual(["sync", "async"]);
    expect(thrown[2]).toBeInstanceOf(TypeError);
    expect(paths).toEqual(["/sync", "/async", "/type"]);
    await connection.close();
  });

  test("E01 what error() gives is what Bun.serve() sends of it, whatever was thrown", async () => {
    const thrown: [string, unknown][] = [
      ["/error", new RangeError("too far")],
      ["/string", "a string"],
      ["/null", null],
      ["/undefined", undefined],
      ["/object", { code: 7 }],
      ["/response", new Response("thrown")],
    ];
    const routes = Object.fromEntries(
      thrown.flatMap(([path, error]) => [
        [
          path,
          () => {
            throw error;
          },
        ],
        [
          `/later${path}`,
          async () => {
            await Bun.sleep(1);
            throw error;
          },
        ],
      ]),
    );
    const answers = await suite.same(
      {
        routes,
        error: async (error: unknown) => {
          await Bun.sleep(1);
          return new Response(`${error instanceof Error ? error.name : typeof error}`, { status: 503, headers: { "x-tier": "handler" } });
        },
      },
      Object.keys(routes).map((path) => [path]),
    );
    const words = ["RangeError", "string", "object", "undefined", "object", "object"];
    expect(answers.map((a) => [a.status, a.text, a.header("x-tier")])).toEqual(words.flatMap((word) => Array(2).fill([503, word, "handler"])));
  });

  for (const [what, error] of [
    ["no error()", undefined],
    [
      "an error() that throws",
      () => {
        throw new Error("in error()");
      },
    ],
    ["an error() that gives no Response", () => "not a response" as unknown as Response],
    [
      "an error() that rejects",
      async () => {
        throw new Error("in error()");
      },
    ],
  ] as const) {
    test(`E02 ${what}: 500, and other routes are healthy`, async () => {
      const server = suite.serve({
        routes: {
          "/bad": () => {
            throw new Error("the secret of the handler");
          },
          "/good": () => new Response("good"),
        },
        ...(error === undefined ? {} : { error }),
      });
      const connection = await suite.connect(server);
      const bad = await connection.fetch("/bad");
      expect([bad.status, bad.report.ended]).toEqual([500, true]);
      expect(bad.text).not.toContain("secret");
      const good = await connection.fetch("/good");
      expect([good.status, good.text]).toEqual([200, "good"]);
      await connection.close();
    });
  }

  test("E02 what cannot even be looked at is a 500 like any other, thrown or given, and the server lives", async () => {
    const fails = (): never => {
      throw new Error("while it was looked at");
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const strange: [string, unknown][] = [
      ["/inspect", { [Bun.inspect.custom]: fails }],
      ["/message", Object.defineProperty(new Error(), "message", { get: fails })],
      ["/revoked", proxy],
      ["/then", Object.defineProperty({}, "then", { get: fails })],
      ["/iterator", Object.defineProperty({}, Symbol.asyncIterator, { get: fails })],
    ];
    const ways: [string, (value: unknown) => unknown][] = [
      ["/thrown", (value) => { throw value; }],
      ["/rejected", async (value) => { await Bun.sleep(1); throw value; }],
      ["/given", (value) => value],
      ["/given-later", async (value) => { await Bun.sleep(1); return value; }],
    ];
    const routes = Object.fromEntries(
      ways.flatMap(([way, give]) => strange.map(([what, value]) => [way + what, () => give(value) as Response])),
    );
    for (const error of [undefined, (error: unknown) => { throw error; }]) {
      let told = 0;
      const server = suite.serve({ routes, error, fetch: () => new Response("well"), onLog: () => void told++ });
      const connection = await suite.connect(server);
      for (const path of Object.keys(routes)) {
        const answer = await connection.fetch(path);
        expect([path, answer.status, answer.text, answer.report.ended]).toEqual([path, 500, "Internal Server Error", true]);
      }
      expect(told).toBe(Object.keys(routes).length * (error === undefined ? 1 : 2));
      expect((await connection.fetch("/")).text).toBe("well");
    }
  });

  test("U01 what a handler puts over its request changes nothing of the answer, nor of what is told of a failure", async () => {
    const over = ["method", "url", "headers", "signal", "cookies", "params", "body", "clone"];
    const put = (request: Request): void => {
      request.headers.get("x"); // looked at before, so that it is there
      for (const name of over) {
        Object.defineProperty(request, name, { get: () => { throw new Error(`no ${name}`); } });
      }
    };
    const boom = new Error("boom");
    const records: LogRecord[] = [];
    const server = suite.serve({
      routes: {
        "/thrown": (request) => { put(request); throw boom; },
        "/rejected": async (request) => { await Bun.sleep(1); put(request); throw boom; },
        "/nothing": (request) => { put(request); return undefined as unknown as Response; },
        "/body": (request) => { put(request); return new Response(new ReadableStream({ pull() { throw boom; } })); },
        "/given": (request) => { request.cookies.set("a", "b"); request.cookies.toSetCookieHeaders = put as never; put(request); return new Response("given"); },
        "/given-later": async (request) => { await Bun.sleep(1); put(request); return new Response("given"); },
      },
      fetch: () => new Response("well"),
      onLog: (record) => void records.push(record),
    });
    const other = suite.serve({ fetch: () => new Response("another server") });
    const connection = await suite.connect(server);
    const answers: unknown[] = [];
    for (const path of ["/thrown", "/rejected", "/nothing", "/given", "/given-later", "/"]) {
      const answer = await connection.fetch(path, { authority: "over.example" });
      answers.push([path, answer.status, answer.text]);
    }
    expect(answers).toEqual([
      ["/thrown", 500, "Internal Server Error"],
      ["/rejected", 500, "Internal Server Error"],
      ["/nothing", 500, "Internal Server Error"],
      ["/given", 200, "given"],
      ["/given-later", 200, "given"],
      ["/", 200, "well"],
    ]);
    const head = await connection.fetch("/given", { authority: "over.example", method: "HEAD" });
    expect([head.status, head.header("content-length"), head.header("set-cookie"), head.report.bytes]).toEqual([200, "5", "a=b; Path=/; SameSite=Lax", 0]);
    const body = await connection.fetch("/body", { authority: "over.example" });
    expect(body.report.reset).toBe(0x102);
    expect(records.map(({ tier, method, url }) => [tier, method, url])).toEqual(
      ["/thrown", "/rejected", "/nothing", "/body"].map((path) => ["handler", "GET", `https://over.example${path}`]),
    );
    expect((await (await suite.connect(other)).fetch("/")).text).toBe("another server");
    expect([server.running, other.running]).toEqual([true, true]);
  });

  test("U01 a response that throws when it is looked at, for a client that has gone, rejects nowhere", async () => {
    const messages: string[] = [];
    const [called, gone, given] = [gate(), gate(), gate()];
    const server = suite.serve({
      routes: {
        "/slow": async (request) => {
          request.signal.addEventListener("abort", () => gone.open());
          called.open();
          await gone.promise;
          queueMicrotask(given.open);
          return Object.defineProperty(new Response(), "body", { get: () => { throw new Error("no look"); } });
        },
      },
      fetch: () => new Response("well"),
      onLog: ({ level, message }) => void messages.push(`${level}: ${message}`),
    });
    const connection = await suite.connect(server);
    const request = await connection.request("/slow");
    await called.promise;
    await request.abort();
    await given.promise;
    expect((await connection.fetch("/")).text).toBe("well");
    expect(messages).toEqual(["debug: a handler failed after its request had ended: no look"]);
  });

  test("a Response of another realm or another library is taken as it is; what only looks a little like one is not", async () => {
    /** What another realm's class would be: native, and none of this realm's prototype. */
    const realm = (response: Response): unknown =>
      Object.setPrototypeOf(response, Object.create(Object.prototype, Object.getOwnPropertyDescriptors(Response.prototype)) as object);
    /** Another library's. */
    class Foreign {
      constructor(readonly body: unknown, readonly status: number, readonly headers: unknown, readonly bytes = new Uint8Array()) {}
      arrayBuffer = async (): Promise<ArrayBuffer> => this.bytes.slice().buffer;
    }
    const fields = new Map([["content-type", "text/plain"], ["x-foreign", "yes"]]);
    const made: Record<string, () => unknown> = {
      "/realm": () => realm(new Response("realm", { status: 201, headers: { "x-foreign": "yes" } })),
      "/realm/stream": () => realm(new Response(new Response("realm").body, { status: 201, headers: { "x-foreign": "yes" } })),
      "/library": () => new Foreign(new Response("library").body, 202, fields),
      "/library/bytes": () => new Foreign(undefined, 202, fields, Buffer.from("library")),
      "/library/empty": () => new Foreign(null, 204, fields),
      "/plain": () => ({ status: 200, headers: { a: "b" }, body: "x" }),
    };
    const server = suite.serve({ routes: Object.fromEntries(Object.entries(made).flatMap(([path, make]) => [[path, make as () => Response], [`/later${path}`, async () => (await Bun.sleep(1), make()) as Response]])) });
    const connection = await suite.connect(server);
    for (const before of ["", "/later"]) {
      const answers: unknown[] = [];
      for (const path of Object.keys(made)) {
        const answer = await connection.fetch(before + path);
        answers.push([path, answer.status, answer.text, answer.header("x-foreign"), answer.header("content-length")]);
      }
      expect(answers).toEqual([
        ["/realm", 201, "realm", "yes", "5"],
        ["/realm/stream", 201, "realm", "yes", null],
        ["/library", 202, "library", "yes", null],
        ["/library/bytes", 202, "library", "yes", null],
        ["/library/empty", 204, "", "yes", null],
        ["/plain", 500, "Internal Server Error", null, "21"],
      ]);
    }
  });

  test("a client that leaves in the middle of another library's Response: its body is cancelled", async () => {
    const cancelled = gate();
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)), cancel: () => cancelled.open() });
    const foreign = { status: 200, headers: new Map(), body, arrayBuffer: () => Promise.reject(new Error("it has a stream")) };
    const server = suite.serve({ fetch: () => foreign as unknown as Response });
    const connection = await suite.connect(server);
    const request = await connection.request("/", { allowance: 10_000 });
    await request.response("headers");
    await request.abort();
    await cancelled.promise;
  });

  test("a promise of another make, which may be a function, is waited for", async () => {
    const promised = Object.assign(() => {}, { then: (resolve: (response: Response) => void) => void setTimeout(() => resolve(new Response("promised")), 1) });
    const server = suite.serve({ fetch: () => promised as unknown as Promise<Response> });
    const { status, text } = await (await suite.connect(server)).fetch("/");
    expect([status, text]).toEqual([200, "promised"]);
  });

  test("E03 a handler that gives no Response is 500 and says so to error()", async () => {
    const messages: string[] = [];
    const server = suite.serve({
      routes: {
        "/nothing": (() => undefined) as unknown as () => Response,
        "/number": (async () => 5) as unknown as () => Response,
      },
      error: (error) => {
        messages.push(error.message);
        return new Response(error.message, { status: 500 });
      },
    });
    const connection = await suite.connect(server);
    for (const path of ["/nothing", "/number"]) {
      const answer = await connection.fetch(path);
      expect(answer.status).toBe(500);
      expect(answer.text).toContain("Response");
    }
    expect(messages).toHaveLength(2);
    await connection.close();
  });
});
