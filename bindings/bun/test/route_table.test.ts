/** Routes: what is refused, what parameters are, and what comes first after a reload. */
import { describe, expect, test } from "bun:test";
import { parseRoutes } from "../src/server/routes/parse_routes.ts";
import { Route } from "../src/server/routes/route.ts";
import { RouteTable } from "../src/server/routes/route_table.ts";

const fetch = (): Response => new Response("ok");
const route = (pattern: string, method = ""): Route => new Route(method, pattern, fetch, false);

describe("routes", () => {
  for (const pattern of ["", "test", "/a b", "/test\n", "/:id/x/:id", "/*/more", "/a*", "/:", "/a?b", "/%zz"]) {
    test(`C05 pattern ${JSON.stringify(pattern)} is a TypeError`, () => {
      expect(() => parseRoutes({ [pattern]: fetch })).toThrow(TypeError);
      expect(() => parseRoutes([{ pattern, fetch }])).toThrow(TypeError);
    });
  }

  test("C04 a method that is no token is a TypeError, one of one's own is not", () => {
    for (const method of ["", "GET POST", "GET\n", "GÉT"]) {
      expect(() => parseRoutes([{ method, pattern: "/", fetch }])).toThrow(TypeError);
    }
    expect(parseRoutes([{ method: "PROPFIND", pattern: "/", fetch }])[0]!.method).toBe("PROPFIND");
    expect(() => parseRoutes({ "/a": { get: fetch } })).toThrow('route "/a": the method "get" must be in upper case');
  });

  test("C06 what has no handler is a TypeError that names the route", () => {
    expect(() => parseRoutes([{ pattern: "/here" }])).toThrow('route "/here" has no handler: fetch is missing');
    expect(() => parseRoutes([{ pattern: "/here", fetch, mode: "maybe" }])).toThrow(
      'route "/here": mode must be "buffered" or "streaming", not "maybe"',
    );
    for (const value of [null, 5, {}, [], { GET: 5 }]) expect(() => parseRoutes({ "/there": value })).toThrow('route "/there"');
  });

  test("mode stands in the list form and beside the methods of an entry, and is then that of each", () => {
    const modes = (routes: unknown): unknown[] => parseRoutes(routes).map(({ method, buffered }) => [method, buffered]);
    expect(modes([{ pattern: "/a", fetch, mode: "buffered" }])).toEqual([["", true]]);
    expect(modes({ "/a": { POST: fetch, PUT: fetch, mode: "buffered" }, "/b": { POST: fetch, mode: "streaming" }, "/c": { fetch, mode: undefined } })).toEqual([
      ["POST", true],
      ["PUT", true],
      ["POST", false],
      ["", false],
    ]);
    expect(modes({ "/a": { POST: fetch, webtransport: fetch, mode: "buffered" } })).toEqual([["POST", true], ["CONNECT", false]]);
    for (const [entry, words] of [
      [{ POST: fetch, mode: "maybe" }, 'mode must be "buffered" or "streaming", not "maybe"'],
      [{ POST: fetch, mode: "buffered", h3Datagram: fetch }, 'h3Datagram needs mode "streaming"'],
      [{ webtransport: fetch, mode: "buffered" }, "mode is about requests"],
      [{ mode: "buffered" }, "mode is about requests"],
    ] as const) {
      expect(() => parseRoutes({ "/a": entry })).toThrow(words);
    }
  });

  test("two routes for the same paths are a TypeError", () => {
    expect(() => new RouteTable([route("/a/:x", "GET"), route("/a/:y", "GET")])).toThrow(
      'routes "/a/:x" and "/a/:y" match the same paths, both for GET',
    );
    expect(new RouteTable([route("/a/:x", "GET"), route("/a/:y", "POST")]).routes).toHaveLength(2);
  });

  test("a static Response may be sent again and again, a stream not", async () => {
    const [one] = parseRoutes({ "/s": new Response("static", { status: 201 }) });
    for (let i = 0; i < 2; i++) {
      const response = one!.handler!.call(undefined as never, undefined as never, undefined as never) as Response;
      expect([response.status, await response.text()]).toEqual([201, "static"]);
    }
    expect(() => parseRoutes({ "/s": new Response(new ReadableStream()) })).toThrow("must not be a stream");
  });

  test("R02 parameters are decoded once, segment by segment", () => {
    expect(route("/api/users/:id").params("/api/users/user%40domain.com?x=%41")).toEqual({ id: "user@domain.com" });
    expect(route("/:a/x/:b").params("/1%2F2/x/a%252Fb")).toEqual({ a: "1/2", b: "a%2Fb" });
    expect(route("/:bytes").params("/%ff%41")).toEqual({ bytes: "\ufffdA" });
  });

  test("R03 a wildcard is the rest, also none", () => {
    expect(route("/files/*").params("/files/docs/read%20me.md?format=pretty")).toEqual({ "*": "docs/read me.md" });
    expect(route("/files/*").params("/files/")).toEqual({ "*": "" });
    expect(route("/*").params("/")).toEqual({ "*": "" });
  });

  test("R03 what fetch answers has no parameters, and a parameter may have any name", () => {
    expect(new Route("", "/*", null, false).params("/a/b")).toEqual({});
    expect(Object.entries(route("/:__proto__").params("/x"))).toEqual([["__proto__", "x"]]);
  });

  test("C06 folders and HTML imports, which Bun.serve() takes, say that they are not served", () => {
    const page = Object.create(null, { [Symbol.toStringTag]: { value: "HTMLBundle" } }) as object;
    for (const value of [{ dir: "./public" }, page]) {
      expect(() => parseRoutes({ "/static/*": value })).toThrow('route "/static/*": folders and HTML imports are not served here');
    }
  });

  test("R04 literals go before parameters before wildcards, whatever the order", () => {
    const routes = [route("/x/*"), route("/x/:id"), route("/x/me"), route("/*")];
    for (const order of [routes, [...routes].reverse()]) {
      const table = new RouteTable(order);
      const found = (path: string): string => (table.match("GET", path) as Route).pattern;
      expect(["/x/me", "/x/you", "/x/you/too", "/x/", "/y?q"].map(found)).toEqual(["/x/me", "/x/:id", "/x/*", "/x/*", "/*"]);
    }
  });

  test("R05 other methods only: 405 with all of them; R06 a fallback catches them", () => {
    const routes = [route("/x", "GET"), route("/x", "POST")];
    expect(new RouteTable(routes).match("DELETE", "/x")).toEqual({ status: 405, allow: "GET, HEAD, POST" });
    expect(new RouteTable(routes).match("GET", "/y")).toEqual({ status: 404, allow: "" });
    expect((new RouteTable([...routes, route("/*")]).match("DELETE", "/x") as Route).pattern).toBe("/*");
  });

  test("HEAD has its own route, else GET's, else any method's", () => {
    const any = route("/x");
    const get = route("/x", "GET");
    const head = route("/x", "HEAD");
    const found = (...routes: Route[]): unknown => new RouteTable(routes).match("HEAD", "/x");
    expect(found(any, get, head)).toBe(head);
    expect(found(get, any)).toBe(get);
    expect(found(any)).toBe(any);
  });
});

