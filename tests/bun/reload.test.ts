/** Handlers that are replaced while a server runs. */
import { describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { H3Error, type H3Server, type ReloadOptions, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { library } from "../../bindings/bun/src/native/library.ts";
import { Child } from "./child.ts";
import { Answer, type Connection } from "./client.ts";
import { varint } from "./draft02.ts";
import { Suite, failure, gate, until } from "./suite.ts";

const suite = new Suite();

const says = (text: string) => (): Response => new Response(text);

/** What a server answers at some paths. */
async function answers(connection: Connection, paths: string[]): Promise<string[]> {
  const all = [];
  for (const path of paths) {
    const { status, text } = await connection.fetch(path);
    all.push(status === 200 ? text : String(status));
  }
  return all;
}

describe("reload", () => {
  test("L12 requests that run keep their handler, later ones get the new one, and none is lost", async () => {
    const [started, proceed] = [gate(), gate()];
    const server = suite.serve({
      async fetch() {
        started.open();
        await proceed.promise;
        return new Response("old");
      },
    });
    const connection = await suite.connect(server);
    const running = await connection.request("/");
    await started.promise;
    expect(server.reload({ fetch: says("new") })).toBe(server);
    expect(await answers(connection, ["/"])).toEqual(["new"]);
    proceed.open();
    const report = await running.response();
    expect([report.status, report.bytes, report.ended]).toEqual([200, 3, true]);
  });

  test("L12 routes come, change and go, in either form", async () => {
    const paths = ["/a", "/b", "/of/x", "/none"];
    const server = suite.serve({
      routes: { "/a": says("a"), "/b": says("b"), "/of/:one": (request) => new Response(request.params.one) },
      fetch: says("fetch"),
    });
    const connection = await suite.connect(server);
    expect(await answers(connection, paths)).toEqual(["a", "b", "x", "fetch"]);
    server.reload({ routes: { "/a": says("a2"), "/of/:other": (request) => new Response(`other ${request.params.other}`) } });
    expect(await answers(connection, paths)).toEqual(["a2", "404", "other x", "404"]);
    server.reload({ fetch: says("only fetch") });
    expect(await answers(connection, paths)).toEqual(Array(4).fill("only fetch"));
    server.reload({ routes: [{ method: "GET", pattern: "/b", mode: "buffered", fetch: says("b3") }] });
    expect(await answers(connection, paths)).toEqual(["404", "b3", "404", "404"]);
    expect((await connection.fetch("/b", { method: "PUT" })).status).toBe(405);
  });

  test("caddyserver/caddy#6917: sessions that are open stay, those that are asked for later get the new handler", async () => {
    const greet = (text: string) => async (session: WebTransportServerSession): Promise<void> => {
      session.onDatagram = (payload) => void session.sendDatagram(Buffer.concat([Buffer.from(text), payload]));
      await session.accept();
    };
    const server = suite.serve({ routes: { "/wt": { webtransport: greet("old ") } } });
    const connection = await suite.goConnect(server);
    const first = await connection.session("/wt");
    server.reload({ routes: { "/wt": { webtransport: greet("new ") } } });
    const second = await connection.session("/wt");
    for (const [session, answer] of [
      [first, "old a"],
      [second, "new a"],
    ] as const) {
      await session.send("a");
      expect(await session.receive()).toEqual([answer]);
    }
  });

  test("L12 error() is replaced, too", async () => {
    const fetch = (): Response => {
      throw new Error("always");
    };
    const server = suite.serve({ fetch, error: says("first") });
    const connection = await suite.connect(server);
    server.reload({ fetch, error: says("second") });
    expect(await answers(connection, ["/"])).toEqual(["second"]);
    server.reload({ fetch });
    expect(await answers(connection, ["/"])).toEqual(["500"]);
  });

  test("L12 what cannot be is refused, and all stays as it was", async () => {
    const server = suite.serve({ routes: { "/a": says("a") } });
    const connection = await suite.connect(server);
    for (const [options, words] of [
      [{}, "fetch"],
      [{ fetch: says("x"), port: 1 }, "port"],
      [{ routes: { "/b": says("b"), "/%00": says("x") } }, "%00"],
      [{ routes: { "/b": says("b"), "/c": 5 } }, "/c"],
      [{ routes: { "/b": { webtransport: () => {} } } }, "webtransport"],
    ] as unknown as [ReloadOptions, string][]) {
      const reload = (): H3Server => server.reload(options);
      expect(reload).toThrow(TypeError);
      expect(reload).toThrow(words);
      expect(await answers(connection, ["/a", "/b"])).toEqual(["a", "404"]);
    }
  });

  test("L12 under bun --hot a server that is made again is the one that runs, with the new handlers", async () => {
    const file = `../../build/tests/hot-${process.pid}.ts`;
    const program = (text: string, more = ""): Promise<number> =>
      Bun.write(
        join(import.meta.dir, file),
        `import { createH3Server } from "../../bindings/bun/src/index.ts";
        const make = (name) => createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("${text} " + name), ${more} });
        try {
          console.log("${text} " + ["a", "b"].map((name) => make(name).port).join());
        } catch (error) {
          console.log("${text} " + error.name);
        }`,
      );
    await program("first");
    const child = new Child(file, [], {}, ["--hot"]);
    /** The first line of a run that is another than the last: Bun may run a program that was written once twice. */
    const other = async (than: string): Promise<string> => {
      for (;;) {
        const line = await child.line();
        if (line !== than) return line;
      }
    };
    try {
      const first = await child.line();
      const ports = first.replace("first ", "");
      const connections: Connection[] = [];
      for (const port of ports.split(",")) connections.push(await suite.connect({ port: Number(port) }));
      const texts = (): Promise<string[]> => Promise.all(connections.map(async (connection) => (await connection.fetch("/")).text));
      expect(await texts()).toEqual(["first a", "first b"]);
      await program("second");
      expect(await other(first)).toBe(`second ${ports}`);
      expect(await texts()).toEqual(["second a", "second b"]);
      await program("third", "nonsense: 1");
      expect(await other(`second ${ports}`)).toBe("third TypeError");
      expect(await texts()).toEqual(["second a", "second b"]);
    } finally {
      await child.kill();
    }
  });

  test("L12 under bun --hot a server that has stopped is made anew, and so is one whose queue is to be another", async () => {
    const file = `../../build/tests/hot-made-${process.pid}.ts`;
    const program = (run: string, options: string, more = ""): Promise<number> =>
      Bun.write(
        join(import.meta.dir, file),
        `import { createH3Server } from "../../bindings/bun/src/index.ts";
        const server = createH3Server({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("${run}"), ${options} });
        const { port } = server;
        ${more}
        console.log(["${run}", server.running, port].join());`,
      );
    /** The first line of a run: Bun may run a program that was written once twice. */
    const line = async (run: string): Promise<[running: string, port: number]> => {
      for (;;) {
        const [of, running, port] = (await child.line()).split(",");
        if (of === run) return [running!, Number(port)];
      }
    };
    await program("first", "", "await server.stop(true);");
    const child = new Child(file, [], {}, ["--hot"]);
    try {
      const [stopped] = await line("first");
      await program("second", "");
      const [running, port] = await line("second");
      expect([stopped, running]).toEqual(["false", "true"]);
      const connection = await suite.connect({ port });
      expect((await connection.fetch("/")).text).toBe("second");
      await program("third", "queue: { capacity: 1 << 20 }");
      const [, other] = await line("third");
      const texts = [(await connection.fetch("/")).text, (await (await suite.connect({ port: other })).fetch("/")).text];
      expect(texts).toEqual(["second", "third"]);
    } finally {
      await child.kill();
    }
  });

  test("L12 under bun --hot instanceof holds for what the server of the last run hands out, and codes of errors of this run reach the peer", async () => {
    const file = `../../build/tests/hot-classes-${process.pid}.ts`;
    const program = (more: string): Promise<number> =>
      Bun.write(
        join(import.meta.dir, file),
        `import { createH3Server, H3Error, H3Request, H3Server, WebTransportError } from "../../bindings/bun/src/index.ts";
        const run = (globalThis.run = (globalThis.run ?? 0) + 1);
        const error = (globalThis.error ??= new H3Error(-1));
        const server = createH3Server({
          port: 0,
          hostname: "127.0.0.1",
          routes: {
            "/wt": {
              async webtransport(session) {
                await session.accept();
                const { writable } = (await session.incomingBidirectionalStreams.getReader().read()).value;
                await writable.abort(new WebTransportError("", { streamErrorCode: 7 }));
              },
            },
          },
          fetch: (request) => new Response([run, request instanceof H3Request, server.requestIP(request)?.address].join()),
        });
        class Derived extends WebTransportError {}
        console.log([run, server instanceof H3Server, error instanceof H3Error, new WebTransportError() instanceof Derived, server.port].join());
        ${more}`,
      );
    await program("");
    const child = new Child(file, [], {}, ["--hot"]);
    try {
      const [run, ...first] = (await child.line()).split(",");
      expect([run, ...first.slice(0, 3)]).toEqual(["1", "true", "true", "false"]);
      await program("// again");
      const [again, ...second] = (await child.line()).split(",");
      expect([again, ...second]).toEqual(["2", ...first]);
      const connection = await suite.goConnect({ port: Number(first[3]) });
      expect((await connection.get("/")).body).toMatch(/^\d+,true,127\.0\.0\.1$/);
      const stream = await (await connection.session("/wt")).open({ data: "x", end: false });
      expect(((await failure(stream.read())) as Error).message).toBe("webtransport-go: stream code 7 remote true");
    } finally {
      await child.kill();
    }
  });

  test("U05 a route may change its mode and be given datagrams, and both back again", async () => {
    const called: string[] = [];
    const datagrams: string[] = [];
    const entry = (name: string, more: object = {}): ReloadOptions["routes"] => ({
      "/other": { GET: says("other"), h3Datagram: () => {} },
      "/a": { POST: async (request: Request) => (called.push(name), new Response(`${name} ${(await request.text()).length}`)), ...more },
    });
    const server = suite.serve({ routes: entry("streaming") as never });
    const connection = await suite.connect(server, { datagrams: true, settings: { 1: 4096, 7: 16, 0x33: 1 } });
    await connection.fetch("/other");

    /** Sends half of a body, and the rest once it is clear whether that was enough for the handler. */
    async function upload(name: string, atOnce: boolean): Promise<void> {
      const request = await connection.request("/a", { method: "POST", body: "half", end: false });
      if (atOnce) await until(() => called.length > 0);
      await connection.sendDatagrams([Buffer.concat([varint(request.stream / 4), Buffer.from(name)])]);
      for (let i = 0; i < 3; i++) expect((await connection.fetch("/other")).text).toBe("other");
      expect(called.splice(0)).toEqual(atOnce ? [name] : []);
      await request.send([{ text: "rest" }], true);
      expect(new Answer(await request.response()).text).toBe(`${name} 8`);
      called.length = 0;
    }

    await upload("streaming", true);
    server.reload({ routes: entry("buffered", { mode: "buffered" }) } as ReloadOptions);
    await upload("buffered", false);
    server.reload({ routes: entry("datagrams", { h3Datagram: (payload: Uint8Array) => void datagrams.push(Buffer.from(payload).toString()) }) } as ReloadOptions);
    await upload("datagrams", true);
    server.reload({ routes: entry("again") } as ReloadOptions);
    await upload("again", true);
    expect(datagrams).toEqual(["datagrams"]);
  });

  test("U05 after 2,000 reloads the engine knows the routes of the last one, and so does this side", async () => {
    const server = suite.serve({ fetch: says("else") });
    const connection = await suite.connect(server);
    const told = spyOn(library() as unknown as Record<string, (server: number, method: unknown, pattern: Uint8Array, flags: number, index: number) => number>, "zig_h3_server_route");
    for (let i = 0; i < 2000; i++) server.reload({ routes: { [`/n/${i}`]: says(`n ${i}`) } });
    const places = told.mock.calls.map(([, , , , index]) => index % 2 ** 32);
    told.mockRestore();
    expect(Math.max(...places)).toBeLessThan(10);
    expect(await answers(connection, ["/n/1999", "/n/1998", "/n/0", "/"])).toEqual(["n 1999", "404", "404", "404"]);
    server.reload({ fetch: says("else") });
    expect(await answers(connection, ["/n/1999", "/"])).toEqual(["else", "else"]);
  });

  test("L12 requests that were on their way for a route that a reload takes away get what has taken its place", async () => {
    const server = suite.serve({ routes: { "/gone": says("gone"), "/stays": says("stays") }, fetch: says("else") });
    const connection = await suite.connect(server);
    await connection.fetch("/stays");
    const requests = ["/gone", "/stays"].map((path) => connection.request(path));
    Bun.sleepSync(100); // their events are in the queue, and this thread has not read them
    server.reload({ routes: { "/stays": says("still") }, fetch: says("fallback") });
    server.reload({ routes: { "/new": says("new"), "/stays": says("still") }, fetch: says("fallback") }); // takes the place of what is gone
    expect(await Promise.all(requests.map(async (request) => new Answer(await (await request).response()).text))).toEqual(["fallback", "still"]);
    expect(await answers(connection, ["/gone", "/new"])).toEqual(["fallback", "new"]);
  });

  test("L12 a reload that the engine does not take can be tried again", async () => {
    const server = suite.serve({ fetch: says("first") });
    const connection = await suite.connect(server);
    const native = library() as unknown as Record<string, (...args: number[]) => number>;
    const was = native.zig_h3_server_route!;
    const places = new Set<number>();
    native.zig_h3_server_route = (...[, , , , index]) => (places.add(index! % 2 ** 32), -408);
    try {
      for (let i = 0; i < 5; i++) expect(() => server.reload({ routes: { "/new": says("new") } })).toThrow(H3Error);
    } finally {
      native.zig_h3_server_route = was;
    }
    expect(places.size).toBe(1); // nothing is left of one
    expect(await answers(connection, ["/new"])).toEqual(["first"]);
    server.reload({ routes: { "/new": says("new") } });
    expect(await answers(connection, ["/new"])).toEqual(["new"]);
  });

  test("L12 a server of raw datagrams alone needs no handlers of requests", async () => {
    const server = suite.serve({ quicDatagram: () => {} });
    const connection = await suite.connect(server);
    server.reload({ onLog: () => {} });
    expect(await answers(connection, ["/"])).toEqual(["404"]);
  });
});
