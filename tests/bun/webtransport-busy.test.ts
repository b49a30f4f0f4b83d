/** A thread that is busy, or sleeps: what comes meanwhile waits or is counted, what was written goes out. */
import { describe, expect, test } from "bun:test";
import type { H3Server, WebTransportConnectionStats, WebTransportServerSession } from "../../bindings/bun/src/index.ts";
import * as sessions from "../interop/sessions.ts";
import { Suite, gate, until } from "./suite.ts";
import { sha256 } from "./client.ts";
import { pattern } from "./wtgo.ts";

const suite = new Suite();

describe("a busy thread", () => {
  test("A08 datagrams that a sleeping consumer has no room for are counted to the one, and nothing else is lost", async () => {
    let received = 0;
    let slept = false;
    const uploads: string[] = [];
    const server = suite.serve({
      routes: {
        "/wt": {
          webtransport: async (session) => {
            session.onDatagram = () => {
              received++;
              if (!slept) Bun.sleepSync(300);
              slept = true;
            };
            void sessions.each(session.incomingUnidirectionalStreams, async (stream) => uploads.push(await new Response(stream).text()));
            await session.accept();
          },
        },
        "/page": () => new Response("alive"),
      },
    });
    const connection = await suite.goConnect(server);
    const session = await connection.session("/wt");
    const burst = session.burst(50_000, { size: 64, pace: 10 });
    for (let i = 0; i < 20; i++) await session.open({ uni: true, data: `upload ${i}`, end: true });
    await burst;
    expect((await connection.get("/page")).body).toBe("alive");
    await until(() => uploads.length === 20);
    await until(() => {
      const s = server.stats();
      return s.datagrams_in === s.datagrams_delivered! + drops(s) && s.datagrams_delivered === received;
    });
    expect(uploads.sort()).toEqual(Array.from({ length: 20 }, (_, i) => `upload ${i}`).sort());
    expect(drops(server.stats())).toBeGreaterThan(0);
    await session.close();
    await until(() => server.stats().sessions_active === 0);
  });

  test("A08 a handler that was busy finds the newest of a burst: the oldest of those that waited are dropped", async () => {
    const BURST = 10_000;
    const KEPT = 100;
    const numbers: number[] = [];
    const server = suite.serve({
      datagrams: { incoming: KEPT },
      routes: {
        "/wt": {
          webtransport: async (session) => {
            session.onDatagram = (payload) => {
              numbers.push(Number(new DataView(payload.buffer).getBigUint64(0)));
              if (numbers.length === 1) untilNoMoreCome(server);
            };
            await session.accept();
          },
        },
      },
    });
    const session = await (await suite.goConnect(server)).session("/wt");
    await session.burst(BURST, { size: 64, pace: 50 });
    await until(() => {
      const s = server.stats();
      return s.datagrams_in === s.datagrams_delivered! + drops(s) && s.datagrams_delivered === numbers.length;
    });
    expect(server.stats().datagrams_dropped_queue_full).toBeGreaterThan(0);
    expect(numbers.slice(-KEPT)).toEqual(Array.from({ length: KEPT }, (_, i) => BURST - KEPT + i));
  });

  test("w3c/webtransport#543: while this thread is busy, what it has written goes out, as fast as it is acknowledged", async () => {
    const sent = gate<boolean>();
    const size = 400_000; // less than the client's window, ten times what goes out before the first acknowledgement
    const webtransport = async (session: WebTransportServerSession): Promise<void> => {
      await session.accept();
      const writer = (await session.createUnidirectionalStream()).getWriter();
      await writer.write(pattern(size));
      const stats = (): WebTransportConnectionStats => Bun.peek(session.getStats()) as WebTransportConnectionStats; // it is there
      for (let i = 0; i < 1000 && stats().bytesSent! < size; i++) Bun.sleepSync(10);
      sent.open(stats().bytesSent! >= size);
      await writer.close();
    };
    const server = suite.serve({ routes: { "/wt": { webtransport } } });
    const session = await (await suite.goConnect(server)).session("/wt");
    const stream = await session.accept({ uni: true });
    expect((await stream.read()).sha256).toBe(sha256(pattern(size)));
    expect(await sent.promise).toBe(true);
  });
});

/** Holds this thread up until the engine has seen all datagrams there are. */
function untilNoMoreCome(server: H3Server): void {
  for (let before = -1, now = 0; now !== before; before = now, now = server.stats().datagrams_in!) Bun.sleepSync(200);
}

function drops(s: Record<string, number>): number {
  return s.datagrams_dropped_queue_full! + s.datagrams_dropped_early! + s.datagrams_dropped_unknown! + s.datagrams_dropped_internal!;
}
