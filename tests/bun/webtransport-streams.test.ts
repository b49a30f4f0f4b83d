/** Sessions and their streams, with webtransport-go's own client. */
import { describe, expect, test } from "bun:test";
import { WebTransportError, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import { Suite, failure, gate, settled, until } from "./suite.ts";
import { sha256 } from "./client.ts";
import { pattern } from "./wtgo.ts";

const suite = new Suite();

function serve(webtransport: (session: WebTransportServerSession) => unknown, options: object = {}): ReturnType<Suite["serve"]> {
  return suite.serve({
    routes: {
      "/wt": { webtransport: async (session) => void (await webtransport(session)) },
      "/page": (request) => new Response(`${request.method} beside sessions`),
    },
    ...options,
  });
}

describe("sessions with webtransport-go", () => {
  test("W01 accept, then a welcome datagram; W06 datagrams of every size come back", async () => {
    const large = { engine: { initial_packet_size: 1280 } }; // 1,200 bytes and what a packet has around them, from the first on
    const server = serve(async (session) => {
      session.onDatagram = (payload) => void session.sendDatagram(payload);
      await session.accept({ headers: { "x-room": "7" } });
      session.sendDatagram(Buffer.from("welcome"));
    }, large);
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    expect([session.dialled.status, session.dialled.headers!["X-Room"]]).toEqual([200, "7"]);
    expect(await session.receive()).toEqual(["welcome"]);
    for (const size of [0, 1, 5, 100, 1000, 1200]) {
      const payload = "d".repeat(size);
      await session.send(payload);
      expect(await session.receive()).toEqual([payload]);
    }
  });

  test("W06 a hundred datagrams in a burst: all are handled and answered, none is dropped", async () => {
    const sizes: number[] = [];
    const server = serve(async (session) => {
      session.onDatagram = (payload) => {
        sizes.push(payload.length);
        session.sendDatagram(payload);
      };
      await session.accept();
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    await session.send("b".repeat(500), 100);
    await until(() => sizes.length === 100);
    expect(sizes).toEqual(Array<number>(100).fill(500));
    // The peer's library keeps 32 of those that it is not asked for: what left is all that this side can tell.
    await until(() => server.stats().datagrams_out === 100);
    const { datagrams_in, datagrams_delivered, datagrams_dropped_unsent, datagrams_dropped_queue_full } = server.stats();
    expect([datagrams_in, datagrams_delivered, datagrams_dropped_unsent, datagrams_dropped_queue_full]).toEqual([100, 100, 0, 0]);
  });

  test("hyperium/h3#209: a datagram of exactly maxDatagramSize arrives, a larger one is refused", async () => {
    const sizes = gate<number[]>();
    const server = serve(async (session) => {
      await session.accept();
      const most = session.datagrams.maxDatagramSize;
      // One byte more than the limit may fit by now: it follows the path's MTU.
      const results = [most, 2000].map((size) => session.sendDatagram(new Uint8Array(size)));
      sizes.open([most, ...results.map((result) => Number(result === "queued"))]);
      session.sendDatagram(Buffer.from("end"));
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    const [most, ...queued] = await sizes.promise;
    const came = await session.receive(2);
    expect([came.map((text) => text.length), queued]).toEqual([[most!, 3], [1, 0]]);
  });

  test("W06 two thousand datagrams, 16 in flight, of 64 and of 1,000 bytes: at least 99.9 % are answered", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    for (const size of [64, 1000]) {
      const { answered, wrong } = await session.pingpong(2000, 16, size);
      expect(answered).toBeGreaterThanOrEqual(1998);
      expect(wrong).toBe(0);
    }
  });

  test("datagrams as streams: readable and createWritable, in the web's way", async () => {
    const server = serve(async (session) => {
      await session.accept();
      const writer = session.datagrams.createWritable().getWriter();
      await writer.write(Buffer.from("first"));
      for await (const datagram of session.datagrams.readable) await writer.write(datagram);
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    expect(await session.receive()).toEqual(["first"]);
    for (const payload of ["a", "", "c"]) {
      await session.send(payload);
      expect(await session.receive()).toEqual([payload]);
    }
  });

  for (const [what, answer] of [
    [403, () => 403],
    [404, () => new Response("no such room", { status: 404, headers: { "x-why": "gone" } })],
    [503, () => new Response(null, { status: 503 })],
  ] as const) {
    test(`W02 reject with ${what}`, async () => {
      const ends: unknown[] = [];
      const server = serve(async (session) => {
        session.ready.catch((error: unknown) => ends.push(error));
        session.closed.catch((error: unknown) => ends.push(error));
        await session.reject(answer());
      });
      const connection = await suite.goConnect(server);
      const dialled = await connection.dial("/wt");
      expect([dialled.session, dialled.status]).toEqual([0, what]);
      await until(() => ends.length === 2);
      expect(ends.map((e) => (e as WebTransportError).source)).toEqual(["session", "session"]);
      expect((await connection.get("/page")).status).toBe(200);
      expect(server.stats()).toMatchObject({ sessions_total: 1, sessions_rejected: 1, sessions_active: 0 });
    });
  }

  test("W03 no decision within the deadline is 503; a handler that throws or rejects before it, 500", async () => {
    const logged: string[] = [];
    const options = { webtransport: { decisionTimeoutMs: 200 }, onLog: ({ tier, message }: { tier?: string; message: string }) => logged.push(`${tier}: ${message}`) };
    const server = suite.serve({
      ...options,
      routes: {
        "/never": { webtransport: () => {} },
        "/throws": {
          webtransport: () => {
            throw new Error("on purpose");
          },
        },
        "/rejects": { webtransport: async () => Promise.reject(new Error("on purpose, later")) },
      },
    });
    const connection = await suite.goConnect(server);
    for (const [path, status] of [
      ["/never", 503],
      ["/throws", 500],
      ["/rejects", 500],
    ] as const) {
      expect(await connection.dial(path)).toMatchObject({ session: 0, status });
    }
    expect(server.stats()).toMatchObject({ sessions_total: 3, sessions_rejected: 3, sessions_active: 0 });
    expect(logged.filter((line) => line.startsWith("protocol") && line.includes("on purpose"))).toHaveLength(2);
  });

  test("W04 CONNECT where there is no handler is 404, and GET on the path of a handler is still served", async () => {
    const server = suite.serve({
      routes: {
        "/both": { GET: () => new Response("the page"), webtransport: sessions.echo },
        "/page": () => new Response("only a page"),
      },
    });
    const connection = await suite.goConnect(server);
    expect(await connection.dial("/page")).toMatchObject({ session: 0, status: 404 });
    expect(await connection.dial("/nothing")).toMatchObject({ session: 0, status: 404 });
    expect(await connection.get("/both")).toEqual({ status: 200, body: "the page" });
    expect((await connection.session("/both")).dialled.status).toBe(200);
  });

  test("same origin by default; a list; a function", async () => {
    const asked: (string | null)[] = [];
    const accept = (session: WebTransportServerSession): void => void session.accept();
    const server = suite.serve({
      routes: {
        "/same": { webtransport: accept },
        "/list": { webtransport: accept, origins: ["https://one.example", "https://two.example"] },
        "/any": { webtransport: accept, origins: ["*"] },
        "/function": {
          webtransport: accept,
          origins: async (origin) => {
            asked.push(origin);
            return origin === "https://three.example";
          },
        },
      },
    });
    const connection = await suite.goConnect(server);
    const status = async (path: string, origin?: string): Promise<number> => {
      const dialled = await connection.dial(path, origin === undefined ? {} : { origin });
      return dialled.status;
    };
    const own = `https://127.0.0.1:${server.port}`;
    expect([await status("/same"), await status("/same", own), await status("/same", "https://one.example")]).toEqual([200, 200, 403]);
    expect([await status("/list", "https://two.example"), await status("/list", "https://three.example")]).toEqual([200, 403]);
    expect(await status("/any", "https://anything.example")).toBe(200);
    expect([await status("/function", "https://three.example"), await status("/function", "https://one.example")]).toEqual([200, 403]);
    expect(asked).toEqual(["https://three.example", "https://one.example"]);
  });

  test("the first offered protocol that the handler knows; one that was not offered is a TypeError", async () => {
    const seen = gate<unknown>();
    const server = serve(async (session) => {
      seen.open(await failure(session.accept({ protocol: "unknown" })));
      void session.accept({ protocol: session.protocols.find((p) => p === "b")! });
    });
    const connection = await suite.goConnect(server, { protocols: ["a", "b", "c"] });
    expect((await connection.session("/wt")).dialled.protocol).toBe("b");
    expect(await seen.promise).toBeInstanceOf(TypeError);
  });

  test("W07 a stream of 16 MiB comes back through a window of 64 KiB; the server's writer waits", async () => {
    let waited = 0;
    const server = serve(async (session) => {
      await session.accept();
      const { value } = await session.incomingBidirectionalStreams.getReader().read();
      const writer = value!.writable.getWriter();
      for await (const chunk of value!.readable) {
        if ((writer.desiredSize ?? 0) <= 0) waited++;
        await writer.ready;
        void writer.write(chunk);
      }
      await writer.close();
    });
    const connection = await suite.goConnect(server, { window: 65_536 });
    const session = await connection.session("/wt");
    const stream = await session.open();
    const [read] = await Promise.all([stream.read(), stream.write({ size: 16 << 20 }, true)]);
    expect([read.bytes, read.sha256]).toEqual([16 << 20, sha256(pattern(16 << 20))]);
    expect(waited).toBeGreaterThan(0);
  });

  test("W07 a handler that does not read holds the peer back, and lets it go on when it does", async () => {
    const go = gate();
    const read = gate<number>();
    const server = serve(
      async (session) => {
        await session.accept();
        const { value } = await session.incomingBidirectionalStreams.getReader().read();
        await go.promise;
        let total = 0;
        for await (const chunk of value!.readable) total += chunk.length;
        read.open(total);
      },
      { webtransport: { maxData: 65_536 } },
    );
    const session = await (await suite.goConnect(server)).session("/wt");
    const stream = await session.open();
    let done = false;
    const writing = stream.write({ size: 8 << 20 }, true).then(() => (done = true));
    await Bun.sleep(300);
    expect(done).toBe(false);
    go.open();
    await writing;
    expect(await read.promise).toBe(8 << 20);
  });

  test("W08 a hundred unidirectional streams, read to the end, each exact", async () => {
    const hashes: string[] = [];
    const server = serve(async (session) => {
      await session.accept();
      await sessions.each(session.incomingUnidirectionalStreams, async (stream) => {
        hashes.push(sha256(new Uint8Array(await new Response(stream).arrayBuffer())));
      });
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    for (let i = 0; i < 100; i++) await session.open({ uni: true, size: 1 + i * 1000, end: true });
    await until(() => hashes.length === 100);
    expect(hashes.sort()).toEqual(Array.from({ length: 100 }, (_, i) => sha256(pattern(1 + i * 1000))).sort());
  });

  test("W09 streams that the server opens, both kinds, with what was written before they were there", async () => {
    const answer = gate<string>();
    const server = serve(async (session) => {
      await session.accept();
      const one = (await session.createUnidirectionalStream()).getWriter();
      await one.write(pattern(300_000));
      await one.close();
      const { readable, writable } = await session.createBidirectionalStream();
      const two = writable.getWriter();
      await two.write(Buffer.from("question"));
      await two.close();
      answer.open(await new Response(readable).text());
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    const one = await session.accept({ uni: true });
    expect((await one.read()).sha256).toBe(sha256(pattern(300_000)));
    const two = await session.accept();
    expect(await two.text()).toBe("question");
    await two.write("answer", true);
    expect(await answer.promise).toBe("answer");
  });

  test("W10 32-bit codes of reset and stop, both ways", async () => {
    const seen: unknown[] = [];
    let begun = 0;
    const server = serve(async (session) => {
      await session.accept();
      const streams = session.incomingBidirectionalStreams.getReader();
      for (;;) {
        const { value, done } = await streams.read();
        if (done) return;
        const reader = value.readable.getReader();
        const { value: first } = await reader.read();
        begun++;
        const code = new DataView(first!.buffer, first!.byteOffset).getUint32(0);
        const writer = value.writable.getWriter();
        const reset = (await failure(reader.read())) as WebTransportError;
        const stopped = (await failure(writer.closed)) as WebTransportError;
        seen.push([code, reset.source, reset.streamErrorCode, stopped.source, stopped.streamErrorCode]);
        const mine = await session.createBidirectionalStream();
        const own = mine.writable.getWriter();
        await own.write(Buffer.from("x"));
        await own.abort(new WebTransportError("", { streamErrorCode: code }));
        await mine.readable.cancel(new WebTransportError("", { streamErrorCode: code }));
      }
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    const codes = [0, 1, 29, 30, 31, 1000, 0x7fff_ffff, 0xffff_ffff];
    for (const [i, code] of codes.entries()) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(code);
      const stream = await session.open({ data: head });
      await until(() => begun === i + 1);
      await stream.reset(code);
      await stream.stop(code);
      const theirs = await session.accept();
      expect(await theirs.read().catch((error: Error) => error.message)).toBe(`webtransport-go: stream code ${code} remote true`);
      expect(await theirs.written()).toBe(`stream code ${code} remote true`);
    }
    expect(seen).toEqual(codes.map((code) => [code, "stream", code, "stream", code]));
    await until(() => server.stats().session_streams_active === 0);
  });

  test("W11 close codes and reasons from each side", async () => {
    const ends: unknown[] = [];
    const server = serve(async (session) => {
      await session.accept();
      const query = new URL(session.request.url).searchParams.get("close");
      if (query !== null) session.close({ closeCode: Number(query), reason: "server closing" });
      ends.push(await session.closed);
    });
    const connection = await suite.goConnect(server);
    const first = await connection.session("/wt?close=16");
    expect(await first.closed()).toEqual({ remote: true, code: 16, reason: "server closing" });
    const second = await connection.session("/wt");
    await second.close(4294967295, "client closing");
    await until(() => ends.length === 2);
    expect(ends).toEqual([
      { closeCode: 16, reason: "server closing" },
      { closeCode: 4294967295, reason: "client closing" },
    ]);
    expect((await connection.get("/page")).body).toBe("GET beside sessions");
    await until(() => server.stats().sessions_active === 0);
  });

  test("W12 a reason of more than 1,024 bytes is cut for the peer where a character ends, and whole for closed", async () => {
    const reason = "€".repeat(400);
    const ends: unknown[] = [];
    const server = serve(async (session) => {
      await session.accept();
      session.close({ closeCode: 1, reason });
      ends.push(await session.closed);
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    expect(await session.closed()).toEqual({ remote: true, code: 1, reason: "€".repeat(341) });
    expect(ends).toEqual([{ closeCode: 1, reason }]);
  });

  test("W13 a peer that vanishes with two sessions of three streams: each ends once, all handles are given back", async () => {
    const ends: string[] = [];
    let streams = 0;
    const server = serve(
      async (session) => {
        await session.accept();
        session.closed.then(
          () => ends.push("session closed"),
          (error: WebTransportError) => ends.push(`session failed: ${error.source}`),
        );
        await sessions.each(session.incomingBidirectionalStreams, async ({ readable, writable }) => {
          streams++;
          writable.getWriter().closed.catch(() => ends.push("writable failed"));
          await readable.getReader().closed.catch(() => ends.push("readable failed"));
        });
      },
      { idleTimeout: 1 },
    );
    const connection = await suite.goConnect(server);
    for (let i = 0; i < 2; i++) {
      const session = await connection.session("/wt");
      for (let j = 0; j < 3; j++) await session.open({ data: "x" });
    }
    await until(() => streams === 6);
    await connection.vanish();
    await settled(server);
    await until(() => ends.length >= 14);
    expect(ends.sort()).toEqual([
      ...Array<string>(6).fill("readable failed"),
      "session failed: session",
      "session failed: session",
      ...Array<string>(6).fill("writable failed"),
    ]);
  });

  test("a peer that vanishes with a hundred streams open", async () => {
    let failed = 0;
    const server = serve(
      async (session) => {
        await session.accept();
        await sessions.each(session.incomingBidirectionalStreams, async ({ readable }) => {
          await readable.getReader().closed.catch(() => failed++);
        });
      },
      { idleTimeout: 1 },
    );
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    await Promise.all(Array.from({ length: 100 }, () => session.open({ data: "x" })));
    await until(() => server.stats().session_streams_active === 100);
    await connection.vanish();
    await settled(server);
    await until(() => failed === 100);
  });

  test("W14 five sessions on one connection are apart, W15 requests beside them", async () => {
    const server = serve(sessions.echo);
    const connection = await suite.goConnect(server);
    const five = await Promise.all([1, 2, 3, 4, 5].map(() => connection.session("/wt")));
    const answers = await Promise.all(
      five.map(async (session, i) => {
        await session.send(`datagram ${i}`);
        const stream = await session.open({ data: `stream ${i}`, end: true });
        return [(await session.receive())[0], await stream.text(), (await connection.get("/page")).body];
      }),
    );
    expect(answers).toEqual(five.map((_, i) => [`datagram ${i}`, `stream ${i}`, "GET beside sessions"]));
    await five[0]!.close();
    await until(() => server.stats().sessions_active === 4);
    await five[1]!.send("still there");
    expect(await five[1]!.receive()).toEqual(["still there"]);
  });

  test("W16 no more streams than the peer allows: a QuotaExceededError, or a wait, and the session lives", async () => {
    const results: string[] = [];
    const waited = gate();
    const server = serve(async (session) => {
      session.onDatagram = (payload) => void session.sendDatagram(payload);
      await session.accept();
      const first = await session.createUnidirectionalStream();
      const second = await session.createUnidirectionalStream();
      await failure(session.createUnidirectionalStream()).then((error) => results.push((error as Error).name));
      const third = session.createUnidirectionalStream({ waitUntilAvailable: true }).then(async (stream) => {
        results.push("waited");
        await stream.getWriter().close();
      });
      waited.open();
      await first.getWriter().close();
      await second.getWriter().close();
      await third;
    });
    const session = await (await suite.goConnect(server, { maxUni: 2 })).session("/wt");
    await waited.promise;
    for (let i = 0; i < 3; i++) expect((await (await session.accept({ uni: true })).read()).bytes).toBe(0);
    await until(() => results.length === 2);
    expect(results).toEqual(["QuotaExceededError", "waited"]);
    await session.send("alive");
    expect(await session.receive()).toEqual(["alive"]);
  });

  test("E04 a handler that rejects after accept, and an onDatagram that throws: logged, the session goes on", async () => {
    const records: string[] = [];
    const server = serve(
      async (session) => {
        session.onDatagram = (payload) => {
          if (payload.length === 1) throw new Error("bad datagram");
          session.sendDatagram(payload);
        };
        await session.accept();
        throw new Error("after accept");
      },
      { onLog: ({ tier, message }: { tier?: string; message: string }) => records.push(`${tier} ${message}`) },
    );
    const session = await (await suite.goConnect(server)).session("/wt");
    await session.send("x");
    await session.send("two");
    expect(await session.receive()).toEqual(["two"]);
    await until(() => records.length === 2);
    expect(records.sort().map((r) => [r.startsWith("protocol "), r.includes("after accept") || r.includes("bad datagram")])).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  test("W21 atomicWrite() sends all of it where the peer's window has room, and else nothing", async () => {
    const tried: string[] = [];
    const server = serve(async (session) => {
      await session.accept();
      const writer = (await session.createUnidirectionalStream()).getWriter();
      await writer.atomicWrite(Buffer.alloc(10_000, "a"));
      for (const chunk of [Buffer.alloc(10_000, "b"), Buffer.alloc((64 << 10) + 1, "c")]) {
        tried.push(await writer.atomicWrite(chunk).then(() => "written", (error: Error) => error.name));
      }
      while (tried.at(-1) !== "written") {
        await Bun.sleep(1); // the client reads meanwhile
        tried.push(await writer.atomicWrite(Buffer.alloc(10_000, "d")).then(() => "written", (error: Error) => error.name));
      }
      await writer.write(Buffer.from("end"));
      await writer.close();
    });
    const session = await (await suite.goConnect(server, { window: 16 << 10 })).session("/wt");
    await until(() => tried.length >= 2);
    const stream = await session.accept({ uni: true });
    expect((await stream.read(10_000)).sha256).toBe(sha256("a".repeat(10_000)));
    expect((await stream.read()).sha256).toBe(sha256("d".repeat(10_000) + "end"));
    expect(tried.slice(0, 2)).toEqual(["AbortError", "AbortError"]);
  });

  test("W21 what was committed arrives, though the stream is aborted before the peer has taken it; what was not does not", async () => {
    const aborted = gate();
    const server = serve(async (session) => {
      await session.accept();
      const writer = (await session.createUnidirectionalStream()).getWriter();
      await writer.write(Buffer.alloc(100_000, "k"));
      writer.commit();
      await writer.write(Buffer.alloc(100_000, "x"));
      await writer.abort(new WebTransportError("", { streamErrorCode: 7 }));
      aborted.open();
    });
    const session = await (await suite.goConnect(server, { window: 16 << 10 })).session("/wt");
    await aborted.promise;
    const stream = await session.accept({ uni: true });
    expect((await stream.read(100_000)).sha256).toBe(sha256("k".repeat(100_000)));
    expect(await stream.read(1).catch((error: Error) => error.message)).toBe("webtransport-go: stream code 7 remote true");
    await until(() => server.stats().session_streams_active === 0);
  });

  test("L05 stop() drains: sessions that end by themselves are waited for, the handler's draining resolves", async () => {
    const drained = gate();
    const heard = gate();
    const ended = gate<object>();
    const server = serve(async (session) => {
      await session.accept();
      await session.draining;
      drained.open();
      const writer = (await session.createUnidirectionalStream()).getWriter();
      await writer.write(Buffer.from("last words"));
      await writer.close();
      await heard.promise;
      session.close({ closeCode: 3, reason: "done" });
      ended.open(await session.closed);
    });
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    const stopped = server.stop({ deadlineMs: 10_000 });
    await drained.promise;
    expect(await (await session.accept({ uni: true })).text()).toBe("last words");
    heard.open();
    // The server closes it: http3's client closes a connection that got GOAWAY with its last stream, and what it had to say is lost.
    expect(await session.closed()).toEqual({ code: 3, reason: "done", remote: true });
    expect(await ended.promise).toEqual({ closeCode: 3, reason: "done" });
    await stopped;
    expect(server.running).toBe(false);
  });

  test("L05 a session that was asked for just before stop() is asked to end, too", async () => {
    const drained: string[] = [];
    const server = serve(async (session) => {
      const name = new URL(session.request.url).search;
      session.onDatagram = () => {
        for (let i = 0; i < 1000 && server.stats().sessions_total! < 2; i++) Bun.sleepSync(10);
        void server.stop({ deadlineMs: 10_000 });
      };
      await session.accept();
      await session.draining;
      drained.push(name);
    });
    const connection = await suite.goConnect(server);
    const first = await connection.session("/wt?first");
    const [, second] = await Promise.all([first.send("stop"), connection.session("/wt?second")]);
    await until(() => drained.length === 2);
    expect(drained.sort()).toEqual(["?first", "?second"]);
    await first.close();
    await second.close();
    await until(() => !server.running);
  });

  test("A09 calls from inside of the handlers: stop() in onDatagram, close() of the server in a session's handler", async () => {
    const first = serve(async (session) => {
      session.onDatagram = () => void first.stop(true);
      await session.accept();
    });
    const one = await (await suite.goConnect(first)).session("/wt");
    await one.send("stop");
    await one.closed();
    await until(() => !first.running);
    const second = serve(async (session) => {
      await session.accept();
      await second.close();
    });
    const connection = await suite.goConnect(second);
    await connection.dial("/wt").catch(() => {});
    await until(() => !second.running);
  });
});
