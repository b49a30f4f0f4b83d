/** Handlers that fail. */
import { describe, expect, test } from "bun:test";
import { Suite } from "./suite.ts";

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
