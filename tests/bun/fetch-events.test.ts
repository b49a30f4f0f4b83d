/** The events of a client's fetches themselves, polled by hand: each in its order, and the end once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Pointer } from "bun:ffi";
import * as native from "./native.ts";
import { OddServer, OK, type Step } from "./odd_server.ts";

setDefaultTimeout(60_000); // the machine may be busy with other suites: nothing fails for being slow

const { call, constants, awaitEvent } = native;

/** A number of the header, by its name. */
function number(name: string): number {
  const value = constants[`ZIG_H3_${name}`];
  if (value === undefined) throw new Error(`the header has no ZIG_H3_${name}`);
  return value;
}

const [INFORMATIONAL, RESPONSE, BODY, BODY_END, DONE, CLOSED] = ["INFORMATIONAL", "RESPONSE", "BODY", "BODY_END", "FETCH_DONE", "CLIENT_CLOSED"].map((name) =>
  number(`EVENT_${name}`),
) as [number, number, number, number, number, number];
const NAMES: Record<number, string> = { [INFORMATIONAL]: "INFORMATIONAL", [RESPONSE]: "RESPONSE", [BODY]: "BODY", [BODY_END]: "BODY_END", [DONE]: "DONE" };
const FIN: Step = { fin: true };

const out = native.memory(8);
const handleAt = (): number => Number(out.view.getBigUint64(0, true));

let server: OddServer;
let queue = 0;
let client = 0;
beforeAll(async () => {
  server = await OddServer.start();
});
afterAll(() => server.stop());

beforeEach(() => {
  queue = native.newQueue();
  const options = native.bytes(JSON.stringify({ roots_path: server.certPath }));
  const config = native.memory(24);
  config.view.setUint32(0, 24, true);
  config.view.setBigUint64(8, BigInt(options.at), true);
  config.view.setBigUint64(16, BigInt(options.length), true);
  expect(call("zig_h3_client_new", config.address, queue, out.address)).toBe(0);
  client = handleAt();
});
afterEach(() => call("zig_h3_queue_free", queue));

function fetch(...steps: Step[]): number {
  const url = native.bytes(server.url(...steps));
  const config = native.memory(88);
  config.view.setUint32(0, 88, true);
  config.view.setUint32(4, number("FETCH_END"), true);
  config.view.setBigUint64(16, BigInt(url.at as Pointer), true);
  config.view.setBigUint64(24, BigInt(url.length), true);
  expect(call("zig_h3_client_fetch", client, config.address, out.address)).toBe(0);
  return handleAt();
}

/** Ends the client. All events of its fetches, in their order, up to the very last of the queue; `begun` has those that came before. */
async function all(begun: native.Event[]): Promise<native.Event[]> {
  expect(call("zig_h3_client_free", client)).toBe(0);
  await awaitEvent(queue, CLOSED, begun);
  expect(native.nextEvent(queue)).toBe(null);
  return begun.filter(({ type }) => type in NAMES);
}

/** Waits for the end of a fetch, with credit for what comes. */
async function end(fetch: number): Promise<native.Event[]> {
  const events: native.Event[] = [];
  for (;;) {
    const came = native.nextEvent(queue);
    if (came === null) {
      await Bun.sleep(1);
      continue;
    }
    events.push(came);
    if (came.type === BODY) call("zig_h3_request_consumed", came.object, came.data.length);
    if (came.type === DONE && came.object === fetch) return events;
  }
}

const text = (events: native.Event[]): string => events.map(({ type, data }) => (type === DONE ? "" : new TextDecoder().decode(data))).join("");
/** Names of events. Of a body that comes with its head, or at once, there are fewer BODYs, down to none: so many as there are stand for one or none. */
const order = (events: native.Event[]): string => events.map(({ type }) => NAMES[type]!).join(" ");

describe("F04 the events of a fetch", () => {
  // The handle is known before the first of them: a call has given it (STARTED). A body's end without trailers may come with its last bytes.
  const cases: [what: string, steps: Step[], order: RegExp, text: string, code: string | 0][] = [
    ["a response with trailers", [{ head: [[":status", "103"]] }, OK, { data: "ab" }, { wait: 50 }, { data: "c" }, { head: [["x-sum", "3"]] }, FIN],
      /^INFORMATIONAL RESPONSE( BODY)* BODY_END DONE$/, "abc", 0],
    ["a large one", [OK, { zeros: 1_000_000 }, FIN], /^RESPONSE( BODY)+( BODY_END)? DONE$/, "\0".repeat(1_000_000), 0],
    ["a small one", [OK, { data: "abc" }, FIN], /^RESPONSE( BODY)*( BODY_END)? DONE$/, "abc", 0],
    ["one without a body", [{ head: [[":status", "204"]] }, FIN], /^RESPONSE( BODY_END)? DONE$/, "", 0],
    ["one that is reset before its head", [{ reset: 0x102 }], /^DONE$/, "", "ERR_RESET"],
    ["one that is turned away", [{ reset: 0x10b }], /^DONE$/, "", "ERR_REJECTED"],
    ["one whose connection is closed", [{ close: 0x102 }], /^DONE$/, "", "ERR_CLOSED"],
  ];
  for (const [what, steps, names, body, code] of cases) {
    test(`F04 ${what}: in this order, and DONE exactly once`, async () => {
      const handle = fetch(...steps);
      const events = await all(await end(handle));
      expect(order(events)).toMatch(names);
      expect(events.every(({ object }) => object === handle)).toBe(true);
      expect(text(events) === body).toBe(true);
      expect(events.at(-1)!.code).toBe(code === 0 ? 0 : number(code));
    });
  }

  test("F04 fifty side by side: each in its order, and DONE exactly once", async () => {
    const handles = Array.from({ length: 50 }, (_, i) => fetch({ head: [[":status", "103"]] }, OK, { data: `${i}` }, { head: [["x-sum", "3"]] }, FIN));
    const begun: native.Event[] = [];
    for (const handle of handles) if (!begun.some(({ type, object }) => type === DONE && object === handle)) begun.push(...(await end(handle)));
    const events = await all(begun);
    for (const [i, handle] of handles.entries()) {
      const its = events.filter(({ object }) => object === handle);
      expect([order(its), text(its)]).toEqual([expect.stringMatching(/^INFORMATIONAL RESPONSE( BODY)* BODY_END DONE$/), `${i}`]);
    }
  });

  test("F04 one that is cancelled, and one whose client is freed: DONE, once", async () => {
    const [cancelled, freed] = [fetch({ gate: "never" }), fetch({ gate: "never" })];
    expect(call("zig_h3_client_cancel_fetch", cancelled)).toBe(0);
    const events = await all(await end(cancelled));
    expect(events.map(({ type, object, code }) => [NAMES[type], object, code])).toEqual([["DONE", cancelled, number("ERR_CANCELLED")], ["DONE", freed, number("ERR_SHUTDOWN")]]);
  });
});

test("F07 to cancel what has ended, or never was, is told of and harmless", async () => {
  const handle = fetch(OK, { data: "well" }, FIN);
  const begun = await end(handle);
  const stale = number("ERR_STALE_HANDLE");
  expect([handle, 0x7fff_ffff].map((one) => call("zig_h3_client_cancel_fetch", one))).toEqual([stale, number("ERR_INVALID_HANDLE")]);
  expect(call("zig_h3_client_cancel_fetch", client)).toBe(number("ERR_WRONG_KIND"));
  const next = fetch(OK, { data: "still" }, FIN);
  const events = await all([...begun, ...(await end(next))]);
  expect(text(events)).toBe("wellstill");
});
