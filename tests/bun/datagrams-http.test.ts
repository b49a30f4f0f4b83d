/** HTTP/3 datagrams (RFC 9297): aioquic as the client. */
import { describe, expect, test } from "bun:test";
import type { H3DatagramContext } from "../../bindings/bun/src/index.ts";
import type { Exchange } from "./client.ts";
import { readVarint, varint } from "./draft02.ts";
import { Suite, gate, settled, until } from "./suite.ts";

const suite = new Suite();
/** aioquic announces HTTP datagrams (0x33) of itself only together with WebTransport. */
const both = { datagrams: true, settings: { 1: 4096, 7: 16, 0x33: 1 } };

const echo = (payload: Uint8Array<ArrayBuffer>, context: H3DatagramContext): void => void context.send(payload);

/** A datagram of a request, as it goes over the wire. */
function of(exchange: Exchange, payload: string | Uint8Array): Uint8Array {
  return Buffer.concat([varint(exchange.stream / 4), Buffer.from(payload)]);
}

/** Flow id and payload of what came. */
function read(datagram: Uint8Array): [flow: number, payload: string] {
  const [flow, at] = readVarint(datagram, 0)!;
  return [flow, Buffer.from(datagram.subarray(at)).toString()];
}

describe("HTTP/3 datagrams", () => {
  test("H01 three datagrams of a POST come back on its flow, while its handler runs", async () => {
    const contexts = new Set<unknown>();
    const server = suite.serve({
      routes: {
        "/echo": {
          POST: (request) => new Response(request.body),
          h3Datagram(payload, context) {
            contexts.add(JSON.stringify([context.flowId === context.streamId / 4, context.request.method, new URL(context.request.url).pathname]));
            echo(payload, context);
          },
        },
      },
    });
    const connection = await suite.connect(server, both);
    await connection.fetch("/nothing"); // so that the stream, and with it the flow, is not number 0
    const exchange = await connection.request("/echo", { method: "POST", end: false });
    await exchange.response("headers");
    for (const payload of ["one", "two", "three"]) {
      await connection.sendDatagrams([of(exchange, payload)]);
      expect((await connection.datagrams(1)).map(read)).toEqual([[exchange.stream / 4, payload]]);
    }
    await exchange.send([{ text: "body" }], true);
    expect((await exchange.response()).status).toBe(200);
    expect([...contexts]).toEqual(['[true,"POST","/echo"]']);
  });

  test("H02 datagrams of 1,000 bytes, twice; an empty one is one", async () => {
    const server = suite.serve({ routes: { "/echo": { POST: (request) => new Response(request.body), h3Datagram: echo } } });
    const connection = await suite.connect(server, both);
    const exchange = await connection.request("/echo", { method: "POST", end: false });
    await exchange.response("headers");
    for (const payload of ["x".repeat(1000), "y".repeat(1000), ""]) {
      await connection.sendDatagrams([of(exchange, payload)]);
      expect((await connection.datagrams(1)).map(read)).toEqual([[exchange.stream / 4, payload]]);
    }
    await exchange.abort();
  });

  test("H03 datagrams before their request are kept, up to a bound; those after its response are counted", async () => {
    const got: string[] = [];
    const server = suite.serve({
      routes: { "/take": { POST: async (request) => new Response(await request.text()), h3Datagram: (payload) => void got.push(Buffer.from(payload).toString()) } },
    });
    const connection = await suite.connect(server, both);
    await connection.fetch("/nothing");
    // The next request's stream is 4: its flow is 1.
    await connection.sendDatagrams(["early 1", "early 2"].map((p) => Buffer.concat([varint(1), Buffer.from(p)])));
    await until(() => server.stats().datagrams_in === 2);
    const exchange = await connection.request("/take", { method: "POST", end: false });
    expect(exchange.stream).toBe(4);
    await exchange.send([], true);
    expect((await exchange.response()).status).toBe(200);
    // What never came out of http3's queue is known to be lost when the request has ended.
    await until(() => got.length + server.stats().datagrams_dropped_early! + server.stats().datagrams_dropped_unknown! === 2);
    const before = got.length;
    await connection.sendDatagrams([of(exchange, "late")]);
    await until(() => server.stats().datagrams_in === 3);
    await until(() => server.stats().datagrams_delivered! + drops(server.stats()) === 3);
    expect(got).toHaveLength(before);
    // Far more of them, for requests that never come.
    const delivered = server.stats().datagrams_delivered!;
    await connection.sendDatagrams([Buffer.concat([varint(40), Buffer.alloc(1000)])], { count: 2000 });
    expect((await connection.fetch("/nothing")).status).toBe(404);
    expect(got).toHaveLength(before);
    await until(() => {
      const s = server.stats();
      return s.datagrams_in! > 1000 && s.datagrams_delivered! + drops(s) === s.datagrams_in; // the network may lose some
    });
    expect(server.stats().datagrams_delivered).toBe(delivered);
  });

  test("H04 unknown flows are counted, a payload without a flow id ends the connection as RFC 9297 says", async () => {
    const server = suite.serve({ routes: { "/echo": { POST: (request) => new Response(request.body), h3Datagram: echo } } });
    const connection = await suite.connect(server, both);
    const exchange = await connection.request("/echo", { method: "POST", end: false });
    await exchange.response("headers");
    const plain = await connection.request("/nothing");
    await plain.response();
    await connection.sendDatagrams([of(plain, "nobody takes it")]);
    await until(() => drops(server.stats()) === 1);
    await connection.sendDatagrams([of(exchange, "still there")]);
    expect((await connection.datagrams(1)).map(read)).toEqual([[0, "still there"]]);
    await connection.sendDatagrams([Uint8Array.of(0x40)]); // the first of two bytes of a varint
    expect((await connection.closed()).code).toBe(0x33); // H3_DATAGRAM_ERROR
    await settled(server);
  });

  test("H05 a peer without HTTP/3 datagrams: a reply is not negotiated, the request is answered", async () => {
    const contexts: H3DatagramContext[] = [];
    const server = suite.serve({
      routes: { "/echo": { POST: async (request) => new Response(await request.text()), h3Datagram: (_, context) => void contexts.push(context) } },
    });
    const without = await suite.connect(server);
    expect((await without.fetch("/echo", { method: "POST", body: "plain" })).text).toBe("plain");
    const offers = await suite.connect(server, { datagrams: true, settings: { 6: 65536 } });
    const exchange = await offers.request("/echo", { method: "POST", end: false });
    await offers.sendDatagrams([of(exchange, "x")]);
    await exchange.send([{ text: "body" }], true);
    expect((await exchange.response()).status).toBe(200);
    expect(contexts).toHaveLength(0);
  });

  test("H06 two requests at once: each datagram reaches its own", async () => {
    const server = suite.serve({
      routes: { "/echo/:name": { POST: (request) => new Response(request.body), h3Datagram: (payload, context) => void context.send(Buffer.from(`${context.request.params.name} ${Buffer.from(payload)}`)) } },
    });
    const connection = await suite.connect(server, both);
    const [a, b] = [await connection.request("/echo/a", { method: "POST", end: false }), await connection.request("/echo/b", { method: "POST", end: false })];
    await a.response("headers");
    await b.response("headers");
    for (let i = 0; i < 10; i++) await connection.sendDatagrams([of(a, String(i)), of(b, String(i))]);
    const came = (await connection.datagrams(20)).map(read);
    for (const [exchange, name] of [[a, "a"], [b, "b"]] as const) {
      const mine = came.filter(([flow]) => flow === exchange.stream / 4).map(([, payload]) => payload);
      expect(mine).toEqual(Array.from({ length: 10 }, (_, i) => `${name} ${i}`));
    }
    await a.abort();
    await b.abort();
  });

  test("H07 a handler that throws or rejects is logged, the request goes on", async () => {
    const logged: string[] = [];
    const server = suite.serve({
      onLog: ({ tier, message }) => logged.push(`${tier} ${message}`),
      routes: {
        "/echo": {
          POST: (request) => new Response(request.body),
          h3Datagram(payload, context) {
            if (payload[0] === 1) throw new Error("thrown");
            if (payload[0] === 2) return Promise.reject(new Error("rejected"));
            return echo(payload, context);
          },
        },
      },
    });
    const connection = await suite.connect(server, both);
    const exchange = await connection.request("/echo", { method: "POST", end: false });
    await exchange.response("headers");
    await connection.sendDatagrams([1, 2, 3].map((n) => of(exchange, Uint8Array.of(n))));
    expect((await connection.datagrams(1)).map((d) => d.at(-1))).toEqual([3]);
    await until(() => logged.length === 2);
    expect(logged.map((line) => /^protocol .*(thrown|rejected)/.exec(line)?.[1])).toEqual(["thrown", "rejected"]);
    await exchange.send([{ text: "body" }], true);
    expect((await exchange.response()).ended).toBe(true);
  });

  test("a reply is sent after the handler has returned, and refused once the response has ended", async () => {
    const context = gate<H3DatagramContext>();
    const end = gate();
    const server = suite.serve({
      routes: {
        "/later": {
          POST: async () => {
            await end.promise;
            return new Response("done");
          },
          h3Datagram: (_, c) => context.open(c),
        },
      },
    });
    const connection = await suite.connect(server, both);
    const exchange = await connection.request("/later", { method: "POST", body: "x" });
    await connection.sendDatagrams([of(exchange, "hello")]);
    const kept = await context.promise;
    await Bun.sleep(20);
    expect([kept.send(Buffer.from("later")), kept.send(new Uint8Array(5000))]).toEqual(["queued", "too-large"]);
    expect((await connection.datagrams(1)).map(read)).toEqual([[exchange.stream / 4, "later"]]);
    end.open();
    expect((await exchange.response()).status).toBe(200);
    await until(() => server.stats().requests_active === 0);
    expect(kept.send(Buffer.from("too late"))).toBe("closed");
  });
});

function drops(s: Record<string, number>): number {
  return s.datagrams_dropped_queue_full! + s.datagrams_dropped_early! + s.datagrams_dropped_unknown! + s.datagrams_dropped_internal!;
}
