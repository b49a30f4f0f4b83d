/** WebTransport of a client in Bun, at this very server in the same process. */
import { describe, expect, test } from "bun:test";
import {
  WebTransport,
  WebTransportError,
  WebTransportSession,
  installWebTransport,
  type H3Server,
  type WebTransportClientOptions,
  type WebTransportServerSession,
} from "../../bindings/bun/src/index.ts";
import { checkWish } from "../../bindings/bun/src/client/session/web_transport_options.ts";
import { sharedClient } from "../../bindings/bun/src/client/shared_clients.ts";
import { BUNS, Child } from "./child.ts";
import { Suite, failure, gate, settled, until } from "./suite.ts";

const suite = new Suite();
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const bytes = (from: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(from);

/** Options that believe a server's certificate. */
function believe(server: H3Server, more: WebTransportClientOptions = {}): WebTransportClientOptions {
  return { serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(server.certificateHash!) }], ...more };
}

function url(server: H3Server, path = "/wt"): string {
  return `https://127.0.0.1:${server.port}${path}`;
}

function open(server: H3Server, more?: WebTransportClientOptions, path?: string): WebTransport {
  return new WebTransport(url(server, path), believe(server, more));
}

/** A server whose sessions give everything back, streams one way on one of its own. */
function echoing(): H3Server {
  return suite.serveSessions(async (session) => {
    session.onDatagram = (payload) => void session.sendDatagram(payload);
    await session.accept();
    void (async () => {
      for await (const stream of session.incomingUnidirectionalStreams) {
        void stream.pipeTo(await session.createUnidirectionalStream()).catch(() => {});
      }
    })().catch(() => {});
    for await (const { readable, writable } of session.incomingBidirectionalStreams) void readable.pipeTo(writable).catch(() => {});
  });
}

async function send(writable: WritableStream<Uint8Array>, what: Uint8Array): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(what);
  await writer.close();
}

/** Sends datagrams until the promise has come: single ones may be lost. */
async function sending<T>(send: () => unknown, until: Promise<T>): Promise<T> {
  send();
  const again = setInterval(send, 50);
  try {
    return await until;
  } finally {
    clearInterval(again);
  }
}

