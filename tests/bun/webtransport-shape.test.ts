/** The standard's shape of a session, on the server: what its members give and do. webtransport-go's client is the other end. */
import { describe, expect, test } from "bun:test";
import type { WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import { Suite, gate, settled, until } from "./suite.ts";

const suite = new Suite();

function serve(webtransport: (session: WebTransportServerSession) => unknown, options: object = {}): ReturnType<Suite["serve"]> {
  return suite.serve({ routes: { "/wt": { webtransport: async (session) => void (await webtransport(session)) } }, ...options });
}

describe("the web's shape", () => {
  test("W17 the session has the web's members, and what the engine cannot do throws", async () => {
    const seen = gate<Record<string, unknown>>();
    const server = serve(async (session) => {
      await session.accept();
      const { datagrams } = session;
      seen.open({
        reliability: session.reliability,
        congestionControl: session.congestionControl,
        protocol: session.protocol,
        size: datagrams.maxDatagramSize >= 1000,
        ages: [datagrams.incomingMaxAge, datagrams.outgoingMaxAge],
        stats: Object.keys(await session.getStats()).length > 0,
        members: ["ready", "closed", "draining", "datagrams", "incomingBidirectionalStreams", "incomingUnidirectionalStreams"].filter((m) => !(m in session)),
      });
    });
    await (await suite.goConnect(server)).session("/wt");
    expect(await seen.promise).toEqual({
      reliability: "supports-unreliable",
      congestionControl: "default",
      protocol: "",
      size: true,
      ages: [null, null],
      stats: true,
      members: [],
    });
  });

  test("W17 a session reads back what its connection's congestion control is tuned for, and what its path carries", async () => {
    const seen: unknown[] = [];
    for (const option of ["bbr", "reno"] as const) {
      const over = gate();
      const server = serve(
        async (session) => {
          await session.accept();
          const writer = (await session.createUnidirectionalStream()).getWriter();
          await writer.write(new Uint8Array(200_000));
          await writer.close();
          let rate: number | null = null;
          await until(() => {
            session.sendDatagram(new Uint8Array(1));
            void session.getStats().then((stats) => void (rate = stats.estimatedSendRate));
            return rate !== null;
          });
          // What the handshake was sent with may be counted before; counters follow what happens.
          await until(() => {
            session.sendDatagram(new Uint8Array(1));
            const { connections_bbr, connections_reno, send_rate } = server.stats();
            return (option === "bbr" ? connections_bbr === 1 && connections_reno === 0 : connections_bbr === 0 && connections_reno === 1) && send_rate! > 0;
          });
          seen.push(session.congestionControl);
          over.open();
        },
        { engine: { congestion_control: option } },
      );
      const connection = await suite.goConnect(server);
      await connection.session("/wt");
      await over.promise;
      await connection.close();
      await until(() => server.stats().connections_active === 0);
      const { connections_bbr, connections_reno, send_rate } = server.stats();
      expect([connections_bbr, connections_reno, send_rate]).toEqual([0, 0, 0]);
    }
    expect(seen).toEqual(["low-latency", "throughput"]);
  });

  test("W17 getStats() of a session that was closed, by the peer or here, gives what it had come to", async () => {
    const members = ["atSendCapacity", "bytesAcknowledged", "bytesLost", "bytesReceived", "bytesSent", "datagrams", "estimatedSendRate", "minRtt"];
    members.push("packetsLost", "packetsReceived", "packetsSent", "rttVariation", "smoothedRtt");
    const seen: unknown[] = [];
    const server = serve(async (session) => {
      await session.accept();
      if (session.request.url.endsWith("?here")) session.close();
      await session.closed;
      for (const when of ["at once", "later"]) {
        const stats = await session.getStats();
        seen.push([when, Object.keys(stats).sort(), stats.bytesReceived! > 1000, stats.packetsSent! > 1, stats.smoothedRtt! > 0 && stats.bytesAcknowledged! > 0 && stats.bytesAcknowledged! <= stats.bytesSent!]);
        await until(() => server.stats().sessions_active === 0);
      }
    });
    const connection = await suite.goConnect(server);
    await (await connection.session("/wt")).close();
    await until(() => seen.length === 2);
    await (await connection.session("/wt?here")).closed();
    await until(() => seen.length === 4);
    const expected = ["at once", "later"].map((when) => [when, members, true, true, true]);
    expect(seen).toEqual([...expected, ...expected]);
  });

  test("W17 exportKeyingMaterial() gives what the client derives, another for each session of a connection", async () => {
    const ours: string[] = [];
    const server = serve(async (session) => {
      await session.accept();
      ours.push(Buffer.from(await session.exportKeyingMaterial(Buffer.from("label"), Buffer.from("context"), 4096)).toString("base64"));
    });
    const connection = await suite.goConnect(server);
    const theirs: string[] = [];
    for (const id of [0, 4]) {
      const session = await connection.session("/wt");
      theirs.push(await session.exported({ id, label: "label", context: "context", size: 4096 }));
    }
    await until(() => ours.length === 2);
    expect(ours).toEqual(theirs);
    expect(ours[0]).not.toBe(ours[1]);
  });

  // That the higher one goes first shows where the peer's window holds both back: TestSendOrder of the engine.
  test("streams with a group and an order arrive whole", async () => {
    const written = gate();
    const server = serve(async (session) => {
      await session.accept();
      const sendGroup = session.createSendGroup();
      const low = (await session.createUnidirectionalStream({ sendGroup, sendOrder: 1 })).getWriter();
      const high = (await session.createUnidirectionalStream({ sendGroup, sendOrder: 2 })).getWriter();
      await low.write(Buffer.from("low"));
      await high.write(Buffer.from("high"));
      await Promise.all([low.close(), high.close()]);
      written.open();
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    const texts = await Promise.all([0, 1].map(async () => (await session.accept({ uni: true })).text()));
    expect(texts.sort()).toEqual(["high", "low"]);
    await written.promise;
  });

  test("ages: what waits longer than incomingMaxAge is not read, longer than outgoingMaxAge not sent; both are counted", async () => {
    const [read, gone] = [gate(), gate()];
    const seen: unknown[] = [];
    const server = serve(
      async (session) => {
        const { datagrams } = session;
        datagrams.incomingMaxAge = 1000;
        datagrams.outgoingMaxAge = 1;
        await session.accept();
        await until(() => server.stats().datagrams_delivered === 1);
        await Bun.sleep(1500);
        const reading = datagrams.readable.getReader().read();
        read.open();
        seen.push(Buffer.from((await reading).value!).toString(), (await session.getStats()).datagrams.expiredIncoming);
        await gone.promise;
        const results = Array.from({ length: 256 }, () => session.sendDatagram(new Uint8Array(1000)));
        seen.push(results.filter((result) => result !== "queued"));
        await session.closed.catch(() => {});
      },
      { idleTimeout: 1 },
    );
    const connection = await suite.goConnect(server, { keepAlive: 200 });
    const session = await connection.session("/wt");
    await session.send("old");
    await read.promise;
    await session.send("new");
    await until(() => seen.length === 2);
    const before = server.stats().datagrams_out!;
    await connection.vanish();
    gone.open();
    await settled(server);
    await until(() => {
      const s = server.stats();
      return s.datagrams_out! - before + s.datagrams_dropped_expired! + s.datagrams_dropped_unsent! === 256;
    });
    expect(seen).toEqual(["new", 1, []]);
    expect(server.stats().datagrams_dropped_expired).toBeGreaterThan(0);
  });
});
