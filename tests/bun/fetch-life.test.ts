/** How long clients, their fetches and their processes live; many fetches at once and one behind the other; datagrams of fetches. */
import { describe, expect, test } from "bun:test";
import { createH3Client, H3Client, H3Error, h3Fetch, type H3FetchInit } from "../../bindings/bun/src/index.ts";
import { BUNS, Child } from "./child.ts";
import { failure, gate, settled, Suite, until } from "./suite.ts";

const suite = new Suite();

describe("a client's end", () => {
  const server = suite.serve({
    routes: {
      "/hello": () => new Response("hello"),
      "/length": async (request) => new Response(String((await request.arrayBuffer()).byteLength)),
      "/slow": async () => {
        await Bun.sleep(300);
        return new Response("slow");
      },
      "/never": () => new Promise<Response>(() => {}),
      "/endless": () => new Response(new ReadableStream({ pull: (controller) => void controller.enqueue(new Uint8Array(64 << 10)) })),
    },
  });
  const at = `https://127.0.0.1:${server.port}`;
  const made = (): H3Client => suite.client(server);

  test("close() ends what is under way, by a code of its own, and takes no more", async () => {
    const client = made();
    const body = (await client.fetch(`${at}/endless`)).text();
    const asked = [failure(client.fetch(`${at}/never`)), failure(body)];
    await until(() => client.stats().fetches_active === 2);
    await client.close();
    for (const one of asked) expect(await one).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_SHUTDOWN", cause: expect.any(H3Error) });
    for (const init of [{}, { tls: { rejectUnauthorized: false } }]) {
      expect(await failure(client.fetch(`${at}/hello`, init))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_SHUTDOWN" });
    }
    expect(() => client.stats()).toThrow("closed");
    await client.close();
  });

  test("close({ deadlineMs }) lets what is under way finish", async () => {
    const client = made();
    const asked = client.fetch(`${at}/slow`).then((response) => response.text());
    await until(() => client.stats().fetches_active === 1);
    const closing = client.close({ deadlineMs: 20_000 });
    expect(await asked).toBe("slow");
    await closing;
    expect(() => made().close({ deadlineMs: -1 })).toThrow(RangeError);
    expect(() => made().close({ deadlineMs: "1" as never })).toThrow(TypeError);
  });

  test("L15 using and await using", async () => {
    let kept: H3Client;
    {
      await using client = createH3Client({ serverCertificateHashes: [server.certificateHash] });
      kept = client;
      expect(await (await client.fetch(`${at}/hello`)).text()).toBe("hello");
    }
    expect(() => kept.stats()).toThrow("closed");
    {
      using client = createH3Client({ serverCertificateHashes: [server.certificateHash] });
      kept = client;
    }
    expect(() => kept.stats()).toThrow("closed");
  });

  test("fetch may be given away alone, and defaults hold where a request says nothing", async () => {
    const client = suite.client(server, { headers: { "x-own": "1", "user-agent": "me" }, redirect: "manual", timeout: 60_000, priority: "low", compress: false, decompress: true, maxRedirects: 3 });
    const { fetch } = client;
    expect(await (await fetch(`${at}/hello`)).text()).toBe("hello");
    expect(() => createH3Client({ nothing: 1 } as never)).toThrow('"nothing"');
    expect(() => createH3Client({ redirect: "never" } as never)).toThrow("redirect");
    expect(() => createH3Client({ pump: { intervalMs: 0 } })).toThrow(RangeError);
    expect(() => createH3Client({ engine: { initial_window: 1 } })).toThrow("initial_window");
  });

  test("clients that look by a timer, or have a queue of their own", async () => {
    for (const options of [{ pump: { intervalMs: 1 } }, { queue: { capacity: 1 << 19 } }]) {
      const client = suite.client(server, options);
      expect(await (await client.fetch(`${at}/hello`)).text()).toBe("hello");
    }
  });

  test("L14 one that is dropped is closed, and tells so", async () => {
    const told: string[] = [];
    await (async () => {
      const client = createH3Client({ serverCertificateHashes: [server.certificateHash], onLog: ({ message }) => told.push(message) });
      await (await client.fetch(`${at}/hello`)).text();
    })();
    const deadline = performance.now() + 20_000;
    while (told.length === 0 && performance.now() < deadline) {
      Bun.gc(true);
      await Bun.sleep(10);
    }
    expect(told).toEqual(["a client was dropped without close(): it is closed once nothing of it is under way"]);
  });

  test("one of another set of options is kept while a body is made ready for it, though many others are asked for meanwhile", async () => {
    const client = made();
    const [body, file] = [Buffer.alloc(4 << 20, "again and again "), Bun.file(import.meta.path)];
    const asked = [{ body, compress: "br" as const }, { body: file }].map((init, i) => client.fetch(`${at}/length`, { method: "POST", idleTimeout: 11 + i, ...init }));
    await Promise.all(Array.from({ length: 34 }, (_, i) => client.fetch(`${at}/hello`, { idleTimeout: 20 + i })));
    expect(await Promise.all(asked.map(async (one) => Number(await (await one).text()) > 0))).toEqual([true, true]);
  });

  test("L14 one whose fetch is kept is not dropped", async () => {
    const told: string[] = [];
    const fetch = (() => createH3Client({ serverCertificateHashes: [server.certificateHash], onLog: ({ message }) => told.push(message) }).fetch)();
    for (let i = 0; i < 30; i++) {
      Bun.gc(true);
      await Bun.sleep(5);
    }
    expect(await (await fetch(`${at}/hello`)).text()).toBe("hello");
    expect(told).toEqual([]);
  });

  test("L11 server and clients of one process and queue know nothing of each other", async () => {
    const other = suite.serve({ fetch: () => new Response("other") });
    const [one, two] = [made(), suite.client(other)];
    expect(await Promise.all([one.fetch(`${at}/hello`), two.fetch(`https://127.0.0.1:${other.port}/`)].map(async (response) => (await response).text()))).toEqual(["hello", "other"]);
    expect(await failure(two.fetch(`${at}/hello`))).toMatchObject({ code: "ZIG_H3_ERR_PIN" });
    await two.close();
    expect(await (await one.fetch(`${at}/hello`)).text()).toBe("hello");
    await settled(other);
  });
});

describe("the process", () => {
  for (const [bun, path] of Object.entries(BUNS)) {
    for (const how of ["done", "unread", "unref", "idle", "endless-timer"]) {
      test(`${bun}: a process with a client that ${how} ends by itself`, async () => {
        const child = new Child("programs/fetch-exit.ts", [how], {}, [], path);
        const { code, lines, stderr } = await child.exit(60_000);
        expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["hello"], stderr: "" });
      });
    }
    test(`${bun}: who waits for an answer keeps the process, in a Worker too`, async () => {
      const child = new Child("programs/fetch-worker.ts", [], {}, [], path);
      const { code, lines, stderr } = await child.exit(60_000);
      expect({ code, lines, stderr }).toEqual({ code: 0, lines: ["late", "worker: late"], stderr: "" });
    });
  }
});