describe("a session", () => {
  test("W17 ready, streams both ways and one way, datagrams, close()", async () => {
    const server = echoing();
    const session = open(server);
    expect([session.reliability, session.responseHeaders, session.protocol]).toEqual(["pending", null, ""]);
    await session.ready;
    expect([session.reliability, session.responseHeaders!.has("date"), session.congestionControl]).toEqual(["supports-unreliable", true, "default"]);
    const both = await session.createBidirectionalStream();
    await send(both.writable, bytes("both"));
    expect(await new Response(both.readable).text()).toBe("both");
    await send(await session.createUnidirectionalStream(), bytes("one"));
    const { value: back } = await session.incomingUnidirectionalStreams.getReader().read();
    expect(await new Response(back).text()).toBe("one");
    const writer = session.datagrams.createWritable().getWriter();
    await writer.write(bytes("gram"));
    const gram = await sending(() => writer.write(bytes("gram")), session.datagrams.readable.getReader().read());
    expect(text(gram.value)).toBe("gram");
    session.close({ closeCode: 7, reason: "enough" });
    expect(await session.closed).toEqual({ closeCode: 7, reason: "enough" });
    await settled(server);
  });

  test("W17 streams are opened and datagrams written before it is ready", async () => {
    const server = echoing();
    const session = open(server);
    const writer = session.datagrams.createWritable().getWriter();
    const reader = session.datagrams.readable.getReader();
    await writer.write(bytes("early"));
    const stream = session.createBidirectionalStream();
    expect(Bun.peek.status(session.ready)).toBe("pending");
    expect(text((await sending(() => writer.write(bytes("early")), reader.read())).value)).toBe("early");
    const { readable, writable } = await stream;
    await send(writable, bytes("early, too"));
    expect(await new Response(readable).text()).toBe("early, too");
    session.close();
  });

  test("W17 what the server does: streams, datagrams, drain, close with code and reason", async () => {
    const drained = gate();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      await send((await session.createBidirectionalStream()).writable, bytes("from the server"));
      session.drain();
      await sending(() => session.sendDatagram(bytes("gram")), drained.promise);
      session.close({ closeCode: 0xffff_ffff, reason: "schluß" });
    });
    const session = open(server, { datagramsReadableType: "bytes" });
    const { value } = await session.incomingBidirectionalStreams.getReader().read();
    expect(await new Response(value!.readable).text()).toBe("from the server");
    const { value: view } = await session.datagrams.readable.getReader({ mode: "byob" }).read(new Uint8Array(100));
    expect(text(view as Uint8Array)).toBe("gram");
    await session.draining;
    drained.open();
    expect(await session.closed).toEqual({ closeCode: 0xffff_ffff, reason: "schluß" });
    expect((await failure(session.createUnidirectionalStream())) as DOMException).toMatchObject({ name: "InvalidStateError" });
    expect(() => session.createSendGroup()).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    expect((await session.getStats()).bytesReceived).toBeGreaterThan(0);
  });

  test("W17 protocols, headers both ways, keying material that both ends derive", async () => {
    const theirs = gate<[object, string, Uint8Array]>();
    const server = suite.serveSessions(async (session) => {
      await session.accept({ protocol: "b", headers: { "x-answer": "yes", "set-cookie": "a=b" } });
      const material = await session.exportKeyingMaterial(bytes("label"), bytes("context"), 32);
      const { headers } = session.request;
      theirs.open([session.protocols, [headers.get("x-mine"), headers.get("origin"), headers.get("cookie")].join(), material]);
    });
    const session = open(server, { protocols: ["a", "b"], headers: { "X-Mine": "hi", origin: "https://page.example", cookie: "no=1" } });
    await session.ready;
    expect([session.protocol, session.responseHeaders!.get("x-answer"), session.responseHeaders!.has("set-cookie")]).toEqual(["b", "yes", false]);
    const material = await session.exportKeyingMaterial(bytes("label"), bytes("context"), 32);
    expect(await theirs.promise).toEqual([["a", "b"], "hi,https://page.example,", material]);
    session.close();
  });

  test("W17 codes of reset and stop both ways, in an error of source stream", async () => {
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      const { value } = await session.incomingBidirectionalStreams.getReader().read();
      const told = await failure(value!.readable.getReader().read());
      await value!.writable.abort(new WebTransportError("", { streamErrorCode: (told as WebTransportError).streamErrorCode! + 1 }));
      const { value: other } = await session.incomingUnidirectionalStreams.getReader().read();
      await other!.cancel(new WebTransportError("", { streamErrorCode: 0xffff_ffff }));
    });
    const session = open(server);
    const { readable, writable } = await session.createBidirectionalStream();
    await writable.abort(new WebTransportError("", { streamErrorCode: 41 }));
    expect(await failure(readable.getReader().read())).toMatchObject({ name: "WebTransportError", source: "stream", streamErrorCode: 42 });
    const writer = (await session.createUnidirectionalStream()).getWriter();
    writer.write(bytes("x")).catch(() => {}); // it may be stopped before
    expect(await failure(writer.closed)).toMatchObject({ source: "stream", streamErrorCode: 0xffff_ffff });
    session.close();
  });

  test("W21 groups, orders, atomicWrite() and commit()", async () => {
    const got: string[] = [];
    const all = gate();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      for await (const stream of session.incomingUnidirectionalStreams) {
        got.push(await new Response(stream).text());
        if (got.length === 2) all.open();
      }
    });
    const session = open(server);
    const sendGroup = session.createSendGroup();
    const stream = await session.createUnidirectionalStream({ sendGroup, sendOrder: 3 });
    expect([stream.sendGroup, stream.sendOrder]).toEqual([sendGroup, 3]);
    const writer = stream.getWriter();
    await writer.atomicWrite(bytes("all of it"));
    writer.commit();
    await writer.close();
    expect(await sendGroup.getStats()).toEqual({ bytesWritten: 9 });
    await send(await session.createUnidirectionalStream(), bytes("another"));
    await all.promise;
    expect(got.sort()).toEqual(["all of it", "another"]);
    const other = open(server);
    await other.ready;
    expect(await failure(other.createUnidirectionalStream({ sendGroup }))).toBeInstanceOf(TypeError);
    session.close();
    other.close();
  });

  test("W17 what the server may open is what was anticipated, 100 at least", async () => {
    const counts: Record<string, number> = {};
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      const path = session.request.headers.get("x-case")!;
      counts[path] = 0;
      for (;;) {
        try {
          await session.createUnidirectionalStream();
        } catch {
          break;
        }
        counts[path]++;
      }
      session.close();
    });
    for (const anticipated of [null, 5, 150]) {
      const session = open(server, { anticipatedConcurrentIncomingUnidirectionalStreams: anticipated, headers: { "x-case": String(anticipated) } });
      expect(session.anticipatedConcurrentIncomingUnidirectionalStreams).toBe(anticipated);
      await session.closed;
    }
    expect(counts).toEqual({ null: 100, 5: 100, 150: 150 });
  });

  test("a gigabit of nothing: 4 MiB there and back, with backpressure", async () => {
    const session = open(echoing());
    const { readable, writable } = await session.createBidirectionalStream();
    const sent = new Uint8Array(4 << 20).map((_, i) => i * 7);
    const written = send(writable, sent);
    const back = await new Response(readable).bytes();
    await written;
    expect(Bun.hash(back)).toBe(Bun.hash(sent));
    session.close();
  });
});

