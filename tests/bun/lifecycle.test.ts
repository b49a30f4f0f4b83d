/** Servers from their making to their end. */
import { dlopen } from "bun:ffi";
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { createH3Server, type H3Server } from "../../bindings/bun/src/index.ts";
import { library } from "../../bindings/bun/src/native/library.ts";
import { scratch } from "../../bindings/bun/src/native/memory.ts";
import { Child } from "./child.ts";
import { http3 } from "./client.ts";
import * as native from "./native.ts";
import { PATIENCE, Suite, certificate, failure, gate, settled, until } from "./suite.ts";

const suite = new Suite();
const hello = { fetch: () => new Response("hello") };

/** Descriptors from here on are those that pumps() has given out. */
const PUMPS = 500;

/** Moves the descriptors that pumps are given to numbers of their own, until `stop()`. */
function movePumps(): { stop(): void } {
  const { symbols } = dlopen("libc.so.6", { fcntl: { args: ["i32", "i32", "i32"], returns: "i32" } });
  const calls = library() as unknown as Record<string, (queue: number, at: number) => number>;
  const give = calls.zig_h3_queue_fd!;
  calls.zig_h3_queue_fd = (queue, at) => {
    const code = give(queue, at);
    const { words } = scratch();
    const fd = words[0]!;
    words[0] = symbols.fcntl(fd, 1030 /* F_DUPFD_CLOEXEC */, PUMPS);
    closeSync(fd);
    return code;
  };
  return { stop: () => void (calls.zig_h3_queue_fd = give) };
}

/** How many descriptors this process has: pumps', the library's own of its queues, and all others. */
function descriptors(): { pumps: number; queues: number; others: number } {
  const held = { pumps: 0, queues: 0, others: 0 };
  for (const fd of readdirSync("/proc/self/fd")) {
    let file = "";
    try {
      file = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      continue; // the one by which this folder was read
    }
    if (Number(fd) >= PUMPS) held.pumps++;
    else if (file === "anon_inode:[eventfd]") held.queues++;
    else held.others++;
  }
  return held;
}

