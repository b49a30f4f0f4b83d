/** What counts as a sign of life for the option `timeout` of a fetch. Time is what the test says. */
import { afterAll, beforeAll, beforeEach, expect, mock, test } from "bun:test";
import { join } from "node:path";
import type { Client } from "../src/client/client.ts";
import { FetchExchange } from "../src/client/fetch/exchange.ts";
import type { ResponseHead } from "../src/queue/fetch_events.ts";

const path = join(import.meta.dir, "../src/common/builtins.ts");
const was = { ...(await import("../src/common/builtins.ts")) };

/** What is to be done, and when. */
let timers = new Map<object, { at: number; run: () => void }>();
let clock = 0;

beforeAll(() => {
  mock.module(path, () => ({
    ...was,
    now: () => clock,
    setTimeout: (run: () => void, ms: number) => {
      const timer = { unref() {} };
      timers.set(timer, { at: clock + ms, run });
      return timer;
    },
    clearTimeout: (timer: object) => void timers.delete(timer),
  }));
});
afterAll(() => void mock.module(path, () => was));
beforeEach(() => void ((timers = new Map()), (clock = 0)));

/** Time passes. */
function passes(ms: number): void {
  for (const end = clock + ms; ; ) {
    const next = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
    if (next === undefined) return void (clock = end);
    clock = next[1].at;
    timers.delete(next[0]);
    next[1].run();
  }
}

const client = { hold() {}, letGo() {}, opened() {}, ended() {}, report() {}, dispatcher: { connections: new Map() } } as unknown as Client;

const TIMEOUT = 60;
/** What it takes to be believed. */
const LATE = TIMEOUT + 5;
const HEAD: ResponseHead = { status: 200, fields: "", streamId: 0, conn: 1, data: null, complete: false, early: false };

/** One whose body is being sent, and stands still, and whose response nobody reads. */
function standing(): FetchExchange {
  const exchange = new FetchExchange(client, "POST", "https://h/", { signal: undefined, timeout: TIMEOUT, onDatagram: undefined });
  exchange.answer.catch(() => {});
  exchange.trailers.catch(() => {});
  exchange.send(() => ({ run() {}, writable() {}, closed() {} }));
  exchange.response(HEAD);
  return exchange;
}

const signs: [string, (exchange: FetchExchange) => void][] = [
  ["a piece of the response", (exchange) => exchange.piece(new Uint8Array(1))],
  ["room for more of the request", (exchange) => exchange.writable()],
  ["an informational response", (exchange) => exchange.informational(103, "")],
];
for (const [what, sign] of signs) {
  test(`${what} is one, while the upload stands still and nobody reads`, () => {
    const exchange = standing();
    for (let i = 0; i < 5; i++) {
      passes(TIMEOUT - 1);
      sign(exchange);
    }
    passes(TIMEOUT - 1);
    expect(exchange.gone).toBe(false);
    passes(LATE - TIMEOUT);
    expect(exchange.gone).toBe(false);
    passes(1);
    expect(exchange.gone).toBe(true);
  });
}

test("a datagram is none", () => {
  const exchange = standing();
  for (let i = 0; i < LATE - 1; i++) {
    passes(1);
    exchange.datagram(new Uint8Array(1));
  }
  expect(exchange.gone).toBe(false);
  passes(1);
  expect(exchange.gone).toBe(true);
});

test("what waits on this side alone takes as long as it likes", () => {
  const exchange = new FetchExchange(client, "GET", "https://h/", { signal: undefined, timeout: TIMEOUT, onDatagram: undefined });
  exchange.answer.catch(() => {});
  exchange.trailers.catch(() => {});
  passes(LATE - 1);
  exchange.response(HEAD);
  passes(100 * TIMEOUT);
  expect(exchange.gone).toBe(false);
  exchange.waits(true); // and now somebody reads
  passes(2 * LATE);
  expect(exchange.gone).toBe(true);
});
