/** WebTransport as a browser sees it: headless Chromium against our server. */
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { WebTransportError, type WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import { Browser } from "./browser.ts";
import { Suite, certificate, gate, settled } from "./suite.ts";
import { sha256 } from "./client.ts";
import { pattern } from "./wtgo.ts";

const suite = new Suite();
const open = { webtransport: { origins: ["*"] } };
const text = (readable: ReadableStream<Uint8Array>): Promise<string> => new Response(readable).text();

/** A server with one route for sessions. */
function serve(webtransport: (session: WebTransportServerSession) => unknown): ReturnType<Suite["serve"]> {
  return suite.serve({ ...open, routes: { "/wt": { webtransport: async (session) => void (await webtransport(session)) } } });
}

describe("Chromium", () => {
  test("speaks plain HTTP/3 to the server, beside sessions", async () => {
    const files = certificate("chromium");
    const server = suite.serve({ ...files, ...open, routes: { "/wt": { webtransport: sessions.echo } }, fetch: (request) => new Response(`${request.method} ${new URL(request.url).pathname}`) });
    const key = new X509Certificate(await Bun.file(files.certPath).text()).publicKey.export({ type: "spki", format: "der" });
    const browser = await Browser.start([
      `--origin-to-force-quic-on=127.0.0.1:${server.port}`,
      `--ignore-certificate-errors-spki-list=${new Bun.CryptoHasher("sha256").update(key).digest("base64")}`,
    ]);
    try {
      const url = `https://127.0.0.1:${server.port}`;
      const page = await browser.page({ url, hash: String(server.certificateHash) }, `${url}/page`);
      expect(await page.evaluate("document.body.innerText")).toBe("GET /page");
      const got = await page.evaluate(`(async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => fetch("/" + i, { method: "POST", body: "x" }).then((r) => r.text())));
        return [answers.join(), performance.getEntriesByType("resource").at(-1).nextHopProtocol];
      })()`);
      expect(got).toEqual([Array.from({ length: 20 }, (_, i) => `POST /${i}`).join(), "h3"]);
    } finally {
      await browser.close();
    }
  });

  test("W01 a welcome datagram arrives after ready", async () => {
    const server = serve(async (session) => {
      await session.accept();
      for (const part of ["welcome", "to", "the", "server"]) expect(session.sendDatagram(Buffer.from(part))).toBe("queued");
    });
    const page = await suite.page(server);
    expect(await page.run(async (tools) => tools.datagrams(await tools.connect("/wt"), 4))).toEqual(["welcome", "to", "the", "server"]);
  });

  test("W02 a rejected session fails ready and closed", async () => {
    const server = serve((session) => session.reject(403));
    const page = await suite.page(server);
    const failed = await page.run(async (tools) => {
      const session = tools.open("/wt");
      return [await tools.failure(session.ready), await tools.failure(session.closed)];
    });
    expect(failed.map((f) => [f.name, f.source])).toEqual([
      ["WebTransportError", "session"],
      ["WebTransportError", "session"],
    ]);
    expect(server.stats()).toMatchObject({ sessions_total: 1, sessions_rejected: 1, sessions_active: 0 });
  });

  test("W04 a path without a handler, and a page of another origin than the server allows", async () => {
    let asked = 0;
    const server = suite.serve({
      routes: { "/wt": { webtransport: () => void asked++ }, "/page": () => new Response("a page") },
    });
    const page = await suite.page(server);
    const failed = await page.run(async (tools) => [
      (await tools.failure(tools.open("/page").ready)).name,
      (await tools.failure(tools.open("/nothing").ready)).name,
      (await tools.failure(tools.open("/wt").ready)).name,
    ]);
    expect(failed).toEqual(["WebTransportError", "WebTransportError", "WebTransportError"]);
    expect(asked).toBe(0);
  });

  test("W17 the request is known before the decision: params, query, headers, origin", async () => {
    const seen = gate<object>();
    const server = suite.serve({
      ...open,
      routes: {
        "/rooms/:room": {
          webtransport: (session) => {
            const { request } = session;
            const url = new URL(request.url);
            seen.open({ room: request.params.room, query: url.search, method: request.method, origin: request.headers.get("origin"), decided: session.decided });
            void session.accept();
          },
        },
      },
    });
    const page = await suite.page(server);
    await page.run(async (tools) => void (await tools.connect("/rooms/blue%20one?seat=3")));
    expect(await seen.promise).toEqual({ room: "blue one", query: "?seat=3", method: "CONNECT", origin: page.browser.origin, decided: false });
  });

  test("W06 datagrams of 1, 1,000 and the largest size, and a hundred in a burst, come back", async () => {
    const server = serve(sessions.echo);
    const page = await suite.page(server);
    const { sizes, burst, most } = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const reader = session.datagrams.readable.getReader();
      const writer = session.datagrams.writable.getWriter();
      const most = session.datagrams.maxDatagramSize;
      const sizes: number[] = [];
      for (const size of [1, 1000, most]) {
        await writer.write(tools.pattern(size));
        const { value } = await reader.read();
        sizes.push((await tools.sha256(value)) === (await tools.sha256(tools.pattern(size))) ? value.length : -1);
      }
      session.datagrams.incomingHighWaterMark = 200;
      const seen = new Set<number>();
      for (let i = 0; i < 100; i++) await writer.write(new Uint8Array([i, 7]));
      while (seen.size < 100) {
        const { value } = await reader.read();
        seen.add(value[0]);
      }
      return { sizes, burst: seen.size, most };
    });
    expect([sizes, burst]).toEqual([[1, 1000, most], 100]);
  });

  test("W07 W08 streams that the page opens: both kinds, 256 KiB in chunks of 64 KiB", async () => {
    const server = serve(sessions.echo);
    const page = await suite.page(server);
    const hashes = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const data = tools.pattern(256 << 10);
      const write = async (writable: any): Promise<void> => {
        const writer = writable.getWriter();
        for (let at = 0; at < data.length; at += 64 << 10) {
          await writer.ready;
          await writer.write(data.subarray(at, at + (64 << 10)));
        }
        await writer.close();
      };
      const both = await session.createBidirectionalStream();
      const [echoed] = await Promise.all([tools.bytes(both.readable), write(both.writable)]);
      const incoming = session.incomingUnidirectionalStreams.getReader();
      await write(await session.createUnidirectionalStream());
      const answered = await tools.bytes((await incoming.read()).value);
      return [await tools.sha256(echoed), await tools.sha256(answered)];
    });
    const expected = sha256(pattern(256 << 10));
    expect(hashes).toEqual([expected, expected]);
  });

  test("W09 streams that the server opens: both kinds", async () => {
    const back = gate<string>();
    const server = serve(async (session) => {
      await session.accept();
      const one = (await session.createUnidirectionalStream()).getWriter();
      await one.write(pattern(100_000));
      await one.close();
      const { readable, writable } = await session.createBidirectionalStream();
      const two = writable.getWriter();
      await two.write(Buffer.from("question"));
      await two.close();
      back.open(await text(readable));
    });
    const page = await suite.page(server);
    const got = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const one = (await session.incomingUnidirectionalStreams.getReader().read()).value;
      const two = (await session.incomingBidirectionalStreams.getReader().read()).value;
      const hash = await tools.sha256(await tools.bytes(one));
      const question = await tools.text(two.readable);
      await tools.send(two.writable, "answer");
      return [hash, question];
    });
    expect(got).toEqual([sha256(pattern(100_000)), "question"]);
    expect(await back.promise).toBe("answer");
  });

  for (const code of [0, 29, 30, 255, 0xffff_ffff]) {
    test(`W10 code ${code}: the page resets and stops, the server resets and stops`, async () => {
      const seen = gate<unknown[]>();
      const server = serve(async (session) => {
        await session.accept();
        const streams = session.incomingBidirectionalStreams.getReader();
        const { value: stream } = await streams.read();
        const reset = await stream!.readable.getReader().read().then(() => null, (error: unknown) => error);
        const writer = stream!.writable.getWriter();
        const stopped = await writer.closed.then(() => null, (error: unknown) => error);
        const { value: second } = await streams.read();
        const reader = second!.readable.getReader();
        await reader.read(); // the page has nothing on its way any more when it hears
        await reader.cancel(new WebTransportError("no", { streamErrorCode: code }));
        await second!.writable.abort(new WebTransportError("no", { streamErrorCode: code }));
        seen.open([reset, stopped].map((e) => (e instanceof WebTransportError ? [e.source, e.streamErrorCode] : e)));
      });
      const page = await suite.page(server);
      const failures = await page.run(async (tools, code) => {
        const session = await tools.connect("/wt");
        const error = new (globalThis as any).WebTransportError({ message: "no", streamErrorCode: code });
        const first = await session.createBidirectionalStream();
        await first.writable.abort(error);
        await first.readable.cancel(error);
        const second = await session.createBidirectionalStream();
        const writer = second.writable.getWriter();
        await writer.write(new Uint8Array(1));
        const stopped = await tools.failure(writer.closed);
        const reset = await tools.failure(second.readable.getReader().read());
        return [stopped, reset].map((f) => [f.name, f.source, f.streamErrorCode]);
      }, code);
      const most = Math.min(code, 255); // what Chromium lets a page send; it takes 32 bits
      expect(await seen.promise).toEqual([
        ["stream", most],
        ["stream", most],
      ]);
      expect(failures).toEqual([
        ["WebTransportError", "stream", code],
        ["WebTransportError", "stream", code],
      ]);
    });
  }

  test("W11 the server closes: the page's closed resolves with code and reason", async () => {
    const server = serve(sessions.close);
    const page = await suite.page(server);
    const closed = await page.run(async (tools) =>
      Promise.all(
        ["?code=16&reason=server%20closing", "?code=4294967295&reason=%E2%82%AC", ""].map(async (query) => {
          const session = await tools.connect(`/wt${query}`);
          return tools.outcome(session.closed);
        }),
      ),
    );
    expect(closed.map(({ closeCode, reason }) => ({ closeCode, reason }))).toEqual([
      { closeCode: 16, reason: "server closing" },
      { closeCode: 4294967295, reason: "€" },
      { closeCode: 0, reason: "" },
    ]);
    await settledButConnections(server);
  });

  test("W11 the server closes with streams open and unread: code and reason arrive all the same", async () => {
    const server = serve(async (session) => {
      await session.accept();
      const writer = (await session.createBidirectionalStream()).writable.getWriter();
      await writer.write(Buffer.from("never finished"));
      await session.incomingBidirectionalStreams.getReader().read();
      session.close({ closeCode: 77, reason: "enough" });
    });
    const page = await suite.page(server);
    const outcome = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const mine = await session.createBidirectionalStream();
      const writer = mine.writable.getWriter();
      await writer.write(tools.pattern(10_000));
      const theirs = (await session.incomingBidirectionalStreams.getReader().read()).value;
      const closed = await tools.outcome(session.closed);
      return { closeCode: closed.closeCode, reason: closed.reason, streams: [(await tools.failure(writer.closed)).source, (await tools.failure(tools.bytes(theirs.readable))).name] };
    });
    expect(outcome).toEqual({ closeCode: 77, reason: "enough", streams: ["session", "WebTransportError"] });
    await settledButConnections(server);
  });

  test("W11 the page closes: the server's closed resolves with code and reason", async () => {
    const closed = gate<object>();
    const server = serve(async (session) => {
      await session.accept();
      closed.open(await session.closed);
    });
    const page = await suite.page(server);
    const own = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      session.close({ closeCode: 4711, reason: "page closing" });
      const { closeCode, reason } = await session.closed;
      return { closeCode, reason };
    });
    expect(own).toEqual({ closeCode: 4711, reason: "page closing" });
    expect(await closed.promise).toEqual({ closeCode: 4711, reason: "page closing" });
    await settledButConnections(server);
  });

  test("W13 a tab that is closed with sessions and streams open: each ends once, nothing is left", async () => {
    const ends: string[] = [];
    const accepted = [gate(), gate()];
    let opened = 0;
    const server = serve(async (session) => {
      const mine = accepted[opened++]!;
      await session.accept();
      session.closed.then(
        () => ends.push("session resolved"),
        () => ends.push("session rejected"),
      );
      const reader = session.incomingBidirectionalStreams.getReader();
      for (let i = 0; i < 3; i++) {
        const { value } = await reader.read();
        value!.readable
          .getReader()
          .closed.then(() => ends.push("stream closed"), () => ends.push("stream failed"));
      }
      mine.open();
    });
    const page = await suite.page(server);
    await page.run(async (tools) => {
      const kept: unknown[] = ((globalThis as any).kept = []);
      for (let i = 0; i < 2; i++) {
        const session = await tools.connect("/wt");
        for (let j = 0; j < 3; j++) {
          const stream = await session.createBidirectionalStream();
          await stream.writable.getWriter().write(new Uint8Array(10));
          kept.push(session, stream);
        }
      }
    });
    await Promise.all(accepted.map(({ promise }) => promise));
    await page.go("about:blank"); // as a reload: everything of the page goes
    await settledButConnections(server);
    expect(ends.filter((e) => e.startsWith("session"))).toHaveLength(2);
    expect(ends.filter((e) => e === "stream failed")).toHaveLength(6);
    expect(ends).toHaveLength(8);
  });

  test("W14 twenty sessions at once are apart", async () => {
    const server = serve(sessions.echo);
    const page = await suite.page(server);
    const echoes = await page.run(async (tools) =>
      Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const session = await tools.connect("/wt");
          const stream = await session.createBidirectionalStream();
          await tools.send(stream.writable, `stream of ${i}`);
          const text = await tools.text(stream.readable);
          await tools.sendDatagrams(session, [`datagram of ${i}`]);
          const [datagram] = await tools.datagrams(session, 1);
          session.close();
          return [text, datagram];
        }),
      ),
    );
    expect(echoes).toEqual(Array.from({ length: 20 }, (_, i) => [`stream of ${i}`, `datagram of ${i}`]));
    expect(server.stats().sessions_total).toBe(20);
    await settledButConnections(server);
  });

  test("W16 a page that opens more streams than the server allows waits for room", async () => {
    const server = suite.serve({ webtransport: { origins: ["*"], maxStreamsBidi: 10, maxStreamsUni: 10 }, routes: { "/wt": { webtransport: sessions.echo } } });
    const page = await suite.page(server);
    const texts = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      return Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const stream = await session.createBidirectionalStream();
          await tools.send(stream.writable, String(i));
          return tools.text(stream.readable);
        }),
      );
    });
    expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  });

  test("the subprotocol that the server picks is the page's session.protocol", async () => {
    const server = serve(sessions.protocols);
    const page = await suite.page(server);
    const [protocol, said] = await page.run(async (tools) => {
      const session = await tools.connect("/wt", { protocols: ["chat.v2", "chat.v1"] });
      const stream = (await session.incomingUnidirectionalStreams.getReader().read()).value;
      return [session.protocol, JSON.parse(await tools.text(stream))];
    });
    expect([protocol, said]).toEqual(["chat.v2", { offered: ["chat.v2", "chat.v1"], chosen: "chat.v2" }]);
  });

  test("a session that is accepted without one of the offered protocols has none", async () => {
    const server = serve((session) => session.accept());
    const page = await suite.page(server);
    expect(await page.run(async (tools) => (await tools.connect("/wt", { protocols: ["chat.v1"] })).protocol)).toBe("");
  });

  test("stop() closes sessions with code 0 when its deadline has passed; draining where the browser has it", async () => {
    const server = serve((session) => session.accept());
    const page = await suite.page(server);
    const [, outcome] = await Promise.all([
      page.run(async (tools) => {
        const session = await tools.connect("/wt");
        (globalThis as any).session = session;
        (globalThis as any).drained = session.draining?.then(() => true);
      }).then(() => server.stop({ deadline: 300 })),
      until(page),
    ]);
    expect(outcome).toEqual([true, { closeCode: 0, reason: "" }]);
  });

  test("a page that is loaded again while the server opens streams and sends: ten times, no error anywhere", async () => {
    const errors: unknown[] = [];
    const server = suite.serve({
      ...open,
      onLog: (record) => errors.push(record),
      routes: {
        "/wt": {
          webtransport: async (session) => {
            await session.accept();
            const timer = setInterval(() => session.sendDatagram(Buffer.from("tick")), 1);
            session.closed.catch(() => {}).finally(() => clearInterval(timer));
            for (let i = 0; i < 20; i++) {
              const stream = await session.createUnidirectionalStream().catch(() => null);
              await stream?.getWriter().write(pattern(5000)).catch(() => {});
            }
          },
        },
      },
    });
    const page = await suite.page(server);
    for (let i = 0; i < 10; i++) {
      await page.run(async (tools) => void (await tools.connect("/wt")));
      await page.go(page.browser.pages.url.href);
    }
    await settledButConnections(server);
    expect(errors).toEqual([]);
    expect(server.stats().sessions_total).toBe(10);
  });
});

/** What the page saw of the end: whether `draining` resolved (true where the browser has none), and `closed`. */
async function until(page: Awaited<ReturnType<Suite["page"]>>): Promise<unknown> {
  for (;;) {
    const seen = await page.evaluate(
      `globalThis.session && Promise.all([globalThis.drained ?? true, session.closed.then(({ closeCode, reason }) => ({ closeCode, reason }))])`,
    );
    if (seen) return seen;
    await Bun.sleep(20);
  }
}

/** As {@link settled}; but a browser keeps its connections for a while, so close it for them to go. */
async function settledButConnections(server: ReturnType<Suite["serve"]>): Promise<void> {
  await settled(server, 15_000, ["requests_active", "sessions_active", "session_streams_active"]);
}