describe("datagrams and sessions", () => {
  const handler = (): Response => new Response("ok");
  const shape = (routes: unknown): unknown[] =>
    parseRoutes(routes).map((r) => [r.method, r.h3Datagram !== undefined, r.webtransport !== undefined, r.origins !== undefined]);

  test("W04 sessions have a route of their own beside those of requests", () => {
    const both = [["GET", true, false, false], ["CONNECT", false, true, true]];
    expect(shape({ "/a": { GET: handler, h3Datagram: handler, webtransport: handler, origins: ["*"] } })).toEqual(both);
    expect(shape([{ method: "GET", pattern: "/a", fetch: handler, h3Datagram: handler, webtransport: handler, origins: ["*"] }])).toEqual(both);
    expect(shape({ "/a": { webtransport: handler } })).toEqual([["CONNECT", false, true, false]]);
    expect(shape([{ pattern: "/a", webtransport: handler }])).toEqual([["CONNECT", false, true, false]]);
    expect(shape({ "/a": { fetch: handler, POST: handler } })).toEqual([["", false, false, false], ["POST", false, false, false]]);
  });

  test("W04 a session finds no route of requests, a request none of sessions", () => {
    const table = new RouteTable(parseRoutes({ "/a": { webtransport: handler }, "/b": handler }));
    expect(table.match("GET", "/a")).toEqual({ status: 404, allow: "" });
    expect(table.matchSession("/a?x=1")?.pattern).toBe("/a");
    expect(table.matchSession("/b")).toBeUndefined();
  });

  for (const [routes, message] of [
    [{ "/a": { webtransport: 5 } }, 'route "/a": webtransport must be a function'],
    [{ "/a": { h3Datagram: handler } }, 'route "/a": h3Datagram is about requests, which fetch or a method would take'],
    [{ "/a": { GET: handler, origins: [] } }, 'route "/a": origins is about sessions, which webtransport would take'],
    [[{ pattern: "/a", h3Datagram: handler, webtransport: handler }], 'route "/a": h3Datagram is about requests, which fetch would take'],
    [
      [{ pattern: "/a", mode: "buffered", fetch: handler, h3Datagram: handler }],
      'route "/a": h3Datagram needs mode "streaming": datagrams come while the body does',
    ],
  ] as const) {
    test(`C09 ${message}`, () => {
      expect(() => parseRoutes(routes)).toThrow(new TypeError(message));
    });
  }
});
