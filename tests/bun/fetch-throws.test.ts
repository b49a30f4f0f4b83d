/** Code of a user's that throws wherever a fetch meets it: that costs its own fetch, and the next one is answered. */
import { afterEach, expect, test } from "bun:test";
import type { H3FetchInit } from "../../bindings/bun/src/index.ts";
import { failure, gate, Suite, until } from "./suite.ts";

const suite = new Suite();
const server = suite.serve({ routes: { "/": async (request) => new Response(await request.text()), "/never": () => new Promise<Response>(() => {}) } });
const log: string[] = [];
const client = suite.client(server, { onLog: ({ message }) => log.push(message) });
const at = `https://127.0.0.1:${server.port}/`;
const onPurpose = new RangeError("on purpose");

function throwing(): never {
  throw onPurpose;
}

/** An object with a getter that throws. */
function getter(name: string, others: object = {}): object {
  return Object.defineProperty({ ...others }, name, { get: throwing, enumerable: true });
}

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

afterEach(async () => {
  expect(await (await client.fetch(at, { method: "POST", body: "well" })).text()).toBe("well");
  await until(() => client.stats().fetches_active === 0);
});

const places: [string, () => object][] = [
  ...["method", "headers", "body", "signal", "redirect", "timeout", "tls", "pool", "hosts", "compress", "priority", "onDatagram", "duplex", "proxy"].map((name): [string, () => object] => [
    `a getter of init.${name}`,
    () => getter(name, name === "body" ? { method: "POST" } : {}),
  ]),
  ["a header", () => ({ headers: getter("x") })],
  ["an iterator of headers", () => ({ headers: { [Symbol.iterator]: throwing } })],
  ["text of a body", () => ({ method: "POST", body: { toString: throwing } })],
  ["a member of tls", () => ({ tls: getter("ca") })],
  ["a member of pool", () => ({ pool: getter("maxQueued") })],
  ["an async iterator", () => ({ method: "POST", body: { [Symbol.asyncIterator]: throwing } })],
  ["what an async iterator gives", () => ({ method: "POST", body: { [Symbol.asyncIterator]: () => ({ next: throwing }) } })],
  ["a promise of an async iterator", () => ({ method: "POST", body: { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(onPurpose) }) } })],
  ["pull() of a stream", () => ({ method: "POST", body: new ReadableStream({ pull: throwing }) })],
];
for (const [what, init] of places) {
  test(`U01 ${what}`, async () => {
    expect(await failure(client.fetch(at, init() as H3FetchInit))).toBe(onPurpose);
    expect(log.splice(0)).toEqual([]);
  });
}

test("U01 proxies that were revoked", async () => {
  for (const init of [revoked(), { headers: revoked() }, { method: "POST", body: revoked() }, { tls: revoked() }, { signal: revoked() }]) {
    expect(await failure(client.fetch(at, init as H3FetchInit))).toBeInstanceOf(TypeError);
  }
  expect(await failure(client.fetch(revoked() as never))).toBeInstanceOf(TypeError);
});

test("U01 cancel() of a stream that throws, and a reason that cannot be shown", async () => {
  const entered = gate();
  const body = new ReadableStream({ pull: (c) => (c.enqueue(new Uint8Array(1)), entered.open(), new Promise(() => {})), cancel: throwing });
  const controller = new AbortController();
  const asked = failure(client.fetch(`${at}never`, { method: "POST", body, signal: controller.signal }));
  await entered.promise;
  const reason = getter("message");
  controller.abort(reason);
  expect((await asked) === reason).toBe(true);
});

test("U01 onLog that throws, and a listener of the signal beside ours", async () => {
  const loud = suite.client(server, { onLog: throwing });
  expect(await (await loud.fetch(at)).text()).toBe("");
  const controller = new AbortController();
  const seen: unknown[] = [];
  controller.signal.addEventListener("abort", () => seen.push("theirs"));
  Object.assign(controller.signal, { addEventListener: throwing, removeEventListener: throwing });
  const asked = failure(client.fetch(`${at}never`, { signal: controller.signal }));
  await until(() => client.stats().fetches_active === 1);
  controller.abort("why");
  expect([await asked, seen]).toEqual(["why", ["theirs"]]);
});

test("U03 enumerable properties on Object.prototype and Array.prototype", async () => {
  const pollutions = { proxy: "http://127.0.0.1:1/", "x-polluted": "1", polluted: throwing };
  for (const of of [Object.prototype, Array.prototype]) {
    for (const [name, value] of Object.entries(pollutions)) if (name !== "proxy") Object.defineProperty(of, name, { value, enumerable: true, configurable: true });
    try {
      const response = await client.fetch(at, { method: "POST", body: "well", headers: { "x-own": "1" } });
      expect(await response.text()).toBe("well");
    } finally {
      for (const name of Object.keys(pollutions)) delete (of as Record<string, unknown>)[name];
    }
  }
});