describe("lifecycle", () => {
  test("L01 start, serve, close, and the port is free at once", async () => {
    const first = createH3Server({ ...hello, port: 0, hostname: "127.0.0.1" });
    const port = first.port;
    const connection = await suite.connect(first);
    expect((await connection.fetch("/")).text).toBe("hello");
    await first.stop(true);
    await first.close();
    const second = createH3Server({ fetch: () => new Response("again"), port, hostname: "127.0.0.1" });
    expect(second.port).toBe(port);
    const next = await suite.connect(second);
    expect((await next.fetch("/")).text).toBe("again");
    await next.close();
    await second.close();
  });

  test("L02 the constructor starts; start() again changes nothing", async () => {
    const server = suite.serve(hello);
    expect(server.running).toBe(true);
    const port = server.port;
    server.start();
    server.start();
    expect([server.running, server.port]).toEqual([true, port]);
    const connection = await suite.connect(server);
    expect((await connection.fetch("/")).text).toBe("hello");
    await connection.close();
  });

  test("L03 stop() and close() twice do no harm", async () => {
    const server = createH3Server({ ...hello, port: 0, hostname: "127.0.0.1" });
    await Promise.all([server.stop(), server.stop()]);
    await server.stop(true);
    expect(server.running).toBe(false);
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await server.stop();
    expect(server.running).toBe(false);
  });

  test("L03 a deadline that is none is refused, and the server runs on", async () => {
    const server = suite.serve(hello);
    for (const deadlineMs of [NaN, -1]) expect(() => server.stop({ deadlineMs })).toThrow(RangeError);
    for (const force of [{}, { deadlineMs: "5" }, { deadline: 5 }] as unknown as { deadlineMs: number }[]) expect(() => server.stop(force)).toThrow(TypeError);
    expect(server.running).toBe(true);
    await server.stop(null as unknown as boolean);
    expect(server.running).toBe(false);
  });

  test("L03 a deadline is told in whole milliseconds, none of them lost, and one that never comes as the longest there is", async () => {
    const calls = library() as unknown as Record<string, (server: number, deadline: number) => number>;
    const stop = calls.zig_h3_server_stop!;
    const told: number[] = [];
    calls.zig_h3_server_stop = (server, deadline) => (told.push(deadline), stop(server, 0));
    try {
      for (const deadlineMs of [0, 0.5, 100, Infinity]) await suite.serve(hello).stop({ deadlineMs });
    } finally {
      calls.zig_h3_server_stop = stop;
    }
    expect(told).toEqual([0, 1, 100, 2 ** 31 - 1]);
  });

  test("ref() right behind unref(), however far that has come: the server goes on serving", async () => {
    // A queue that no other server here has: nobody else has it looked for events.
    const server = suite.serve({ ...hello, queue: { capacity: 4 << 20 } });
    const served: string[] = [];
    for (let turns = 0; turns < 24; turns++) {
      server.unref();
      for (let i = 0; i < turns; i++) await undefined;
      server.ref();
      served.push(await (await http3(server.port, "/")).text());
    }
    expect(served).toEqual(Array(24).fill("hello"));
  });

  test("L04 stop, start, and the routes still answer", async () => {
    const server = suite.serve({ routes: { "/:name": (request) => new Response(`hello ${request.params.name}`) } });
    const before = await suite.connect(server);
    expect((await before.fetch("/one")).text).toBe("hello one");
    await server.stop(true);
    expect(server.running).toBe(false);
    server.start();
    expect(server.running).toBe(true);
    const after = await suite.connect(server);
    const answer = await after.fetch("/two");
    expect([answer.status, answer.text]).toEqual([200, "hello two"]);
    await after.close();
  });

  test("U05 start() before a stop has ended is refused, also when only its event is on the way; then it serves again", async () => {
    const server = suite.serve(hello);
    const stopped = server.stop(true);
    Bun.sleepSync(100); // the engine has stopped by now, and this thread has not read it
    expect(() => server.start()).toThrow(expect.objectContaining({ code: "ZIG_H3_ERR_WRONG_STATE" }));
    await stopped;
    expect(server.running).toBe(false);
    server.start();
    expect((await (await suite.connect(server)).fetch("/")).text).toBe("hello");
    expect(server.running).toBe(true);
  });

  test("a stop() that the library cannot take rejects, and the server runs on; one that it takes later is waited for", async () => {
    const server = suite.serve(hello);
    const native = library() as unknown as Record<string, (...args: number[]) => number>;
    const was = native.zig_h3_server_stop!;
    native.zig_h3_server_stop = () => -7;
    try {
      expect(await failure(server.stop(true))).toMatchObject({ code: "ZIG_H3_ERR_NO_MEMORY" });
      expect((await (await suite.connect(server)).fetch("/")).text).toBe("hello");
      native.zig_h3_server_stop = (...args) => (was(...args), -408);
      await server.stop(true);
    } finally {
      native.zig_h3_server_stop = was;
    }
    expect(server.running).toBe(false);
    server.start();
    expect((await (await suite.connect(server)).fetch("/")).text).toBe("hello");
  });

  test("L05 a graceful stop sends GOAWAY, lets what runs finish, and refuses what is new", async () => {
    const proceed = gate();
    const server = suite.serve({
      fetch: async () => {
        await proceed.promise;
        return new Response("finished");
      },
    });
    const connection = await suite.connect(server);
    const running = await Promise.all([1, 2, 3].map(() => connection.request("/")));
    await until(() => server.stats().requests_active === 3);
    const stopped = server.stop();
    expect((await connection.goaway()).length).toBeGreaterThan(0);
    const late = await (await connection.request("/")).response();
    expect([late.status, late.reset]).toEqual([null, 0x10b]);
    proceed.open();
    for (const exchange of running) {
      const report = await exchange.response();
      expect([report.status, report.ended, report.bytes]).toEqual([200, true, 8]);
    }
    await stopped;
    const end = await connection.closed();
    expect([end.by, end.code, end.application]).toEqual(["peer", 0x100, true]);
  });

  test("L07 stop(true) ends a download that has no end before it resolves, and tells the client", async () => {
    const part = new Uint8Array(64 << 10);
    const order: string[] = [];
    const server = suite.serve({
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            pull: (controller) => controller.enqueue(part),
            cancel: () => void order.push("cancelled"),
          }),
        ),
    });
    // No more is on its way than the client's socket holds: a packet that finds it full is lost, and the last one is sent once.
    const connection = await suite.connect(server, { maxStreamData: 64 << 10 });
    const exchange = await connection.request("/");
    await exchange.response(1 << 20);
    order.push("stop");
    await server.stop(true);
    order.push("stopped");
    expect([order, server.running]).toEqual([["stop", "cancelled", "stopped"], false]);
    const end = await connection.closed();
    expect([end.by, end.application]).toEqual(["peer", true]);
    expect((await exchange.response()).ended).toBe(false);
  });

  test("L08 port 0 becomes the port that the system chose", async () => {
    const server = suite.serve({ ...hello, port: 0 });
    expect(server.port).toBeGreaterThan(1023);
    expect(server.url.href).toBe(`https://127.0.0.1:${server.port}/`);
    expect(await (await http3(server.port, "/")).text()).toBe("hello");
  });

  test("L09 a port in use, a privileged port, an unknown host: thrown with the system's name", async () => {
    const server = suite.serve(hello);
    const busy = (): unknown => createH3Server({ ...hello, hostname: "127.0.0.1", port: server.port });
    expect(busy).toThrow(expect.objectContaining({ name: "H3Error", code: "EADDRINUSE", errno: -13 }));
    expect(busy).toThrow(/EADDRINUSE/);
    expect(busy).toThrow(String(server.port));
    const made = (hostname: string) => (): unknown => createH3Server({ ...hello, hostname, port: 0 });
    expect(made("192.0.2.1")).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL", errno: -14 }));
    expect(made("no-such-host.invalid")).toThrow(expect.objectContaining({ code: "ENOTFOUND", errno: -16 }));
    expect(made("no-such-host.invalid")).toThrow(/no-such-host\.invalid/);
    // What failed holds nothing: the port can be taken once its owner is gone.
    const port = server.port;
    await server.close();
    const next = createH3Server({ ...hello, hostname: "127.0.0.1", port });
    expect(next.port).toBe(port);
    await next.close();
  });

  test("L09 a server that could not be made leaves no descriptor and no object behind", async () => {
    const server = suite.serve(hello);
    const open = (): number => readdirSync("/proc/self/fd").length;
    // Places in the library's table are given out again: as long as nothing is left, a new object gets one of the first.
    const place = (): number => {
      const queue = native.newQueue();
      native.call("zig_h3_queue_free", queue);
      return queue % 2 ** 20;
    };
    const busy = (): unknown => createH3Server({ ...hello, hostname: "127.0.0.1", port: server.port });
    expect(busy).toThrow(/EADDRINUSE/);
    const first = place(); // before the descriptors: the memory of a queue keeps its own, for the next one
    const before = [open(), first] as const;
    for (let i = 0; i < 100; i++) expect(busy).toThrow(/EADDRINUSE/);
    await until(
      () => open() <= before[0] && place() < before[1] + 20,
      PATIENCE,
      () => `${[open(), place()]}, and not ${before}`,
    );
  });

  test("200 servers that are made and closed, whichever way they look for events, leave no descriptor behind", async () => {
    const ways = [{}, { pump: { intervalMs: 1 } }];
    // A capacity that no other server here has: each gets a queue, and so a descriptor, of its own.
    const made = async (i: number): Promise<void> => {
      const server = createH3Server({ ...hello, ...ways[i % 2], port: 0, hostname: "127.0.0.1", queue: { capacity: 2 << 20 } });
      if (i % 3 === 0) server.unref();
      await server.close();
    };
    const moved = movePumps();
    try {
      for (let i = 0; i < 6; i++) await made(i);
      const before = descriptors();
      for (let i = 0; i < 200; i++) await made(i);
      const left = (): string => {
        const { pumps, queues, others } = descriptors();
        // The library keeps the memory of as many queues as it had at once, each with a descriptor, for those to come: one that it is not
        // through with when the next is made adds to them.
        return `${pumps} of pumps, ${queues < before.queues + 20 ? "few" : queues} of queues, ${Math.max(0, others - before.others)} more of others`;
      };
      await until(() => left() === "0 of pumps, few of queues, 0 more of others", PATIENCE, left);
    } finally {
      moved.stop();
    }
  });

  test("the handlers of a server that was closed are collected, also where another one goes on with its queue", async () => {
    const server = suite.serve(hello);
    const handlers: WeakRef<() => Response>[] = [];
    const made = async (): Promise<void> => {
      const fetch = (): Response => new Response("hello");
      handlers.push(new WeakRef(fetch));
      await createH3Server({ routes: { "/hello": fetch }, port: 0, hostname: "127.0.0.1" }).close();
    };
    for (let i = 0; i < 40; i++) await made();
    const kept = (): number => (Bun.gc(true), handlers.filter((handler) => handler.deref() !== undefined).length);
    await until(() => kept() < 20, PATIENCE, () => `${kept()} of ${handlers.length} are kept`); // a stack may still hold a few
    expect(server.running).toBe(true);
  });

  test("L09 a port that only root may bind says EACCES", async () => {
    const child = new Child("programs/privileged-port.ts");
    const { code, lines, stderr } = await child.exit();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(lines[0]).toMatch(/^EACCES .*EACCES/);
  });

  test("L10 without a hostname every address of this machine is served, and the server's own url leads there", async () => {
    const server = suite.serve({ ...hello, hostname: undefined });
    expect([server.hostname, server.url.href]).toEqual(["localhost", `https://localhost:${server.port}/`]);
    const reference = suite.reference({ ...hello, hostname: undefined });
    expect([reference.hostname, reference.url.href]).toEqual(["localhost", `https://localhost:${reference.port}/`]);
    const answer = await fetch(server.url, { protocol: "http3", tls: { rejectUnauthorized: false } } as RequestInit);
    expect(await answer.text()).toBe("hello");
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    for (const { address } of own.filter(({ internal }) => internal)) {
      const connection = await suite.connect(server, { host: address });
      expect([address, (await connection.fetch("/")).text]).toEqual([address, "hello"]);
    }
  });

  test("pendingRequests counts what is not answered yet, as in Bun.serve()", async () => {
    const servers = new Set<H3Server>();
    const answers = await suite.same(
      {
        routes: {
          "/now": (_, server) => new Response(`${servers.add(server) && server.pendingRequests}`),
          "/later": async (_, server) => {
            await Bun.sleep(1);
            return new Response(`${server.pendingRequests}`);
          },
        },
      },
      [["/now"], ["/later"]],
    );
    expect(answers.map((a) => a.text)).toEqual(["1", "1"]);
    for (const server of servers) expect(server.pendingRequests).toBe(0);
  });

  test("a server that is shown or made JSON is told in a few words", async () => {
    const server = suite.serve({ ...hello, id: "shown" });
    const { url } = server;
    const told = { url: url.href, id: "shown", development: false, running: true, pendingRequests: 0 };
    expect(JSON.parse(JSON.stringify(server))).toEqual(told);
    expect(Bun.inspect(server)).toBe(`H3Server ${Bun.inspect(told)}`);
  });

  test("L11 two servers with certificates of their own do not know each other", async () => {
    const names = ["alice", "bob"];
    const servers = names.map((name) => suite.serve({ ...certificate(name), fetch: () => new Response(name) }));
    const connections = await Promise.all(
      servers.map((server, i) => suite.connect(server, { serverName: "localhost", ca: certificate(names[i]!).certPath })),
    );
    expect(await Promise.all(connections.map(async (c) => (await c.fetch("/")).text))).toEqual(names);
    expect(new Set(connections.map((c) => c.handshake.certificateHash)).size).toBe(2);
    expect(await failure(suite.connect(servers[0]!, { serverName: "localhost", ca: certificate("bob").certPath }))).toBeInstanceOf(Error);
    await servers[0]!.stop(true);
    expect((await connections[1]!.fetch("/")).text).toBe("bob");
    await connections[1]!.close();
  });

  test("L11 a development certificate is the one whose hash the server names", async () => {
    const server = suite.serve(hello);
    const connection = await suite.connect(server);
    expect(connection.handshake.certificateHash).toBe(Buffer.from(server.certificateHash).toString("hex"));
    expect(connection.handshake.alpn).toBe("h3");
    await connection.close();
  });

  test("L16 SIGINT runs the host's own handler", async () => {
    const child = new Child("programs/sigint.ts");
    expect(await child.line()).toBe("ready");
    child.signal("SIGINT");
    const { code, signal, lines, stderr } = await child.exit();
    expect({ code, signal, lines, stderr }).toEqual({ code: 7, signal: null, lines: ["handled SIGINT"], stderr: "" });
  });

  test("L16 SIGTERM without a handler ends the host as it always does", async () => {
    const child = new Child("programs/idle.ts");
    await child.number();
    child.signal("SIGTERM");
    const { signal, stderr } = await child.exit();
    expect({ signal, stderr }).toEqual({ signal: "SIGTERM", stderr: "" });
  });

  test("a process ends by itself once its server is closed", async () => {
    const child = new Child("programs/closes.ts");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["200 hello", "closed"], stderr: "" });
  });

  test("servers that have stopped look for nothing, and serve again once they are started", async () => {
    const child = new Child("programs/stopped.ts");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["looks: 0", "hello hello hello", "looks: 0"], stderr: "" });
  });

  test("a server that is unref()ed does not keep its process", async () => {
    const child = new Child("programs/unref.ts");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["end of the script"], stderr: "" });
  });
  test("a server that was stopped and started, and is unref()ed, does not keep its process", async () => {
    const child = new Child("programs/unref-again.ts");
    const { code, lines, stderr } = await child.exit();
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["end of the script"], stderr: "" });
  });
});

afterAll(async () => {
  const server = createH3Server({ ...hello, port: 0, hostname: "127.0.0.1" });
  await settled(server);
  await server.close();
});
