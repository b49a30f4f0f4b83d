/** Request bodies read as they arrive. */
import { describe, expect, test } from "bun:test";
import { PATIENCE, Suite, failure, gate, settled, until } from "./suite.ts";
import { Answer, http3, sha256 } from "./client.ts";

const suite = new Suite();

async function digest(body: ReadableStream<Uint8Array> | null): Promise<{ bytes: number; sha256: string; chunks: number }> {
  const hash = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  let chunks = 0;
  for await (const chunk of body ?? []) {
    hash.update(chunk);
    bytes += chunk.length;
    chunks++;
  }
  return { bytes, sha256: hash.digest("hex"), chunks };
}

describe("streaming bodies", () => {
  test("S01 the handler runs at the headers, and 5 MB arrive in order", async () => {
    const called = gate();
    const server = suite.serve({
      fetch: async (request) => {
        called.open();
        return Response.json(await digest(request.body));
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", end: false });
    await called.promise;
    await exchange.send([{ random: 5 << 20 }], true);
    const answer = new Answer(await exchange.response());
    expect(answer.json<object>()).toMatchObject({ bytes: 5 << 20, sha256: answer.report.sent.sha256 });
    await connection.close();
  });

  test("S02 three uploads of 2 MB side by side are all exact", async () => {
    const server = suite.serve({ fetch: async (request) => Response.json(await digest(request.body)) });
    const connection = await suite.connect(server);
    const answers = await Promise.all(
      [1, 2, 3].map((seed) => connection.fetch("/", { method: "POST", body: [{ random: 2 << 20, seed }] })),
    );
    expect(new Set(answers.map((a) => a.report.sent.sha256)).size).toBe(3);
    for (const answer of answers) {
      expect(answer.json<object>()).toMatchObject({ bytes: 2 << 20, sha256: answer.report.sent.sha256 });
    }
    await connection.close();
  });

  test("S02 three uploads of 2 MB by Bun's fetch are all exact", async () => {
    const server = suite.serve({ fetch: async (request) => Response.json(await digest(request.body)) });
    const bodies = [1, 2, 3].map((seed) => new Uint8Array(2 << 20).map((_, i) => (i * seed) >> 5));
    const answers = await Promise.all(
      bodies.map(async (body) => (await http3(server.port, "/", { method: "POST", body })).json() as Promise<object>),
    );
    bodies.forEach((body, i) => expect(answers[i]!).toMatchObject({ bytes: 2 << 20, sha256: sha256(body) }));
  });

  test("S03 an empty streaming body gives no chunk and ends", async () => {
    const server = suite.serve({ fetch: async (request) => Response.json(await digest(request.body)) });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", end: false });
    await exchange.send([], true);
    const answer = new Answer(await exchange.response());
    expect(answer.json<object>()).toMatchObject({ bytes: 0, chunks: 0 });
    await connection.close();
  });

  test("S04 1 MB of i % 256 arrives byte for byte", async () => {
    const server = suite.serve({
      fetch: async (request) => {
        let at = 0;
        let wrong = 0;
        for await (const chunk of request.body ?? []) {
          for (const byte of chunk as Uint8Array) {
            if (byte !== at % 256) wrong++;
            at++;
          }
        }
        return Response.json({ at, wrong });
      },
    });
    const connection = await suite.connect(server);
    const answer = await connection.fetch("/", { method: "POST", body: [{ mod256: 1 << 20 }] });
    expect(answer.json<object>()).toEqual({ at: 1 << 20, wrong: 0 });
    await connection.close();
  });

  for (const [what, take] of [
    ["never reads the body", async () => {}],
    ["cancels the body", async (request: Request) => request.body!.cancel()],
  ] as const) {
    test(`S06 a handler that ${what}: STOP_SENDING, and the response arrives`, async () => {
      const server = suite.serve({
        fetch: async (request) => {
          await take(request);
          return new Response("no, thank you");
        },
      });
      const connection = await suite.connect(server);
      const exchange = await connection.request("/", { method: "POST", body: [{ mod256: 50 << 20 }] });
      const answer = new Answer(await exchange.response());
      expect([answer.status, answer.text, answer.report.ended]).toEqual([200, "no, thank you", true]);
      expect((await exchange.response("stopped")).sent.stopped).toBe(0x100);
      await connection.close();
      await settled(server);
    });
  }

  test("U02 two reads pending when a body's last bytes come with its end: both settle", async () => {
    const reading = gate();
    const server = suite.serve({
      fetch: async (request) => {
        const reader = request.body!.getReader();
        const reads = [reader.read(), reader.read()];
        reading.open();
        return Response.json((await Promise.all(reads)).map(({ value, done }) => [value?.length ?? 0, done]));
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", end: false });
    await reading.promise;
    await exchange.send([{ text: "last" }], true);
    expect(new Answer(await exchange.response()).json()).toEqual([[4, false], [0, true]]);
  });

  test("S06 a body that is read only after its response was sent fails, and nobody waits for the rest", async () => {
    const options = (read: (error: unknown) => void) => ({
      fetch: (request: Request) => {
        setTimeout(async () => read(await failure(request.text())), 50);
        return new Response("answered");
      },
    });
    const [ours, theirs] = [gate<unknown>(), gate<unknown>()];
    for (const [server, read] of [
      [suite.serve(options(ours.open)), ours.promise],
      [suite.reference(options(theirs.open)), theirs.promise],
    ] as const) {
      const connection = await suite.connect(server);
      const exchange = await connection.request("/", { method: "POST", body: "the begin", end: false });
      const report = await exchange.response();
      expect([report.status, report.ended]).toEqual([200, true]);
      // Bun's own sees it at the end of the connection.
      await connection.close();
      expect(((await read) as Error).name).toBe("AbortError");
    }
  });

  test("S06 a read that is pending when its handler answers fails once the response is through", async () => {
    const read = gate<unknown>();
    const server = suite.serve({
      fetch: (request) => {
        void failure(request.body!.getReader().read()).then(read.open);
        return new Response("answered");
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", end: false });
    const report = await exchange.response();
    expect([report.status, report.ended]).toEqual([200, true]);
    expect(((await read.promise) as Error).name).toBe("AbortError");
    expect((await exchange.response("stopped")).sent.stopped).toBe(0x100); // H3_NO_ERROR
    await settled(server, PATIENCE, ["requests_active"]);
  });

  test("S07 a client that aborts in the middle fails the read and the signal", async () => {
    const seen = gate<{ error: unknown; aborted: boolean; bytes: number }>();
    const server = suite.serve({
      fetch: async (request) => {
        const reader = request.body!.getReader();
        let bytes = 0;
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) return new Response("complete");
            bytes += value.length;
          }
        } catch (error) {
          seen.open({ error, aborted: request.signal.aborted, bytes });
          return new Response("too late");
        }
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", body: [{ mod256: 100_000 }], end: false });
    await exchange.sent();
    await until(() => server.stats().requests_active === 1);
    await exchange.abort();
    const { error, aborted, bytes } = await seen.promise;
    expect((error as Error).name).toBe("AbortError");
    expect((error as Error).message).toContain("aborted");
    expect(aborted).toBe(true);
    expect(bytes).toBeLessThanOrEqual(100_000);
    await until(() => server.stats().requests_active === 0 && server.pendingRequests === 0);
    expect(server.stats().connections_active).toBe(1);
    await connection.close();
  });

  test("S07 Bun's fetch that is aborted aborts the handler's signal", async () => {
    const began = gate();
    const aborted = gate<unknown>();
    const server = suite.serve({
      fetch: async (request) => {
        request.signal.addEventListener("abort", () => aborted.open(request.signal.reason));
        began.open();
        await aborted.promise;
        return new Response("too late");
      },
    });
    const controller = new AbortController();
    const answer = http3(server.port, "/", { signal: controller.signal });
    await began.promise;
    controller.abort();
    expect(await failure(answer)).toBeInstanceOf(Error);
    expect(((await aborted.promise) as Error).name).toBe("AbortError");
    await until(() => server.stats().requests_active === 0);
  });

  test("S06 while a handler waits without reading, the client waits too", async () => {
    const proceed = gate();
    const server = suite.serve({
      fetch: async (request) => {
        await proceed.promise;
        return Response.json(await digest(request.body));
      },
    });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", body: [{ random: 20 << 20 }] });
    await until(() => server.stats().requests_active === 1);
    let before = -1;
    let now = 0;
    while (now !== before) {
      await Bun.sleep(300);
      [before, now] = [now, (await exchange.progress()).acknowledged];
    }
    expect(now).toBeGreaterThan(64 << 10);
    expect(now).toBeLessThan(2 << 20);
    proceed.open();
    const answer = new Answer(await exchange.response());
    expect(answer.json<object>()).toMatchObject({ bytes: 20 << 20, sha256: answer.report.sent.sha256 });
  });

  for (const how of ["closes", "vanishes"] as const) {
    test(`S08 a connection that ${how} in the middle fails each of its uploads once, and no other`, async () => {
      const failures = new Map<string, number>();
      const started = new Set<string>();
      const server = suite.serve({
        idleTimeout: 3,
        fetch: async (request) => {
          const name = new URL(request.url).pathname;
          started.add(name);
          try {
            return Response.json(await digest(request.body));
          } catch {
            failures.set(name, (failures.get(name) ?? 0) + 1);
            return new Response("lost", { status: 500 });
          }
        },
      });
      const [lost, other] = [await suite.connect(server), await suite.connect(server)];
      const uploads = await Promise.all(
        ["/a", "/b", "/c"].map((path) => lost.request(path, { method: "POST", body: [{ mod256: 1000 }], end: false })),
      );
      const survivor = await other.request("/d", { method: "POST", body: [{ mod256: 1000 }], end: false });
      await Promise.all([...uploads, survivor].map((e) => e.sent()));
      await until(() => started.size === 4);
      // The survivor keeps its connection awake.
      const awake = setInterval(() => void survivor.send([{ mod256: 10 }]), 200);
      if (how === "closes") await lost.close();
      else await lost.vanish();
      await until(() => failures.size === 3);
      await until(() => server.stats().connections_active === 1);
      clearInterval(awake);
      await survivor.send([], true);
      const answer = new Answer(await survivor.response());
      expect(answer.status).toBe(200);
      expect(answer.json<object>()).toMatchObject({ sha256: answer.report.sent.sha256 });
      expect(Object.fromEntries(failures)).toEqual({ "/a": 1, "/b": 1, "/c": 1 });
      await other.close();
    });
  }

  test("S09 bytes flow both ways at once", async () => {
    const server = suite.serve({ fetch: (request) => new Response(request.body) });
    const connection = await suite.connect(server);
    const exchange = await connection.request("/", { method: "POST", body: "first", end: false });
    const begun = await exchange.response("first".length);
    expect([begun.status, Buffer.from(begun.body!, "base64").toString(), begun.ended]).toEqual([200, "first", false]);
    await exchange.send([{ text: ", second" }]);
    await exchange.response("first, second".length);
    await exchange.send([{ random: 1 << 20 }], true);
    const report = await exchange.response();
    expect([report.ended, report.bytes, report.sha256]).toEqual([true, report.sent.bytes, report.sent.sha256]);
    await connection.close();
  });

  test("S10 a handler that throws after two chunks, five times, leaves nothing", async () => {
    const server = suite.serve({
      routes: {
        "/bad": {
          POST: async (request: Request) => {
            const reader = request.body!.getReader();
            await reader.read();
            await reader.read();
            throw new Error("after two chunks");
          },
        },
        "/healthy": () => new Response("well"),
      },
    });
    const connection = await suite.connect(server);
    for (let i = 0; i < 5; i++) {
      const exchange = await connection.request("/bad", { method: "POST", body: "one", end: false });
      await until(() => server.stats().requests_active === 1);
      await exchange.send([{ text: "two", after: 20 }]);
      const report = await exchange.response();
      expect([report.status, report.ended]).toEqual([500, true]);
    }
    expect((await connection.fetch("/healthy")).text).toBe("well");
    await connection.close();
    await settled(server);
  });
});
