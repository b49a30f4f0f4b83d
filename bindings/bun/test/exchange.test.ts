/** What counts as a sign of life for the option `timeout` of a fetch. */
import { expect, test } from "bun:test";
import type { Client } from "../src/client/client.ts";
import { FetchExchange } from "../src/client/fetch/exchange.ts";
import type { ResponseHead } from "../src/queue/fetch_events.ts";

const client = { hold() {}, letGo() {}, opened() {}, ended() {}, report() {}, dispatcher: { connections: new Map() } } as unknown as Client;

const TIMEOUT = 60;
const HEAD: ResponseHead = { status: 200, fields: "", streamId: 0, conn: 1, data: null, complete: false, early: false };

/** One whose body is being sent, and stands still, and whose response nobody reads. */
function standing(): FetchExchange {
  const exchange = new FetchExchange(client, "POST", "https://h/", { signal: undefined, timeout: TIMEOUT, onDatagram: undefined });
  exchange.answer.catch(() => {});
  exchange.trailers.promise.catch(() => {});
  exchange.send(() => ({ run() {}, writable() {}, closed() {} }));
  exchange.response(HEAD);
  return exchange;
}

async function over(exchange: FetchExchange): Promise<void> {
  for (const deadline = performance.now() + 30_000; !exchange.gone; await Bun.sleep(5)) if (performance.now() > deadline) throw new Error("it goes on for ever");
}

// Timers run in the order in which they are due, however late: what comes every third of the time limit always comes before that is over.
const signs: [string, (exchange: FetchExchange) => void][] = [
  ["a piece of the response", (exchange) => exchange.piece(new Uint8Array(1))],
  ["room for more of the request", (exchange) => exchange.writable()],
  ["an informational response", (exchange) => exchange.informational(103, "")],
];
for (const [what, sign] of signs) {
  test(`${what} is one, while the upload stands still and nobody reads`, async () => {
    const exchange = standing();
    for (let i = 0; i < 12; i++) {
      await Bun.sleep(TIMEOUT / 3);
      expect([i, exchange.gone]).toEqual([i, false]);
      sign(exchange);
    }
    await over(exchange);
  });
}

test("a datagram is none, nor that time passes", async () => {
  const exchange = standing();
  const began = performance.now();
  while (!exchange.gone) {
    exchange.datagram(new Uint8Array(1));
    await Bun.sleep(5);
    if (performance.now() - began > 30_000) throw new Error("it goes on for ever");
  }
});
