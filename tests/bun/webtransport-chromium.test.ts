/** Sessions as a browser sees them: headless Chromium against our server. Streams and datagrams: webtransport-chromium-streams.test.ts. */
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { WebTransportError } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import { Browser } from "./browser.ts";
import { Suite, certificate, gate, settledButConnections, until } from "./suite.ts";
import { pattern } from "./wtgo.ts";

const suite = new Suite();
const open = { webtransport: { origins: ["*"] } };

describe("Chromium", () => {
  test("W15 W04 speaks plain HTTP/3 to the server, and opens a session of the same origin beside", async () => {
    const files = certificate("chromium");
    const server = suite.serve({
      ...files,
      routes: { "/wt": { webtransport: sessions.echo } },
      fetch: (request) => new Response(`${request.method} ${new URL(request.url).pathname}`),
    });
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
        const session = new WebTransport("${url}/wt");
        await session.ready;
        const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => fetch("/" + i, { method: "POST", body: "x" }).then((r) => r.text())));
        const { readable, writable } = await session.createBidirectionalStream();
        const writer = writable.getWriter();
        await writer.write(new TextEncoder().encode("echo"));
        await writer.close();
        const echoed = await new Response(readable).text();
        const get = await (await fetch("/wt")).text(); // the route is for sessions, requests of its path are served all the same
        return [answers.join(), performance.getEntriesByType("resource").at(-1).nextHopProtocol, echoed, get];
      })()`);
      expect(got).toEqual([Array.from({ length: 20 }, (_, i) => `POST /${i}`).join(), "h3", "echo", "GET /wt"]);
    } finally {
      await browser.close();
    }
  });

  test("W02 a rejected session fails ready and closed", async () => {
    const server = suite.serveSessions((session) => session.reject(403));
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

  test("W03 a handler that throws, and one that does not decide in time: the page's session fails", async () => {
    const server = suite.serve({
      webtransport: { origins: ["*"], decisionTimeoutMs: 50 },
      routes: {
        "/throws": {
          webtransport: () => {
            throw new Error("on purpose");
          },
        },
        "/late": { webtransport: () => {} },
      },
    });
    const page = await suite.page(server);
    const failed = await page.run((tools) => Promise.all(["/throws", "/late"].map((path) => tools.failure(tools.open(path).ready))));
    expect(failed.map((f) => [f.name, f.source])).toEqual([
      ["WebTransportError", "session"],
      ["WebTransportError", "session"],
    ]);
    expect(server.stats()).toMatchObject({ sessions_total: 2, sessions_rejected: 2, sessions_active: 0 });
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

  test("W05 a server without WebTransport: the page's session fails, and the server lives", async () => {
    const server = suite.serve({ routes: { "/": () => new Response("here") } });
    const page = await suite.page(server);
    const failed = await page.run((tools) => tools.failure(tools.open("/").ready));
    expect([failed.name, failed.source]).toEqual(["WebTransportError", "session"]);
    expect((await (await suite.connect(server)).fetch("/")).text).toBe("here");
  });

  test("W05 a certificate of another hash than the page names: its session fails, the next with the right one does not", async () => {
    const server = suite.serveSessions(sessions.echo);
    const page = await suite.page(server);
    const [failed, echoed] = await page.run(async (tools) => {
      const wrong = [{ algorithm: "sha-256", value: new Uint8Array(32) }];
      const failed = await tools.failure(tools.open("/wt", { serverCertificateHashes: wrong }).ready);
      const { readable, writable } = await (await tools.connect("/wt")).createBidirectionalStream();
      await tools.send(writable, "echo");
      return [[failed.name, failed.source], await tools.text(readable)] as const;
    });
    expect([failed, echoed]).toEqual([["WebTransportError", "session"], "echo"]);
    expect(server.stats().sessions_total).toBe(1);
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

  test("W11 the server closes: the page's closed resolves with code and reason", async () => {
    const server = suite.serveSessions(sessions.close);
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
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      const { readable, writable } = await session.createBidirectionalStream();
      await writable.getWriter().write(Buffer.from("never finished"));
      await readable.getReader().read(); // the page has both streams
      session.close({ closeCode: 77, reason: "enough" });
    });
    const page = await suite.page(server);
    const outcome = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const mine = await session.createBidirectionalStream();
      const unread = mine.writable.getWriter();
      const waiting = unread.write(tools.pattern(8 << 20)); // which is more than the server lets come
      const theirs = (await session.incomingBidirectionalStreams.getReader().read()).value;
      const [written, ...read] = [
        // Chromium's renderer may see its pipe to the network process closed before it hears that the session is, and calls it a NetworkError.
        Promise.all([waiting, unread.closed].map(tools.failure)).then((ends) => ends.length),
        ...[mine.readable.getReader().read(), tools.bytes(theirs.readable)].map(tools.failure),
      ] as const;
      await theirs.writable.getWriter().write(new Uint8Array(1));
      const { closeCode, reason } = await tools.outcome(session.closed);
      return { closeCode, reason, written: await written, read: (await Promise.all(read)).map((end) => [end.name, end.source]) };
    });
    const gone = ["WebTransportError", "session"];
    expect(outcome).toEqual({ closeCode: 77, reason: "enough", written: 2, read: [gone, gone] });
    await settledButConnections(server);
  });

  test("W11 the page closes: the server's closed resolves with code and reason", async () => {
    const closed = gate<object>();
    const server = suite.serveSessions(async (session) => {
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

  test("W12 a reason of more than 1,024 bytes is cut between characters", async () => {
    const closed = gate<object>();
    const server = suite.serveSessions(async (session) => {
      await session.accept();
      closed.open(await session.closed);
    });
    const page = await suite.page(server);
    await page.run(async (tools) => (await tools.connect("/wt")).close({ closeCode: 1, reason: "€".repeat(1000) }));
    expect(await closed.promise).toEqual({ closeCode: 1, reason: "€".repeat(341) });
  });

  test("W13 a tab that is left with sessions and streams open: each ends once, nothing is left", async () => {
    const ends: string[] = [];
    const accepted = [gate(), gate()];
    let opened = 0;
    const note = (what: string) => [
      () => void ends.push(`${what} ended`),
      (error: unknown) => void ends.push(error instanceof WebTransportError ? `${what} failed: ${error.source}` : String(error)),
    ] as const;
    const server = suite.serveSessions(async (session) => {
      const mine = accepted[opened++]!;
      await session.accept();
      void session.closed.then(...note("session"));
      const reader = session.incomingBidirectionalStreams.getReader();
      for (let i = 0; i < 3; i++) void (await reader.read()).value!.readable.getReader().closed.then(...note("stream"));
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
    await until(() => ends.length >= 8);
    await settledButConnections(server);
    expect(ends.sort()).toEqual(["session ended", "session ended", ...Array<string>(6).fill("stream failed: session")]);
  });

  test("W14 twenty sessions at once are apart", async () => {
    const server = suite.serveSessions(sessions.echo);
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

  test("the subprotocol that the server picks is the page's session.protocol", async () => {
    const server = suite.serveSessions(sessions.protocols);
    const page = await suite.page(server);
    const [protocol, said] = await page.run(async (tools) => {
      const session = await tools.connect("/wt", { protocols: ["chat.v2", "chat.v1"] });
      const stream = (await session.incomingUnidirectionalStreams.getReader().read()).value;
      return [session.protocol, JSON.parse(await tools.text(stream))];
    });
    expect([protocol, said]).toEqual(["chat.v2", { offered: ["chat.v2", "chat.v1"], chosen: "chat.v2" }]);
  });

  test("a session that is accepted without one of the offered protocols has none", async () => {
    const server = suite.serveSessions((session) => session.accept());
    const page = await suite.page(server);
    expect(await page.run(async (tools) => (await tools.connect("/wt", { protocols: ["chat.v1"] })).protocol)).toBe("");
  });

  test("L05 stop() asks sessions to end where the browser can hear it, and closes them with code 0 when its deadline has passed", async () => {
    const server = suite.serveSessions((session) => session.accept());
    const page = await suite.page(server);
    const hears = await page.run(async (tools) => {
      (globalThis as any).session = await tools.connect("/wt");
      return "draining" in (globalThis as any).WebTransport.prototype;
    });
    if (!hears) console.log("this browser's sessions have no `draining`: whether it resolves was not looked at");
    const [end] = await Promise.all([
      page.run(async () => {
        const { session } = globalThis as any;
        const drained = session.draining === undefined ? false : await session.draining.then(() => true);
        const { closeCode, reason } = await session.closed;
        return { drained, closeCode, reason };
      }),
      server.stop({ deadlineMs: 300 }),
    ]);
    expect(end).toEqual({ drained: hears, closeCode: 0, reason: "" });
  });

  test("drain() asks one session to end: its page hears it where it can, and the session goes on", async () => {
    const server = suite.serveSessions(async (session) => {
      session.drain(); // too early: it has no effect
      await session.accept();
      await session.incomingUnidirectionalStreams.getReader().read();
      session.drain();
      await sessions.each(session.incomingBidirectionalStreams, ({ readable, writable }) => readable.pipeTo(writable));
    });
    const page = await suite.page(server);
    const got = await page.run(async (tools) => {
      const session = await tools.connect("/wt");
      const hears = "draining" in session;
      let drained = false;
      session.draining?.then(() => (drained = true));
      await tools.sleep(100);
      const early = drained;
      await tools.send(await session.createUnidirectionalStream(), "now");
      await session.draining;
      const { readable, writable } = await session.createBidirectionalStream();
      await tools.send(writable, "still there");
      return [early, drained === hears, await tools.text(readable)];
    });
    expect(got).toEqual([false, true, "still there"]);
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