describe("many", () => {
  const server = suite.serve({
    routes: {
      "/n/:n": (request) => new Response(request.params.n),
      "/echo": async (request) => new Response(await request.bytes()),
    },
  });
  const at = `https://127.0.0.1:${server.port}`;

  test("K01 fifty at once, and fifty one behind the other, on one connection", async () => {
    const client = suite.client(server);
    const numbers = Array.from({ length: 50 }, (_, n) => String(n));
    expect(await Promise.all(numbers.map(async (n) => (await client.fetch(`${at}/n/${n}`)).text()))).toEqual(numbers);
    for (const n of numbers) expect(await (await client.fetch(`${at}/n/${n}`)).text()).toBe(n);
    await until(() => client.stats().fetches_active === 0);
    expect(client.stats()).toMatchObject({ connections_total: 1, fetches_total: 100 });
  });

  test("a connection that is made before it is needed", async () => {
    const client = suite.client(server);
    const asFetch: typeof fetch = client.fetch; // its type, too
    await asFetch.preconnect(at);
    expect(client.stats()).toMatchObject({ connections_total: 1, fetches_total: 0 });
    const response = await client.fetch(`${at}/n/1`);
    expect([response.h3.connection!.reused, await response.text()]).toEqual([true, "1"]);
    await client.fetch.preconnect(new URL(at));
    expect(client.stats().connections_total).toBe(1);
    expect(await failure(client.fetch.preconnect("https://127.0.0.1:1/"))).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_REFUSED" });
    void client.fetch.preconnect("https://127.0.0.1:1/"); // nobody takes what becomes of it
    expect(() => client.fetch.preconnect("nowhere")).toThrow(TypeError);
    expect(() => client.fetch.preconnect("http://127.0.0.1/")).toThrow(TypeError);
    await h3Fetch.preconnect(at, { serverCertificateHashes: [server.certificateHash] });
    await client.close();
    expect(await failure(client.fetch.preconnect(at))).toMatchObject({ code: "ZIG_H3_ERR_SHUTDOWN" });
  });

  test("K02 where there is no room they wait, and beyond the bound they fail by name", async () => {
    const client = suite.client(server, { pool: { maxConnectionsPerOrigin: 1, maxQueued: 10 } });
    const answers = await Promise.allSettled(Array.from({ length: 1000 }, (_, n) => client.fetch(`${at}/n/${n}`).then((response) => response.text())));
    const failed = answers.filter((one) => one.status === "rejected");
    const right = answers.filter((one, n) => one.status === "fulfilled" && one.value === String(n));
    expect(failed.length + right.length).toBe(1000);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed[0]!.reason).toMatchObject({ name: "TypeError", code: "ZIG_H3_ERR_QUEUE_FULL" });
    const patient = suite.client(server, { pool: { maxConnectionsPerOrigin: 1 } });
    expect(await Promise.all(Array.from({ length: 1000 }, async (_, n) => (await patient.fetch(`${at}/n/${n}`)).text()))).toEqual(Array.from({ length: 1000 }, (_, n) => String(n)));
    expect(patient.stats().connections_total).toBe(1);
  });

  test("Z04 two thousand fetches of all kinds leave nothing behind", async () => {
    const client = suite.client(server);
    const { fetches } = (await import("../../bindings/bun/src/queue/pump.ts")).Pump.acquire(0, 0).dispatcher.fetches;
    for (let round = 0; round < 20; round++) {
      const large = 300_000 + round; // more than is given to the library at once
      const asked = Array.from({ length: 100 }, async (_, n) => {
        const controller = new AbortController();
        const init: H3FetchInit = { signal: controller.signal, timeout: 30_000 };
        if (n % 4 === 1) Object.assign(init, { method: "POST", body: new Blob(["x".repeat(1000)]).stream() });
        if (n % 4 === 2) Object.assign(init, { method: "POST", body: new Uint8Array(n % 20 === 2 ? large : 3000) });
        const asked = client.fetch(n % 4 === 0 || n % 4 === 3 ? `${at}/n/${n}` : `${at}/echo`, init);
        if (n % 4 === 3) {
          controller.abort();
          return (await failure(asked)) as Error;
        }
        return (await asked).arrayBuffer();
      });
      await Promise.all(asked);
    }
    await until(() => client.stats().fetches_active === 0 && fetches.size === 0); // those of the tests before are to end, too
    await client.close();
    await settled(server, 15_000, ["requests_active"]);
  }, 60_000);

  test.skipIf(process.env.H3_STRESS !== "1")("S11 more than 4 GiB go up, and are counted on both sides", async () => {
    const size = 4200 * (1 << 20);
    const counting = suite.serve({
      maxRequestBodySize: 2 * size,
      fetch: async (request) => {
        let bytes = 0;
        for await (const chunk of request.body!) bytes += (chunk as Uint8Array).length;
        return Response.json({ bytes });
      },
    });
    const client = suite.client(counting);
    const part = new Uint8Array(1 << 20);
    let left = 4200;
    const body = new ReadableStream({ pull: (controller) => (left-- > 0 ? controller.enqueue(part) : controller.close()) }, { highWaterMark: 0 });
    const answer = await client.fetch(`https://127.0.0.1:${counting.port}/`, { method: "POST", body, headers: { "content-length": String(size) } });
    expect(await answer.json()).toEqual({ bytes: size });
    await until(() => client.stats().fetches_active === 0 && counting.stats().requests_active === 0);
    expect([client.stats().body_bytes_out, counting.stats().body_bytes_in]).toEqual([size, size]);
  }, 600_000);

  test("F10 timers go on while answers are awaited", async () => {
    const slow = suite.serve({
      fetch: async () => {
        await Bun.sleep(1000);
        return new Response("slow");
      },
    });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    const asked = suite.client(slow).fetch(`https://127.0.0.1:${slow.port}/`);
    await asked;
    const during = ticks;
    clearInterval(timer);
    expect(during).toBeGreaterThan(5);
  });

  test("F12 a server that stops: what runs finishes, what comes later goes to the next one", async () => {
    const go = gate();
    const entered = gate();
    const first = suite.serve({
      fetch: async () => {
        entered.open();
        await go.promise;
        return new Response("first");
      },
    });
    const { port } = first;
    const client = suite.client(undefined, { tls: { rejectUnauthorized: false } });
    const asked = client.fetch(`https://127.0.0.1:${port}/`);
    await entered.promise;
    const stopping = first.stop();
    go.open();
    expect(await (await asked).text()).toBe("first");
    await stopping;
    await first.close();
    await until(() => client.stats().connections_active === 0); // a request that meets the end of its connection may have been seen
    suite.serve({ port: port!, fetch: () => new Response("second") });
    expect(await (await client.fetch(`https://127.0.0.1:${port}/`)).text()).toBe("second");
    expect(client.stats().connections_total).toBe(2);
  });

  test("K03 a server that goes by force: its connection is replaced", async () => {
    const first = suite.serve({ fetch: () => new Response("first") });
    const { port } = first;
    const client = suite.client(undefined, { tls: { rejectUnauthorized: false } });
    expect(await (await client.fetch(`https://127.0.0.1:${port}/`)).text()).toBe("first");
    await first.close();
    await until(() => client.stats().connections_active === 0); // a request that meets the end of its connection may have been seen
    suite.serve({ port: port!, fetch: () => new Response("second") });
    expect(await (await client.fetch(`https://127.0.0.1:${port}/`)).text()).toBe("second");
  });

  test("U04 a fetch inside of a handler of the same thread, and inside of another's body", async () => {
    const client = suite.client(server);
    const front = suite.serve({ fetch: async (request) => new Response((await client.fetch(`${at}/n/1${new URL(request.url).search}`)).body) });
    const to = suite.client(front);
    expect(await Promise.all(Array.from({ length: 100 }, async () => (await to.fetch(`https://127.0.0.1:${front.port}/`)).text()))).toEqual(Array(100).fill("1"));
  });
});