describe("the class", () => {
  test("W17 is the web's: shape, instanceof, a subclass, a global when asked for", async () => {
    expect([WebTransport.length, WebTransport.name, WebTransport.supportsReliableOnly]).toEqual([1, "WebTransport", false]);
    expect(() => new (WebTransport as unknown as new () => unknown)()).toThrow(TypeError);
    expect(Object.getPrototypeOf(WebTransport.prototype)).toBe(Object.prototype);
    const seen = gate<WebTransportServerSession>();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      seen.open(session);
    });
    class Own extends WebTransport {
      constructor(path: string) {
        super(url(server, path), believe(server));
      }
    }
    const own = new Own("/wt");
    await own.ready;
    const there = await seen.promise;
    expect([own instanceof Own, own instanceof WebTransport, own instanceof WebTransportSession, String(own)]).toEqual([true, true, true, "[object WebTransport]"]);
    expect([there instanceof WebTransport, there instanceof Own, {} instanceof WebTransport]).toEqual([true, false, false]);
    const at: Record<string, unknown> = {};
    installWebTransport(at);
    expect([at.WebTransport, Object.getOwnPropertyNames(at).length, Object.keys(at)]).toEqual([WebTransport, 9, []]);
    const older = ["writable", "incomingHighWaterMark", "outgoingHighWaterMark"];
    expect([older.filter((name) => name in own.datagrams), older.filter((name) => name in there.datagrams)]).toEqual([[], older]);
    own.close();
  });

  test("K04 sessions share a connection only when they may, and never one with hashes", async () => {
    const server = echoing();
    const tls = { rejectUnauthorized: false };
    const apart = [0, 1].map(() => new WebTransport(url(server), { tls }));
    await Promise.all(apart.map((session) => session.ready));
    expect(server.stats().connections_active).toBe(2);
    const first = new WebTransport(url(server), { tls, allowPooling: true });
    await first.ready;
    const second = new WebTransport(url(server), { tls, allowPooling: true });
    await second.ready;
    expect(server.stats()).toMatchObject({ connections_active: 3, sessions_active: 4 });
    expect(Object.keys(await first.getStats())).not.toContain("bytesSent");
    expect(Object.keys(await apart[0]!.getStats())).toContain("bytesSent");
    first.close();
    const { readable, writable } = await second.createBidirectionalStream();
    await send(writable, bytes("still here"));
    expect(await new Response(readable).text()).toBe("still here");
    for (const session of [...apart, second]) session.close();
    await until(() => server.stats().sessions_active === 0);
  });
});

