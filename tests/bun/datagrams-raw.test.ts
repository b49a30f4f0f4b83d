/** Raw QUIC datagrams: aioquic as a client without HTTP/3 datagrams. */
import { describe, expect, test } from "bun:test";
import type { H3ServerOptions, QuicDatagramContext } from "../../bindings/bun/src/index.ts";
import { Suite, settled, until } from "./suite.ts";

const suite = new Suite();

/** SETTINGS of a client that offers QUIC datagrams and none of HTTP/3. */
const raw = { datagrams: true, settings: { 6: 65536 } };

/** 1,200 bytes of payload and what a packet has around them, from the first packet on. */
const large = { engine: { initial_packet_size: 1280 } };

function serve(quicDatagram: H3ServerOptions["quicDatagram"], more: Partial<H3ServerOptions> = {}): ReturnType<Suite["serve"]> {
  return suite.serve({ fetch: () => new Response("alive"), ...(quicDatagram === undefined ? {} : { quicDatagram }), ...more });
}

const echo = (payload: Uint8Array<ArrayBuffer>, context: QuicDatagramContext): void => void context.send(payload);

const text = (payloads: Uint8Array[]): string[] => payloads.map((p) => Buffer.from(p).toString());

describe("raw QUIC datagrams", () => {
  test("D01 payloads of 0, 1 and 1,200 bytes come back; the connection's name is stable, its hex are its bytes", async () => {
    const ids = new Map<string, Set<string>>();
    const server = serve((payload, context) => {
      const hex = Buffer.from(context.connectionId).toString("hex");
      const names = ids.get(hex) ?? new Set();
      ids.set(hex, names.add(context.connectionIdHex));
      echo(payload, context);
    }, large);
    for (const _ of [1, 2]) {
      const connection = await suite.connect(server, { ...raw, packet: 1300 });
      for (const size of [0, 1, 1200]) {
        await connection.sendDatagrams(["x".repeat(size)]);
        expect(text(await connection.datagrams(1))).toEqual(["x".repeat(size)]);
      }
    }
    expect([...ids].map(([hex, names]) => [...names].join() === hex)).toEqual([true, true]);
  });

  test("D02 of a burst of a thousand, what came is delivered or counted, to the one; 95 % come back", async () => {
    let handled = 0;
    const server = serve((payload, context) => {
      handled++;
      echo(payload, context);
    });
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams([Buffer.alloc(100)], { count: 1000, pace: 0.2 });
    const back = await connection.datagrams(1000, 3);
    await until(() => {
      const s = server.stats();
      return s.datagrams_in === 1000 && s.datagrams_in === s.datagrams_delivered! + dropped(s) && s.datagrams_delivered === handled;
    });
    expect(back.length).toBeGreaterThanOrEqual(950);
  });

  test("D03 a handler that throws or rejects is logged, and the next datagram handled", async () => {
    const logged: string[] = [];
    const server = serve(
      (payload, context) => {
        if (payload[0] === 1) throw new Error("thrown");
        if (payload[0] === 2) return Promise.reject(new Error("rejected"));
        return echo(payload, context);
      },
      { onLog: ({ tier, message }) => logged.push(`${tier} ${message}`) },
    );
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
    expect(await connection.datagrams(1)).toEqual([Buffer.of(3)]);
    await until(() => logged.length === 2);
    expect(logged.map((line) => /^protocol .*(thrown|rejected)/.exec(line)?.[1])).toEqual(["thrown", "rejected"]);
  });

  test("D04 a reply after the connection has closed says so", async () => {
    const contexts: QuicDatagramContext[] = [];
    const server = serve((_, context) => void contexts.push(context));
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams(["x"]);
    await until(() => contexts.length === 1);
    expect(contexts[0]!.send(Buffer.from("now"))).toBe("queued");
    await connection.close();
    await settled(server);
    expect(contexts[0]!.send(Buffer.from("too late"))).toBe("closed");
  });

  test("D05 without a handler datagrams are not offered: who sends one all the same breaks the protocol", async () => {
    const server = serve(undefined);
    const connection = await suite.connect(server, raw);
    expect((await connection.fetch("/")).text).toBe("alive");
    await connection.sendDatagrams(["x"]);
    expect(await connection.closed()).toMatchObject({ by: "peer", application: false });
    expect(server.stats().datagrams_in).toBe(0);
    await settled(server);
  });

  test("D06 a reply larger than a packet is too large, and the connection lives", async () => {
    const results: string[] = [];
    const server = serve((payload, context) => {
      results.push(context.send(new Uint8Array(2000)), context.send(new Uint8Array(65_536)));
      echo(payload, context);
    });
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams(["small"]);
    expect(text(await connection.datagrams(1))).toEqual(["small"]);
    expect(results).toEqual(["too-large", "too-large"]);
    await until(() => server.stats().datagrams_dropped_too_large === 2);
    expect((await connection.fetch("/")).text).toBe("alive");
  });

  test("D07 a peer that announces HTTP/3 datagrams: what names no request is dropped and counted, nothing is delivered raw", async () => {
    let raws = 0;
    const server = serve(() => void raws++);
    const connection = await suite.connect(server, { datagrams: true, settings: { 1: 4096, 7: 16, 0x33: 1 } });
    expect((await connection.fetch("/")).text).toBe("alive");
    await connection.sendDatagrams([Uint8Array.of(9, 1, 2)], { count: 3 });
    await until(() => server.stats().datagrams_in === 3);
    await until(() => server.stats().datagrams_dropped_unknown === 3);
    expect((await connection.fetch("/")).text).toBe("alive");
    expect(raws).toBe(0);
  });

  test("D07 a peer that announces HTTP/3 datagrams late: what it has sent was raw, replies are not negotiated any more", async () => {
    const contexts: QuicDatagramContext[] = [];
    const server = serve((_, context) => void contexts.push(context));
    const connection = await suite.connect(server, { datagrams: true, http: false });
    await connection.sendDatagrams(["early"]);
    await until(() => contexts.length === 1);
    expect(contexts[0]!.send(Buffer.from("raw"))).toBe("queued");
    await connection.unidirectional([{ raw: "AA==" }, { type: 4, varints: [0x33, 1] }]); // a control stream with SETTINGS
    await until(() => contexts[0]!.send(Buffer.from("again")) === "not-negotiated");
    await connection.sendDatagrams(["late"]);
    await until(() => server.stats().datagrams_dropped_unknown === 1);
    expect(contexts).toHaveLength(1);
  });

  test("D07 rawDatagrams: the server announces none of HTTP/3, and datagrams are raw whatever the peer announces", async () => {
    const server = serve(echo, { rawDatagrams: true });
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams(["raw"]);
    expect(text(await connection.datagrams(1))).toEqual(["raw"]);
    expect((await connection.stats()).settings!["51"] ?? 0).toBe(0);
  });

  test("a queue that is full says so, the oldest are not lost silently: queued = sent + counted", async () => {
    const results: Record<string, number> = {};
    const server = serve(
      (_, context) => {
        for (let i = 0; i < 5000; i++) {
          const result = context.send(new Uint8Array(1000));
          results[result] = (results[result] ?? 0) + 1;
        }
      },
      { datagrams: { outgoing: 100 } },
    );
    const connection = await suite.connect(server, raw);
    await connection.sendDatagrams(["go"]);
    await until(() => {
      const s = server.stats();
      return results.queued !== undefined && s.datagrams_out! + s.datagrams_dropped_unsent! + s.datagrams_dropped_expired! === results.queued;
    });
    expect(Object.keys(results).sort()).toEqual(["queue-full", "queued"]);
    expect(results.queued! + results["queue-full"]!).toBe(5000);
  });
});

function dropped(s: Record<string, number>): number {
  return s.datagrams_dropped_queue_full! + s.datagrams_dropped_early! + s.datagrams_dropped_unknown! + s.datagrams_dropped_internal!;
}
