/** What a handler sees of a request. */
import { describe, expect, test } from "bun:test";
import { Suite } from "./suite.ts";

const suite = new Suite();

describe("request", () => {
  test("Q01 url, method and headers are those that were sent", async () => {
    const [answer] = await suite.same(
      {
        fetch: (request: Request) =>
          Response.json({ url: request.url, method: request.method, headers: [...request.headers].sort() }),
      },
      [
        [
          "/a%20b/c?x=1&x=2&y=%C3%A4",
          {
            method: "PATCH",
            authority: "example.test:4433",
            headers: [
              ["accept", "text/html"],
              ["x-custom", "some value"],
              ["cookie", "a=1"],
              ["cookie", "b=2"],
            ],
          },
        ],
      ],
    );
    expect(answer!.json()).toEqual({
      url: "https://example.test:4433/a%20b/c?x=1&x=2&y=%C3%A4",
      method: "PATCH",
      headers: [
        ["accept", "text/html"],
        ["cookie", "a=1; b=2"],
        ["host", "example.test:4433"],
        ["x-custom", "some value"],
      ],
    });
  });

  test("Q01 OPTIONS * reaches the fallback, about the server as a whole", async () => {
    const server = suite.serve({
      routes: { "/:any": () => new Response("a route") },
      fetch: (request) => new Response(`${request.method} ${request.url}`),
    });
    const connection = await suite.connect(server);
    const answer = await connection.fetch("*", { method: "OPTIONS", authority: "example.test" });
    expect([answer.status, answer.text]).toEqual([200, "OPTIONS https://example.test/"]);
  });

  test("Q01 fetch sees no parameters, whatever the path, and also where a route leaves it to fetch", async () => {
    const answers = await suite.same(
      {
        routes: { "/left/:id": false, "/:a/:b": (request) => Response.json(request.params) },
        fetch: (request) => Response.json({ ...request.params }),
      },
      [["/else"], ["/left/1"], ["/a/b"]],
    );
    expect(answers.map((a) => a.json())).toEqual([{}, {}, { a: "a", b: "b" }]);
  });

  test("Q01 a route sees cookies", async () => {
    const [answer] = await suite.same({ routes: { "/": (request) => Response.json([...request.cookies]) } }, [
      ["/", { headers: [["cookie", "a=1; b=two"]] }],
    ]);
    expect(answer!.json()).toEqual([
      ["a", "1"],
      ["b", "two"],
    ]);
  });

  test("Q02 repeated headers are joined, set-cookie stays apart", async () => {
    const [answer] = await suite.same(
      {
        fetch: (request: Request) => {
          const headers = new Headers({ "x-seen": request.headers.get("x-many") ?? "" });
          headers.append("set-cookie", "a=1; Path=/");
          headers.append("set-cookie", "b=2");
          return new Response("", { headers });
        },
      },
      [
        [
          "/",
          {
            headers: [
              ["x-many", "one"],
              ["x-many", "two"],
            ],
          },
        ],
      ],
    );
    expect(answer!.header("x-seen")).toBe("one, two");
    expect(answer!.headers("set-cookie")).toEqual(["a=1; Path=/", "b=2"]);
  });

  test("Q03 requestIP is the client's address and port", async () => {
    const server = suite.serve({ fetch: (request) => Response.json(server.requestIP(request)) });
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).json()).toEqual({
      address: "127.0.0.1",
      family: "IPv4",
      port: connection.handshake.localPort,
    });
    await connection.close();
  });

  test("Q04 bodies of two connections on the same stream id never mix", async () => {
    const server = suite.serve({ fetch: async (request) => new Response(await request.text()) });
    const connections = [await suite.connect(server), await suite.connect(server)];
    const exchanges = await Promise.all(connections.map((c) => c.request("/", { method: "POST", end: false })));
    expect(exchanges.map((e) => e.stream)).toEqual([0, 0]);
    for (let i = 0; i < 50; i++) {
      await Promise.all(exchanges.map((e, who) => e.send([{ text: `${who}:${i};` }], i === 49)));
    }
    const answers = await Promise.all(exchanges.map((e) => e.response()));
    const expected = [0, 1].map((who) => Array.from({ length: 50 }, (_, i) => `${who}:${i};`).join(""));
    expect(answers.map((a) => Buffer.from(a.body!, "base64").toString())).toEqual(expected);
    await Promise.all(connections.map((c) => c.close()));
  });

  test("Q06 what a handler does to a request no other one sees, equal ones that come later included", async () => {
    const seen: unknown[] = [];
    const server = suite.serve({
      fetch(request) {
        seen.push([request.method, request.url, ...[...request.headers].sort()]);
        const copy = request.clone();
        const again = new Request(request);
        for (const [i, { headers }] of [request, copy, again].entries()) {
          headers.set("x-kept", `changed ${i}`);
          headers.append("x-added", `${i}`);
          headers.delete("accept");
        }
        request.cookies.set("made", "here");
        Object.defineProperty(request, "url", { value: "https://elsewhere.test/" });
        // The three are apart from each other, too.
        return Response.json([request, copy, again].map(({ headers }) => [...headers].sort()));
      },
    });
    const connection = await suite.connect(server);
    const headers: [string, string][] = [["accept", "text/html"], ["x-kept", "as sent"]];
    for (const path of ["/one", "/one", "/two", "/one"]) {
      const answer = await connection.fetch(path, { headers, authority: "example.test" });
      expect(answer.headers("set-cookie")).toEqual(["made=here; Path=/; SameSite=Lax"]);
      expect(answer.json()).toEqual([0, 1, 2].map((i) => [["host", "example.test"], ["x-added", `${i}`], ["x-kept", `changed ${i}`]]));
    }
    const fields = [["accept", "text/html"], ["host", "example.test"], ["x-kept", "as sent"]];
    expect(seen).toEqual(["one", "one", "two", "one"].map((path) => ["GET", `https://example.test/${path}`, ...fields]));
  });

  test("Q06 method, URL, headers and body are a request's own, whatever requests like it came before", async () => {
    const told = async (request: Request): Promise<unknown> => [
      request.method,
      new URL(request.url).pathname,
      request.headers.get("x-some"),
      request.headers.get("host"),
      request.body === null,
      await request.text(),
    ];
    const server = suite.serve({
      fetch: async (request) => Response.json([await told(request.clone()), await told(new Request(request.clone())), await told(request)]),
    });
    const connection = await suite.connect(server);
    const requests = [];
    for (const method of ["GET", "DELETE", "PROPFIND", "BREW", "POST"]) {
      for (const path of ["/aa", "/ab", "/long/enough/for/another/place"]) {
        for (const some of ["1", "2", "22"]) requests.push({ method, path, some, body: method === "POST" && some !== "1" ? `body ${some}` : "" });
      }
    }
    // Once in this order, once against it, once with those far apart next to each other.
    const orders = [requests, requests.toReversed(), requests.toSorted((a, b) => (a.some + a.path + a.method < b.some + b.path + b.method ? -1 : 1))];
    for (const order of orders) {
      for (const { method, path, some, body } of order) {
        const authority = `host${some}.test`;
        const answer = await connection.fetch(path, { method, authority, headers: [["x-some", some]], ...(body === "" ? {} : { body }) });
        const own = [method, path, some, authority, body === "", body];
        // The native class knows no such method: its own copies say GET.
        const copy = method === "BREW" ? ["GET", ...own.slice(1)] : own;
        expect(answer.json()).toEqual([own, copy, own]);
      }
    }
  });

  test("Q06 a client whose authority makes no URL gets 400, also from a static route, and others what they asked for", async () => {
    const server = suite.serve({
      routes: { "/static": new Response("static"), "/handler": () => new Response("made") },
    });
    const connection = await suite.connect(server);
    const answers = [];
    for (const authority of ["example.test", "example.test:99999", "example.test"]) {
      for (const path of ["/static", "/handler"]) {
        const { status, text } = await connection.fetch(path, { authority });
        answers.push([path, status, text]);
      }
    }
    const good = [["/static", 200, "static"], ["/handler", 200, "made"]];
    expect(answers).toEqual([...good, ["/static", 400, ""], ["/handler", 400, ""], ...good]);
  });
});
