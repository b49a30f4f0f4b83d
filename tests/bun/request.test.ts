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
});