describe("a session that fails", () => {
  const cases: [what: string, path: string, more: WebTransportClientOptions, code: string, message: RegExp][] = [
    ["refused", "/no", {}, "ZIG_H3_ERR_REJECTED", /^The session was refused by the peer: .*403/],
    ["no such path", "/nowhere", {}, "ZIG_H3_ERR_REJECTED", /404/],
    ["redirected", "/moved", {}, "ZIG_H3_ERR_REJECTED", /307/],
    ["another certificate", "/wt", { serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(32) }] }, "ZIG_H3_ERR_PIN", /SHA-256/],
    ["no certificate at all", "/wt", { serverCertificateHashes: [{ algorithm: "sha-512", value: new Uint8Array(64) }] }, "ZIG_H3_ERR_PIN", /SHA-256/],
    ["an authority that nobody knows", "/wt", { serverCertificateHashes: [] }, "ZIG_H3_ERR_UNKNOWN_AUTHORITY", /unknown authority/],
  ];
  for (const [what, path, more, code, message] of cases) {
    test(`W02 ${what}: ready and closed reject with the same error, whose cause says why`, async () => {
      const server = suite.serve({
        webtransport: { origins: ["*"] },
        routes: {
          "/wt": { webtransport: (session) => void session.accept() },
          "/no": { webtransport: (session) => void session.reject(403) },
          "/moved": { webtransport: (session) => void session.reject(Response.redirect("https://example.com/", 307)) },
        },
      });
      const session = open(server, more, path);
      const error = (await failure(session.ready)) as WebTransportError;
      expect(await failure(session.closed)).toBe(error);
      expect([error instanceof WebTransportError, error.source, error.streamErrorCode, session.reliability]).toEqual([true, "session", null, "pending"]);
      expect([error.message, error.cause]).toEqual([expect.stringMatching(message), expect.objectContaining({ name: "H3Error", code })]);
      expect(await failure(session.getStats())).toMatchObject({ name: "InvalidStateError" });
      expect(await failure(session.createBidirectionalStream())).toMatchObject({ name: "InvalidStateError" });
      session.close();
    });
  }

  test("W05 a server without sessions: the error names the setting that is missing", async () => {
    const server = suite.serve({ fetch: () => new Response("x") });
    const error = (await failure(open(server).ready)) as WebTransportError;
    expect([error.message, (error.cause as { code: string }).code]).toEqual([expect.stringMatching(/SETTINGS have no SETTINGS_H3_DATAGRAM/), "ZIG_H3_ERR_NOT_NEGOTIATED"]);
  });

  test("nobody listens: an error of the connection", async () => {
    const error = (await failure(new WebTransport("https://127.0.0.1:9/").ready)) as WebTransportError;
    expect([error.source, (error.cause as { code: string }).code]).toEqual(["session", "ZIG_H3_ERR_REFUSED"]);
  });

  test("F09 W17 close() while connecting rejects both at once, and the server hears of nothing or of the end", async () => {
    const server = echoing();
    const session = open(server);
    session.close({ closeCode: 5 });
    const error = (await failure(session.closed)) as WebTransportError;
    expect([error.source, await failure(session.ready)]).toEqual(["session", error]);
    await session[Symbol.asyncDispose]();
    await settled(server);
  });

  test("W13 the server is gone: everything of the session rejects with one error", async () => {
    const child = new Child("programs/echo-sessions.ts");
    const [port, hash] = [await child.line(), await child.line()];
    const serverCertificateHashes = [{ algorithm: "sha-256", value: Buffer.from(hash, "hex") }];
    const session = new WebTransport(`https://127.0.0.1:${port}/wt`, { serverCertificateHashes, idleTimeout: 0.5 });
    await session.ready;
    const { readable, writable } = await session.createBidirectionalStream();
    const parts = [
      readable.getReader().closed,
      writable.getWriter().closed,
      session.datagrams.readable.getReader().closed,
      session.datagrams.createWritable().getWriter().closed,
      session.incomingBidirectionalStreams.getReader().closed,
      session.incomingUnidirectionalStreams.getReader().closed,
      session.closed,
    ].map(failure);
    await child.kill();
    const errors = new Set(await Promise.all(parts));
    expect([...errors].map((error) => (error as WebTransportError).source)).toEqual(["session"]);
    expect(await failure(session.createUnidirectionalStream())).toMatchObject({ name: "InvalidStateError" });
  });
});

describe("what is left", () => {
  test("Z04 200 sessions opened and closed, some while they connect, some by the server: nothing", async () => {
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      if (session.request.headers.has("x-close")) session.close({ closeCode: 1 });
    });
    const ends: string[] = [];
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const session = open(server, i % 4 === 1 ? { headers: { "x-close": "1" } } : {});
          if (i % 4 === 0) session.close();
          else if (i % 4 !== 1) {
            await session.ready;
            session.close({ closeCode: 2 });
          }
          ends.push(await session.closed.then(({ closeCode }) => String(closeCode), (error: WebTransportError) => error.source));
        }),
      );
    }
    const count = (what: string): number => ends.filter((one) => one === what).length;
    expect([count("session"), count("1"), count("2")]).toEqual([50, 50, 100]);
    await settled(server);
  });

  test("a client that is asked for no more ends with the last of its sessions", async () => {
    const server = echoing();
    const session = open(server);
    const client = sharedClient(checkWish(url(server), believe(server)).connection);
    await session.ready;
    client.retire();
    expect([client.held, client.over]).toEqual([1, false]);
    session.close();
    await session.closed;
    await until(() => client.over);
  });

  test("L16 an open session keeps the process, a closed one does not", async () => {
    const server = echoing();
    const child = new Child("programs/open-session.ts", [url(server), String(server.certificateHash)]);
    expect(await child.line()).toBe("ready");
    child.say("close");
    expect(await child.exit()).toMatchObject({ code: 0, stderr: "", lines: ["closed"] });
  });
});

for (const [bun, path] of Object.entries(BUNS)) {
  test(`W07 W10 both ends in ${bun}: 8 MiB there and back, a stream given up while its write waits, one behind its close()`, async () => {
    const child = new Child("programs/both-ends.ts", [], {}, [], path);
    expect(await child.exit(60_000)).toMatchObject({
      code: 0,
      stderr: "",
      lines: ["8388608 true", "with the reason,well,with the reason", '{"closeCode":5,"reason":"7,8"}'],
    });
  });
}
