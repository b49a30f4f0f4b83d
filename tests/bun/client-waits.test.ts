/** For how long a client is waited for: what holds it and its process, and what lets go of it. Whom a request's end is told to. */
import { expect, test } from "bun:test";
import { Client } from "../../bindings/bun/src/client/client.ts";
import { FetchExchange } from "../../bindings/bun/src/client/fetch/exchange.ts";
import { preconnect } from "../../bindings/bun/src/client/fetch/preconnect.ts";
import { checkConnection, checkHost } from "../../bindings/bun/src/client/options.ts";
import { sharedClient } from "../../bindings/bun/src/client/shared_clients.ts";
import { h3Fetch } from "../../bindings/bun/src/index.ts";
import { failure, gate, Suite, until } from "./suite.ts";

const suite = new Suite();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("unref() and ref() of a client that nobody waits for hold for those that come", async () => {
  const client = new Client(checkConnection({}), checkHost({ queue: { capacity: 1 << 19 } })); // a pump of its own
  const told: unknown[] = [];
  for (const name of ["began", "ended"] as const) {
    const call = client.pump[name];
    client.pump[name] = (ref) => {
      told.push(`${name} ${ref}`);
      call.call(client.pump, ref);
    };
  }
  for (const ref of [false, true]) {
    client.setRef(ref);
    client.hold();
    client.letGo();
    await turn();
  }
  expect(told).toEqual(["began false", "ended false", "began true", "ended true"]);
  client.free();
});

test("a fetch is waited for until its head is there, one with onDatagram until its end, and its datagrams do not wait", async () => {
  const go = gate();
  const server = suite.serve({
    routes: {
      "/": {
        h3Datagram: (payload, context) => void context.send(payload),
        GET: () => new Response((async function* () { yield "x"; await go.promise; })() as never),
      },
    },
  });
  const options = { serverCertificateHashes: [server.certificateHash] };
  const client = sharedClient(options);
  const at = `https://127.0.0.1:${server.port}/`;
  const plain = await h3Fetch(at, options);
  expect(client.held).toBe(0);
  const listening = await h3Fetch(at, { ...options, onDatagram() {} });
  expect(client.held).toBe(1);
  // What it sends itself is on its way as soon as this turn is over, without an answer or another request.
  const { pump } = client;
  const flush = pump.flushSoon;
  let flushed = 0;
  pump.flushSoon = () => {
    flushed++;
    flush.call(pump);
  };
  expect([listening.h3.sendDatagram(new Uint8Array(1)), flushed]).toEqual(["queued", 1]);
  expect([plain.h3.sendDatagram(new Uint8Array(1)), flushed]).toEqual(["not-negotiated", 1]);
  pump.flushSoon = flush;
  go.open();
  expect([await plain.text(), await listening.text()]).toEqual(["x", "x"]);
  await until(() => client.held === 0);
});

test("a connection that was asked for is open no more once it is there, or is known never to be", async () => {
  const server = suite.serve({ fetch: () => new Response() });
  for (const port of [server.port!, 1]) {
    const client = new Client(checkConnection({ serverCertificateHashes: [server.certificateHash!] }), checkHost({}));
    const asked = preconnect(client, new URL(`https://127.0.0.1:${port}/`)).catch((error: { code?: string }) => error.code);
    client.retire();
    await turn();
    expect(client.over).toBe(false); // as long as it is on its way
    expect(await asked).toBe(port === 1 ? "ZIG_H3_ERR_REFUSED" : undefined);
    await until(() => client.over);
  }
});

test("timeout: parts of the request that leave are signs of life", async () => {
  const client = new Client(checkConnection({}), checkHost({}));
  const exchange = new FetchExchange(client, "PUT", "https://a.example/", { signal: undefined, timeout: 400, onDatagram: undefined });
  const answer = failure(exchange.answer);
  for (let i = 0; i < 120; i++) {
    exchange.writable();
    await Bun.sleep(10);
  }
  expect(exchange.gone).toBe(false);
  expect(await answer).toMatchObject({ name: "TimeoutError" });
  client.free();
});

test("an iterator whose request is given up is told", async () => {
  const entered = gate();
  const ended = gate<string>();
  const server = suite.serve({ fetch: () => new Promise<Response>(() => {}) });
  const controller = new AbortController();
  async function* parts(): AsyncGenerator<string> {
    try {
      for (;;) {
        yield "part";
        entered.open();
        await Bun.sleep(1);
      }
    } finally {
      ended.open("told");
    }
  }
  const asked = failure(suite.client(server).fetch(`https://127.0.0.1:${server.port}/`, { method: "POST", body: parts(), signal: controller.signal }));
  await entered.promise;
  controller.abort();
  expect(await asked).toMatchObject({ name: "AbortError" });
  expect(await ended.promise).toBe("told");
});

test("a request with options of its own has its client's as well, and counts with the others", async () => {
  const server = suite.serve({ fetch: () => new Response("ok") });
  const client = suite.client(server);
  const at = `https://127.0.0.1:${server.port}/`;
  expect(await (await client.fetch(at)).text()).toBe("ok");
  expect(await (await client.fetch(at, { idleTimeout: 20 })).text()).toBe("ok"); // by the hash that the client was given
  expect(await (await client.fetch(at)).text()).toBe("ok");
  await until(() => client.stats().fetches_active === 0);
  expect(client.stats()).toMatchObject({ connections_total: 2, fetches_total: 3 });
});
