/** Priorities of requests that run (RFC 9218): what a server is told on the way. */
import { expect, test } from "bun:test";
import type { PriorityOption } from "../../bindings/bun/src/index.ts";
import { PeerServer } from "./peer_server.ts";
import { gate, Suite } from "./suite.ts";

const suite = new Suite();

const priorities: PriorityOption[] = ["high", "auto", "low", { urgency: 0, incremental: true }, { incremental: true }, { urgency: 7 }];
const told = ["u=1, i=?0", "u=3, i=?0", "u=5, i=?0", "u=0, i", "u=3, i", "u=7, i=?0"];

test("a server is told of each in its turn, of the request that it is of", async () => {
  await using server = await PeerServer.start("aioquic without sessions");
  const client = suite.client(undefined, { tls: { ca: server.ca } });
  const [one, other] = [await client.fetch(`${server.url}/priority`), await client.fetch(`${server.url}/priority`)];
  expect(other.h3.connection!.id).toBe(one.h3.connection!.id);
  other.h3.prioritize("low");
  for (const priority of priorities) one.h3.prioritize(priority);
  expect((await one.text()).split("\n").slice(0, -1)).toEqual(told);
  other.h3.prioritize({ urgency: 7 });
  expect((await other.text()).split("\n").slice(0, -1)).toEqual(["u=5, i=?0", "u=7, i=?0"]);
});

test("one that is none is refused, and of a request that has ended nothing is changed", async () => {
  const go = gate();
  const server = suite.serve({ fetch: () => new Response((async function* () { yield "x"; await go.promise; })() as never) });
  const client = suite.client(server);
  const response = await client.fetch(`https://127.0.0.1:${server.port}/`);
  for (const [wrong, type] of [["urgent", TypeError], [7, TypeError], [{ urgency: 8 }, RangeError], [{ urgency: -1 }, RangeError], [{ urgency: "1" }, TypeError], [{ incremental: 1 }, TypeError], [null, TypeError]] as const) {
    expect(() => response.h3.prioritize(wrong as PriorityOption)).toThrow(type);
  }
  response.h3.prioritize("high");
  go.open();
  expect(await response.text()).toBe("x");
  response.h3.prioritize("low");
  const cancelled = await client.fetch(`https://127.0.0.1:${server.port}/`);
  await cancelled.body!.cancel();
  cancelled.h3.prioritize("low");
  expect(await (await client.fetch(`https://127.0.0.1:${server.port}/`)).text()).toBe("x");
});
