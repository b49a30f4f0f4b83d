/** Which handler a request reaches. */
import { describe, expect, test } from "bun:test";
import { BUNS, Child } from "./child.ts";
import { Suite } from "./suite.ts";
import { http3, sha256 } from "./client.ts";

const suite = new Suite();

describe("routing", () => {
  test("R01 literal paths answer with content-type and content-length", async () => {
    const [root, users] = await suite.same(
      {
        routes: {
          "/": () => new Response("welcome"),
          "/api/users": () => Response.json([{ id: 1 }, { id: 2 }]),
        },
      },
      [["/"], ["/api/users"]],
    );
    expect(root!.status).toBe(200);
    expect(root!.text).toBe("welcome");
    expect(root!.header("content-type")).toBe("text/plain;charset=utf-8");
    expect(root!.header("content-length")).toBe("7");
    expect(users!.json()).toEqual([{ id: 1 }, { id: 2 }]);
    expect(users!.header("content-type")).toBe("application/json;charset=utf-8");
    expect(users!.header("content-length")).toBe(String(users!.report.bytes));
  });

  test("R02 a parameter is decoded once", async () => {
    const answers = await suite.same({ routes: { "/api/users/:id": (request) => Response.json({ id: request.params.id }) } }, [
      ["/api/users/42"],
      ["/api/users/abc123"],
      ["/api/users/user%40domain.com"],
      ["/api/users/a%252Fb"],
    ]);
    expect(answers.map((a) => a.json())).toEqual([{ id: "42" }, { id: "abc123" }, { id: "user@domain.com" }, { id: "a%2Fb" }]);
  });

  test("R03 a wildcard matches the rest, the query stays apart", async () => {
    const answers = await suite.same(
      {
        routes: {
          "/files/*": (request: Request) => {
            const url = new URL(request.url);
            return Response.json({ rest: url.pathname.slice("/files/".length), query: url.search });
          },
        },
      },
      [["/files/test.txt"], ["/files/docs/readme.md"], ["/files/"], ["/files/a.json?format=pretty"]],
    );
    expect(answers.map((a) => a.json())).toEqual([
      { rest: "test.txt", query: "" },
      { rest: "docs/readme.md", query: "" },
      { rest: "", query: "" },
      { rest: "a.json", query: "?format=pretty" },
    ]);
  });

  test('R03 params["*"] is the rest, decoded once', async () => {
    const server = suite.serve({ routes: { "/of/:who/*": (request) => Response.json(request.params) } });
    const connection = await suite.connect(server);
    const answers = [];
    for (const path of ["/of/me/a/b.txt", "/of/me/", "/of/me/a%20b/c?d=e"]) answers.push((await connection.fetch(path)).json());
    expect(answers).toEqual([
      { who: "me", "*": "a/b.txt" },
      { who: "me", "*": "" },
      { who: "me", "*": "a b/c" },
    ]);
  });

  test("R04 literal before parameter before wildcard, whatever the order", async () => {
    const routes = {
      "/x/*": () => new Response("wildcard"),
      "/x/:id": () => new Response("parameter"),
      "/x/me": () => new Response("literal"),
    };
    const backwards = Object.fromEntries(Object.entries(routes).reverse()) as typeof routes;
    for (const order of [routes, backwards]) {
      const answers = await suite.same({ routes: order }, [["/x/me"], ["/x/you"], ["/x/you/too"], ["/x/"]]);
      expect(answers.map((a) => a.text)).toEqual(["literal", "parameter", "wildcard", "wildcard"]);
    }
  });

  test("R05 another method on a known path is 405 with Allow", async () => {
    const server = suite.serve({ routes: { "/thing": { GET: () => new Response("got"), POST: () => new Response("posted") } } });
    const connection = await suite.connect(server);
    const answer = await connection.fetch("/thing", { method: "DELETE" });
    expect(answer.status).toBe(405);
    expect(answer.header("allow")).toBe("GET, HEAD, POST");
    expect((await connection.fetch("/thing", { method: "POST" })).text).toBe("posted");
    await connection.close();
  });

  test("R06 a path with other methods only goes to the fallback", async () => {
    const answers = await suite.same(
      { routes: { "/x": { POST: () => new Response("posted") } }, fetch: () => new Response("fallback") },
      [["/x"], ["/x", { method: "POST" }], ["/x", { method: "DELETE" }]],
    );
    expect(answers.map((a) => a.text)).toEqual(["fallback", "posted", "fallback"]);
  });

  test("R07 unmatched paths go to the fallback", async () => {
    const [answer] = await suite.same(
      { routes: { "/known": () => new Response("known") }, fetch: () => new Response("fallback", { status: 418 }) },
      [["/unknown"]],
    );
    expect(answer!.status).toBe(418);
  });

  test("R07 without a fallback an unmatched path is 404", async () => {
    const [answer] = await suite.same({ routes: { "/known": () => new Response("known") } }, [["/unknown"]]);
    expect(answer!.status).toBe(404);
  });

  test("R10 each method of a pattern has its own handler", async () => {
    const answers = await suite.same(
      {
        routes: {
          "/item/:id": {
            PUT: (request) => new Response(`put ${request.params.id}`),
            DELETE: (request) => new Response(`deleted ${request.params.id}`),
          },
        },
      },
      [
        ["/item/1", { method: "PUT" }],
        ["/item/2", { method: "DELETE" }],
      ],
    );
    expect(answers.map((a) => a.text)).toEqual(["put 1", "deleted 2"]);
  });

  test("R11 five different routes at once do not mix", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const server = suite.serve({
      routes: Object.fromEntries(
        names.map((name, i) => [
          `/${name}`,
          async () => {
            await Bun.sleep((names.length - i) * 5);
            return new Response(`this is ${name}`);
          },
        ]),
      ),
    });
    const answers = await Promise.all(
      names.map(async (name) => {
        const response = await http3(server.port, `/${name}`);
        return [response.status, await response.text()];
      }),
    );
    expect(answers).toEqual(names.map((name) => [200, `this is ${name}`]));
  });

  test("R12 static Responses tell GET and HEAD the same, as in Bun.serve() but for its etag", async () => {
    const routes = {
      "/text": new Response("static"),
      "/json": Response.json({ a: 1 }, { status: 201, headers: { "x-kept": "yes" } }),
      "/large": new Response("x".repeat(400_000)),
      "/by-method": { GET: new Response("got"), POST: () => new Response("posted") },
    };
    const servers = [suite.serve({ routes }), suite.reference({ routes })];
    const [ours, theirs] = await Promise.all(
      servers.map(async (server) => {
        const connection = await suite.connect(server);
        const answers = [];
        for (const path of Object.keys(routes)) {
          for (const method of ["GET", "HEAD"]) {
            const { status, report } = await connection.fetch(path, { method });
            const fields = report.headers.filter(([name]) => name !== "date" && name !== "etag").sort();
            answers.push([path, method, status, report.sha256, Object.fromEntries(fields)]);
          }
        }
        return answers;
      }),
    );
    expect(ours).toEqual(theirs!);
    expect(ours!.map(([, method, status]) => [method, status])).toEqual([200, 201, 200, 200].flatMap((s) => [["GET", s], ["HEAD", s]]));
  });

  test("R12 static Responses are the same whoever asks: ranges, conditions, methods and bodies change nothing", async () => {
    const bytes = new Uint8Array([0, 1, 2, 255]);
    const headers = { etag: '"1"', "last-modified": "Sat, 01 Jan 2000 00:00:00 GMT", "content-length": "77" };
    const server = suite.serve({
      routes: {
        "/text": new Response("static", { headers }),
        "/http1": new Response("static", { headers: { ...headers, connection: "close" } }),
        "/bytes": new Response(bytes),
        "/blob": new Blob(["<p>"], { type: "text/html" }),
        "/empty": new Response(null, { headers: { "x-kept": "yes" } }),
        "/empty/text": new Response(""),
        "/empty/bytes": new Response(new Uint8Array(0)),
        "/empty/blob": new Response(new Blob([])),
        "/204": new Response(null, { status: 204 }),
        "/205": new Response("not sent", { status: 205 }),
        "/304": new Response(null, { status: 304, headers: { etag: '"1"' } }),
        "/cookies": new Response(null, { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }),
      },
    });
    const connection = await suite.connect(server);
    const ask = async (path: string, options: Parameters<typeof connection.fetch>[1]): Promise<unknown[]> => {
      const { status, report, text } = await connection.fetch(path, options);
      return [status, text, ...report.headers.filter(([name]) => name !== "date").map(([name, value]) => `${name}: ${value}`).sort()];
    };
    const text = [200, "static", "content-length: 6", "content-type: text/plain;charset=utf-8", 'etag: "1"', `last-modified: ${headers["last-modified"]}`];
    for (const options of [
      {},
      { headers: [["range", "bytes=1-2"]] },
      { headers: [["if-none-match", '"1"']] },
      { headers: [["if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT"]] },
      { headers: [["if-match", '"2"']] },
      { method: "DELETE" },
      { method: "PROPFIND" },
      { method: "POST", body: "some" },
    ] as Parameters<typeof connection.fetch>[1][]) {
      for (const path of ["/text", "/http1"]) expect(await ask(path, options)).toEqual(text);
    }
    // A HEAD is told what the handler says of a body that it does not get.
    for (const path of ["/text", "/http1"]) expect(await ask(path, { method: "HEAD" })).toEqual(text.map((line) => (line === "static" ? "" : line === "content-length: 6" ? "content-length: 77" : line)));
    const { report } = await connection.fetch("/bytes");
    expect([report.bytes, report.sha256]).toEqual([4, sha256(bytes)]);
    expect(await ask("/bytes", { method: "HEAD" })).toEqual([200, "", "content-length: 4", "content-type: application/octet-stream"]);
    expect(await ask("/blob", {})).toEqual([200, "<p>", "content-length: 3", "content-type: text/html;charset=utf-8"]);
    expect(await ask("/empty", {})).toEqual([200, "", "content-length: 0", "x-kept: yes"]);
    for (const kind of ["text", "bytes", "blob"]) expect(await ask(`/empty/${kind}`, {})).toEqual([200, "", "content-length: 0"]);
    expect(await ask("/204", {})).toEqual([204, ""]);
    expect(await ask("/205", {})).toEqual([205, "", "content-length: 0", "content-type: text/plain;charset=utf-8"]);
    expect(await ask("/304", {})).toEqual([304, "", 'etag: "1"']);
    expect(await ask("/cookies", {})).toEqual([200, "", "content-length: 0", "set-cookie: a=1", "set-cookie: b=2"]);
  });

  for (const [name, bun] of Object.entries(BUNS)) {
    test(`R12 a static Response may have any body that is no stream: ${name}`, async () => {
      const child = new Child("programs/static.ts", [], {}, [], bun);
      try {
        const connection = await suite.connect({ port: await child.number() });
        const answers: unknown[] = [];
        for (const kind of ["text", "empty", "bytes", "blob", "params", "form", "nothing"]) {
          const { status, text, report } = await connection.fetch(`/${kind}`);
          const length = report.headers.find(([field]) => field === "content-length")?.[1];
          answers.push([kind, status, kind === "form" ? /name="(.*)"\r\n\r\n(.*)\r\n/.exec(text)?.slice(1) : text, length === String(report.bytes)]);
        }
        expect(answers).toEqual([
          ["text", 200, "static", true],
          ["empty", 200, "", true],
          ["bytes", 200, "st", true],
          ["blob", 200, "static", true],
          ["params", 200, "a=b", true],
          ["form", 200, ["a", "b"], true],
          ["nothing", 200, "", true],
        ]);
      } finally {
        await child.kill();
      }
    });
  }

  test("R12 what was a static Response is a handler after a reload, and the other way round", async () => {
    const server = suite.serve({ routes: { "/": new Response("static") } });
    const connection = await suite.connect(server);
    const answers = [(await connection.fetch("/")).text];
    for (const value of [() => new Response("made"), new Response("static again"), new Response("other", { status: 201 })]) {
      server.reload({ routes: { "/": value } });
      answers.push((await connection.fetch("/")).text);
    }
    expect(answers).toEqual(["static", "made", "static again", "other"]);
  });

  test("routes as a list mean what the object form means", async () => {
    const server = suite.serve({
      routes: [
        { method: "GET", pattern: "/list/:id", fetch: (request) => new Response(`one ${request.params.id}`) },
        { method: "POST", pattern: "/list/:id", mode: "buffered", fetch: async (request) => new Response(await request.text()) },
        { method: "PROPFIND", pattern: "/list/*", mode: "streaming", fetch: () => new Response("props") },
      ],
    });
    const connection = await suite.connect(server);
    expect((await connection.fetch("/list/7")).text).toBe("one 7");
    expect((await connection.fetch("/list/7", { method: "POST", body: "sent" })).text).toBe("sent");
    expect((await connection.fetch("/list/7/8", { method: "PROPFIND" })).text).toBe("props");
    await connection.close();
  });
});