describe("H01 datagrams of a fetch", () => {
  test("H01 both ways, to the fetch that they are of", async () => {
    const contexts: string[] = [];
    const go = gate();
    const server = suite.serve({
      routes: {
        "/echo/:name": {
          h3Datagram: (payload, context) => {
            contexts.push(context.request.params.name!);
            context.send(payload);
          },
          GET: (request) =>
            new Response(
              (async function* () {
                yield request.params.name!;
                await go.promise;
              })() as never,
            ),
        },
      },
    });
    const client = suite.client(server);
    const got: Record<string, string[]> = { a: [], b: [] };
    const ask = (name: string) => client.fetch(`https://127.0.0.1:${server.port}/echo/${name}`, { onDatagram: (payload) => void got[name]!.push(Buffer.from(payload).toString()) });
    const [a, b] = [await ask("a"), await ask("b")];
    for (let i = 0; i < 5; i++) {
      expect(a.h3.sendDatagram(Buffer.from(`a${i}`))).toBe("queued");
      expect(b.h3.sendDatagram(Buffer.from(`b${i}`))).toBe("queued");
    }
    expect(a.h3.sendDatagram(new Uint8Array(0))).toBe("queued");
    await until(() => got.a!.length === 6 && got.b!.length === 5);
    expect(got).toEqual({ a: ["a0", "a1", "a2", "a3", "a4", ""], b: ["b0", "b1", "b2", "b3", "b4"] });
    expect(a.h3.sendDatagram(new Uint8Array(5000))).toBe("too-large");
    expect(() => a.h3.sendDatagram("text" as never)).toThrow(TypeError);
    go.open();
    expect([await a.text(), await b.text()]).toEqual(["a", "b"]);
    await until(() => a.h3.sendDatagram(new Uint8Array(1)) === "closed");
  });

  test("H05 where they were not asked for there are none, and a handler that throws is told once", async () => {
    const log: string[] = [];
    const go = gate();
    const server = suite.serve({
      routes: {
        "/": {
          h3Datagram: (payload, context) => void context.send(payload),
          GET: () => new Response((async function* () { yield "x"; await go.promise; })() as never),
        },
      },
    });
    const client = suite.client(server, { onLog: ({ level, message }) => log.push(`${level}: ${message}`) });
    const plain = await client.fetch(`https://127.0.0.1:${server.port}/`);
    expect(plain.h3.sendDatagram(new Uint8Array(1))).toBe("not-negotiated");
    const throwing = await client.fetch(`https://127.0.0.1:${server.port}/`, {
      onDatagram: () => {
        throw new Error("on purpose");
      },
    });
    throwing.h3.sendDatagram(new Uint8Array(1));
    await until(() => log.length === 1);
    expect(log).toEqual(["error: onDatagram failed: on purpose"]);
    go.open();
    expect([await plain.text(), await throwing.text()]).toEqual(["x", "x"]);
  });
});
